"""A bent Gaussian, a toy of KL-WGAN."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfpaths.data.dataset import DATA
from tfpaths.data.points import Points, log_normal
from tfpaths.streams import Stream


@DATA.register("banana")
class Banana(Points):
    """x1 ~ N(0, 2^2), x2 ~ N((x1^2 - 4) / 5, 1).

    Song and Ermon 2020 (arXiv 1910.09779), as in their code (`synthetic/datasets.py`).

    Example:
      >>> Banana().log_density(np.array([[0.0, -0.8]])).round(4)  # -log(2 pi) - log 2
      array([-2.531])
    """

    def draw(self, stream: Stream, shape: Sequence[int]) -> tf.Tensor:
        first, second = tf.split(stream.normal((*shape, 2)), 2, axis=-1)
        first = 2.0 * first
        return tf.concat([first, 0.2 * (tf.square(first) - 4.0) + second], axis=-1)

    def log_density(self, points: np.ndarray) -> np.ndarray:
        first, second = points.astype(np.float64).T
        return log_normal(first, 0.0, 2.0) + log_normal(second, 0.2 * (first**2 - 4.0), 1.0)
