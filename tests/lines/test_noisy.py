"""The closed forms on the line with noise, against SciPy's quadrature, finite differences and samples."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats

from tfpaths.lines import noisy

DELTAS = [0.05, 0.5, 1.0, 2.0, 4.0, 10.0, 30.0]
# A v with a part along s, in three dimensions.
V, S, SIGMA = np.array([0.3, -0.5, 0.8]), np.array([1.2, 0.4, -0.3]), 0.7


def expected(function, delta):
    """Returns E function(u), u ~ N(-delta^2 / 2, delta^2), by SciPy's quadrature."""
    u = scipy.stats.norm(-(delta**2) / 2, delta)
    # The integrands are large near the middle of the two distributions, u = 0, or at the mean of u.
    points = sorted({0.0, u.mean(), *(u.mean() + k * delta for k in (-8, -3, 3, 8)), -30.0, 30.0})
    ends = min(points) - 4 * delta, max(points) + 4 * delta
    return scipy.integrate.quad(lambda x: u.pdf(x) * function(x), *ends, points=points, limit=500, epsabs=1e-14)[0]


@pytest.mark.parametrize(
    ("delta", "value"), [(0.5, 0.030311), (1, 0.111421), (2, 0.336831), (4, 0.632720), (10, 0.693146)]
)
def test_known_divergences(delta, value):
    assert float(noisy.jensen_shannon(delta)) == pytest.approx(value, abs=6e-7)


@pytest.mark.parametrize("delta", DELTAS)
def test_expectations_match_scipy(delta):
    divergence = math.log(2) - expected(lambda u: np.logaddexp(0, u), delta)
    assert float(noisy.jensen_shannon(delta)) == pytest.approx(divergence, abs=1e-12)
    assert float(noisy.fooled(delta)) == pytest.approx(expected(scipy.special.expit, delta), abs=1e-12)
    assert float(noisy.non_saturating_gradient(delta)) == pytest.approx(
        delta * expected(lambda u: scipy.special.expit(-u), delta), abs=1e-11
    )


def test_small_values_keep_their_digits():
    # E S(u) = e^(-delta^2 / 8) E [1 / (2 cosh(delta t / 2))], whose second factor tends to sqrt(pi / 2) / delta.
    delta = 60.0
    assert float(noisy.fooled(delta)) == pytest.approx(
        math.exp(-(delta**2) / 8) * math.sqrt(math.pi / 2) / delta, rel=2e-3
    )
    # JSD tends to delta^2 / 8, a quarter of KL's delta^2 / 2.
    assert float(noisy.jensen_shannon(1e-2) / noisy.kullback_leibler(1e-2)) == pytest.approx(1 / 4, rel=1e-4)


def test_divergence_is_that_of_the_two_gaussians():
    # Along C^-1 v only, where both are normal with the distance delta: a sum over a grid of log p / m and log q / m.
    delta = noisy.separation(V, S, SIGMA)
    x = np.linspace(-12, 12 + delta, 200_001)
    p, q = scipy.stats.norm.pdf(x), scipy.stats.norm.pdf(x, delta)
    middle = (p + q) / 2
    kl = {name: np.trapezoid(scipy.special.rel_entr(one, middle), x) for name, one in (("p", p), ("q", q))}
    assert float(noisy.jensen_shannon(delta)) == pytest.approx((kl["p"] + kl["q"]) / 2, abs=1e-10)
    kl_of_middle = np.trapezoid(scipy.special.rel_entr(middle, p), x)
    # Theorem 2.5's right-hand side is a divergence: KL(q || p) - 2 JSD = 2 KL((p + q) / 2 || p) >= 0.
    difference = float(noisy.kullback_leibler(delta) - 2 * noisy.jensen_shannon(delta))
    assert difference == pytest.approx(2 * kl_of_middle, abs=1e-9)
    assert difference > 0


def test_separation_is_the_mahalanobis_distance():
    covariance = np.outer(S, S) + SIGMA**2 * np.eye(3)
    solved = np.linalg.solve(covariance, V)
    np.testing.assert_allclose(noisy.slope(V, S, SIGMA), solved, rtol=1e-12)
    assert noisy.separation(V, S, SIGMA) == pytest.approx(math.sqrt(V @ solved), rel=1e-12)
    orthogonal = V - (V @ S) / (S @ S) * S
    assert noisy.separation(orthogonal, S, SIGMA) == pytest.approx(np.linalg.norm(orthogonal) / SIGMA)


def test_derivatives_match_finite_differences():
    h, delta = 1e-5, np.array(DELTAS[:-2])
    slope = (noisy.jensen_shannon(delta + h) - noisy.jensen_shannon(delta - h)) / (2 * h)
    np.testing.assert_allclose(noisy.jensen_shannon_derivative(delta), slope, atol=1e-9)
    np.testing.assert_allclose(noisy.minimax_gradient(delta), 2 * slope, atol=1e-9)

    def reverse(at):
        return noisy.kullback_leibler(at) - 2 * noisy.jensen_shannon(at)

    np.testing.assert_allclose(
        noisy.non_saturating_gradient(delta), (reverse(delta + h) - reverse(delta - h)) / (2 * h), atol=1e-8
    )


def test_corollary_3_2_and_theorem_2_5_by_samples():
    """Gradients by c of log(1 - D*) and of -log D*, through noisy samples, against differences of the divergences."""
    random = np.random.default_rng(0)
    size, direction = 400_000, noisy.slope(V, S, SIGMA)
    samples = V + random.normal(size=(size, 1)) * S + SIGMA * random.normal(size=(size, 3))  # m = 0
    logits = -(samples - V / 2) @ direction
    # The logit's gradient is -C^-1 v everywhere, and c moves a sample by as much: d x / d c = I.
    gradients = {
        "minimax": scipy.special.expit(logits)[:, np.newaxis] * direction,
        "non_saturating": scipy.special.expit(-logits)[:, np.newaxis] * direction,
    }

    def divergences(offset):
        delta = noisy.separation(offset, S, SIGMA)
        jsd, kl = float(noisy.jensen_shannon(delta)), float(noisy.kullback_leibler(delta))
        return {"minimax": 2 * jsd, "non_saturating": kl - 2 * jsd}

    for name, of_samples in gradients.items():
        exact = [
            (divergences(V + step)[name] - divergences(V - step)[name]) / 2e-5
            for step in 1e-5 * np.eye(3)  # central differences by each coordinate of c
        ]
        errors = of_samples.std(axis=0) / math.sqrt(size)
        # Three coordinates: one of them is beyond 4.5 errors with a probability of 2e-5.
        assert (np.abs(of_samples.mean(axis=0) - exact) < 4.5 * errors + 1e-8).all(), name


@pytest.mark.parametrize("sigma", [0.25, 1.0])
def test_theorem_3_2_by_quadrature(sigma):
    """Its gradient for one clean sample g = c = v, by its own formula: integrals over the data and the samples."""
    v, t = 0.8, np.linspace(-10, 10, 20_001)
    # In the plane: data (t, 0), samples (t, v), the clean sample (0, v), the noise's density at a difference.
    weights = scipy.stats.norm.pdf(t) * (t[1] - t[0])

    def noise_density(offset):
        return np.exp(-(t**2 + offset**2) / (2 * sigma**2)) / (2 * math.pi * sigma**2)

    p, q = (float(weights @ noise_density(offset)) for offset in (v, 0.0))  # P_{r+e}, P_{g+e} at the sample
    a = 1 / (2 * sigma**2 * (p + q))
    # The gradient of |g - y|^2 by the second coordinate of g is 2 v for the data, 0 for the samples.
    gradient = a * float(weights @ noise_density(v)) * 2 * v
    assert float(noisy.clean_minimax_gradient(v / sigma)) / sigma == pytest.approx(gradient, rel=1e-6)


def test_gradients_by_c_have_the_stated_length():
    orthogonal = V - (V @ S) / (S @ S) * S
    delta, direction = noisy.separation(orthogonal, S, SIGMA), noisy.slope(orthogonal, S, SIGMA)
    for gradient, factor in (
        (noisy.minimax_gradient, noisy.fooled(delta)),
        (noisy.non_saturating_gradient, 1 - noisy.fooled(delta)),
    ):
        assert float(gradient(delta)) / SIGMA == pytest.approx(np.linalg.norm(direction) * factor)
    known = [(0.5, 0.264736), (1.0, 0.602027), (2.0, 1.550400)]
    for at, value in known:
        assert float(noisy.non_saturating_gradient(at)) == pytest.approx(value, abs=6e-7)


def test_shapes():
    grid = np.array([[0.5, 1.0], [2.0, 40.0]])
    for function in (noisy.jensen_shannon, noisy.fooled, noisy.minimax_gradient):
        np.testing.assert_array_equal(function(grid)[1, 0], function(2.0))
        assert function(grid).shape == (2, 2)
    assert float(noisy.jensen_shannon(0.0)) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize(("distance", "a"), [(0.1, 0.5), (0.7, 0.2), (1.0, 3.0)])
def test_bound_by_its_parts(distance, a):
    """V and JSD by sums over a grid of the noisy coordinate along v, and the diameter from the corners."""
    length = 1.3
    x = np.linspace(-2 * a, distance + 2 * a, 400_001)
    p, q = ((np.abs(x - at) <= a) / (2 * a) for at in (0.0, distance))
    middle = (p + q) / 2
    parts = [scipy.special.rel_entr(one, middle) / 2 for one in (p, q)]
    divergence = np.trapezoid(parts[0] + parts[1], x)
    variation = np.trapezoid(np.abs(p - q), x) / 2
    variance = np.trapezoid(x**2 * p, x)
    corners = np.array([[side * math.sqrt(3) * length, at] for side in (-1, 1) for at in (-a, distance + a)])
    diameter = max(np.linalg.norm(one - other) for one in corners for other in corners)
    for constant in (2.0, math.sqrt(2)):
        expected_bound = 2 * math.sqrt(variance) + constant * diameter * math.sqrt(divergence)
        assert float(noisy.bound(distance, length, a, constant)) == pytest.approx(expected_bound, rel=1e-3)
    assert float(noisy.variation_bound(distance, length, a)) == pytest.approx(
        2 * math.sqrt(variance) + diameter * variation, rel=1e-3
    )


def test_every_bound_holds():
    distance, a = np.meshgrid(np.geomspace(1e-3, 1e3, 61), np.geomspace(1e-4, 1e4, 81))
    for length in (0.1, 1.0, 10.0):
        variation = noisy.variation_bound(distance, length, a)
        with_root = noisy.bound(distance, length, a, math.sqrt(2))
        # W = |v| <= the bound before Pinsker <= that with sqrt 2 <= that of the theorem.
        assert (distance <= variation).all()
        assert (variation <= with_root).all()
        assert (with_root <= noisy.bound(distance, length, a)).all()
