"""The Billion Word corpus of Gulrajani et al., as TFDS prepares it."""

import string
from typing import Annotated

import numpy as np

from tfpaths import errors
from tfpaths.data import prepared
from tfpaths.data.dataset import DATA
from tfpaths.data.examples import Examples
from tfpaths.data.strings import PADDING, UNKNOWN, Texts, encode, one_hot
from tfpaths.schema import PositiveInt, expects

# Lines that are encoded at a time.
_CHUNK = 65_536


@DATA.register("lm1b")
class LM1B(Texts):
    """Lines of the Billion Word corpus (Chelba et al. 2013, arXiv 1312.3005): the first 32 characters of each.

    It must be prepared: `tfds build lm1b`. As in the code of Gulrajani et al. 2017 (`gan_language.py`), a line
    is cropped or padded, and there are at most 10,000,000 lines; theirs come from the corpus' files, in TFDS's order
    here. Their alphabet has the 2,047 most frequent characters and one for all others; ours, which is known without
    reading, has `PADDING`, `UNKNOWN` and the 95 printed characters of ASCII. The splits are TFDS's, `train` and `test`.

    Args:
      length: The characters of an example.
      lines: The most lines of a split; a line needs `length` bytes of memory.

    Example:
      >>> LM1B().shape
      (32, 97)
    """

    # In version 1, PADDING and UNKNOWN were not replaced when a line contained them.
    version = "2"
    splits = ("train", "test")

    def __init__(
        self,
        *,
        length: PositiveInt = 32,
        lines: Annotated[int, expects("a number above zero", lambda value: 0 < value < 2**31)] = 10_000_000,
    ):
        super().__init__(length=length)
        self.lines = lines

    @property
    def alphabet(self) -> str:
        return PADDING + UNKNOWN + " " + string.digits + string.ascii_letters + string.punctuation

    def read(self, split: str, *, source: str, seed: int, data_dir: str | None) -> Examples:
        del source, seed
        directory = prepared.directory_of(data_dir)
        version = prepared.find(directory, "lm1b")
        if version is None:
            raise errors.InputError(
                f"lm1b is not prepared in {directory}. To fix this: prepare it on a machine with a network (tfds build "
                "lm1b), and name its directory with --data_dir or TFDS_DATA_DIR; or use the data set 'text'."
            )
        parts = [
            encode(lines, self.alphabet, self.length) for lines in prepared.lines(version, split, self.lines, _CHUNK)
        ]
        notes = {name: sum(part.notes[name] for part in parts) for name in parts[0].notes}
        places = np.concatenate([part.places for part in parts])
        return one_hot(self.name, split, "tfds", places, self.alphabet, notes)
