"""The mean log density of samples under the data's exact density, and the share of samples outside its support.

log_density        mean log p(x) over the samples with p(x) > 0, in nats
outside_support    the share of samples with p(x) = 0
"""

from typing import Any

import numpy as np

from tfpaths.metrics.context import Context
from tfpaths.metrics.metric import METRICS
from tfpaths.metrics.points import PointMetric, formula
from tfpaths.metrics.sources import Source


def summary(log_densities: np.ndarray) -> dict[str, float]:
    """Returns the mean of the finite log densities, and the share of the others.

    Args:
      log_densities: `[num]`, log p(x) in nats; -inf where p(x) is 0. If all are, there is no mean, and the result has
        no `log_density`.

    Example:
      >>> summary(np.array([-1.0, -3.0, -np.inf, -2.0]))
      {'log_density': -2.0, 'outside_support': 0.25}
      >>> summary(np.array([-np.inf]))
      {'outside_support': 1.0}
    """
    inside = log_densities > -np.inf
    values = {"log_density": float(log_densities[inside].mean())} if inside.any() else {}
    return values | {"outside_support": float(1.0 - inside.mean())}


@METRICS.register("log_density")
class LogDensity(PointMetric):
    """The mean exact log density of `evaluation.samples` samples (`log_density`), and `outside_support`.

    Real points have minus the differential entropy of the data. Samples that collapse to a peak of the density have
    more: a high value says that the samples are likely, not that they cover the data. Only the densities of `square`
    and `cosine` are 0 anywhere.

    Example:
      >>> from tfpaths import config as config_lib
      >>> LogDensity().missing(Context(config_lib.Data(name="swiss_roll"), config_lib.Evaluation()))
      'has no exact density'
    """

    def missing(self, context: Context) -> str | None:
        reason = super().missing(context)
        if reason is None and _log_density(context, np.zeros([1, *context.data.shape])) is None:
            return "has no exact density"
        return reason

    def compute(self, context: Context, source: Source, count: int | None = None) -> dict[str, float]:
        samples, _ = self.compared(context, source, count)
        log_densities = _log_density(context, samples)
        assert log_densities is not None  # `missing` rejects data sets without a density.
        return summary(log_densities)

    def depends_on(self, context: Context) -> tuple[Any, ...]:
        # The density at some points identifies it: a cached reference of another formula is not used.
        values = _log_density(context, context.real.some(0, min(10, context.real.size)).numpy())
        return *super().depends_on(context), None if values is None else values.tolist()


def _log_density(context: Context, points: np.ndarray) -> np.ndarray | None:
    """Returns log p(x), `[num]`, of points `[num, dimensions]`; None if the data set has no closed form."""
    data_set = formula(context)
    return None if data_set is None else data_set.log_density(points)
