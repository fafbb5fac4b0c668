"""Sources of the examples that metrics measure: a sampler, a data set, or noise."""

import dataclasses
from collections.abc import Callable, Hashable, Sequence

import tensorflow as tf

from tfpaths import streams
from tfpaths.data.examples import Examples
from tfpaths.data.points import Law
from tfpaths.gan import GAN
from tfpaths.streams import Stream

# `(num, stream)` -> examples `[num, *shape]`, drawn from the stream.
Sampler = Callable[[int, Stream], tf.Tensor]


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """A source of the examples that a metric measures.

    Attributes:
      batches: `(start, num)` -> the `num` examples from number `start`, `[num, *shape]`; the same call returns the same
        examples.
      sampler: `(num, stream)` -> examples `[num, *shape]`, drawn from a stream; for the critic.
      size: The number of different examples; None if it is unlimited.
      law: Returns the exact distribution of the examples, `data.points.Law`, or None; None if it is never known.
      state: Returns a value that identifies the state of the source, such as the training step. Features and critics
        are reused while it stays equal. If `state` is None, each measurement computes everything.
      gan: The game whose samples they are; None for other examples.

    Example:
      >>> zeros = Source(lambda start, num: tf.zeros([num, 2]), lambda num, stream: tf.zeros([num, 2]), size=10)
      >>> zeros.at_most(5), zeros.at_most(50)
      (5, 10)
    """

    batches: Callable[[int, int], tf.Tensor]
    sampler: Sampler
    size: int | None = None
    state: Callable[[], Hashable] | None = None
    gan: GAN | None = None
    law: Callable[[], Law | None] | None = None

    def at_most(self, count: int) -> int:
        """Returns `count`, or the number of examples if there are fewer."""
        return count if self.size is None else min(count, self.size)


def samples(
    sampler: Sampler,
    seed: int,
    *,
    state: Callable[[], Hashable] | None = None,
    gan: GAN | None = None,
    law: Callable[[], Law | None] | None = None,
) -> Source:
    """Returns a source of the examples that a sampler draws from a seed.

    Args:
      sampler: `(num, stream)` -> examples `[num, *shape]`, a pure function of the stream.
      seed: Seed for the examples.
      state: Returns a value that identifies everything the sampler depends on besides the stream, such as the training
        step.
      gan: The game that the sampler belongs to, if there is one.
      law: As in `Source`.

    Example:
      >>> normal = samples(lambda num, stream: stream.normal([num, 2]), seed=0)
      >>> normal.batches(0, 3).shape
      TensorShape([3, 2])
    """
    stream = streams.root(seed)
    compiled = tf.function(sampler, reduce_retracing=True, autograph=False)
    return Source(
        # The start selects the stream: examples are equal only for an equal start and num.
        lambda start, num: compiled(num, stream.fold(start)),
        sampler,
        state=None if state is None else lambda: (sampler, seed, state()),
        gan=gan,
        law=law,
    )


def real(examples: Examples) -> Source:
    """Returns a source of real examples, like a generator that has memorised them.

    `batches` reads them in a fixed random order; `sampler` draws them with replacement.

    Args:
      examples: A split of a data set.

    Example:
      >>> import numpy as np
      >>> from tfpaths.data import examples as examples_lib
      >>> points = examples_lib.in_memory("points", "train", "drawn", np.arange(6.0).reshape(3, 2), np.zeros(3))
      >>> sorted(real(points).batches(0, 3).numpy().tolist())
      [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    """

    def sampler(num: int, stream: Stream) -> tf.Tensor:
        # floor(u * size) for u in [0, 1): positions `[num]`, each equally likely.
        return examples.take(tf.cast(stream.uniform([num]) * examples.size, tf.int64))

    return Source(examples.some, sampler, examples.size)


def noise(shape: Sequence[int], seed: int) -> Source:
    """Returns a source of independent uniform numbers in [-1, 1).

    Args:
      shape: The shape of one example.
      seed: Seed for the numbers.

    Example:
      >>> images = noise((28, 28, 3), seed=0).batches(0, 10)
      >>> images.shape, bool(tf.reduce_all(tf.abs(images) <= 1.0))
      (TensorShape([10, 28, 28, 3]), True)
    """
    return samples(lambda num, stream: 2.0 * stream.uniform([num, *shape]) - 1.0, seed)
