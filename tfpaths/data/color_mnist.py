"""Color MNIST: digits in seven colours, 70 modes."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfpaths.data import digits as digits_lib
from tfpaths.data.dataset import DATA, DataSet, Outputs
from tfpaths.data.examples import Examples, scaled

# `[7, 3]`: R, G and B on or off, without black. Colour c has the three bits of c + 1.
COLOURS = np.array([[c >> 2 & 1, c >> 1 & 1, c & 1] for c in range(1, 8)], np.uint8)
# The probability that a channel is on, from its share r of the brightest channel, is sigmoid(20 (r - 1/2)). The 20 is
# ours: real images, where r is 0 or 1, are 99.995 % certain, and r = 0.25 or 0.75 is 99.3 % certain.
SHARPNESS = 20.0


@DATA.register("color_mnist")
class ColorMNIST(DataSet):
    """28×28×3: digits, each in one of 7 colours. The mode of an example is 7 * digit + colour.

    The paper's assignment of colours is not available. Here the colour is a fixed function of the seed, the split and
    the example's position.

    Example:
      >>> images = ColorMNIST().load("test", source="embedded")
      >>> images.size, images.shape, len(images.modes)
      (360, (28, 28, 3), 70)
    """

    sources = digits_lib.SOURCES
    shape = (28, 28, 3)
    modes = 10 * len(COLOURS)
    extractor = "digits"

    @property
    def outputs_key(self) -> str:
        return f"{self.name}-{SHARPNESS}"

    def read(self, split: str, *, source: str, seed: int, data_dir: str | None) -> Examples:
        return coloured(digits_lib.load(split, source=source, data_dir=data_dir), split, seed)

    def outputs(self, model: Callable) -> Outputs:
        """Returns a function that reads 70 classes: the digit from the brightest channel, the colour from the shares.

            log p(digit, colour) = log softmax(model(g)) + log softmax(sum_c log sigmoid(± 20 (r_c - 1/2)))

        With g = max_c x_c, scaled to [0, 1], channel c has the share r_c = <x_c, g> / <g, g>: 1 if it is on in a real
        image, 0 if it is off. The sign is + for the channels of the colour. The features are those of the three
        channels, so that distances between features depend on the colour too.
        """
        lights = tf.constant(COLOURS, tf.float32)

        def outputs(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            brightest = tf.reduce_max(images, axis=-1, keepdims=True)  # [batch, 28, 28, 1]
            digit = tf.nn.log_softmax(model(brightest, training=False)[0])
            x, g = (images + 1) / 2, (brightest + 1) / 2
            # [batch, 3]
            share = tf.math.divide_no_nan(tf.reduce_sum(x * g, axis=[1, 2]), tf.reduce_sum(g * g, axis=[1, 2]))
            on = SHARPNESS * (share - 0.5)  # Logits.
            # [batch, 7]: log sigmoid(±on) = -softplus(∓on), added over the channels of each colour.
            colour = tf.nn.log_softmax(-tf.reduce_sum(tf.nn.softplus(on[:, tf.newaxis] * (1 - 2 * lights)), axis=-1))
            joint = digit[:, :, tf.newaxis] + colour[:, tf.newaxis, :]  # [batch, 10, 7]
            return tf.reshape(joint, [-1, 70]), digits_lib.by_channel(model, images)[1]

        return outputs


def coloured(digits: digits_lib.Digits, split: str, seed: int) -> Examples:
    """Returns digits in colours; the colour depends on the seed, the split and the digit's position.

    Args:
      digits: The grey digits.
      split: The split's name.
      seed: Seed for the colours.

    Example:
      >>> ones = digits_lib.Digits(np.full([2, 28, 28], 255, np.uint8), np.ones(2, np.int64), "drawn")
      >>> (coloured(ones, "train", seed=0).labels // 7).tolist()
      [1, 1]
    """
    size = len(digits.images)
    colour = digits_lib.generator(seed, split).integers(len(COLOURS), size=size)
    # Tensors outside the graph: a captured tensor is shared, a constant would be copied into each trace.
    pixels, lights = tf.constant(digits.images), tf.constant(COLOURS[colour])

    def take(positions: tf.Tensor) -> tf.Tensor:
        grey = tf.gather(pixels, positions)[..., tf.newaxis]  # [batch, 28, 28, 1]
        return scaled(grey * tf.gather(lights, positions)[:, tf.newaxis, tf.newaxis, :])

    return Examples(
        name="color_mnist",
        split=split,
        source=digits.source,
        shape=(28, 28, 3),
        size=size,
        labels=digits.labels * len(COLOURS) + colour,
        take=take,
        modes=np.repeat(digits_lib.shares(digits), len(COLOURS)) / len(COLOURS),
        made_of=("coloured", pixels, lights),
    )
