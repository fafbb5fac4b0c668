"""Random numbers as a pure function of a seed, without state to save or restore.

`root` returns the `Stream` of an integer seed, and `Stream.fold` derives a new stream from a stream and a number. The
streams of a run form a tree below its seed: step -> replica -> discriminator update -> purpose. A run resumed at step
500 draws the same numbers as an uninterrupted run at step 500, because there is no state to restore. The algorithm is
fixed to Philox, not chosen by the device, so all devices draw the same numbers.

The stream of an ensemble stores the number of its first run. Its draws have a leading axis of runs, and run i draws the
same numbers in every ensemble as it would alone: each run uses its own range of Philox' counter.
"""

import math
import typing
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

_ALGORITHM = "philox"
# The number of the same algorithm, for raw operations.
_PHILOX = 1


class Stream(tf.experimental.ExtensionType):
    """A source of random numbers that has no state: the same stream always gives the same numbers.

    Draw from a stream once, and use `fold` to get different streams for different purposes. A stream can be passed to
    a `tf.function` and returned from it.

    Attributes:
      key: int32 `[2]`.
      first_run: In an ensemble, the number of its first run, an int32 scalar; otherwise None.
      first: The number of rows that each draw skips, an int64 scalar; None for none. See `from_row`.

    Example:
      >>> stream = root(0).fold(3)
      >>> bool(tf.reduce_all(stream.uniform([2]) == stream.uniform([2])))
      True
      >>> bool(tf.reduce_any(stream.fold(0).uniform([2]) == stream.fold(1).uniform([2])))
      False
    """

    key: tf.Tensor
    first_run: typing.Optional[tf.Tensor] = None  # noqa: UP045 - the form that ExtensionType can read
    first: typing.Optional[tf.Tensor] = None  # noqa: UP045

    def fold(self, *numbers: int | tf.Tensor) -> "Stream":
        """Returns the stream at the path `numbers` below this one: `fold(a, b)` is `fold(a).fold(b)`."""
        key = self.key
        for number in numbers:
            key = tf.random.fold_in(key, tf.cast(number, tf.int32), alg=_ALGORITHM)
        return Stream(key, self.first_run, self.first)

    def from_row(self, first: int | tf.Tensor) -> "Stream":
        """Returns the stream whose draws are those of a larger draw from its row `first` on.

        A row is what one index of the first axis selects. So a large draw can be made in parts.

        Args:
          first: The row. The numbers before it must be a multiple of four: as many as Philox draws at a time.

        Raises:
          ValueError: The stream is an ensemble's.

        Example:
          >>> whole = root(7).normal([6, 2])
          >>> bool(tf.reduce_all(root(7).from_row(4).normal([2, 2]) == whole[4:]))
          True
        """
        if self.first_run is not None:
            raise ValueError("The draws of an ensemble cannot be made in parts.")
        return Stream(self.key, None, tf.cast(first, tf.int64))

    def uniform(self, shape: Sequence[int] | tf.Tensor) -> tf.Tensor:
        """Draws numbers from U[0, 1), float32. In an ensemble, the shape is static and begins with the runs."""
        if self.first_run is not None:
            return self._uniform_of_runs(shape)
        if self.first is not None:
            return self._drawn(tf.raw_ops.StatelessRandomUniformV2, shape)
        return tf.random.stateless_uniform(shape, self.key, alg=_ALGORITHM)

    def normal(self, shape: Sequence[int] | tf.Tensor) -> tf.Tensor:
        """Draws numbers from N(0, 1), float32. In an ensemble they are quantiles of `uniform`, none beyond ±5.3."""
        if self.first_run is not None:
            return normal_quantile(self.uniform(shape))
        if self.first is not None:
            return self._drawn(tf.raw_ops.StatelessRandomNormalV2, shape)
        return tf.random.stateless_normal(shape, self.key, alg=_ALGORITHM)

    def _drawn(self, operation: Any, shape: Sequence[int] | tf.Tensor) -> tf.Tensor:
        """Draws numbers from row `first` on: each value of Philox' counter gives four of them."""
        shape = tf.convert_to_tensor(shape, tf.int64)
        skipped = self.first * tf.reduce_prod(shape[1:])
        tf.debugging.assert_equal(
            skipped % 4, tf.constant(0, tf.int64), "the numbers before `first` are no multiple of 4"
        )
        return operation(shape=shape, alg=_PHILOX, **self._counted_from(skipped // 4))

    def _uniform_of_runs(self, shape: Sequence[int] | tf.Tensor) -> tf.Tensor:
        """Draws numbers from U[0, 1), `[runs, ...]`; run r starts at the counter r * counts_per_run."""
        runs, *rest = (int(size) for size in shape)
        count = math.prod(rest)
        # Philox gives four numbers for each value of its counter; the quotient is rounded up.
        counts_per_run = -(-count // 4)
        skipped = tf.cast(self.first_run, tf.uint64) * tf.constant(counts_per_run, tf.uint64)
        drawn = tf.raw_ops.StatelessRandomUniformV2(
            shape=[runs, 4 * counts_per_run], alg=_PHILOX, **self._counted_from(skipped)
        )  # [runs, 4 * counts_per_run]; each row has up to three numbers too many.
        return tf.reshape(drawn[:, :count], [runs, *rest])

    def _counted_from(self, skipped: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns Philox' key and its counter after `skipped` values of it, by the names of raw operations."""
        key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=self.key)
        skipped = tf.cast(skipped, tf.uint64)
        return {"key": key, "counter": counter + tf.stack([skipped, tf.zeros_like(skipped)])}


def root(seed: int | tf.Tensor, *, first_run: int | tf.Tensor | None = None, attempt: int | tf.Tensor = 0) -> Stream:
    """Returns the stream of an integer seed.

    Args:
      seed: An integer, or an integer scalar.
      first_run: The number of an ensemble's first run, for the stream of an ensemble; None for a single run.
      attempt: Another number gives an independent stream of the same seed.

    Example:
      >>> root(7).key.numpy().tolist()
      [7, 0]
    """
    key = tf.stack([tf.cast(seed, tf.int32), tf.cast(attempt, tf.int32)])
    return Stream(key, None if first_run is None else tf.cast(first_run, tf.int32))


def normal_quantile(u: tf.Tensor) -> tf.Tensor:
    """Returns the quantile of N(0, 1) at u + 2^-24, for u in [0, 1) that is a multiple of 2^-23, as `uniform` draws it.

    Example:
      >>> round(float(normal_quantile(tf.constant(0.975))), 2)
      1.96
    """
    # Half of u's resolution is added, so that the values are symmetric and never at 0, whose quantile is infinite.
    return math.sqrt(2) * tf.math.erfinv(2.0 * u - (1.0 - 2.0**-23))
