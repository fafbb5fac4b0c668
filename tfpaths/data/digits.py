"""Handwritten digits, 28×28: MNIST if it is available, otherwise the digits that scikit-learn contains."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from absl import logging

from tfpaths import errors
from tfpaths.data import memory, prepared

# One of the files that TFDS downloads for MNIST.
_MNIST_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-labels-idx1-ubyte.gz"
SPLITS = ("train", "validation", "test")
SOURCES = ("tfds", "embedded")
# Images of MNIST's training set that form the validation split.
VALIDATION = 10_000
_FIX = (
    "To fix this: name a directory of prepared data with --data_dir or TFDS_DATA_DIR, or connect to a network so that "
    "TFDS can download it, or use --source=embedded."
)


@dataclasses.dataclass(frozen=True)
class Digits:
    """Grey digits in memory.

    Attributes:
      images: `[size, 28, 28]` uint8 in [0, 255], white on black.
      labels: `[size]`, the digits, 0 to 9.
      source: `tfds` or `embedded`.

    Example:
      >>> digits = Digits(np.zeros([2, 28, 28], np.uint8), np.array([3, 8]), "embedded")
      >>> digits.labels.tolist()
      [3, 8]
    """

    images: np.ndarray
    labels: np.ndarray
    source: str


def load(split: str = "train", *, source: str = "auto", data_dir: str | None = None) -> Digits:
    """Loads the digits of a split.

    Args:
      split: `train`, `validation` or `test`.
      source: `tfds` for MNIST through TFDS; `embedded` for scikit-learn's digits; `auto` for MNIST if it is available,
        otherwise scikit-learn's digits with a warning.
      data_dir: A directory of TFDS data; by default `TFDS_DATA_DIR`, then TFDS's own.

    Raises:
      InputError: The directory is missing or damaged, or `tfds` has neither prepared data nor a network.

    Example:
      >>> load("test", source="embedded").images.shape
      (360, 28, 28)
    """
    errors.choose("split of digits", split, SPLITS)
    errors.choose("source of digits", source, ("auto", *SOURCES))
    if source == "embedded":
        return embedded(split)
    directory = prepared.directory_of(data_dir)
    version = prepared.find(directory, "mnist")
    if version is not None:
        return _mnist(split, *prepared.read(version, _stored(split)))
    if prepared.reachable(_MNIST_URL):
        try:
            return _mnist(split, *prepared.download("mnist", directory, _stored(split)))
        except Exception as error:  # TFDS raises whatever its many layers raise.
            cause = f"The download of MNIST failed ({prepared.reason(error)})"
    else:
        cause = f"MNIST is not prepared in {directory} and cannot be downloaded: its server does not answer"
    if source == "tfds":
        raise errors.InputError(f"{cause}. {_FIX}")
    logging.warning("%s. Using the embedded digits (1,797 of UCI's, enlarged) instead. %s", cause, _FIX)
    return embedded(split)


def embedded(split: str) -> Digits:
    """Returns scikit-learn's 1,797 UCI digits: 1,200 for training, 237 for validation, the last 360 for test.

    The originals are 8×8 pixels from 0 to 16. They are enlarged to 20×20 with a cubic spline and centred in 28×28
    pixels, as MNIST's digits are.

    Example:
      >>> embedded("validation").images.shape
      (237, 28, 28)
    """
    # Imported on use: both imports are slow.
    import scipy.ndimage
    import sklearn.datasets

    digits = sklearn.datasets.load_digits()
    part = {"train": slice(1200), "validation": slice(1200, 1437), "test": slice(1437, None)}[split]
    large = scipy.ndimage.zoom(digits.images[part], (1, 2.5, 2.5), order=3, mode="nearest", grid_mode=True)
    pixels = np.clip(np.rint(large * (255 / 16)), 0, 255).astype(np.uint8)
    return Digits(np.pad(pixels, ((0, 0), (4, 4), (4, 4))), digits.target[part].astype(np.int64), "embedded")


def generator(seed: int, split: str) -> np.random.Generator:
    """Returns the random generator of a data set composed of digits; its numbers differ between splits.

    Example:
      >>> generator(0, "train").random() == generator(0, "train").random()
      True
    """
    return np.random.default_rng([seed, ("train", "test", "validation").index(split)])


def shares(digits: Digits) -> np.ndarray:
    """Returns the share of each of the ten digits, `[10]`.

    Example:
      >>> shares(Digits(np.zeros([4, 28, 28], np.uint8), np.array([0, 0, 1, 9]), "embedded")).tolist()
      [0.5, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.25]
    """
    return np.bincount(digits.labels, minlength=10) / len(digits.labels)


def by_channel(model: Callable, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Classifies each channel as a separate grey image.

    Args:
      model: A classifier of grey digits: `[batch, 28, 28, 1]` -> (logits `[batch, 10]`, features
        `[batch, dimensions]`).
      images: `[batch, 28, 28, channels]` in [-1, 1].

    Returns:
      Logits `[batch, channels, 10]`, and features `[batch, channels * dimensions]`, channel after channel.

    Example:
      >>> def model(images, training=False):
      ...     return tf.zeros([len(images), 10]), tf.zeros([len(images), 64])
      >>> logits, features = by_channel(model, tf.ones([2, 28, 28, 3]))
      >>> logits.shape, features.shape
      (TensorShape([2, 3, 10]), TensorShape([2, 192]))
    """
    batch, channels = tf.shape(images)[0], images.shape[-1]
    # [batch * channels, 28, 28, 1]
    single = tf.reshape(tf.transpose(images, [0, 3, 1, 2]), [-1, *images.shape[1:3], 1])
    logits, features = model(single, training=False)
    return tf.reshape(logits, [batch, channels, logits.shape[-1]]), tf.reshape(
        features, [batch, channels * features.shape[-1]]
    )


def _stored(split: str) -> str:
    """Returns the split of TFDS's MNIST that contains a split of this module."""
    return "test" if split == "test" else "train"


def _mnist(split: str, images: tf.Tensor, others: dict[str, np.ndarray]) -> Digits:
    # MNIST has no validation images: the last 10,000 of its 60,000, in TFDS's order, are held out from training.
    part = {"train": slice(-VALIDATION), "validation": slice(-VALIDATION, None), "test": slice(None)}[split]
    return Digits(memory.viewed(images)[part, ..., 0], others["label"][part], "tfds")
