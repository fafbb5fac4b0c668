"""English that needs no network: sentences of the documentation of installed packages."""

import functools
import hashlib
import importlib.metadata
import pathlib
import re
import string
from collections.abc import Iterator
from typing import Annotated

from tfpaths import errors
from tfpaths.data.dataset import DATA
from tfpaths.data.examples import Examples
from tfpaths.data.strings import PADDING, Texts, encode, one_hot
from tfpaths.schema import PositiveInt, expects

# The characters of the sentences that are taken; others have code or formulas.
_CHARACTERS = string.ascii_letters + string.digits + " ,.;:'\"()/-!?"
_SENTENCE = re.compile(f"[A-Z][{re.escape(_CHARACTERS)}]*[.!?]")
_LETTERS, _WORDS = 20, 4
# The heading of a section of a docstring, its underline, and a parameter with its type.
_MARKUP = re.compile(r"\w+:|.*(--| :)")
# Directories of tests, whose texts are not documentation.
_TESTS = {"test", "tests", "testing"}
# Of 100 checksums, how many mean the split of validation, and how many that of test.
_HELD_OUT = 10


@DATA.register("text")
class Docstrings(Texts):
    """Sentences of the docstrings of packages that tfpaths needs, whose licences are free: the first 32 characters.

    A sentence begins with a capital letter, ends with `.`, `!` or `?`, has at least 20 characters and four words, and
    only letters, digits, spaces and common punctuation: those with code or headings are left out. Each sentence occurs
    once; sentences that begin alike can be equal examples. A checksum of the first `length` characters puts about a
    tenth of them into the split `validation` and a tenth into `test`, so that equal examples are in one split.

    The corpus is a function of the packages' versions, which a run stores in `data.corpus`: a run is trained and
    evaluated with the same versions only. Loading, sampling and exporting need neither the versions nor the packages.

    Args:
      length: The characters of an example.
      packages: The distributions whose docstrings are read.
      corpus: The packages with their versions; None for the installed ones.

    Example:
      >>> sentences = Docstrings(packages=("keras",)).load("test")
      >>> sentences.shape, sentences.source
      ((32, 76), 'docstrings')
    """

    # Version 1 split by the whole sentence.
    version = "2"
    sources = ("docstrings",)

    def __init__(
        self,
        *,
        length: PositiveInt = 32,
        packages: Annotated[tuple[str, ...], expects("at least one package", bool)] = (
            "keras",
            "matplotlib",
            "numpy",
            "scikit-learn",
            "scipy",
            "tensorflow",
        ),
        corpus: str | None = None,
    ):
        super().__init__(length=length)
        self.packages = packages
        self.corpus = corpus

    @property
    def alphabet(self) -> str:
        return PADDING + "".join(sorted(_CHARACTERS))

    def derived(self) -> dict[str, str]:
        """Returns `corpus`: the given one, or the packages with their installed versions.

        Raises:
          InputError: `corpus` is None, and a package is not installed.
        """
        return {"corpus": self._installed() if self.corpus is None else self.corpus}

    def read(self, split: str, *, source: str, seed: int, data_dir: str | None) -> Examples:
        """Reads a split, as `DataSet.read`.

        Raises:
          InputError: A package is not installed, its version is not that of `corpus`, or there are no sentences.
        """
        del source, seed, data_dir
        installed = self._installed()
        if self.corpus not in (None, installed):
            raise errors.InputError(
                f"data.corpus: expected the installed packages, {installed}, received {self.corpus!r}. To fix this: "
                "install the versions of data.corpus, or begin another run."
            )
        every = sentences(tuple(self.packages))
        # By what remains of a sentence: many begin alike, and none of them may be in two splits.
        chosen = [sentence for sentence in every if _split(sentence[: self.length]) == split]
        if not chosen:
            raise errors.InputError(f"data.packages: found no sentences for {split} in {', '.join(self.packages)}.")
        encoded = encode(chosen, self.alphabet, self.length)
        notes: dict[str, int | str] = {"corpus": installed, **encoded.notes}
        return one_hot(self.name, split, "docstrings", encoded.places, self.alphabet, notes)

    def _installed(self) -> str:
        """Returns the packages with their installed versions."""
        return ", ".join(f"{name} {_distribution(name).version}" for name in self.packages)


@functools.lru_cache(maxsize=2)
def sentences(packages: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the sentences of the docstrings of installed distributions, each once, in the order of the alphabet.

    Args:
      packages: The names of the distributions.

    Raises:
      InputError: A distribution is not installed.

    Example:
      >>> all(len(sentence.split()) >= 4 for sentence in sentences(("keras",)))
      True
    """
    return tuple(sorted({sentence for package in packages for text in _sources(package) for sentence in in_code(text)}))


def in_code(source: str) -> Iterator[str]:
    """Yields the sentences in the triple-quoted strings of a Python source.

    Example:
      >>> list(in_code('\\'\\'\\'x\\'\\'\\' f = 3; \"\"\"Adds two numbers to a sum. Use `f(1)` here.\"\"\"'))
      ['Adds two numbers to a sum.']
    """
    for docstring in re.findall(r'"""(.*?)"""', source, re.DOTALL):
        for paragraph in re.split(r"\n\s*\n", docstring):
            for sentence in re.split(r"(?<=[.!?]) (?=[A-Z])", " ".join(paragraph.split())):
                is_long = len(sentence) >= _LETTERS and sentence.count(" ") >= _WORDS - 1
                if is_long and _SENTENCE.fullmatch(sentence) and not _MARKUP.match(sentence):
                    yield sentence


def _distribution(name: str) -> importlib.metadata.Distribution:
    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise errors.InputError(
            f"data.packages: expected installed packages, received {name!r}, which is not installed."
        ) from None


def _sources(package: str) -> Iterator[str]:
    """Yields the Python sources of an installed distribution, without its tests."""
    for file in _distribution(package).files or ():
        if file.suffix == ".py" and not _TESTS & set(file.parts) and not file.stem.endswith("_test"):
            yield pathlib.Path(file.locate()).read_text(encoding="utf-8", errors="replace")


def _split(example: str) -> str:
    number = int.from_bytes(hashlib.sha256(example.encode()).digest()[:4], "big") % 100
    return "test" if number < _HELD_OUT else "validation" if number < 2 * _HELD_OUT else "train"
