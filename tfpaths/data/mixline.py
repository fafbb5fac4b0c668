"""Lines in the plane: a linear generator can cover one of them, a mixture of linear generators all."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfpaths.data.dataset import DATA
from tfpaths.data.points import Law, Points
from tfpaths.schema import Positive, PositiveInt
from tfpaths.streams import Stream


@DATA.register("mixline")
class MixLine(Points):
    """x = m_k + s_k y with y ~ N(0, 1) and each k = 0, …, K - 1 equally likely. The data set is ours.

        m_k = radius (cos a_k, sin a_k)        s_k = spread (-sin a_k, cos a_k)        a_k = 2 pi k / K

    The lines are the sides of a regular polygon and their extensions. A generator c + S z makes one Gaussian, so that a
    single one cannot have this distribution, and a mixture of K of them can.

    Args:
      lines: K.
      radius: The distance of each line from the origin.
      spread: The standard deviation along each line.
      examples: As in `Points`.

    Example:
      >>> weights, means, covariances = MixLine(lines=4).law()
      >>> means[1].round(6).tolist(), covariances[1].round(6).tolist()
      ([0.0, 2.0], [[1.0, -0.0], [-0.0, 0.0]])
    """

    def __init__(
        self,
        *,
        lines: PositiveInt = 3,
        radius: Positive = 2.0,
        spread: Positive = 1.0,
        examples: PositiveInt = 100_000,
    ):
        super().__init__(examples=examples)
        angles = 2 * np.pi * np.arange(lines) / lines
        outward = np.stack([np.cos(angles), np.sin(angles)], axis=1)  # [lines, 2]
        self.means = radius * outward
        self.directions = spread * outward[:, ::-1] * [-1.0, 1.0]

    def draw(self, stream: Stream, shape: Sequence[int]) -> tf.Tensor:
        chosen = tf.cast(stream.fold(0).uniform(shape) * len(self.means), tf.int32)
        means, directions = (
            tf.gather(tf.constant(values, tf.float32), chosen) for values in (self.means, self.directions)
        )
        return means + directions * stream.fold(1).normal((*shape, 1))

    def law(self) -> Law:
        covariances = self.directions[:, :, np.newaxis] * self.directions[:, np.newaxis]
        return np.full(len(self.means), 1 / len(self.means)), self.means, covariances
