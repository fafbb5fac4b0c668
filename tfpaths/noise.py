"""Gaussian noise on examples, made by one program of XLA.

The noise of images is many numbers: 450,000 in a step at 28×28×3 and batch 64. `python -m benchmarks.instance_noise`
measures what they add to the step. Whole numbers from Threefry become normal ones by the method of Box and Muller
(1958), in one compiled loop together with the sum with the examples:

- The numbers of a pair are neighbours in an example: a complex number, since XLA would compute everything twice for two
  tensors.
- Sine and cosine are polynomials on a short interval: XLA calls a slow function of the C library for them.
- The logarithm is a polynomial too: XLA has two forms of it, one for vectors and one for what is left at their end, so
  that last digits would depend on how a tensor is split among threads.
- Nothing is divided, since a division would need a separate loop.
"""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from tfpaths import numerics
from tfpaths.compat.tensorflow import custom_gradient, is_in_xla
from tfpaths.streams import COMPILED_FROM, Stream, threefry

# Threefry-2x32 passes all tests of BigCrush from 13 rounds on (Salmon et al. 2011, table 2).
ROUNDS = 13
# The bits of sqrt(1/2) as float32.
_ROOT_OF_HALF = 0x3F3504F3
# log(1 + x) / x by powers of x, for sqrt(1/2) <= 1 + x < sqrt(2): the Chebyshev interpolation of degree 9, whose
# relative error is 5e-9.
_LOGARITHM = (
    *(0.999999999, -0.499999885, 0.333333453, -0.250015791, 0.200009394),
    *(-0.166083694, 0.141996501, -0.132660314, 0.128066105, -0.0745118627),
)
# sin(y) / y and cos(y) by powers of y^2: the next terms, y^10 / 11! and y^12 / 12!, are below 3e-9 for |y| <= pi/4.
_SINE = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(5))
_COSINE = tuple((-1) ** k / math.factorial(2 * k) for k in range(6))


def added(examples: tf.Tensor, stream: Stream, scale: float | tf.Tensor) -> tf.Tensor:
    """Returns examples + scale e, e ~ N(0, 1), float32; its derivative by the examples is the identity.

    The numbers of short examples and of ensembles are those of `Stream.normal`. Of other examples none is beyond ±5.8,
    and they are others than `normal` draws.

    Args:
      examples: `[batch, ...]`, in an ensemble `[runs, batch, ...]`, float32; all but the first axis must be static.
      stream: The stream of e.
      scale: The standard deviation, at least zero: a scalar, in an ensemble also of a shape that fits the examples.

    Example:
      >>> from tfpaths import streams
      >>> added(tf.zeros([64, 28, 28, 3]), streams.root(0), 0.5).shape
      TensorShape([64, 28, 28, 3])
    """
    count = math.prod(examples.shape[1:])
    if stream.first_run is not None or stream.first is not None or count < COMPILED_FROM:
        return examples + scale * stream.normal(numerics.shape_of(examples))
    key, scale = tf.bitcast(stream.key, tf.uint32), tf.cast(scale, tf.float32)

    # XLA would make another program for the gradient.
    @custom_gradient
    def shifted(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        flat = tf.pad(tf.reshape(x, [-1, count]), [[0, 0], [0, count % 2]]) if count % 2 else x
        pairs = _added(tf.reshape(flat, [-1, (count + 1) // 2, 2]), key, scale)
        # XLA has no view of complex numbers as real ones, and copies them.
        parts = (tf.math.real(pairs), tf.math.imag(pairs))
        noisy = tf.stack(parts, axis=2) if is_in_xla() else tf.bitcast(pairs, tf.float32)
        noisy = tf.reshape(noisy, [-1, count + count % 2])[:, :count]
        return tf.reshape(noisy, tf.shape(x)), lambda upstream: upstream

    return tf.ensure_shape(shifted(examples), examples.shape)


@tf.function(jit_compile=True, reduce_retracing=True, autograph=False)
def _added(x: tf.Tensor, key: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Returns pairs of numbers, `[rows, pairs, 2]`, plus scaled noise, complex64 `[rows, pairs]`."""
    shape = tf.shape(x)[:2]
    numbers, places = tf.meshgrid(*(tf.cast(tf.range(size), tf.uint32) for size in tf.unstack(shape)), indexing="ij")
    first, second = normal_pairs(*threefry((key[0], key[1]), places, numbers, rounds=ROUNDS))
    return tf.complex(x[:, :, 0] + scale * first, x[:, :, 1] + scale * second)


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
    sine, cosine = y * _polynomial(y * y, _SINE), _polynomial(y * y, _COSINE)
    cosine = tf.where(second & _word(1) == 0, cosine, -cosine)
    is_in_order = second & _word(2) == 0
    return radius * tf.where(is_in_order, cosine, sine), radius * tf.where(is_in_order, sine, cosine)


def logarithm(u: tf.Tensor) -> tf.Tensor:
    """Returns the natural logarithm of positive normal numbers, float32, with a relative error below 4e-7.

    With u = m 2^e, m in [sqrt(1/2), sqrt(2)): log u = e log 2 + log m.

    Example:
      >>> round(float(logarithm(tf.constant(0.5))), 4)
      -0.6931
    """
    bits = tf.bitcast(u, tf.int32)
    exponent = tf.bitwise.right_shift(bits - _ROOT_OF_HALF, 23)
    x = tf.bitcast(bits - tf.bitwise.left_shift(exponent, 23), tf.float32) - 1.0
    return tf.cast(exponent, tf.float32) * math.log(2) + x * _polynomial(x, _LOGARITHM)


def _real(word: tf.Tensor, dropped: int) -> tf.Tensor:
    """Returns a word without its lowest bits as a float32, exactly: at most 23 bits are left."""
    return tf.cast(tf.bitwise.right_shift(word, _word(dropped)), tf.float32)


def _polynomial(x: tf.Tensor, factors: Sequence[float]) -> tf.Tensor:
    """Returns the sum of factors[k] x^k."""
    value = tf.zeros_like(x) + factors[-1]
    for factor in reversed(factors[:-1]):
        value = value * x + factor
    return value


def _word(number: int) -> tf.Tensor:
    return tf.constant(number, tf.uint32)
