"""Feature extractors, by name or directory: images -> logits and features, for the scores and for mode coverage."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfpaths import errors, progress
from tfpaths.data import DataSet
from tfpaths.metrics import classifiers, saved_models

TRAINED_HERE = tuple(classifiers.FEATURES)
NAMES = (*TRAINED_HERE, "inception")
BATCH = 250


@dataclasses.dataclass(frozen=True)
class Extractor:
    """What maps images to the logits and features of which scores are computed.

    Attributes:
      name: The name for people: `digits`, `cifar10`, `inception`, or a directory.
      key: Names everything that the outputs depend on, preprocessing included.
      is_inception: Whether its scores are IS, FID and KID.
      accuracy: The share of test images that it reads correctly, if it is known.
      outputs: Images `[batch, height, width, channels]` in [-1, 1] -> logits `[batch, classes]` and features
        `[batch, dimensions]`.
    """

    name: str
    key: str
    is_inception: bool
    accuracy: float | None
    outputs: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

    @functools.cached_property
    def _compiled(self):
        return tf.function(self.outputs, reduce_retracing=True, autograph=False)

    def collect(self, batches: Callable[[int, int], tf.Tensor], first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns logits `[last - first, classes]` and features `[last - first, dimensions]`, float32, of some images.

        Args:
          batches: `(start, num)` -> the images from `start` on; only one batch is in memory at a time.
          first: The number of the first image.
          last: The number after that of the last one.

        Raises:
          RunError: An output is NaN or infinite.
        """
        arrays: list[np.ndarray] = []
        starts = range(first, last, BATCH)
        for start in progress.shown(starts, f"features ({self.name}) of image", last - first, each=BATCH):
            num = min(BATCH, last - start)
            values = [value.numpy() for value in self._compiled(batches(start, num))]
            if not arrays:
                arrays = [np.empty((last - first, value.shape[1]), np.float32) for value in values]
            for array, value in zip(arrays, values, strict=True):
                if not np.isfinite(value).all():
                    raise errors.RunError(f"the features of images {start} to {start + num - 1} are not finite.")
                array[start - first : start - first + num] = value
        return arrays[0], arrays[1]


def dimensions(name: str, data_set: DataSet) -> int:
    """Returns how many features a classifier that is trained here has for a data set, without training it."""
    outputs = data_set.outputs(classifiers.stand_in(name))
    return outputs(tf.zeros([1, *data_set.shape]))[1].shape[1]


def check(name: str, data_set: DataSet) -> None:
    """Refuses at once what `get` would refuse later.

    Raises:
      InputError: There is no such extractor, it does not read these images, or TF-Hub does not answer.
    """
    kind, _, _ = name.partition(":")
    if kind in TRAINED_HERE:
        if data_set.extractor != kind:
            raise errors.InputError(
                f"evaluation.extractor: expected 'inception' or the directory of a SavedModel for {data_set.name}, "
                f"received {name!r}, which reads other images."
            )
    elif name == "inception":
        saved_models.check_hub()
    elif os.sep in name or pathlib.Path(name.removeprefix("inception:")).exists():
        saved_models.directory(name.removeprefix("inception:"))
    else:
        choices = ("auto", *NAMES, "inception:DIRECTORY", "DIRECTORY")
        raise errors.unknown("extractor", name, choices, path="evaluation.extractor")


def get(name: str, data_set: DataSet, *, source: str = "tfds", data_dir: str | None = None) -> Extractor:
    """Returns the extractor of that name for a data set.

    Args:
      name: `digits`, `cifar10`; `inception` for TF-GAN's from TF-Hub, `inception:DIRECTORY` for a local copy of it; or
        the directory of a SavedModel with the outputs `logits` and `pool_3`.
      data_set: The data set's record.
      source: Where digits come from.
      data_dir: The directory of prepared TFDS data, on which a classifier is trained if it is not cached.

    Raises:
      InputError: As `check`; or the model's outputs are not those that its name promises.
    """
    check(name, data_set)
    if name in TRAINED_HERE:
        classifier = classifiers.get(name, source=source, data_dir=data_dir)
        key = f"{classifier.key}-{data_set.outputs_key}"
        return Extractor(name, key, False, classifier.accuracy, data_set.outputs(classifier.model))
    is_inception = name.split(":")[0] == "inception"
    outputs, key = saved_models.load(name.removeprefix("inception:"), is_inception=is_inception)
    return Extractor(name, key, is_inception, None, outputs)
