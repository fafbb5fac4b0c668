"""A uniform square, a toy of KL-WGAN."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfpaths.data.dataset import DATA
from tfpaths.data.points import Points
from tfpaths.streams import Stream


@DATA.register("square")
class Square(Points):
    """x ~ U[-3, 3]^2; its density is 1 / 36 inside and 0 outside.

    Song and Ermon 2020 (arXiv 1910.09779), as in their code (`synthetic/datasets.py`).

    Example:
      >>> Square().log_density(np.array([[0.0, 2.9], [0.0, 3.1]])).round(4)
      array([-3.5835,    -inf])
    """

    def draw(self, stream: Stream, shape: Sequence[int]) -> tf.Tensor:
        return 6.0 * stream.uniform((*shape, 2)) - 3.0

    def log_density(self, points: np.ndarray) -> np.ndarray:
        return np.where(np.abs(points).max(axis=1) <= 3.0, -np.log(36.0), -np.inf)
