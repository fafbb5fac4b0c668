"""The Jensen-Shannon divergence between data and generator on lines: what a GAN would minimise in theory."""

import numpy as np
import scipy.integrate
import scipy.stats


def jensen_shannon(mean: np.ndarray, direction: np.ndarray, offset: np.ndarray, directions: np.ndarray) -> float:
    """Returns JS between N(m, s s^T) and N(c, S S^T), in nats, in [0, log 2]; exact up to the quadrature.

    It is log 2 unless the generator's line is the data's line, since otherwise each distribution has all its mass where
    the other has none. On a common line both are normal in the coordinate along it, and JS is a one-dimensional
    integral.

    Args:
      mean: m, `[d]`.
      direction: s, `[d]`, not zero.
      offset: c, `[d]`.
      directions: S, `[d, k]`.

    Example:
      >>> m, s = np.zeros(2), np.array([1.0, 0.0])
      >>> jensen_shannon(m, s, m + [0.0, 1.0], s[:, np.newaxis])  # parallel lines
      0.6931471805599453
      >>> round(jensen_shannon(m, s, m, s[:, np.newaxis]), 9)  # the same distribution
      0.0
    """
    m, s, c, columns = (np.asarray(value, np.float64) for value in (mean, direction, offset, directions))
    length = s @ s
    vectors = np.column_stack([c - m, columns])  # [d, 1 + k]
    along = s @ vectors / length  # [1 + k]: coordinates on the data's line, in units of |s|
    orthogonal = vectors - np.outer(s, along)
    shift, scale = along[0], np.linalg.norm(along[1:])
    # Rounding of float64 relative to the size of the vectors; training does not come that near by chance.
    if np.abs(orthogonal).max() > 1e-12 * np.abs(vectors).max() or scale == 0:
        return float(np.log(2))
    data, generated = scipy.stats.norm(), scipy.stats.norm(shift, scale)

    def integrand(y: float) -> float:
        p, q = data.logpdf(y), generated.logpdf(y)
        middle = np.logaddexp(p, q) - np.log(2)
        return 0.5 * (np.exp(p) * (p - middle) + np.exp(q) * (q - middle))

    # Beyond 12 standard deviations of both, the densities add nothing in float64.
    ends = [-12.0, 12.0, shift - 12 * scale, shift + 12 * scale]
    inner = sorted({-6.0, 0.0, 6.0, shift - 6 * scale, shift, shift + 6 * scale})
    value, _ = scipy.integrate.quad(integrand, min(ends), max(ends), points=inner, limit=200)
    return float(np.clip(value, 0.0, np.log(2)))
