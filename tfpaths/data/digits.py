"""Handwritten digits, 28×28: the real MNIST where it can be had, the embedded digits where it cannot."""

import dataclasses

import numpy as np
from absl import logging

from tfpaths import config
from tfpaths.data import prepared

# Where TFDS downloads MNIST from.
_MNIST_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-labels-idx1-ubyte.gz"
SPLITS = ("train", "validation", "test")
VALIDATION = 10_000
_WAYS_OUT = (
    "Prepared data: --data_dir or TFDS_DATA_DIR; with a network TFDS downloads it; without either: --source=embedded."
)


@dataclasses.dataclass(frozen=True)
class Digits:
    """`images` `[size, 28, 28]` uint8, `labels` `[size]` in 0..9, and their `source`: `tfds` or `embedded`."""

    images: np.ndarray
    labels: np.ndarray
    source: str


def load(split: str = "train", *, source: str = "auto", data_dir: str | None = None) -> Digits:
    """Loads the digits of a split.

    Args:
      split: `train`, `validation` or `test`.
      source: `tfds` for MNIST through TFDS; `embedded` for scikit-learn's digits; `auto` for the first of them that can
        be had, with a warning where that is the second.
      data_dir: a TFDS data folder; by default `TFDS_DATA_DIR`, then TFDS's own.

    Raises:
      InputError: the folder is missing or damaged, or `tfds` has neither prepared data nor a network.
    """
    config.choose("split", split, SPLITS)
    config.choose("source", source, config.SOURCES)
    if source == "embedded":
        return embedded(split)
    folder = prepared.folder_of(data_dir)
    version = prepared.find(folder, "mnist")
    if version is not None:
        return _mnist(split, *prepared.read(version, _stored(split)))
    if prepared.reachable(_MNIST_URL):
        try:
            return _mnist(split, *prepared.download("mnist", folder, _stored(split)))
        except Exception as error:  # TFDS raises whatever its many layers raise.
            trouble = f"the download of MNIST failed ({prepared.reason(error)})"
    else:
        trouble = f"MNIST is neither prepared in {folder} nor can it be downloaded: its server does not answer"
    if source == "tfds":
        raise config.InputError(f"{trouble}. {_WAYS_OUT}")
    logging.warning("%s. Using the embedded digits (1,797 of UCI's, enlarged) instead. %s", trouble, _WAYS_OUT)
    return embedded(split)


def embedded(split: str) -> Digits:
    """The 1,797 UCI digits that scikit-learn ships: 1,200 to train on, 237 for validation, the last 360 to test.

    8×8 pixels of 0 to 16, enlarged with a cubic spline to 20×20 and centred on 28×28, as MNIST's digits are.
    """
    # Both take longer to import than most runs spend here.
    import scipy.ndimage
    import sklearn.datasets

    digits = sklearn.datasets.load_digits()
    part = {"train": slice(1200), "validation": slice(1200, 1437), "test": slice(1437, None)}[split]
    large = scipy.ndimage.zoom(digits.images[part], (1, 2.5, 2.5), order=3, mode="nearest", grid_mode=True)
    pixels = np.clip(np.rint(large * (255 / 16)), 0, 255).astype(np.uint8)
    return Digits(np.pad(pixels, ((0, 0), (4, 4), (4, 4))), digits.target[part].astype(np.int64), "embedded")


def _stored(split: str) -> str:
    """MNIST's own split in which a split of ours lies."""
    return "test" if split == "test" else "train"


def _mnist(split: str, images: np.ndarray, others: dict[str, np.ndarray]) -> Digits:
    # MNIST has no validation images: the last 10,000 of its 60,000, in TFDS's order, are held out from training.
    part = {"train": slice(-VALIDATION), "validation": slice(-VALIDATION, None), "test": slice(None)}[split]
    return Digits(images[part, ..., 0], others["label"][part], "tfds")
