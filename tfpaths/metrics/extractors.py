"""Feature extractors, by name or path: images -> logits and features, for the scores and for mode coverage."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfpaths import config, progress
from tfpaths.data import coloured
from tfpaths.metrics import classifiers, saved_models

TRAINED_HERE = tuple(classifiers.FEATURES)
NAMES = (*TRAINED_HERE, "inception")
# How sure a channel is on or off, by its share r of the brightest channel: sigmoid(20 (r - 1/2)). Ours: real images,
# where r is 0 or 1, are 99.995 % sure, and r = 0.25 or 0.75 is 99.3 % sure.
_SHARPNESS = 20.0
BATCH = 250


@dataclasses.dataclass(frozen=True)
class Extractor:
    """What turns images into what scores are made of.

    Attributes:
      name: for people: `digits`, `cifar10`, `inception`, or a folder.
      key: names everything that the outputs depend on, preprocessing included.
      is_inception: whether its scores are IS, FID and KID.
      accuracy: its share of test images read rightly, where that is known.
      outputs: images `[batch, height, width, channels]` in [-1, 1] -> logits `[batch, classes]` and features
        `[batch, dimensions]`.
    """

    name: str
    key: str
    is_inception: bool
    accuracy: float | None
    outputs: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

    @functools.cached_property
    def _compiled(self):
        return tf.function(self.outputs, reduce_retracing=True)

    def collect(self, batches: Callable[[int, int], tf.Tensor], first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Logits `[last - first, classes]` and features `[last - first, dimensions]`, float32, of images in batches.

        Args:
          batches: `(start, num)` -> the images from `start` on; only one batch is held at a time.
          first: the first image.
          last: the one after the last.

        Raises:
          RunError: an output is NaN or infinite.
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
                    raise config.RunError(f"the features of images {start} to {start + num - 1} are not finite.")
                array[start - first : start - first + num] = value
        return arrays[0], arrays[1]


def default(data_name: str) -> str:
    """The extractor of a data set where none is named."""
    return {"color_mnist": "digits", "stacked_mnist": "digits", "cifar10": "cifar10"}.get(data_name, "inception")


def dimensions(name: str) -> int | None:
    """How many features an extractor has, where that is known before it is made."""
    if name in TRAINED_HERE:
        # Digits are read in each of three channels.
        return classifiers.FEATURES[name] * (3 if name == "digits" else 1)
    return saved_models.INCEPTION_FEATURES if name.startswith("inception") else None


def check(name: str, data_name: str) -> None:
    """Refuses at once what `get` would refuse later.

    Raises:
      InputError: there is no such extractor, it does not read these images, or TF-Hub does not answer.
    """
    kind, _, _ = name.partition(":")
    if kind in TRAINED_HERE:
        if default(data_name) != kind:
            raise config.InputError(
                f"evaluation.extractor: expected 'inception' or the folder of a SavedModel for {data_name}, received "
                f"{name!r}, which reads other images."
            )
    elif name == "inception":
        saved_models.check_hub()
    elif os.sep in name or pathlib.Path(name.removeprefix("inception:")).exists():
        saved_models.folder(name.removeprefix("inception:"))
    else:
        raise config.unknown("evaluation.extractor", name, ("auto", *NAMES, "inception:FOLDER", "FOLDER"))


def get(name: str, data_name: str, *, source: str = "tfds", data_dir: str | None = None) -> Extractor:
    """The extractor of that name for a data set.

    Args:
      name: `digits`, `cifar10`; `inception` for TF-GAN's from TF-Hub, `inception:FOLDER` for a local copy of it; or
        the folder of a SavedModel that gives `logits` and `pool_3`.
      data_name: the data set's name.
      source: where digits come from.
      data_dir: prepared TFDS data, on which a classifier is trained where there is none yet.

    Raises:
      InputError: as `check` does; or the model's outputs are not those that its name promises.
    """
    check(name, data_name)
    if name in TRAINED_HERE:
        classifier = classifiers.get(name, source=source, data_dir=data_dir)
        outputs = {"color_mnist": _coloured, "stacked_mnist": _stacked}.get(data_name, _plain)(classifier.model)
        return Extractor(name, f"{classifier.key}-{data_name}-{_SHARPNESS}", False, classifier.accuracy, outputs)
    is_inception = name.split(":")[0] == "inception"
    outputs, key = saved_models.load(name.removeprefix("inception:"), is_inception=is_inception)
    return Extractor(name, key, is_inception, None, outputs)


def _plain(model):
    def outputs(images):
        logits, features = model(images, training=False)
        return logits, features

    return outputs


def _channels(model, images):
    """The model on each channel as a picture of its own: logits `[batch, channels, 10]`, features side by side."""
    batch, channels = tf.shape(images)[0], images.shape[-1]
    single = tf.reshape(tf.transpose(images, [0, 3, 1, 2]), [-1, *images.shape[1:3], 1])
    logits, features = model(single, training=False)
    return tf.reshape(logits, [batch, channels, logits.shape[-1]]), tf.reshape(
        features, [batch, channels * features.shape[-1]]
    )


def _coloured(model):
    """70 classes, 7 * digit + colour. The digit is read in the brightest channel, the colour in the channels' shares.

    With g = max_c x_c, in [0, 1], channel c has the share r_c = <x_c, g> / <g, g>: 1 where it is on in a real image, 0
    where it is off. Features are those of the three channels, so that colours are seen by the distances too.
    """
    lights = tf.constant(coloured.COLOURS, tf.float32)

    def outputs(images):
        brightest = tf.reduce_max(images, axis=-1, keepdims=True)
        digit = tf.nn.log_softmax(model(brightest, training=False)[0])
        x, g = (images + 1) / 2, (brightest + 1) / 2
        share = tf.math.divide_no_nan(tf.reduce_sum(x * g, axis=[1, 2]), tf.reduce_sum(g * g, axis=[1, 2]))
        on = _SHARPNESS * (share - 0.5)
        colour = tf.nn.log_softmax(-tf.reduce_sum(tf.nn.softplus(on[:, tf.newaxis] * (1 - 2 * lights)), axis=-1))
        joint = digit[:, :, tf.newaxis] + colour[:, tf.newaxis, :]
        return tf.reshape(joint, [-1, 70]), _channels(model, images)[1]

    return outputs


def _stacked(model):
    """1,000 classes, 100 r + 10 g + b, each digit read from its own channel."""

    def outputs(images):
        logits, features = _channels(model, images)
        r, g, b = tf.unstack(tf.nn.log_softmax(logits), axis=1)
        joint = r[:, :, tf.newaxis, tf.newaxis] + g[:, tf.newaxis, :, tf.newaxis] + b[:, tf.newaxis, tf.newaxis, :]
        return tf.reshape(joint, [-1, 1000]), features

    return outputs
