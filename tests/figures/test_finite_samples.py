"""Distances of finite samples of N(0, I / d) against their laws, closed forms and bounds."""

import math

import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats

from tfpaths.figures import finite_samples
from tfpaths.lines import noisy
from tfpaths.metrics.assignment import wasserstein


def drawn(dimension, num, runs, seed=0):
    samples = [finite_samples.sample(dimension, num, seed=seed, run=run) for run in range(runs)]
    return np.stack(samples, axis=1).astype(np.float64)


@pytest.mark.parametrize("dimension", [3, 200])
def test_linear_distance_has_its_law(dimension):
    # The difference of two means is N(0, (2 / m) I / d): m d |.|^2 / 2 has the chi-squared law with d degrees.
    first, second, *fresh = drawn(dimension, 16, 300)
    found = np.array([finite_samples.of_linear(*four) for four in zip(first, second, *fresh, strict=True)])
    scaled = 16 * dimension * found[:, 0] ** 2 / 2
    assert scipy.stats.kstest(scaled, scipy.stats.chi2(dimension).cdf).pvalue > 1e-3
    # On new samples w is independent of the difference, which is N(0, 2 / (m d)) along it.
    assert scipy.stats.kstest(found[:, 1], scipy.stats.norm(scale=math.sqrt(2 / (16 * dimension))).cdf).pvalue > 1e-3


@pytest.mark.parametrize(("dimension", "num", "expected"), [(50, 50, 1.19), (400, 50, 1.33)])
def test_assignment_approaches_root_two(dimension, num, expected):
    first, second, *_ = drawn(dimension, num, 4)
    for x, y in zip(first, second, strict=True):
        distances = scipy.spatial.distance.cdist(x, y)
        # No assignment is below the nearest points, and the best one is not above the mean of all.
        value = wasserstein(x, y)
        assert distances.min(axis=1).mean() <= value <= distances.mean() < math.sqrt(2) * 1.02
        assert value == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("delta", [0.5, 1.0, 2.0])
def test_jensen_shannon_of_two_gaussians(delta):
    # Many equal points are one Gaussian: at the distance delta s JS is known in closed form.
    x = np.zeros([4_000, 3])
    y = x + 0.7 * delta * np.array([0.6, 0.0, 0.8])
    found = finite_samples.jensen_shannon(x, y, 0.7, np.random.default_rng(0))
    assert found == pytest.approx(float(noisy.jensen_shannon(delta)), abs=0.02)


def test_jensen_shannon_of_equal_samples_is_zero():
    x = np.random.default_rng(0).normal(size=(50, 3))
    assert finite_samples.jensen_shannon(x, x[::-1], 0.2, np.random.default_rng(1)) == pytest.approx(0.0, abs=1e-12)


def test_mlps_are_independent_and_learn_their_own_samples():
    samples = drawn(40, 12, 3).astype(np.float32)
    together = finite_samples.Discriminators(3, 40, width=16, seed=0)
    before = together.distances(*samples[:2])
    together.train(*samples[:2], updates=60)
    own, fresh = together.distances(*samples[:2]), together.distances(*samples[2:])
    assert (own > 0.9).all()
    assert (before < 0.5).all()
    # 12 new points of each, of one distribution.
    assert (np.abs(fresh) < 4 * math.sqrt(2 / 12) / 2).all()
    # Run 0 alone is the same.
    alone = finite_samples.Discriminators(1, 40, width=16, seed=0)
    alone.train(*samples[:2, :1], updates=60)
    assert alone.distances(*samples[2:, :1])[0] == pytest.approx(fresh[0], abs=1e-3)
