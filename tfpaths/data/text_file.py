"""Lines of any text file."""

import collections
import functools
import hashlib
from collections.abc import Sequence
from typing import Annotated

from absl import logging

from tfpaths import errors, files
from tfpaths.data.dataset import DATA
from tfpaths.data.examples import Examples
from tfpaths.data.strings import MOST_CHARACTERS, PADDING, UNKNOWN, Texts, encode, one_hot
from tfpaths.schema import PositiveInt, expects

# Line i, counted from 0, is in the split of i mod 10; the others are in `train`.
_SPLITS = {8: "validation", 9: "test"}
_RESERVED = PADDING + UNKNOWN
_Alphabet = Annotated[
    str,
    expects(
        f"from 1 to {MOST_CHARACTERS - 2} different characters without {PADDING!r} and {UNKNOWN!r}",
        lambda text: 0 < len(text) <= MOST_CHARACTERS - 2 and len(set(text + _RESERVED)) == len(text) + 2,
    ),
]


@DATA.register("text_file")
class TextFile(Texts):
    """The lines of a text file in UTF-8: the first `length` characters of each.

    A shorter line is filled up with `PADDING`, a longer one is cropped; lines without a printed character are left out,
    and characters that are not printed, such as tabs, become spaces. The results and the log count the padded, cropped
    and dropped lines. The remaining lines are numbered from 0: line i is in the split `validation` if i mod 10 is 8, in
    `test` if it is 9, otherwise in `train`. Equal lines can be in different splits.

    The characters of an example are `PADDING`, `UNKNOWN` and the alphabet: the 254 most frequent characters of the
    file. All others become `UNKNOWN`, and are counted.

    A run stores its alphabet and a checksum of the lines. It is trained and evaluated with the same lines only; it can
    be loaded, sampled and exported without the file.

    Args:
      path: The file.
      length: The characters of an example.
      alphabet: The characters; None for those of the file.
      checksum: The checksum that the lines must have; None for any lines.

    Example:
      >>> import pathlib
      >>> _ = pathlib.Path("lines.txt").write_text("ab\\nba\\n" * 10)
      >>> lines = TextFile(path="lines.txt", length=3)
      >>> lines.alphabet, lines.example.stored(lines.load().some(0, 1)).tolist() in (["ab·"], ["ba·"])
      ('·�ab', True)
    """

    # In version 1, PADDING and UNKNOWN were not replaced when the file contained them.
    version = "2"
    sources = ()

    def __init__(
        self,
        *,
        path: str | None = None,
        length: PositiveInt = 32,
        alphabet: _Alphabet | None = None,
        checksum: str | None = None,
    ):
        super().__init__(length=length)
        self.path = path
        self.characters = alphabet
        self.checksum = checksum

    def __str__(self) -> str:
        return f"the file {self.path}"

    @property
    def alphabet(self) -> str:
        if self.characters is None:
            self.characters = _most_frequent(self._lines)
        return _RESERVED + self.characters

    def derived(self) -> dict[str, str]:
        """Returns the alphabet, and the checksum of the lines; the file is read only if one of them is None.

        Raises:
          InputError: As `read`.
        """
        alphabet = self.alphabet.removeprefix(_RESERVED)
        return {"alphabet": alphabet, "checksum": _checksum(self._lines) if self.checksum is None else self.checksum}

    def read(self, split: str, *, source: str, seed: int, data_dir: str | None) -> Examples:
        """Reads a split, as `DataSet.read`.

        Raises:
          InputError: There is no such file, it is not a text in UTF-8 of at least ten lines, or its lines have another
            checksum.
        """
        del source, seed, data_dir
        if self.checksum not in (None, _checksum(self._lines)):
            raise errors.InputError(
                f"data.path: expected lines with the checksum {self.checksum}, received {self.path!r}, whose checksum "
                f"is {_checksum(self._lines)}: the file has changed. To fix this: restore it, or begin another run."
            )
        chosen = [line for number, line in enumerate(self._lines) if _SPLITS.get(number % 10, "train") == split]
        encoded = encode(chosen, self.alphabet, self.length)
        notes = encoded.notes | {"dropped_lines": self._dropped}
        changed = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in notes.items() if count)
        # The training says it, once; the results of a run have the counts too.
        if changed and split == "train":
            logging.warning(
                "%s, split train: %d examples of %d characters; %s.", self, len(chosen), self.length, changed
            )
        return one_hot(self.name, split, "file", encoded.places, self.alphabet, notes)

    @property
    def _dropped(self) -> int:
        return self._content[1]

    @property
    def _lines(self) -> list[str]:
        return self._content[0]

    @functools.cached_property
    def _content(self) -> tuple[list[str], int]:
        """The lines with a printed character, and the number of the others."""
        if not self.path:
            raise errors.InputError("data.path: expected a text file, received none; set it with --set data.path=FILE.")
        path = files.path(self.path)
        if not path.is_file():
            raise errors.InputError(f"data.path: expected a text file, received {self.path!r}, which is not a file.")
        content = files.read(path)
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise errors.InputError(
                f"data.path: expected a text in UTF-8, received {self.path!r}, whose line {line} is not. To fix this: "
                "convert it, for example with iconv."
            ) from None
        text = text.replace("\r\n", "\n")
        # The last line ends with a line break, too; nothing is behind it.
        every = text.removesuffix("\n").split("\n") if text else []
        printed = ("".join(c if c.isprintable() else " " for c in line) for line in every)
        lines = [line for line in printed if line.strip()]
        if len(lines) < 10:
            raise errors.InputError(
                f"data.path: expected a text of at least 10 lines, received {self.path!r}, which has {len(lines)}."
            )
        return lines, len(every) - len(lines)


def _most_frequent(lines: Sequence[str]) -> str:
    """Returns the characters of an alphabet, sorted."""
    counts = collections.Counter(character for line in lines for character in line)
    for character in _RESERVED:
        counts.pop(character, None)
    # Equally frequent characters in their own order, so that the choice is that of the content.
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    return "".join(sorted(ranked[: MOST_CHARACTERS - len(_RESERVED)]))


def _checksum(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
