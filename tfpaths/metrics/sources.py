"""Where the images to be judged come from: a sampler, a data set, or noise."""

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf

from tfpaths import streams
from tfpaths.data.images import Images

# `(num, seed)` -> images drawn from the stream.
Sampler = Callable[[int, tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the images to be judged come from.

    Attributes:
      batches: `(start, num)` -> the `num` images from `start` on; the same call gives the same images.
      sampler: `(num, seed)` -> images drawn anew, for the critic.
      size: how many different ones there are; none where there is no end.
    """

    batches: Callable[[int, int], tf.Tensor]
    sampler: Sampler
    size: int | None = None


def samples(sampler: Sampler, seed: int) -> Source:
    """The images that a sampler gives for a seed."""
    stream = streams.root(seed)
    compiled = tf.function(sampler, reduce_retracing=True)
    return Source(lambda start, num: compiled(num, streams.fold(stream, start)), sampler)


def real(images: Images) -> Source:
    """A generator that has memorised a data set: its images in one order of chance, or drawn anew."""

    def sampler(num, seed):
        return images.take(tf.cast(streams.uniform(seed, [num]) * images.size, tf.int64))

    return Source(images.some, sampler, images.size)


def noise(shape: Sequence[int], seed: int) -> Source:
    """Independent uniform pixels."""
    return samples(lambda num, seed: 2.0 * streams.uniform(seed, [num, *shape]) - 1.0, seed)
