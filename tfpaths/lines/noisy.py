"""Closed forms on the line with noise: divergences, and the gradients that the optimal discriminator gives.

Data m + s t + sigma e and samples m + v + s t + sigma e, with t ~ N(0, 1) and e ~ N(0, I), are two Gaussians of one
covariance C = s s^T + sigma^2 I. All divergences depend on v through one number,

    delta^2 = v^T C^-1 v,

and the optimal logit log p / q is linear. With u ~ N(-delta^2 / 2, delta^2), its value at a sample, and the sigmoid S:

    JSD = log 2 - E log(1 + e^u)      dJSD / d delta = (delta / 2) E S(u)      KL = delta^2 / 2

Without noise, delta is infinite unless v is along s: JSD = log 2 and has no gradient (Arjovsky and Bottou 2017, arXiv
1701.04862, theorem 2.3). `bound` is theorem 3.3 for bounded noise. All of it is NumPy, in float64.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

_NODES = 801


def separation(offset: ArrayLike, direction: ArrayLike, sigma: float) -> float:
    """Returns delta, the Mahalanobis distance of the two means; |v| / sigma if v is orthogonal to s.

    delta^2 = |v_o|^2 / sigma^2 + (v . s)^2 / (|s|^2 (|s|^2 + sigma^2)), where v_o is the part of v orthogonal to s.

    Args:
      offset: v, `[d]`.
      direction: s, `[d]`, not zero.
      sigma: The noise's standard deviation, above zero.

    Example:
      >>> separation([0.0, 1.0], [1.0, 0.0], sigma=0.5)
      2.0
      >>> round(separation([1.0, 0.0], [1.0, 0.0], sigma=0.5) ** 2, 6)  # 1 / (1 + 1 / 4)
      0.8
    """
    return float(np.sqrt(np.asarray(offset, np.float64) @ slope(offset, direction, sigma)))


def slope(offset: ArrayLike, direction: ArrayLike, sigma: float) -> np.ndarray:
    """Returns C^-1 v, `[d]`: the optimal logit is -(x - m - v / 2) . C^-1 v.

    Args:
      offset: v, `[d]`.
      direction: s, `[d]`, not zero.
      sigma: The noise's standard deviation, above zero.

    Example:
      >>> slope([0.0, 1.0], [1.0, 0.0], sigma=0.5)
      array([0., 4.])
    """
    v, s = np.asarray(offset, np.float64), np.asarray(direction, np.float64)
    along = (v @ s) / (s @ s) * s
    return (v - along) / sigma**2 + along / (s @ s + sigma**2)


def jensen_shannon(delta: ArrayLike) -> np.ndarray:
    """Returns JSD = log 2 - E log(1 + e^u), in nats, in [0, log 2].

    Args:
      delta: Numbers of at least zero, of any shape.

    Example:
      >>> jensen_shannon([0.0, 0.5, 1.0, 2.0]).round(6).tolist()
      [0.0, 0.030311, 0.111421, 0.336831]
    """
    return np.maximum(math.log(2) - _tilted(lambda r: np.exp(-r / 2) * np.logaddexp(0, r), delta), 0.0)


def jensen_shannon_derivative(delta: ArrayLike) -> np.ndarray:
    """Returns dJSD / d delta = (delta / 2) E S(u).

    Args:
      delta: Numbers of at least zero, of any shape.

    Example:
      >>> h = 1e-4
      >>> difference = (jensen_shannon(1 + h) - jensen_shannon(1 - h)) / (2 * h)
      >>> bool(abs(difference - jensen_shannon_derivative(1.0)) < 1e-8)
      True
    """
    return np.asarray(delta, np.float64) / 2 * fooled(delta)


def kullback_leibler(delta: ArrayLike) -> np.ndarray:
    """Returns KL = delta^2 / 2, in nats, the same in both directions.

    Args:
      delta: Numbers of at least zero, of any shape.

    Example:
      >>> float(kullback_leibler(2.0))
      2.0
    """
    return np.asarray(delta, np.float64) ** 2 / 2


def fooled(delta: ArrayLike) -> np.ndarray:
    """Returns E S(u), the optimal discriminator's mean output for a sample: from 1/2 at delta = 0 down to 0.

    Args:
      delta: Numbers of at least zero, of any shape.

    Example:
      >>> fooled([0.0, 1.0, 10.0]).round(6).tolist()
      [0.5, 0.397973, 0.0]
    """
    # S(r) e^(-r / 2) = 1 / (2 cosh(r / 2)).
    return _tilted(lambda r: 0.5 / np.cosh(r / 2), delta)


def minimax_gradient(delta: ArrayLike) -> np.ndarray:
    """Returns the size of the minimax generator's gradient at the optimal discriminator, by delta: delta E S(u).

    It is twice that of JSD (corollary 3.2), if the noise is on the samples of the generator's update, too. The gradient
    by the generator's offset c is C^-1 v E S(u); for v orthogonal to s its length is this number over sigma.

    Args:
      delta: Numbers of at least zero, of any shape.

    Example:
      >>> bool(minimax_gradient(1.5) == 2 * jensen_shannon_derivative(1.5))
      True
    """
    return np.asarray(delta, np.float64) * fooled(delta)


def clean_minimax_gradient(delta: ArrayLike) -> np.ndarray:
    """Returns the same without noise on the samples of the generator's update: delta S(-delta^2 / 2).

    Theorem 3.2, for v orthogonal to s: the logit of every clean sample is -delta^2 / 2. The length of the gradient by c
    is this number over sigma. For large delta it is a vanishing part of `minimax_gradient`.

    Args:
      delta: Numbers of at least zero, of any shape.

    Example:
      >>> (clean_minimax_gradient([1.0, 4.0]) / minimax_gradient([1.0, 4.0])).round(3).tolist()
      [0.949, 0.01]
    """
    delta = np.asarray(delta, np.float64)
    return delta / (1 + np.exp(delta**2 / 2))


def non_saturating_gradient(delta: ArrayLike) -> np.ndarray:
    """Returns the size of the non-saturating generator's gradient there, by delta: delta E S(-u).

    It is the derivative of KL - 2 JSD = 2 KL((p + q) / 2 || p) (theorem 2.5). The gradient by the generator's offset c
    is C^-1 v E S(-u); for v orthogonal to s its length is this number over sigma.

    Args:
      delta: Numbers of at least zero, of any shape.

    Example:
      >>> non_saturating_gradient([0.5, 1.0, 2.0]).round(6).tolist()
      [0.264736, 0.602027, 1.5504]
    """
    return np.asarray(delta, np.float64) * (1 - fooled(delta))


def bound(offset: ArrayLike, length: float, noise: ArrayLike, constant: float = 2.0) -> np.ndarray:
    """Returns theorem 3.3's bound on W(P_r, P_g), which is |v|: 2 V^(1/2) + constant C JSD^(1/2).

    For parallel lines with uniform coordinates t ~ U[-sqrt 3, sqrt 3] and uniform noise a w v / |v|, w ~ U[-1, 1], both
    noisy distributions are uniform on rectangles, and

        V = a^2 / 3      JSD = min(1, |v| / (2 a)) log 2      C^2 = 12 |s|^2 + (|v| + 2 a)^2,

    where C is the diameter of the union of the supports. The theorem's noise is bounded (its footnote 6).

    Args:
      offset: |v|, above zero, of any shape.
      length: |s|.
      noise: a, above zero, of a shape that fits.
      constant: 2 as in the theorem, or sqrt 2, which its proof allows: by Pinsker, and since the root is concave,
        (KL_1 / 2)^(1/2) + (KL_2 / 2)^(1/2) <= (KL_1 + KL_2)^(1/2) = (2 JSD)^(1/2), where the paper has 2 JSD^(1/2).

    Example:
      >>> round(float(bound(0.1, 1.0, 0.5)), 2)  # 25 times W
      2.49
    """
    distance, a = np.asarray(offset, np.float64), np.asarray(noise, np.float64)
    divergence = np.minimum(1.0, distance / (2 * a)) * math.log(2)
    return 2 * a / math.sqrt(3) + constant * _diameter(distance, length, a) * np.sqrt(divergence)


def variation_bound(offset: ArrayLike, length: float, noise: ArrayLike) -> np.ndarray:
    """Returns the bound before Pinsker's inequality: 2 V^(1/2) + C TV, with TV = min(1, |v| / (2 a)).

    It is at most `bound` with sqrt 2.

    Args:
      offset: As in `bound`.
      length: Likewise.
      noise: Likewise.

    Example:
      >>> round(float(variation_bound(0.1, 1.0, 0.5)), 2)
      0.94
    """
    distance, a = np.asarray(offset, np.float64), np.asarray(noise, np.float64)
    return 2 * a / math.sqrt(3) + _diameter(distance, length, a) * np.minimum(1.0, distance / (2 * a))


def _diameter(distance: np.ndarray, length: float, a: np.ndarray) -> np.ndarray:
    return np.sqrt(12 * length**2 + (distance + 2 * a) ** 2)


def _tilted(kernel: Callable[[np.ndarray], np.ndarray], delta: ArrayLike) -> np.ndarray:
    """Returns E e^(u / 2) k(u), with u = delta t - delta^2 / 2 and t ~ N(0, 1), for a kernel k that decays.

    The densities of t and of the other distribution are symmetric about t = delta / 2: with r = delta t the value is
    e^(-delta^2 / 8) E k(delta t), so that no small value is a difference of large ones. The kernels are analytic for
    |Im r| < pi: the sum over a grid of step h is exact up to e^(-2 pi^2 / (h max(delta, 1))), here below 1e-34.
    """
    delta = np.asarray(delta, np.float64)
    # Kernels are at most e^(-|r| / 2) (1 + |r|), densities e^(-t^2 / 2): nothing is left beyond the ends.
    ends = np.minimum(10.0, 100.0 / np.maximum(delta, 1e-300))
    t = ends[..., np.newaxis] * np.linspace(-1, 1, _NODES)  # [..., nodes]
    density = np.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)
    step = 2 * ends / (_NODES - 1)
    return np.exp(-(delta**2) / 8) * step * (density * kernel(delta[..., np.newaxis] * t)).sum(axis=-1)
