"""The Wasserstein-1 distance between equally many samples and real points, by linear assignment.

    W_1 = min over permutations s of mean_i |x_i - y_s(i)|

This is the exact distance of two finite sets. It exceeds the distance of their distributions: two sets of n points of
one distribution in the plane are about sqrt(log n / n) apart, in units of its standard deviation.
"""

from typing import Any

import numpy as np
import scipy.optimize
import scipy.spatial.distance

from tfpaths.metrics.context import Context
from tfpaths.metrics.metric import METRICS
from tfpaths.metrics.points import PointMetric
from tfpaths.metrics.sources import Source
from tfpaths.schema import PositiveInt


def wasserstein(samples: np.ndarray, real: np.ndarray) -> float:
    """Returns W_1 between two sets of equally many points, with the Euclidean distance.

    Args:
      samples: x, `[num, dimensions]`.
      real: y, `[num, dimensions]`.

    Example:
      Moved by (3, 4), at a distance of 5:

      >>> points = np.array([[0.0, 0.0], [1.0, 7.0]])
      >>> wasserstein(points, points + np.array([3.0, 4.0]))
      5.0
    """
    distances = scipy.spatial.distance.cdist(samples, real)  # [num, num]
    return float(distances[scipy.optimize.linear_sum_assignment(distances)].mean())


@METRICS.register("assignment")
class Assignment(PointMetric):
    """The Wasserstein-1 distance between samples and as many real points (`w1`), in the unit of the points.

    The time grows with the cube of their number. Collapsed samples take some ten times as long as good ones: 2,000 of
    them up to half a minute.

    Args:
      assignment_samples: The number of samples; fewer if a split or `evaluation.every_samples` is smaller.

    Example:
      >>> from tfpaths import config as config_lib
      >>> from tfpaths.metrics import sources
      >>> context = Context(config_lib.Data(name="mog", examples=500), config_lib.Evaluation())
      >>> Assignment().compute(context, sources.real(context.examples("train")))
      {'w1': 0.37...}
    """

    slow = True

    def __init__(self, *, assignment_samples: PositiveInt = 1_000):
        self.assignment_samples = assignment_samples

    def compute(self, context: Context, source: Source, count: int | None = None) -> dict[str, float]:
        num = min(count or self.assignment_samples, self.assignment_samples)
        return {"w1": wasserstein(*self.compared(context, source, num))}

    def protocol(self, context: Context) -> dict[str, Any]:
        return {"assignment_samples": min(self.assignment_samples, context.real.size)}
