"""Modes among samples of points, for data sets that are mixtures of Gaussians.

    modes_hit     the number of modes with at least one sample within 3 standard deviations of the centre
    near_modes    the share of samples within 3 standard deviations of the nearest centre

In the plane, a Gaussian has 1 - exp(-9 / 2) = 98.9 % of its points there.
"""

from typing import Any

import numpy as np

from tfpaths.data.points import NEAR
from tfpaths.metrics.context import Context
from tfpaths.metrics.metric import METRICS
from tfpaths.metrics.points import PointMetric, formula
from tfpaths.metrics.sources import Source


def hits(modes: np.ndarray, near: np.ndarray) -> dict[str, float]:
    """Returns the number of modes with a sample near them, and the share of samples near a mode.

    Args:
      modes: `[num]`, the nearest mode of each sample.
      near: `[num]`, whether the sample is near it.

    Example:
      >>> hits(np.array([0, 0, 1, 3]), np.array([True, True, False, True]))
      {'modes_hit': 2, 'near_modes': 0.75}
    """
    return {"modes_hit": len(np.unique(modes[near])), "near_modes": float(near.mean())}


@METRICS.register("point_modes")
class PointModes(PointMetric):
    """The number of modes that samples hit, and the share of samples near a mode.

    Example:
      >>> from tfpaths import config as config_lib
      >>> from tfpaths.metrics import sources
      >>> context = Context(config_lib.Data(name="eight_gaussians", examples=500), config_lib.Evaluation())
      >>> PointModes().compute(context, sources.real(context.examples("train")))
      {'modes_hit': 8, 'near_modes': 0.9...}
    """

    def missing(self, context: Context) -> str | None:
        reason = super().missing(context)
        if reason is None and _centres(context) is None:
            return "has no centres of modes"
        return reason

    def compute(self, context: Context, source: Source, count: int | None = None) -> dict[str, float]:
        samples, _ = self.compared(context, source, count)
        data_set = formula(context)
        assert data_set is not None  # `missing` rejects data sets without modes.
        return hits(*data_set.nearest(samples))

    def depends_on(self, context: Context) -> tuple[Any, ...]:
        data_set, centres = formula(context), _centres(context)
        assert data_set is not None
        assert centres is not None
        return *super().depends_on(context), NEAR, data_set.deviation, centres.tolist()


def _centres(context: Context) -> np.ndarray | None:
    data_set = formula(context)
    return None if data_set is None else data_set.centres
