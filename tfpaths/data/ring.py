"""A ring, a toy of KL-WGAN."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfpaths.data.dataset import DATA
from tfpaths.data.points import Points, log_normal
from tfpaths.schema import Positive, PositiveInt
from tfpaths.streams import Stream


@DATA.register("ring")
class Ring(Points):
    """x = r (cos a, sin a) with r ~ N(radius, deviation^2) and a ~ U[0, 2 pi).

        p(x) = (N(|x|) + N(-|x|)) / (2 pi |x|)

    Song and Ermon 2020 (arXiv 1910.09779), as in their code (`synthetic/datasets.py`).

    Args:
      radius: The mean of r.
      width: The standard deviation of r.
      examples: As in `Points`.

    Example:
      >>> density = np.exp(Ring().log_density(np.array([[5.0, 0.0]])))  # 1 / (0.2 sqrt(2 pi)) / (2 pi 5)
      >>> density.round(5)
      array([0.06349])
    """

    def __init__(self, *, radius: Positive = 5.0, width: Positive = 0.2, examples: PositiveInt = 100_000):
        super().__init__(examples=examples)
        self.radius = radius
        self.width = width

    def draw(self, stream: Stream, shape: Sequence[int]) -> tf.Tensor:
        angle = 2.0 * math.pi * stream.fold(0).uniform((*shape, 1))
        radius = self.radius + self.width * stream.fold(1).normal((*shape, 1))
        return radius * tf.concat([tf.cos(angle), tf.sin(angle)], axis=-1)

    def log_density(self, points: np.ndarray) -> np.ndarray:
        # p is unbounded at the centre, where 1 / 0 is not a density.
        radius = np.maximum(np.linalg.norm(points.astype(np.float64), axis=1), np.finfo(np.float32).tiny)
        # r may be negative, which turns the point by pi.
        both = np.logaddexp(*(log_normal(sign * radius, self.radius, self.width) for sign in (1.0, -1.0)))
        return both - np.log(2 * np.pi * radius)
