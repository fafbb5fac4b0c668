"""Random numbers as a pure function of a seed, without state to save or restore.

`root` returns the `Stream` of an integer seed, and `Stream.fold` derives a new stream from a stream and a number. The
streams of a run form a tree below its seed: step -> replica -> discriminator update -> purpose. A run resumed at step
500 draws the same numbers as an uninterrupted run at step 500, because there is no state to restore. The algorithm is
fixed to Philox, not chosen by the device, so all devices draw the same numbers.

The stream of an ensemble stores the number of its first run. Its draws have a leading axis of runs, and run i draws the
same numbers in every ensemble as it would alone: each run uses its own range of Philox' counter.
"""

import contextlib
import contextvars
import math
import typing
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

# The number of the algorithm, for raw operations.
_PHILOX = 1
# The key with which TensorFlow makes Philox' key and counter from a seed.
_SCRAMBLING = 0x02461E293EC8F720


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
            drawn = tf.raw_ops.StatelessRandomUniformFullIntV2(shape=[], dtype=tf.int32, **_counted(key))
            key = tf.stack([drawn, tf.cast(number, tf.int32)])
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
        return tf.raw_ops.StatelessRandomUniformV2(shape=shape, **_counted(self.key))

    def normal(self, shape: Sequence[int] | tf.Tensor) -> tf.Tensor:
        """Draws numbers from N(0, 1), float32. In an ensemble they are quantiles of `uniform`, none beyond ±5.3."""
        if self.first_run is not None:
            return normal_quantile(self.uniform(shape))
        if self.first is not None:
            return self._drawn(tf.raw_ops.StatelessRandomNormalV2, shape)
        return tf.raw_ops.StatelessRandomNormalV2(shape=shape, **_counted(self.key))

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


def _counted(seed: tf.Tensor) -> dict[str, Any]:
    """Returns Philox' key and counter of a seed, and its number, by the names of raw operations.

    They are those of `tf.random.stateless_uniform(..., alg="philox")`, in a quarter of its 30 operations: a step draws
    and folds a dozen times, and tracing those took a sixth of the time to trace a step.
    """
    mixed = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[4],
        key=tf.constant([_SCRAMBLING], tf.uint64),
        counter=tf.cast(seed, tf.uint64),
        alg=_PHILOX,
        dtype=tf.uint32,
    )
    key, high = tf.split(tf.bitcast(tf.reshape(mixed, [2, 2]), tf.uint64), 2)  # [1] each
    return {"key": key, "counter": tf.concat([tf.zeros([1], tf.uint64), high], axis=0), "alg": _PHILOX}


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


def keys_of(latents: tf.Tensor) -> tf.Tensor:
    """Returns a key for each latent, uint32 `[num, 2]`: a hash of its bits, for `normal_of_keys`.

    Numbers that are drawn with these keys are a function of the latent alone: they do not depend on its position in a
    batch, so that a sample that needs noise is the same in every batch, in every process and in an export.

    Args:
      latents: `[num, latent_dim]`, float32.

    Example:
      >>> z = root(0).normal([6, 3])
      >>> bool(tf.reduce_all(keys_of(z)[4:] == keys_of(z[4:])))
      True
    """
    words = tf.bitcast(latents, tf.uint32)  # [num, latent_dim]
    places = tf.range(latents.shape[1], dtype=tf.int32)[tf.newaxis]
    zero = _word(0)
    mixed = threefry((zero, zero), words, tf.cast(places, tf.uint32) + tf.zeros_like(words))
    # The sum of hashed words, modulo 2^32.
    sums = [tf.reduce_sum(tf.bitcast(word, tf.int32), axis=1) for word in mixed]
    return tf.bitcast(tf.stack(sums, axis=1), tf.uint32)


def normal_of_keys(keys: tf.Tensor, count: int, numbers: tf.Tensor) -> tf.Tensor:
    """Draws numbers from N(0, 1) with a key for each row, float32 `[num, draws, count]`; none is beyond ±5.8.

    TensorFlow's generators draw a whole tensor with one key. Here two numbers are r cos t and r sin t, with r =
    sqrt(-2 log u) and t = 2 pi v (Box and Muller 1958), which takes a fifth of the time of quantiles.

    Args:
      keys: `[num, 2]`, as `keys_of` returns them.
      count: How many numbers a draw has.
      numbers: `[draws]`, int32: which draws; different ones are independent.

    Example:
      >>> normal_of_keys(keys_of(tf.ones([4, 2])), 5, tf.constant([7])).shape
      TensorShape([4, 1, 5])
    """
    num = tf.shape(keys)[0]
    # The last elements of a tensor, fewer than a vector of the CPU, may have other last bits: here, those are padding.
    keys = tf.pad(keys, [[0, -(-_PADDING // -(-count // 2))], [0, 0]])
    draw = _compiled_pairs if count >= COMPILED_FROM and not _is_portable.get() else _pairs
    u, angle = draw(keys, -(-count // 2), numbers)
    radius = tf.sqrt(-2.0 * tf.math.log(u))
    drawn = tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=2)[:num, :, :count]
    return tf.ensure_shape(drawn, [None, numbers.shape[0], count])


# From so many numbers in a draw on, XLA compiles the integers of Threefry: its hundred operations become one, which
# takes a tenth of the time. Fewer numbers are not worth the compilation, 0.3 s for each size of a batch.
COMPILED_FROM = 512

_is_portable: contextvars.ContextVar[bool] = contextvars.ContextVar("is_portable", default=False)


@contextlib.contextmanager
def portable() -> Iterator[None]:
    """Leaves XLA out of the graphs that are traced inside, for runtimes without it; the numbers are the same.

    TensorFlow Serving refuses models that need XLA on a CPU unless it is started with a flag.

    Example:
      >>> with portable():
      ...     portable_draw = normal_of_keys(keys_of(tf.ones([4, 2])), 600, tf.constant([7]))
      >>> bool(tf.reduce_all(portable_draw == normal_of_keys(keys_of(tf.ones([4, 2])), 600, tf.constant([7]))))
      True
    """
    token = _is_portable.set(True)
    try:
        yield
    finally:
        _is_portable.reset(token)


def _pairs(keys: tf.Tensor, pairs: int, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns u in (0, 1) and an angle in (0, 2 pi), each `[num, draws, pairs]`, in 2^23 steps.

    Compiled or not, they are the same: only the angle is rounded, once. A reshape in here would make XLA compute the
    three indices of each element, in six times the time.
    """
    shape = [tf.shape(keys)[0], tf.shape(numbers)[0], pairs]
    first = tf.broadcast_to(tf.cast(tf.range(pairs), tf.uint32), shape)
    second = tf.broadcast_to(tf.cast(numbers, tf.uint32)[:, tf.newaxis], shape)
    pair = [keys[:, index, tf.newaxis, tf.newaxis] for index in (0, 1)]
    # The upper 23 bits of each word.
    u, v = (tf.cast(tf.bitwise.right_shift(word, _word(9)), tf.float32) for word in threefry(pair, first, second))
    return (u + 0.5) * 2.0**-23, 2 * math.pi * ((v + 0.5) * 2.0**-23)


_compiled_pairs = tf.function(_pairs, jit_compile=True, reduce_retracing=True, autograph=False)


# At least a vector of any CPU, in numbers.
_PADDING = 64

# Salmon et al. 2011, table 2 and section 4.2: Threefry-2x32's rotations, and the parity of its key schedule.
_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
_PARITY = 0x1BD11BDA


def threefry(
    key: Sequence[tf.Tensor], first: tf.Tensor, second: tf.Tensor, *, rounds: int = 20
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the two words of Threefry-2x32, element by element (Salmon et al. 2011).

    J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

    Args:
      key: Its two words, uint32, of shapes that fit that of the counter.
      first: The first word of the counter, uint32.
      second: The second word, of the same shape.
      rounds: 20 is the authors' number; 13 is the least that passes all their tests.

    Example:
      >>> zero = tf.constant(0, tf.uint32)  # the known answer for zeros
      >>> [hex(int(word)) for word in threefry((zero, zero), zero, zero)]
      ['0x6b200159', '0x99ba4efe']
    """
    keys = (key[0], key[1], tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(key[0], key[1]), _word(_PARITY)))
    first, second = first + keys[0], second + keys[1]
    for done in range(1, rounds + 1):
        rotation = _ROTATIONS[(done - 1) % 8]
        first = first + second
        # A rotation. The product is the shift to the left, which is slower, and the parts have no bit in common.
        right = tf.bitwise.right_shift(second, _word(32 - rotation))
        second = tf.bitwise.bitwise_xor(second * _word(2**rotation), right)
        second = tf.bitwise.bitwise_xor(second, first)
        if done % 4 == 0:
            block = done // 4
            first = first + keys[block % 3]
            second = second + keys[(block + 1) % 3] + _word(block)
    return first, second


def _word(number: int) -> tf.Tensor:
    return tf.constant(number, tf.uint32)
