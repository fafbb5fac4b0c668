"""A data set in memory, and its endless stream of batches as a pure function of (seed, step)."""

import dataclasses
import functools
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from tfpaths import config


@dataclasses.dataclass(frozen=True)
class Images:
    """A data set of images, addressed by position.

    Attributes:
      name: its name in the table.
      split: `train`, `test`, or another that the data set has.
      source: where the pixels come from: `tfds`, `embedded` or `folder`.
      shape: `(height, width, channels)`.
      size: how many examples there are.
      labels: `[size]`, the mode of each example, as the data set defines it.
      take: positions `[batch]` -> images `[batch, height, width, channels]`, float32 in [-1, 1].
      modes: `[modes]`, how probable each mode is by the data set's own law; none where it has no modes.
      notes: what else the results should say of the data, by name.
    """

    name: str
    split: str
    source: str
    shape: tuple[int, int, int]
    size: int
    labels: np.ndarray
    take: Callable[[tf.Tensor], tf.Tensor]
    modes: np.ndarray | None = None
    notes: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def batches(self, batch_size: int, *, seed: int = 0, start: int = 0) -> tf.data.Dataset:
        """An endless data set of shuffled batches `[batch_size, height, width, channels]`, from batch `start` on.

        Example p of the stream belongs to epoch p // size, and each epoch goes through all examples in an order of its
        own: a permutation computed from (seed, epoch), never stored. Batch b is therefore the same whether or not the
        batches before it were read, which makes resuming exact and free.

        Raises:
          InputError: a batch is larger than the data set.
        """
        if not 0 < batch_size <= self.size:
            raise config.InputError(
                f"batch_size: expected from 1 to the {self.size} examples of {self.name} ({self.source}, {self.split}),"
                f" received {batch_size}."
            )

        def batch(index: tf.Tensor) -> tf.Tensor:
            place = index * batch_size + tf.range(batch_size, dtype=tf.int64)
            epoch = place // self.size
            # The raw op, because its wrapper in tf.random.experimental takes one seed for all indices and no more.
            seeds = tf.stack([tf.fill([batch_size], tf.constant(seed, tf.int64)), epoch, tf.zeros_like(epoch)], axis=1)
            position = tf.raw_ops.RandomIndexShuffle(
                index=place % self.size, seed=seeds, max_index=tf.constant(self.size - 1, tf.int64), rounds=4
            )
            return tf.ensure_shape(self.take(position), (batch_size, *self.shape))

        # A strategy of several workers computes each batch everywhere and keeps a worker's share of it: there are no
        # files to deal out, and the sixty-four images of a batch take microseconds.
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
        return (
            tf.data.Dataset.range(start, np.iinfo(np.int64).max // batch_size)
            .map(batch, num_parallel_calls=2, deterministic=True)
            .prefetch(8)
            .with_options(options)
        )

    def some(self, start: int, num: int) -> tf.Tensor:
        """`num` images from number `start` on, in one order of chance that is always the same.

        The first of them stand for the whole data set, in whatever order that is stored.
        """
        return self.take(tf.constant(self._order[start : start + num]))

    @functools.cached_property
    def _order(self) -> np.ndarray:
        return np.random.default_rng(0).permutation(self.size)


def scaled(pixels: tf.Tensor) -> tf.Tensor:
    """uint8 pixels in [0, 255] -> float32 in [-1, 1]."""
    return tf.cast(pixels, tf.float32) / 127.5 - 1.0
