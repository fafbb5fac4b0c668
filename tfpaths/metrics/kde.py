"""The log likelihood of real points under a Gaussian kernel density estimate of the samples.

    q(x) = mean_i N(x; x_i, H)        H = n^(-2 / (d + 4)) Cov(x_1 .. x_n)          (Scott's rule, d dimensions)
    kde_log_likelihood = mean log q(y) over the real points y, in nats

Song and Ermon 2020 (arXiv 1910.09779), section 5.1; their code (`synthetic/kl_wgan.py`) uses SciPy's `gaussian_kde`,
which has no estimate for samples in a subspace, for example equal ones. Here no eigenvalue of H is below `FLOOR`.
"""

from typing import Any

import numpy as np
import scipy.spatial.distance

from tfpaths.metrics.context import Context
from tfpaths.metrics.metric import METRICS
from tfpaths.metrics.points import PointMetric
from tfpaths.metrics.sources import Source

# The least eigenvalue of H: a bandwidth of 1e-6, in the unit of the points.
FLOOR = 1e-12
# Points at a time: [256, 10,000] float64 numbers are 20 MB.
_ROWS = 256


def log_densities(samples: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Returns log q(y) of points under the estimate from samples, in nats, float64 `[num]`.

    Args:
      samples: x, `[samples, dimensions]`.
      points: y, `[num, dimensions]`.

    Example:
      Samples at -1 and 1 have Cov = 2 and H = 2^(-2/5) 2 = 1.516, so that q(0) = N(1; 0, H) = 0.233:

      >>> np.exp(log_densities(np.array([[-1.0], [1.0]]), np.zeros([1, 1]))).round(3)
      array([0.233])
    """
    num, dimensions = samples.shape
    mean = samples.mean(axis=0)
    centred = samples - mean
    covariance = centred.T @ centred / max(num - 1, 1)  # [d, d], unbiased; 0 for one sample
    variances, axes = np.linalg.eigh(num ** (-2 / (dimensions + 4)) * covariance)
    variances = np.maximum(variances, FLOOR)
    # In these coordinates H is the identity.
    whitening = axes / np.sqrt(variances)
    kernels, whitened = centred @ whitening, (points - mean) @ whitening
    log_means = []
    for start in range(0, len(points), _ROWS):
        distances = scipy.spatial.distance.cdist(whitened[start : start + _ROWS], kernels, "sqeuclidean")
        nearest = distances.min(axis=1, keepdims=True)
        # Relative to the nearest kernel, so that not all exponentials are 0.
        log_means.append(np.log(np.exp((nearest - distances) / 2).mean(axis=1)) - nearest[:, 0] / 2)  # [rows]
    return np.concatenate(log_means) - np.log(2 * np.pi * variances).sum() / 2


@METRICS.register("kde")
class KDE(PointMetric):
    """The mean log likelihood of real points under a kernel density estimate of as many samples, in nats.

    It is low if samples miss a part of the data. Where the data is narrower than the bandwidth, as Gaussians far apart
    are, the estimate is wide, and the value of a perfect generator far below the data's: compare it with the floor.

    Example:
      >>> from tfpaths import config as config_lib
      >>> from tfpaths.metrics import sources
      >>> context = Context(config_lib.Data(name="banana", examples=500), config_lib.Evaluation())
      >>> KDE().compute(context, sources.real(context.examples("train")))
      {'kde_log_likelihood': -3.59...}
    """

    def compute(self, context: Context, source: Source, count: int | None = None) -> dict[str, float]:
        samples, real = self.compared(context, source, count)
        return {"kde_log_likelihood": float(log_densities(samples, real).mean())}

    def protocol(self, context: Context) -> dict[str, Any]:
        return super().protocol(context) | {"kde": "Gaussian, Scott's rule"}

    def depends_on(self, context: Context) -> tuple[Any, ...]:
        return *super().depends_on(context), FLOOR
