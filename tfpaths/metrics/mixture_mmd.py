"""The squared maximum mean discrepancy to a mixture of Gaussians, in closed form.

    E k(x, y) = sum_ij w_i v_j det(I + C_ij / h^2)^(-1/2) exp(-D_ij^T (h^2 I + C_ij)^-1 D_ij / 2)

for x and y of the mixtures with weights w and v, C_ij the sum of two components' covariances, D_ij the difference of
their means, and k(x, y) = exp(-|x - y|^2 / (2 h^2)). The kernel is that of the metric `mmd`: h^2 = d^2 / 2.
"""

from typing import Any

import numpy as np

from tfpaths.data.points import Law
from tfpaths.metrics import mmd
from tfpaths.metrics.context import Context
from tfpaths.metrics.metric import METRICS
from tfpaths.metrics.points import PointMetric, drawn, formula
from tfpaths.metrics.sources import Source


def expected_kernel(first: Law, second: Law) -> float:
    """Returns E exp(-(|x - y| / d)^2) for independent x and y of two mixtures of Gaussians, in (0, 1].

    Args:
      first: Weights `[K]`, means `[K, d]` and covariances `[K, d, d]`. A covariance may be singular, or zero: a point.
      second: The same.

    Example:
      >>> point = np.ones(1), np.zeros([1, 2]), np.zeros([1, 2, 2])
      >>> normal = np.ones(1), np.zeros([1, 2]), np.eye(2)[np.newaxis]
      >>> round(expected_kernel(point, normal), 6)  # h^2 = 2: det(1.5 I)^(-1/2)
      0.666667
    """
    (w, means, covariances), (v, other_means, other_covariances) = first, second
    dimensions = means.shape[1]
    square = dimensions**2 / 2  # h^2
    difference = means[:, np.newaxis] - other_means  # [K, L, d]
    total = square * np.eye(dimensions) + covariances[:, np.newaxis] + other_covariances  # [K, L, d, d]
    solved = np.linalg.solve(total, difference[..., np.newaxis])[..., 0]
    exponents = -0.5 * (difference * solved).sum(axis=-1)
    return float(w @ (np.linalg.det(total / square) ** -0.5 * np.exp(exponents)) @ v)


def mixture_mmd2(first: Law, second: Law) -> float:
    """Returns the MMD^2 between two mixtures of Gaussians, exactly, in [0, 2).

    Args:
      first: As in `expected_kernel`.
      second: As there.

    Example:
      >>> one, other = ((np.ones(1), np.array([[x, 0.0]]), np.zeros([1, 2, 2])) for x in (0.0, 2.0))
      >>> round(mixture_mmd2(one, other), 4)  # 1 + 1 - 2 exp(-1)
      1.2642
    """
    value = expected_kernel(first, first) + expected_kernel(second, second) - 2 * expected_kernel(first, second)
    return max(value, 0.0)


@METRICS.register("mixture_mmd")
class MixtureMMD(PointMetric):
    """The MMD^2 to the data's law, a mixture of Gaussians: exact for linear generators, otherwise of samples.

    A generator of the family `linear`, or a mix of such, has a known law; the value then has no sampling error.
    For other sources it is the biased estimate, whose terms with the data's law are exact. The protocol says which of
    both the last computed value is.

    Example:
      >>> from tfpaths import config as config_lib
      >>> MixtureMMD().missing(Context(config_lib.Data(name="ring"), config_lib.Evaluation()))
      'has no law that is a mixture of Gaussians'
    """

    # How the last value was computed; before the first one, how it will be.
    _computed = "exact for linear generators, otherwise a biased estimate"

    def missing(self, context: Context) -> str | None:
        data = formula(context)
        return "has no law that is a mixture of Gaussians" if data is None or data.law() is None else None

    def compute(self, context: Context, source: Source, count: int | None = None) -> dict[str, float]:
        data = formula(context)
        law = None if data is None else data.law()
        assert law is not None
        own = None if source.law is None else source.law()
        if own is not None:
            self._computed = "exact"
            return {"mixture_mmd2": mixture_mmd2(own, law)}
        num = source.at_most(count or context.evaluation.samples)
        self._computed = f"a biased estimate from {num} samples"
        points = drawn(context, source, num)
        of_points = np.full(num, 1 / num), points, np.zeros([1, 2, 2])
        value = mmd.mean_kernel(points, points) + expected_kernel(law, law) - 2 * expected_kernel(of_points, law)
        return {"mixture_mmd2": max(value, 0.0)}

    def protocol(self, context: Context) -> dict[str, Any]:
        return {"mixture_mmd": f"kernel exp(-(|x - y| / d)^2), {self._computed}"}
