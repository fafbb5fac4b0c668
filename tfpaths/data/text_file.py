"""Lines of any text file."""

import collections
import functools
from typing import Annotated

from absl import logging

from tfpaths import errors, files
from tfpaths.data.dataset import DATA
from tfpaths.data.examples import Examples
from tfpaths.data.strings import MOST_CHARACTERS, PADDING, UNKNOWN, Texts, encode, one_hot
from tfpaths.schema import PositiveInt, expects

# Line i is in the split of i modulo 10.
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

    A shorter line ends in `PADDING`, a longer one is cropped; lines without a printed character are left out, and
    characters that are not printed, such as tabs, become spaces. The results and the log count them. Of the lines that
    are left, number 8 of each ten is in the split `validation`, number 9 in `test`.

    An example has a place for `PADDING`, one for `UNKNOWN`, and one for each character of the alphabet: the 254 most
    frequent ones. The characters beyond become `UNKNOWN`, and are counted. A run stores its alphabet, so that it can be
    loaded without the file.

    Args:
      path: The file.
      length: The characters of an example.
      alphabet: The characters; None for those of the file.

    Example:
      >>> import pathlib
      >>> _ = pathlib.Path("lines.txt").write_text("ab\\nba\\n" * 10)
      >>> lines = TextFile(path="lines.txt", length=3)
      >>> lines.alphabet, lines.example.stored(lines.load().some(0, 1)).tolist() in (["ab·"], ["ba·"])
      ('·�ab', True)
    """

    sources = ()

    def __init__(self, *, path: str | None = None, length: PositiveInt = 32, alphabet: _Alphabet | None = None):
        super().__init__(length=length)
        self.path = path
        self.characters = alphabet

    def __str__(self) -> str:
        return f"the file {self.path}"

    @property
    def alphabet(self) -> str:
        return _RESERVED + self.derived()["alphabet"]

    def derived(self) -> dict[str, str]:
        """Returns the alphabet: the most frequent characters, sorted.

        Raises:
          InputError: As `read`.
        """
        if self.characters is None:
            counts = collections.Counter(character for line in self._lines for character in line)
            for character in _RESERVED:
                counts.pop(character, None)
            # Equally frequent characters in their own order, so that the choice is that of the content.
            ranked = sorted(counts, key=lambda character: (-counts[character], character))
            self.characters = "".join(sorted(ranked[: MOST_CHARACTERS - len(_RESERVED)]))
        return {"alphabet": self.characters}

    def read(self, split: str, *, source: str, seed: int, data_dir: str | None) -> Examples:
        del source, seed, data_dir
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
