"""Where the examples to be judged come from: a sampler, a data set, or noise."""

import dataclasses
from collections.abc import Callable, Hashable, Sequence

import tensorflow as tf

from tfpaths import streams
from tfpaths.data.examples import Examples
from tfpaths.streams import Stream

# `(num, stream)` -> examples drawn from the stream.
Sampler = Callable[[int, Stream], tf.Tensor]


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """Where the examples to be judged come from.

    Attributes:
      batches: `(start, num)` -> the `num` examples from `start` on; the same call gives the same examples.
      sampler: `(num, stream)` -> examples drawn from a stream, for the critic.
      size: How many different ones there are; None if there is no end.
      state: Returns what tells apart states of the source, such as a training step. What was computed of the source in
        the same state is used again. None if nothing tells them apart: then each measurement computes everything.
    """

    batches: Callable[[int, int], tf.Tensor]
    sampler: Sampler
    size: int | None = None
    state: Callable[[], Hashable] | None = None

    def at_most(self, count: int) -> int:
        """Returns `count`, or the number of examples if there are fewer."""
        return count if self.size is None else min(count, self.size)


def samples(sampler: Sampler, seed: int, *, state: Callable[[], Hashable] | None = None) -> Source:
    """Returns the examples that a sampler gives for a seed.

    Args:
      sampler: `(num, stream)` -> examples, a pure function of the stream.
      seed: Seed for the examples.
      state: Returns what the sampler depends on besides the stream, such as a training step.
    """
    stream = streams.root(seed)
    compiled = tf.function(sampler, reduce_retracing=True, autograph=False)
    return Source(
        lambda start, num: compiled(num, stream.fold(start)),
        sampler,
        state=None if state is None else lambda: (sampler, seed, state()),
    )


def real(examples: Examples) -> Source:
    """Returns a generator that has memorised a data set: its examples in one random order, or drawn from a stream."""

    def sampler(num: int, stream: Stream) -> tf.Tensor:
        return examples.take(tf.cast(stream.uniform([num]) * examples.size, tf.int64))

    return Source(examples.some, sampler, examples.size)


def noise(shape: Sequence[int], seed: int) -> Source:
    """Returns independent uniform numbers in [-1, 1)."""
    return samples(lambda num, stream: 2.0 * stream.uniform([num, *shape]) - 1.0, seed)
