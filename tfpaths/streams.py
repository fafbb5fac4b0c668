"""Random numbers as a pure function of a seed: no state to save, none to lose.

A seed is a pair of integers. `fold` derives a new one from it and a number, so that a tree of streams hangs from the
run's seed: step -> replica -> discriminator update -> purpose. A run resumed at step 500 draws what the uninterrupted
run drew at step 500 because there is nothing to restore. The generator is named, not left to the device, so that
devices agree.

A seed of an ensemble has a third number, its first run. Draws then have a leading axis of runs, and run i of any
ensemble draws what it would draw alone: each run has a stretch of the generator's counter to itself.
"""

import math
from collections.abc import Sequence

import tensorflow as tf

_ALGORITHM = "philox"
# The same by the number that the raw operations take.
_PHILOX = 1


def root(seed: int | tf.Tensor, first_run: int | tf.Tensor | None = None, attempt: int | tf.Tensor = 0) -> tf.Tensor:
    """The stream that a user's integer seed names; with `first_run`, that of an ensemble whose runs begin there.

    An `attempt` other than 0 is another stream of the same seed.
    """
    numbers = [tf.cast(seed, tf.int32), tf.cast(attempt, tf.int32)]
    return tf.stack(numbers if first_run is None else [*numbers, tf.cast(first_run, tf.int32)])


def batch_axes(seed: tf.Tensor) -> int:
    """How many leading axes of what is drawn count examples: 1, or 2 in an ensemble, runs before examples."""
    return seed.shape[0] - 1


def fold(seed: tf.Tensor, *numbers: int | tf.Tensor) -> tf.Tensor:
    """The stream below `seed` at `numbers`, one level for each of them."""
    pair, first_run = seed[:2], seed[2:]
    for number in numbers:
        pair = tf.random.fold_in(pair, tf.cast(number, tf.int32), alg=_ALGORITHM)
    return tf.concat([pair, first_run], axis=0)


def uniform(seed: tf.Tensor, shape: Sequence[int] | tf.Tensor) -> tf.Tensor:
    """Draws from U[0, 1), float32."""
    if batch_axes(seed) == 2:
        return _uniform_of_runs(seed, shape)
    return tf.random.stateless_uniform(shape, seed, alg=_ALGORITHM)


def normal(seed: tf.Tensor, shape: Sequence[int] | tf.Tensor) -> tf.Tensor:
    """Draws from N(0, 1), float32. An ensemble's are made from uniform ones, and none is beyond 5.3."""
    if batch_axes(seed) == 2:
        return normal_quantile(uniform(seed, shape))
    return tf.random.stateless_normal(shape, seed, alg=_ALGORITHM)


def normal_quantile(u: tf.Tensor) -> tf.Tensor:
    """What N(0, 1) has a share u of its mass below, for u in [0, 1) as it is drawn, a multiple of 2^-23."""
    # 2 u - 1 moved by half of u's resolution: symmetric, and never -1, whose quantile is infinite.
    return math.sqrt(2) * tf.math.erfinv(2.0 * u - (1.0 - 2.0**-23))


def _uniform_of_runs(seed: tf.Tensor, shape: Sequence[int] | tf.Tensor) -> tf.Tensor:
    """U[0, 1) of `[runs, ...]`, static: run r reads the counter from r * (numbers per run) on, four numbers a count."""
    runs, *rest = (int(size) for size in shape)
    count = math.prod(rest)
    counts_per_run = -(-count // 4)
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed[:2])
    skipped = tf.cast(seed[2], tf.uint64) * tf.constant(counts_per_run, tf.uint64)
    drawn = tf.raw_ops.StatelessRandomUniformV2(
        shape=[runs, 4 * counts_per_run],
        key=key,
        counter=counter + tf.stack([skipped, tf.zeros_like(skipped)]),
        alg=_PHILOX,
    )
    return tf.reshape(drawn[:, :count], [runs, *rest])
