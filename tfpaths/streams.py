"""Random numbers as a pure function of a seed: no state to save, none to lose.

A user's seed is an integer. `root` makes a `Stream` of it, and `Stream.fold` derives a new stream from a stream and a
number, so that a tree of streams hangs from the run's seed: step -> replica -> discriminator update -> purpose. A run
resumed at step 500 draws what the uninterrupted run drew at step 500, because there is nothing to restore. The
generator is named, not left to the device, so that devices agree.

The stream of an ensemble knows its first run. Its draws have a leading axis of runs, and run i of any ensemble draws
what it would draw alone: each run has a stretch of the generator's counter to itself.
"""

import math
import typing
from collections.abc import Sequence

import tensorflow as tf

_ALGORITHM = "philox"
# The same by the number that the raw operations take.
_PHILOX = 1


class Stream(tf.experimental.ExtensionType):
    """A source of random numbers: the same stream gives the same numbers, as often as it is asked.

    It can be passed to and from a `tf.function`.

    Attributes:
      key: int32 `[2]`.
      first_run: For an ensemble, the number of its first run, an int32 scalar; otherwise None.

    Example:
      >>> stream = root(0).fold(3)
      >>> bool(tf.reduce_all(stream.uniform([2]) == stream.uniform([2])))
      True
    """

    key: tf.Tensor
    first_run: typing.Optional[tf.Tensor] = None  # noqa: UP045 - the form that TensorFlow reads

    def fold(self, *numbers: int | tf.Tensor) -> "Stream":
        """Returns the stream below this one at `numbers`, one level for each."""
        key = self.key
        for number in numbers:
            key = tf.random.fold_in(key, tf.cast(number, tf.int32), alg=_ALGORITHM)
        return Stream(key, self.first_run)

    def uniform(self, shape: Sequence[int] | tf.Tensor) -> tf.Tensor:
        """Draws from U[0, 1), float32. An ensemble's shape is static and begins with its runs."""
        if self.first_run is not None:
            return self._uniform_of_runs(shape)
        return tf.random.stateless_uniform(shape, self.key, alg=_ALGORITHM)

    def normal(self, shape: Sequence[int] | tf.Tensor) -> tf.Tensor:
        """Draws from N(0, 1), float32. An ensemble's are made from uniform ones, and none is beyond 5.3."""
        if self.first_run is not None:
            return normal_quantile(self.uniform(shape))
        return tf.random.stateless_normal(shape, self.key, alg=_ALGORITHM)

    def _uniform_of_runs(self, shape: Sequence[int] | tf.Tensor) -> tf.Tensor:
        """U[0, 1) of `[runs, ...]`: run r reads the counter from r * (numbers per run) on, four numbers a count."""
        runs, *rest = (int(size) for size in shape)
        count = math.prod(rest)
        counts_per_run = -(-count // 4)
        key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=self.key)
        skipped = tf.cast(self.first_run, tf.uint64) * tf.constant(counts_per_run, tf.uint64)
        drawn = tf.raw_ops.StatelessRandomUniformV2(
            shape=[runs, 4 * counts_per_run],
            key=key,
            counter=counter + tf.stack([skipped, tf.zeros_like(skipped)]),
            alg=_PHILOX,
        )
        return tf.reshape(drawn[:, :count], [runs, *rest])


def root(seed: int | tf.Tensor, *, first_run: int | tf.Tensor | None = None, attempt: int | tf.Tensor = 0) -> Stream:
    """Returns the stream of a user's integer seed.

    Args:
      seed: An integer, or an integer scalar.
      first_run: The first run of an ensemble, for a stream of that ensemble.
      attempt: A number other than 0 gives another stream of the same seed.
    """
    key = tf.stack([tf.cast(seed, tf.int32), tf.cast(attempt, tf.int32)])
    return Stream(key, None if first_run is None else tf.cast(first_run, tf.int32))


def normal_quantile(u: tf.Tensor) -> tf.Tensor:
    """Returns the quantile of N(0, 1) at u in [0, 1), where u is a multiple of 2^-23, as it is drawn."""
    # 2 u - 1 moved by half of u's resolution: symmetric, and never -1, whose quantile is infinite.
    return math.sqrt(2) * tf.math.erfinv(2.0 * u - (1.0 - 2.0**-23))
