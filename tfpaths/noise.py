"""Gaussian noise on examples, made by one program of XLA.

The noise of images is many numbers: 450,000 in a step at 28×28×3 and batch 64. TensorFlow's own take 9 % of the time of
the step. Here whole numbers from Threefry become normal ones by the method of Box and Muller (1958). All of it, with
the sum with the examples, is one compiled loop. Logarithm, sine and cosine are their series on a short interval: XLA
calls a slow function of the C library for sine and cosine, and has two forms of each logarithm, one for vectors and
one for what is left at their end, so that last digits would depend on how a tensor is split among threads.
"""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from tfpaths import numerics
from tfpaths.streams import COMPILED_FROM, Stream, threefry

# Threefry-2x32 passes all tests of BigCrush from 13 rounds on (Salmon et al. 2011, table 2).
ROUNDS = 13
# The bits of sqrt(1/2) as float32.
_ROOT_OF_HALF = 0x3F3504F3


def added(examples: tf.Tensor, stream: Stream, scale: float | tf.Tensor) -> tf.Tensor:
    """Returns examples + scale e, e ~ N(0, 1), float32; its derivative by the examples is the identity.

    The numbers of short examples and of ensembles are those of `Stream.normal`. Of other examples none is beyond ±5.8,
    and they are others than `normal` draws. A batch of another size has other noise.

    Args:
      examples: `[batch, ...]`, in an ensemble `[runs, batch, ...]`, float32; all but the first axis must be static.
      stream: The stream of e.
      scale: The standard deviation, at least zero: a scalar, in an ensemble also of a shape that fits the examples.

    Example:
      >>> from tfpaths import streams
      >>> added(tf.zeros([64, 28, 28, 3]), streams.root(0), 0.5).shape
      TensorShape([64, 28, 28, 3])
    """
    is_long = math.prod(examples.shape[1:]) >= COMPILED_FROM
    if stream.first_run is not None or stream.first is not None or not is_long:
        return examples + scale * stream.normal(numerics.shape_of(examples))
    key = tf.bitcast(stream.key, tf.uint32)
    scale = tf.cast(scale, tf.float32)

    # XLA would make another program for the gradient.
    @tf.custom_gradient
    def shifted(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        return _added(x, key, scale), lambda upstream: upstream

    return tf.ensure_shape(shifted(examples), examples.shape)


@tf.function(jit_compile=True, reduce_retracing=True, autograph=False)
def _added(x: tf.Tensor, key: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Returns `x`, `[rows, ...]`, plus scaled noise: a pair of numbers is for a row of each half of the batch."""
    rows = tf.shape(x)[0]
    count, half = tf.size(x) // rows, (rows + 1) // 2
    places = tf.broadcast_to(tf.cast(tf.range(count), tf.uint32), [half, count])
    numbers = tf.broadcast_to(tf.cast(tf.range(half), tf.uint32)[:, tf.newaxis], [half, count])
    first, second = normal_pairs(*threefry((key[0], key[1]), places, numbers, rounds=ROUNDS))
    flat = tf.reshape(x, [rows, count])
    noisy = tf.concat([flat[:half] + scale * first, flat[half:] + scale * second[: rows - half]], axis=0)
    return tf.reshape(noisy, tf.shape(x))


def normal_pairs(first: tf.Tensor, second: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns two independent numbers from N(0, 1) for each pair of random words: r cos t and r sin t.

        r = sqrt(-2 log u),  u = (upper 23 bits of the first word + 1/2) / 2^23
        t = a multiple of pi/2, plus or minus y,  y in (-pi/4, pi/4) from the upper 21 bits of the second word

    The lowest two bits choose the multiple: the second exchanges sine and cosine of y, the first turns the cosine's
    sign. So there are four arcs of equal length, around the four axes.

    Args:
      first: uint32.
      second: uint32, of the same shape.

    Example:
      >>> words = tf.constant([0], tf.uint32)  # r = 5.77, t = -pi/4
      >>> [round(float(x[0]), 2) for x in normal_pairs(words, words)]
      [4.08, -4.08]
    """
    radius = tf.sqrt(-2.0 * logarithm((_real(first, 9) + 0.5) * 2.0**-23))
    y = (_real(second, 11) - (2.0**20 - 0.5)) * (math.pi / 2 * 2.0**-21)
    # The next terms, y^11 / 11! and y^12 / 12!, are below 2e-9.
    sine = y * _series(y, [(-1) ** k / math.factorial(2 * k + 1) for k in range(5)])
    cosine = _series(y, [(-1) ** k / math.factorial(2 * k) for k in range(6)])
    cosine = tf.where(second & _word(1) == 0, cosine, -cosine)
    is_in_order = second & _word(2) == 0
    return radius * tf.where(is_in_order, cosine, sine), radius * tf.where(is_in_order, sine, cosine)


def logarithm(u: tf.Tensor) -> tf.Tensor:
    """Returns the natural logarithm of positive normal numbers, float32, with a relative error below 4e-7.

    With u = m 2^e, m in [sqrt(1/2), sqrt(2)), and f = (m - 1) / (m + 1): log u = e log 2 + 2 (f + f^3 / 3 + ...).

    Example:
      >>> round(float(logarithm(tf.constant(0.5))), 4)
      -0.6931
    """
    bits = tf.bitcast(u, tf.int32)
    exponent = tf.bitwise.right_shift(bits - _ROOT_OF_HALF, 23)
    m = tf.bitcast(bits - tf.bitwise.left_shift(exponent, 23), tf.float32)
    f = (m - 1.0) / (m + 1.0)
    # |f| < 0.172: the next term, 2 f^13 / 13, is below 4e-10 f.
    return tf.cast(exponent, tf.float32) * math.log(2) + f * _series(f, [2 / (2 * k + 1) for k in range(6)])


def _real(word: tf.Tensor, dropped: int) -> tf.Tensor:
    """Returns a word without its lowest bits as a float32, exactly: at most 23 bits are left."""
    return tf.cast(tf.bitwise.right_shift(word, _word(dropped)), tf.float32)


def _series(x: tf.Tensor, factors: Sequence[float]) -> tf.Tensor:
    """Returns the sum of factors[k] x^(2k)."""
    square = x * x
    value = tf.zeros_like(x) + factors[-1]
    for factor in reversed(factors[:-1]):
        value = value * square + factor
    return value


def _word(number: int) -> tf.Tensor:
    return tf.constant(number, tf.uint32)
