"""The squared maximum mean discrepancy between samples and real points, with a Gaussian kernel.

    MMD^2 = mean k(x, x') + mean k(y, y') - 2 mean k(x, y)        k(x, y) = exp(-(|x - y| / d)^2)

The distance is divided by the dimension d, and then squared, as in the code of Song and Ermon 2020 (arXiv 1910.09779,
`synthetic/kl_wgan.py`). The means are over all pairs, with each point's pair with itself, whose kernel is 1: the
estimate is biased, at least 0, and about 2 (1 - E k(x, x')) / n for n samples and n points of one distribution.
Gretton et al. 2012, equation 5.
"""

from typing import Any

import numpy as np
import scipy.spatial.distance

from tfpaths.metrics.context import Context
from tfpaths.metrics.metric import METRICS
from tfpaths.metrics.points import PointMetric
from tfpaths.metrics.sources import Source

# Points at a time: [256, 10,000] float64 numbers are 20 MB.
_ROWS = 256


def mean_kernel(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the mean of exp(-(|x - y| / d)^2) over all pairs, in (0, 1].

    Args:
      first: x, `[first, dimensions]`.
      second: y, `[second, dimensions]`.

    Example:
      >>> round(mean_kernel(np.zeros([1, 2]), np.array([[0.0, 2.0]])), 4)  # exp(-(2 / 2)^2)
      0.3679
    """
    total = 0.0
    for start in range(0, len(first), _ROWS):
        squares = scipy.spatial.distance.cdist(first[start : start + _ROWS], second, "sqeuclidean")
        total += float(np.exp(squares / -(first.shape[1] ** 2)).sum())
    return total / (len(first) * len(second))


def mmd2(samples: np.ndarray, real: np.ndarray) -> float:
    """Returns the biased MMD^2 between two sets of points, in [0, 2).

    Args:
      samples: x, `[samples, dimensions]`.
      real: y, `[real, dimensions]`.

    Example:
      >>> round(mmd2(np.zeros([3, 2]), np.array([[0.0, 2.0]])), 4)  # 1 + 1 - 2 exp(-1)
      1.2642
    """
    value = mean_kernel(samples, samples) + mean_kernel(real, real) - 2 * mean_kernel(samples, real)
    # Rounding can make the value of equal sets slightly negative.
    return max(value, 0.0)


@METRICS.register("mmd")
class MMD(PointMetric):
    """The biased MMD^2 between samples and as many real points (`mmd2`).

    Example:
      >>> from tfpaths import config as config_lib
      >>> context = Context(config_lib.Data(name="mog", examples=500), config_lib.Evaluation())
      >>> MMD().protocol(context)
      {'point_samples': 500, 'mmd': 'biased, kernel exp(-(|x - y| / d)^2)'}
    """

    def compute(self, context: Context, source: Source, count: int | None = None) -> dict[str, float]:
        return {"mmd2": mmd2(*self.compared(context, source, count))}

    def protocol(self, context: Context) -> dict[str, Any]:
        return super().protocol(context) | {"mmd": "biased, kernel exp(-(|x - y| / d)^2)"}
