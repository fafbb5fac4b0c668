"""Data on a line in R^d, a linear generator, and the exact distance between them, for many runs at once.

    data       x = m + s y            y ~ N(0, 1)       m, s ~ N(0, I), drawn once for each run
    generator  G(z) = c + S z         z ~ N(0, I_k)     c in R^d, S in R^(d×k)

    d^2 = |m - c|^2 + |s|^2 + ||S||_F^2 - 2 |S^T s|

is the squared Fréchet distance between N(m, s s^T) and N(c, S S^T), since the square root of s s^T S S^T has the trace
|S^T s|.
"""

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from tfpaths import numerics
from tfpaths.streams import Stream

# Branches of the stream that training does not use: its branches are steps, which are not negative.
_PROBLEM, _DATA, _START, DISCRIMINATOR = -2, -3, -4, -5


@keras.saving.register_keras_serializable("tfpaths")
class LinearGenerator(keras.layers.Layer):
    """G(z) = c + S z: latents `[runs, batch, latents]` -> `[runs, batch, dimension]`.

    Args:
      dimension: d.
      **kwargs: The arguments of `keras.layers.Layer`.

    Attributes:
      offset: c, `[runs, dimension]`.
      directions: S, `[runs, dimension, latents]`.

    Example:
      >>> LinearGenerator(2)(tf.zeros([4, 16, 1])).shape
      TensorShape([4, 16, 2])
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
    """The data of each run: m and s, `[runs, dimension]`.

    Example:
      >>> from tfpaths import streams
      >>> stream = streams.root(0, first_run=0)
      >>> line(stream, 4, 2).batch(16, data_stream(stream, 0, 0)).shape
      TensorShape([4, 16, 2])
    """

    mean: tf.Tensor
    direction: tf.Tensor

    def batch(self, size: int, stream: Stream) -> tf.Tensor:
        """Draws x = m + s y, `[runs, size, dimension]`."""
        runs = self.mean.shape[0]
        y = stream.normal((runs, size, 1))
        # [runs, 1, dimension] + [runs, 1, dimension] * [runs, size, 1]
        return self.mean[:, tf.newaxis, :] + self.direction[:, tf.newaxis, :] * y


def line(stream: Stream, runs: int, dimension: int) -> Line:
    """Draws m and s of each run.

    Args:
      stream: The stream of an ensemble.
      runs: The number of its runs.
      dimension: d.

    Example:
      >>> from tfpaths import streams
      >>> line(streams.root(0, first_run=0), 4, 2).mean.shape
      TensorShape([4, 2])
    """
    stream = stream.fold(_PROBLEM)
    return Line(*(stream.fold(which).normal((runs, dimension)) for which in (0, 1)))


def data_stream(stream: Stream, step: int | tf.Tensor, update: int) -> Stream:
    """Returns the stream from which a batch is drawn: one for each discriminator update of each step.

    Example:
      >>> from tfpaths import streams
      >>> stream = streams.root(0, first_run=0)
      >>> bool(tf.reduce_all(data_stream(stream, 3, 0).key == data_stream(stream, 3, 1).key))
      False
    """
    return stream.fold(_DATA, step, update)


def start(
    kind: str, stream: Stream, data: Line, latents: int, scale: float | tf.Tensor = 1.0
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws the generator's c and S before the first step.

    `random`: c ~ N(0, I), and each column of S ~ N(0, I / latents), so that samples have the spread of the data; both
    times `scale`.
    `parallel`: S = (s, 0, …) and c = m + v, where v is a random vector of length 1 that is orthogonal to s. The line
    is parallel to the data's at distance 1, so d^2 = 1.

    Args:
      kind: `random` or `parallel`.
      stream: The stream of an ensemble.
      data: Its data.
      latents: k.
      scale: The factor of a random start: a number, or one for each run, `[runs]`.

    Returns:
      c, `[runs, dimension]`, and S, `[runs, dimension, latents]`.

    Raises:
      ValueError: `kind` has another value.

    Example:
      >>> from tfpaths import streams
      >>> stream = streams.root(0, first_run=0)
      >>> data = line(stream, 2, 8)
      >>> squared_distance(data, *start("parallel", stream, data, latents=1)).numpy().round(3)
      array([1., 1.], dtype=float32)
    """
    stream = stream.fold(_START)
    runs, dimension = data.mean.shape
    drawn = stream.fold(0).normal((runs, dimension))
    if kind == "random":
        directions = stream.fold(1).normal((runs, dimension, latents)) / latents**0.5
        return numerics.of_runs(scale, drawn) * drawn, numerics.of_runs(scale, directions) * directions
    if kind != "parallel":
        raise ValueError(f"Expected 'random' or 'parallel', received {kind!r}.")
    s = data.direction  # [runs, dimension]
    # The coordinate of the drawn vector along s, which is subtracted: [runs, 1].
    along = tf.reduce_sum(drawn * s, axis=1, keepdims=True) / tf.reduce_sum(s * s, axis=1, keepdims=True)
    orthogonal = drawn - along * s
    offset = data.mean + orthogonal / tf.norm(orthogonal, axis=1, keepdims=True)
    rest = tf.zeros([runs, dimension, latents - 1])
    return offset, tf.concat([s[:, :, tf.newaxis], rest], axis=2)


def squared_distance(data: Line, offset: tf.Tensor, directions: tf.Tensor) -> tf.Tensor:
    """Returns d^2 of each run, `[runs]`; at least 0, up to rounding.

    Args:
      data: m and s.
      offset: c, `[runs, dimension]`.
      directions: S, `[runs, dimension, latents]`.

    Example:
      >>> m, s = tf.constant([[0.0, 0.0]]), tf.constant([[1.0, 0.0]])
      >>> squared_distance(Line(m, s), m + 3.0, s[:, :, tf.newaxis]).numpy()
      array([18.], dtype=float32)
    """
    m, s = data.mean, data.direction
    between = tf.norm(tf.einsum("rdk,rd->rk", directions, s), axis=1)  # |S^T s|, [runs]
    return (
        tf.reduce_sum(tf.square(m - offset), axis=1)
        + tf.reduce_sum(tf.square(s), axis=1)
        + tf.reduce_sum(tf.square(directions), axis=[1, 2])
        - 2.0 * between
    )
