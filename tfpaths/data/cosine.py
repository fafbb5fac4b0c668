"""A noisy cosine, a toy of KL-WGAN."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfpaths.data.dataset import DATA
from tfpaths.data.points import Points, log_normal
from tfpaths.streams import Stream


@DATA.register("cosine")
class Cosine(Points):
    """x1 ~ U[-4, 4], x2 ~ N(3 cos(2 x1), 1); its density is 0 where |x1| > 4.

    Song and Ermon 2020 (arXiv 1910.09779), as in their code (`synthetic/datasets.py`).

    Example:
      >>> Cosine().log_density(np.array([[0.0, 3.0], [5.0, 0.0]])).round(4)  # -log 8 - log(2 pi) / 2
      array([-2.9984,    -inf])
    """

    def draw(self, stream: Stream, shape: Sequence[int]) -> tf.Tensor:
        first = 8.0 * stream.fold(0).uniform((*shape, 1)) - 4.0
        return tf.concat([first, 3.0 * tf.cos(2.0 * first) + stream.fold(1).normal((*shape, 1))], axis=-1)

    def log_density(self, points: np.ndarray) -> np.ndarray:
        first, second = points.astype(np.float64).T
        inside = log_normal(second, 3.0 * np.cos(2.0 * first), 1.0) - np.log(8.0)
        return np.where(np.abs(first) <= 4.0, inside, -np.inf)
