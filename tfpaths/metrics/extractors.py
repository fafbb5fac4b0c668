"""Feature extractors, by name or directory: images -> logits and features.

Scores and mode coverage are computed from their outputs.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import errors, progress
from tfpaths.data import DataSet
from tfpaths.metrics import classifiers, saved_models

# The extractors that are trained on first use, by `classifiers`.
TRAINED_HERE = tuple(classifiers.FEATURES)
# Images in one call of an extractor.
BATCH = 250


@dataclasses.dataclass(frozen=True)
class Extractor:
    """A function that maps images to logits and features, from which scores are computed.

    Attributes:
      name: The name in results: `digits`, `cifar10`, `inception`, or a directory.
      key: Text that identifies everything that the outputs depend on, including preprocessing; for cache keys.
      is_inception: Whether its scores are called IS, FID and KID.
      accuracy: The share of test images that it classifies correctly, in [0, 1]; None if it is not known.
      outputs: Images `[batch, height, width, channels]` in [-1, 1] -> logits `[batch, classes]` and features
        `[batch, dimensions]`.

    Example:
      >>> means = Extractor("means", "means-1", False, None, lambda x: (x[:, 0, 0], tf.reduce_mean(x, axis=[1, 2])))
      >>> logits, features = means.collect(lambda start, num: tf.ones([num, 8, 8, 3]), 0, 2)
      >>> features.tolist()
      [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
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
        """Returns logits `[last - first, classes]` and features `[last - first, dimensions]` of images, float32.

        Args:
          batches: `(start, num)` -> the `num` images from number `start`; only one batch is in memory at a time.
          first: The number of the first image.
          last: The number of the last image, plus 1.

        Raises:
          RunError: An output is NaN or infinite.
        """
        arrays: list[np.ndarray] = []
        starts = range(first, last, BATCH)
        for start in progress.shown(starts, f"features ({self.name}) of image", last - first, each=BATCH):
            num = min(BATCH, last - start)
            values = [value.numpy() for value in self._compiled(batches(start, num))]
            # The widths are known after the first batch; then the arrays are allocated once.
            if not arrays:
                arrays = [np.empty((last - first, value.shape[1]), np.float32) for value in values]
            for array, value in zip(arrays, values, strict=True):
                if not np.isfinite(value).all():
                    raise errors.RunError(f"the features of images {start} to {start + num - 1} are not finite.")
                array[start - first : start - first + num] = value
        return arrays[0], arrays[1]


def dimensions(name: str, data_set: DataSet) -> int:
    """Returns the number of features that a classifier has for a data set, without training the classifier.

    Args:
      name: `digits` or `cifar10`.
      data_set: The data set; `color_mnist` reads each of its 3 channels as a digit, for example.

    Example:
      >>> from tfpaths import data
      >>> dimensions("digits", data.get("color_mnist")())
      192
    """
    outputs = data_set.outputs(classifiers.stand_in(name))
    return outputs(tf.zeros([1, *data_set.shape]))[1].shape[1]


def check(name: str, data_set: DataSet) -> None:
    """Checks the name of an extractor for a data set, without training or loading anything.

    Args:
      name: As for `get`.
      data_set: The data set.

    Raises:
      InputError: No extractor has this name, it is a classifier of other images, or TF-Hub does not answer.

    Example:
      >>> from tfpaths import data
      >>> check("cifar10", data.get("color_mnist")())
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: evaluation.extractor: expected 'inception' or the directory of a SavedModel ...
    """
    kind, _, _ = name.partition(":")
    if kind in (*TRAINED_HERE, "inception") and data_set.example.name != "image":
        raise errors.InputError(
            f"evaluation.extractor: expected 'auto' or the directory of a SavedModel for {data_set.name}, received "
            f"{name!r}, which reads images."
        )
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
        choices = (*config_lib.EXTRACTORS, "inception:DIRECTORY", "DIRECTORY")
        raise errors.unknown("extractor", name, choices, path="evaluation.extractor")


def get(name: str, data_set: DataSet, *, source: str = "tfds", data_dir: str | None = None) -> Extractor:
    """Returns the extractor with that name for a data set.

    Args:
      name: `digits` or `cifar10` for a classifier, which is trained if it is not cached; `inception` for TF-GAN's model
        from TF-Hub; `inception:DIRECTORY` for a local copy of that model; or the directory of any SavedModel with the
        outputs `logits` and `pool_3`.
      data_set: The data set.
      source: The source of the digits on which the classifier is trained, `tfds` or `embedded`.
      data_dir: The directory of prepared TFDS data on which a classifier is trained.

    Raises:
      InputError: As `check`; or the model does not have the outputs that its name requires.
      UnfitError: The trained classifier is not accurate enough.

    Example:
      >>> @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3])], autograph=False)
      ... def means(images):
      ...     rgb = tf.reduce_mean(images, axis=[1, 2])
      ...     return {"logits": rgb, "pool_3": rgb}
      >>> tf.saved_model.save(tf.Module(), "means", signatures=means)
      >>> from tfpaths import data
      >>> logits, features = get("means", data.get("cifar10")()).outputs(tf.ones([1, 32, 32, 3]))
      >>> features.numpy().tolist()
      [[1.0, 1.0, 1.0]]
    """
    check(name, data_set)
    if name in TRAINED_HERE:
        classifier = classifiers.get(name, source=source, data_dir=data_dir)
        key = f"{classifier.key}-{data_set.outputs_key}"
        return Extractor(name, key, False, classifier.accuracy, data_set.outputs(classifier.model))
    is_inception = name.split(":")[0] == "inception"
    outputs, key = saved_models.load(name.removeprefix("inception:"), is_inception=is_inception)
    return Extractor(name, key, is_inception, None, outputs)
