"""Random numbers as a pure function of a seed: no state to save, none to lose.

A seed is a pair of integers. `fold` derives a new one from it and a number, so that a tree of streams hangs from the
run's seed: step -> replica -> discriminator update -> purpose. A run resumed at step 500 draws what the uninterrupted
run drew at step 500 because there is nothing to restore. The generator is named, not left to the device, so that
devices agree.
"""

from collections.abc import Sequence

import tensorflow as tf

_ALGORITHM = "philox"


def root(seed: int | tf.Tensor) -> tf.Tensor:
    """The stream that a user's integer seed names."""
    return tf.stack([tf.cast(seed, tf.int32), tf.constant(0, tf.int32)])


def fold(seed: tf.Tensor, *numbers: int | tf.Tensor) -> tf.Tensor:
    """The stream below `seed` at `numbers`, one level for each of them."""
    for number in numbers:
        seed = tf.random.fold_in(seed, tf.cast(number, tf.int32), alg=_ALGORITHM)
    return seed


def uniform(seed: tf.Tensor, shape: Sequence[int] | tf.Tensor) -> tf.Tensor:
    """Draws from U[0, 1), float32."""
    return tf.random.stateless_uniform(shape, seed, alg=_ALGORITHM)


def normal(seed: tf.Tensor, shape: Sequence[int] | tf.Tensor) -> tf.Tensor:
    """Draws from N(0, 1), float32."""
    return tf.random.stateless_normal(shape, seed, alg=_ALGORITHM)
