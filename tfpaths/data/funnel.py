"""Neal's funnel with a bounded width, a toy of KL-WGAN."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfpaths.data.dataset import DATA
from tfpaths.data.points import Points, log_normal
from tfpaths.streams import Stream

# The largest variance of x2.
_WIDEST = 10.0
# exp(500) is a float64, also if it is multiplied by the square of any float32.
_FARTHEST = 500.0


@DATA.register("funnel")
class Funnel(Points):
    """x1 ~ N(0, 2^2), x2 ~ N(0, min(exp(-x1), 10)), where the second number is the variance.

    Song and Ermon 2020 (arXiv 1910.09779), as in their code (`synthetic/datasets.py`).

    Example:
      >>> Funnel().log_density(np.zeros([1, 2])).round(4)  # -log(2 pi) - log 2
      array([-2.531])
    """

    def draw(self, stream: Stream, shape: Sequence[int]) -> tf.Tensor:
        first, second = tf.split(stream.normal((*shape, 2)), 2, axis=-1)
        first = 2.0 * first
        return tf.concat([first, tf.sqrt(tf.minimum(tf.exp(-first), _WIDEST)) * second], axis=-1)

    def log_density(self, points: np.ndarray) -> np.ndarray:
        first, second = points.astype(np.float64).T
        # Far from the data exp(-x1) would overflow, or be 0.
        deviation = np.exp(-np.clip(first, -np.log(_WIDEST), _FARTHEST) / 2)
        return log_normal(first, 0.0, 2.0) + log_normal(second, 0.0, deviation)
