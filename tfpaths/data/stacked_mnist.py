"""Stacked MNIST: three digits in the three channels, 1,000 modes."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfpaths.data import digits as digits_lib
from tfpaths.data.dataset import DATA, DataSet, Outputs
from tfpaths.data.examples import Examples, scaled


@DATA.register("stacked_mnist")
class StackedMNIST(DataSet):
    """28×28×3: three independent digits r, g, b in the three channels. The mode of an example is 100 r + 10 g + b.

    Metz et al. 2016 (arXiv 1611.02163). There are as many examples as digits; the three digits of each example are
    drawn uniformly.

    Example:
      >>> images = StackedMNIST().load("test", source="embedded")
      >>> images.size, images.shape, len(images.modes)
      (360, (28, 28, 3), 1000)
    """

    sources = digits_lib.SOURCES
    shape = (28, 28, 3)
    modes = 1000
    extractor = "digits"

    def read(self, split: str, *, source: str, seed: int, data_dir: str | None) -> Examples:
        return stacked(digits_lib.load(split, source=source, data_dir=data_dir), split, seed)

    def outputs(self, model: Callable) -> Outputs:
        """Returns a function that reads 1,000 classes, 100 r + 10 g + b: each digit from its channel.

            log p(r, g, b) = log p(r) + log p(g) + log p(b)

        The features are those of the three channels, one after the other.
        """

        def outputs(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            logits, features = digits_lib.by_channel(model, images)  # [batch, 3, 10], [batch, 3 * dimensions]
            r, g, b = tf.unstack(tf.nn.log_softmax(logits), axis=1)
            # [batch, 10, 10, 10]
            joint = r[:, :, tf.newaxis, tf.newaxis] + g[:, tf.newaxis, :, tf.newaxis] + b[:, tf.newaxis, tf.newaxis, :]
            return tf.reshape(joint, [-1, 1000]), features

        return outputs


def stacked(digits: digits_lib.Digits, split: str, seed: int) -> Examples:
    """Draws three digits for each position; they depend on the seed, the split and the number of digits.

    Args:
      digits: The grey digits.
      split: The split's name.
      seed: Seed for the triples.

    Example:
      >>> fours = digits_lib.Digits(np.zeros([2, 28, 28], np.uint8), np.full(2, 4), "embedded")
      >>> stacked(fours, "train", seed=0).labels.tolist()
      [444, 444]
    """
    size = len(digits.images)
    triples = digits_lib.generator(seed, split).integers(size, size=(size, 3))
    # Only the positions are stored: the stacked images would need three times the memory.
    pixels, members = tf.constant(digits.images), tf.constant(triples)

    def take(positions: tf.Tensor) -> tf.Tensor:
        triple = tf.gather(members, positions)  # [batch, 3]
        return scaled(tf.stack([tf.gather(pixels, triple[:, channel]) for channel in range(3)], axis=-1))

    share = digits_lib.shares(digits)
    return Examples(
        name="stacked_mnist",
        split=split,
        source=digits.source,
        shape=(28, 28, 3),
        size=size,
        labels=digits.labels[triples] @ np.array([100, 10, 1]),
        take=take,
        modes=np.einsum("r,g,b->rgb", share, share, share).reshape(-1),
        made_of=("stacked", pixels, members),
    )
