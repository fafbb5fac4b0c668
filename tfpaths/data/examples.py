"""A split in memory, and its endless stream of batches, a pure function of (seed, step)."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfpaths import errors
from tfpaths.data import memory

# The number of examples in memory at once while a checksum is computed.
_CHUNK = 4096


@dataclasses.dataclass(frozen=True)
class Examples:
    """A split of a data set, addressed by position.

    Attributes:
      name: The data set's name.
      split: `train`, `test`, or another split of the data set.
      source: Where the examples come from: `tfds`, `embedded`, `folder`, ….
      shape: The shape of one example; `(height, width, channels)` for images.
      size: The number of examples.
      labels: `[size]`, the mode of each example, as the data set defines it.
      take: Positions `[batch]` -> examples `[batch, *shape]`, float32; images are in [-1, 1].
      modes: `[modes]`, the probability of each mode under the data set's own distribution; None if it has no modes.
      notes: Further facts for the results, by name.
      made_of: The arrays from which `take` computes the examples, and a text that identifies the computation; empty if
        there are none.

    Example:
      >>> points = in_memory("points", "train", "drawn", np.arange(6.0).reshape(3, 2), np.zeros(3))
      >>> points.size, points.shape
      (3, (2,))
      >>> points.take([2]).numpy()
      array([[4., 5.]], dtype=float32)
    """

    name: str
    split: str
    source: str
    shape: tuple[int, ...]
    size: int
    labels: np.ndarray
    take: Callable[[tf.Tensor], tf.Tensor]
    modes: np.ndarray | None = None
    notes: Mapping[str, int | str] = dataclasses.field(default_factory=dict)
    made_of: tuple[np.ndarray | tf.Tensor | str, ...] = ()

    @functools.cached_property
    def content(self) -> str:
        """A checksum of the examples and their labels, for the keys of caches.

        It is computed from `made_of`, which takes a second for each gigabyte in memory; without `made_of`, from all
        examples.
        """
        facts = (repr((self.shape, self.size)), np.asarray(self.labels), "" if self.modes is None else self.modes)
        return _checksum([*facts, *self.made_of] if self.made_of else self._with_all_examples(facts))

    def batches(self, batch_size: int, *, seed: int = 0, start: int = 0) -> tf.data.Dataset:
        """Returns an endless data set of shuffled batches `[batch_size, *shape]`, starting at batch `start`.

        Example p of the stream belongs to epoch p // size. Each epoch contains every example once, in an order computed
        from (seed, epoch) and never stored. Batch b is therefore the same whether or not the batches before it were
        read: resuming is exact and costs nothing.

        Args:
          batch_size: Examples in a batch, from 1 to `size`.
          seed: Seed for the order of each epoch.
          start: The number of the first batch.

        Raises:
          InputError: `batch_size` is below 1 or larger than the data set.

        Example:
          >>> points = in_memory("points", "train", "drawn", np.zeros([10, 2], np.float32), np.zeros(10))
          >>> next(iter(points.batches(4))).shape
          TensorShape([4, 2])
        """
        if not 0 < batch_size <= self.size:
            raise errors.InputError(
                f"batch_size: expected from 1 to the {self.size} examples of {self.name} ({self.source}, {self.split}),"
                f" received {batch_size}."
            )

        def batch(index: tf.Tensor) -> tf.Tensor:
            offset = index * batch_size + tf.range(batch_size, dtype=tf.int64)  # [batch], in the stream
            epoch = offset // self.size
            # The raw op, because its wrapper in tf.random.experimental takes only one seed for all indices.
            # seeds: [batch, 3]
            seeds = tf.stack([tf.fill([batch_size], tf.constant(seed, tf.int64)), epoch, tf.zeros_like(epoch)], axis=1)
            position = tf.raw_ops.RandomIndexShuffle(
                index=offset % self.size, seed=seeds, max_index=tf.constant(self.size - 1, tf.int64), rounds=4
            )
            return tf.ensure_shape(self.take(position), (batch_size, *self.shape))

        # With several workers, each computes the whole batch and uses its part: there are no files to distribute, and
        # a batch of 64 images takes microseconds.
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
        # They find nothing to improve here, and copy all examples when the first iterator is made.
        options.experimental_optimization.apply_default_optimizations = False
        return (
            tf.data.Dataset.range(start, np.iinfo(np.int64).max // batch_size)
            .map(batch, num_parallel_calls=2, deterministic=True)
            .prefetch(8)
            .with_options(options)
        )

    def some(self, start: int, num: int) -> tf.Tensor:
        """Returns the examples `start` to `start + num - 1` of a fixed random order, `[num, *shape]`.

        The order does not depend on how the data set is stored, so the first examples represent all of it.
        """
        return self.take(tf.constant(self._order[start : start + num]))

    @functools.cached_property
    def _order(self) -> np.ndarray:
        return np.random.default_rng(0).permutation(self.size)

    def _with_all_examples(self, facts: Iterable[Any]) -> Iterator[Any]:
        yield from facts
        for start in range(0, self.size, _CHUNK):
            yield self.take(tf.range(start, min(start + _CHUNK, self.size), dtype=tf.int64))


def in_memory(
    name: str,
    split: str,
    source: str,
    values: np.ndarray | tf.Tensor,
    labels: np.ndarray,
    *,
    modes: np.ndarray | None = None,
    **notes: int,
) -> Examples:
    """Returns examples whose values are in one array or tensor.

    They need `size × product(shape)` bytes as uint8 pixels, and four times as many as numbers.

    Args:
      name: The data set's name.
      split: The split's name.
      source: Where the examples come from.
      values: `[size, *shape]`: uint8 pixels, which `take` scales to [-1, 1], or numbers, which are cast to float32. An
        array is copied, so that it may change afterwards. A tensor of uint8 or float32 is not copied.
      labels: `[size]`, the mode of each example.
      modes: `[modes]`, the probability of each mode; None if there are none.
      **notes: Further facts for the results.

    Example:
      >>> black = in_memory("black", "train", "drawn", np.zeros([10, 28, 28, 1], np.uint8), np.zeros(10))
      >>> float(tf.reduce_max(black.take([0])))
      -1.0
    """
    is_pixels = values.dtype == np.uint8
    # A tensor outside the graph: a captured tensor is shared, a constant would be copied into each trace.
    if isinstance(values, np.ndarray):
        stored = memory.copied(values, np.uint8 if is_pixels else np.float32)
    else:
        stored = values if is_pixels else tf.cast(values, tf.float32)

    def take(positions: tf.Tensor) -> tf.Tensor:
        chosen = tf.gather(stored, positions)
        return scaled(chosen) if is_pixels else chosen

    size, *shape = values.shape
    return Examples(
        name, split, source, tuple(shape), size, labels, take, modes=modes, notes=notes, made_of=("in_memory", stored)
    )


def scaled(pixels: tf.Tensor) -> tf.Tensor:
    """Maps uint8 pixels in [0, 255] to float32 in [-1, 1]: pixels / 127.5 - 1.

    Example:
      >>> scaled(tf.constant([0, 255], tf.uint8)).numpy().tolist()
      [-1.0, 1.0]
    """
    return tf.cast(pixels, tf.float32) / 127.5 - 1.0


def _checksum(parts: Iterable[Any]) -> str:
    """Returns a checksum of texts, arrays and tensors; arrays are hashed in pieces, without a copy of the whole."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(f"text {len(part)} {part}".encode())
            continue
        digest.update(f"array {part.dtype.name} {tuple(part.shape)}".encode())
        for start in range(0, len(part), _CHUNK):
            digest.update(np.asarray(part[start : start + _CHUNK]).tobytes())
    return digest.hexdigest()[:32]
