"""Data sets of images, by name: float32 in [-1, 1], channels last, addressed by position."""

import dataclasses
from collections.abc import Callable

from tfpaths import config
from tfpaths.data import coloured, digits, photographs
from tfpaths.data.images import Images


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What `load` hands to the maker of a data set: its own arguments but the name."""

    split: str
    source: str
    data_dir: str | None
    seed: int
    path: str | None
    image_size: int

    def digits(self) -> digits.Digits:
        """The digits of the split."""
        return digits.load(self.split, source=self.source, data_dir=self.data_dir)


# Name -> maker. A data set of one's own is one more entry.
DATA: dict[str, Callable[[Request], Images]] = {
    "color_mnist": lambda request: coloured.color_mnist(request.digits(), request.split, request.seed),
    "stacked_mnist": lambda request: coloured.stacked_mnist(request.digits(), request.split, request.seed),
    "cifar10": lambda request: photographs.cifar10(request.split, request.data_dir),
    "celeba": lambda request: photographs.celeba(request.split, request.data_dir),
    "folder": lambda request: photographs.folder(request.path, request.split, request.image_size),
}
_DIGITS = ("color_mnist", "stacked_mnist")
# Of the data sets whose images are all of one shape, whatever is asked for.
_SHAPES = dict.fromkeys(_DIGITS, (28, 28, 3)) | {
    "cifar10": (32, 32, 3),
    "celeba": (photographs.CELEBA_SIZE, photographs.CELEBA_SIZE, 3),
}


def shape(name: str, image_size: int = 64) -> tuple[int, int, int] | None:
    """`(height, width, channels)` of the images that `load` would give, without loading them; none where unknown."""
    return (image_size, image_size, 3) if name == "folder" else _SHAPES.get(name)


def load(
    name: str,
    split: str = "train",
    *,
    source: str = "auto",
    data_dir: str | None = None,
    seed: int = 0,
    path: str | None = None,
    image_size: int = 64,
) -> Images:
    """Loads a data set into memory.

    Args:
      name: `color_mnist`, `stacked_mnist`, `cifar10`, `celeba` or `folder`, or one that was added to `DATA`.
      split: `train`, or another that the data set has.
      source: where digits come from: `tfds`, `embedded`, or `auto` for the first of them that can be had.
      data_dir: prepared TFDS data; by default `TFDS_DATA_DIR`, then TFDS's own folder.
      seed: of what is drawn per example: colours, triples.
      path: of `folder`: the folder.
      image_size: of `folder`: the side of the square that each image is brought to.

    Returns:
      The data set; `Images.batches` is its shuffled stream.

    Raises:
      InputError: the name is unknown, or the data cannot be had; the line says what to do.
    """
    make = DATA[config.choose("data set", name, DATA)]
    config.choose("source", source, config.SOURCES)
    if source == "embedded" and name not in _DIGITS:
        raise config.InputError(f"source: expected 'auto' or 'tfds' with {name}, received 'embedded'.")
    return make(Request(split=split, source=source, data_dir=data_dir, seed=seed, path=path, image_size=image_size))
