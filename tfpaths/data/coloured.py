"""Color MNIST (70 modes) and Stacked MNIST (1,000 modes): what an example draws is a pure function of its position."""

import numpy as np
import tensorflow as tf

from tfpaths.data import digits as digits_lib
from tfpaths.data.images import Images, scaled

# R, G and B switched on or off, black left out: colour c lights the channels of the bits of c.
COLOURS = np.array([[c >> 2 & 1, c >> 1 & 1, c & 1] for c in range(1, 8)], np.uint8)


def color_mnist(digits: digits_lib.Digits, split: str, seed: int) -> Images:
    """28×28×3: each digit in one of 7 colours. Its mode is 7 * digit + colour, 70 in all.

    The paper's own draw of the colours is not at hand: here each position has its colour once and for all.
    """
    size = len(digits.images)
    colour = _generator(seed, split).integers(len(COLOURS), size=size)
    # The pixels stay outside the graph: a captured tensor is shared, a constant would be copied into each trace.
    pixels, lights = tf.constant(digits.images), tf.constant(COLOURS[colour])

    def take(positions: tf.Tensor) -> tf.Tensor:
        grey = tf.gather(pixels, positions)[..., tf.newaxis]
        return scaled(grey * tf.gather(lights, positions)[:, tf.newaxis, tf.newaxis, :])

    labels = digits.labels * len(COLOURS) + colour
    modes = np.repeat(_share_of_digits(digits), len(COLOURS)) / len(COLOURS)
    return Images("color_mnist", split, digits.source, (28, 28, 3), size, labels, take, modes)


def stacked_mnist(digits: digits_lib.Digits, split: str, seed: int) -> Images:
    """28×28×3: three independent digits r, g, b in the three channels. Its mode is 100 r + 10 g + b, 1,000 in all.

    Metz et al. 2016 (arXiv 1611.02163). As many examples as there are digits, each of its three drawn uniformly.
    """
    size = len(digits.images)
    triples = _generator(seed, split).integers(size, size=(size, 3))
    pixels, members = tf.constant(digits.images), tf.constant(triples)

    def take(positions: tf.Tensor) -> tf.Tensor:
        triple = tf.gather(members, positions)
        return scaled(tf.stack([tf.gather(pixels, triple[:, channel]) for channel in range(3)], axis=-1))

    labels = digits.labels[triples] @ np.array([100, 10, 1])
    share = _share_of_digits(digits)
    modes = np.einsum("r,g,b->rgb", share, share, share).reshape(-1)
    return Images("stacked_mnist", split, digits.source, (28, 28, 3), size, labels, take, modes)


def _generator(seed: int, split: str) -> np.random.Generator:
    return np.random.default_rng([seed, ("train", "test", "validation").index(split)])


def _share_of_digits(digits: digits_lib.Digits) -> np.ndarray:
    return np.bincount(digits.labels, minlength=10) / len(digits.labels)
