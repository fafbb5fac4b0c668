"""Data on a line in R^d, a linear generator, and the exact distance between the two. Many runs at once.

    data       x = m + s y            y ~ N(0, 1)       m, s ~ N(0, I), once for each run
    generator  G(z) = c + S z         z ~ N(0, I_k)     c in R^d, S in R^(d×k)

    d^2 = |m - c|^2 + |s|^2 + ||S||_F^2 - 2 |S^T s|

is the squared Fréchet distance between N(m, s s^T) and N(c, S S^T): the root of s s^T S S^T has the trace |S^T s|.
"""

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from tfpaths import streams

# Branches of the seed below which training never draws: its numbers are steps, which are never negative.
_PROBLEM, _DATA, _START, DISCRIMINATOR = -2, -3, -4, -5


@keras.saving.register_keras_serializable("tfpaths")
class LinearGenerator(keras.layers.Layer):
    """G(z) = c + S z: latents `[runs, batch, latents]` -> `[runs, batch, dimension]`.

    Args:
      dimension: d.
      **kwargs: Keras'.

    Attributes:
      offset: c, `[runs, dimension]`.
      directions: S, `[runs, dimension, latents]`.
    """

    def __init__(self, dimension: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.dimension = dimension

    def build(self, input_shape):
        runs, _, latents = input_shape
        self.offset = self.add_weight(shape=(runs, self.dimension), initializer="zeros", name="offset")
        self.directions = self.add_weight(shape=(runs, self.dimension, latents), initializer="zeros", name="directions")

    def call(self, latents):
        return tf.matmul(latents, self.directions, transpose_b=True) + self.offset[:, tf.newaxis, :]

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.dimension)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dimension": self.dimension}


@dataclasses.dataclass(frozen=True)
class Line:
    """The data of each run: m and s, `[runs, dimension]`."""

    mean: tf.Tensor
    direction: tf.Tensor

    def batch(self, size: int, seed: tf.Tensor) -> tf.Tensor:
        """x = m + s y, `[runs, size, dimension]`, from the stream `seed`."""
        runs = self.mean.shape[0]
        y = streams.normal(seed, (runs, size, 1))
        return self.mean[:, tf.newaxis, :] + self.direction[:, tf.newaxis, :] * y


def line(seed: tf.Tensor, runs: int, dimension: int) -> Line:
    """m and s of each run, from the stream of an ensemble."""
    stream = streams.fold(seed, _PROBLEM)
    return Line(*(streams.normal(streams.fold(stream, which), (runs, dimension)) for which in (0, 1)))


def data_stream(seed: tf.Tensor, step: tf.Tensor, update: int) -> tf.Tensor:
    """What a batch is drawn from: one for each discriminator update of each step."""
    return streams.fold(seed, _DATA, step, update)


def start(kind: str, seed: tf.Tensor, data: Line, latents: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The generator's c and S before the first step.

    `random`: c ~ N(0, I), and each column of S ~ N(0, I / latents), so that samples spread as data do.
    `parallel`: S = (s, 0, …) and c = m + v with v orthogonal to s and of length 1: a line beside the data's, at
    distance 1 everywhere, whose support meets the data's nowhere. v is drawn.

    Raises:
      ValueError: another kind.
    """
    stream = streams.fold(seed, _START)
    runs, dimension = data.mean.shape
    drawn = streams.normal(streams.fold(stream, 0), (runs, dimension))
    if kind == "random":
        directions = streams.normal(streams.fold(stream, 1), (runs, dimension, latents)) / latents**0.5
        return drawn, directions
    if kind != "parallel":
        raise ValueError(f"Expected 'random' or 'parallel', received {kind!r}.")
    s = data.direction
    along = tf.reduce_sum(drawn * s, axis=1, keepdims=True) / tf.reduce_sum(s * s, axis=1, keepdims=True)
    aside = drawn - along * s
    offset = data.mean + aside / tf.norm(aside, axis=1, keepdims=True)
    rest = tf.zeros([runs, dimension, latents - 1])
    return offset, tf.concat([s[:, :, tf.newaxis], rest], axis=2)


def squared_distance(data: Line, offset: tf.Tensor, directions: tf.Tensor) -> tf.Tensor:
    """d^2 of each run, `[runs]`, at least 0 but for rounding.

    Args:
      data: m and s.
      offset: c, `[runs, dimension]`.
      directions: S, `[runs, dimension, latents]`.
    """
    m, s = data.mean, data.direction
    between = tf.norm(tf.einsum("rdk,rd->rk", directions, s), axis=1)
    return (
        tf.reduce_sum(tf.square(m - offset), axis=1)
        + tf.reduce_sum(tf.square(s), axis=1)
        + tf.reduce_sum(tf.square(directions), axis=[1, 2])
        - 2.0 * between
    )
