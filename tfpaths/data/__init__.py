"""Data sets of images, by name: float32 in [-1, 1], channels last, addressed by position."""

from collections.abc import Callable

from tfpaths import config
from tfpaths.data import coloured, digits
from tfpaths.data.images import Images

DATA: dict[str, Callable[[digits.Digits, str, int], Images]] = {
    "color_mnist": coloured.color_mnist,
    "stacked_mnist": coloured.stacked_mnist,
}


def load(
    name: str, split: str = "train", *, source: str = "auto", data_dir: str | None = None, seed: int = 0
) -> Images:
    """Loads a data set into memory.

    Args:
      name: `color_mnist` or `stacked_mnist`.
      split: `train` or `test`.
      source: where digits come from: `tfds`, `embedded`, or `auto` for the first of them that can be had.
      data_dir: prepared TFDS data; by default `TFDS_DATA_DIR`, then TFDS's own folder.
      seed: of what is drawn per example: colours, triples.

    Returns:
      The data set; `Images.batches` is its shuffled stream.

    Raises:
      InputError: the name is unknown, or the data cannot be had; the line says what to do.
    """
    make = DATA[config.choose("data set", name, DATA)]
    return make(digits.load(split, source=source, data_dir=data_dir), split, seed)
