"""The kernel density estimate against SciPy's, and by hand where SciPy has none."""

import numpy as np
import pytest
import scipy.stats

from tfpaths import config
from tfpaths.metrics import kde, sources
from tfpaths.metrics.evaluator import Evaluator


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_log_densities_match_scipy(dimensions):
    random = np.random.default_rng(dimensions)
    # Correlated samples away from 0, and more points than are computed at a time.
    samples = random.normal(size=(150, dimensions)) @ random.normal(size=(dimensions, dimensions)) + 3.0
    points = np.concatenate([2 * random.normal(size=(600, dimensions)) + 3.0, np.full((1, dimensions), 1e3)])
    expected = scipy.stats.gaussian_kde(samples.T, bw_method="scott").logpdf(points.T)
    assert expected.min() < -1e4
    np.testing.assert_allclose(kde.log_densities(samples, points), expected, rtol=1e-9)


def test_metric_is_the_mean_over_real_points():
    evaluator = Evaluator(config.Data(name="banana", examples=400), config.Evaluation(metrics=("kde",), samples=300))
    train, test = (evaluator.examples(split).some(0, 300).numpy() for split in ("train", "test"))
    expected = scipy.stats.gaussian_kde(train.T.astype(np.float64)).logpdf(test.T).mean()
    found = evaluator.measure(sources.real(evaluator.examples("train")))
    assert found == {"kde_log_likelihood": pytest.approx(expected, rel=1e-9)}


@pytest.mark.parametrize("num", [1, 50])
def test_equal_samples_have_the_least_bandwidth(num):
    # H = 1e-12 I: log N(y; x, H) = -log(2 pi 1e-12) - |y - x|^2 / 2e-12.
    samples = np.full((num, 2), 7.0)
    found = kde.log_densities(samples, samples[:1] + np.array([[0.0, 0.0], [0.0, 2e-6]]))
    np.testing.assert_allclose(found, -np.log(2 * np.pi * 1e-12) - np.array([0.0, 2.0]), rtol=1e-6)


def test_samples_on_a_line_have_the_least_bandwidth_across_it():
    # Along the line as in one dimension, with the factor n^(-1/6) of the plane; across it log N(0; 0, 1e-12).
    line = np.random.default_rng(0).normal(size=100)
    direction = np.array([0.6, 0.8])
    expected = scipy.stats.gaussian_kde(line, bw_method=100 ** (-1 / 6)).logpdf(line) - np.log(2 * np.pi * 1e-12) / 2
    points = line[:, None] * direction
    # Rounding leaves a line of width 1e-16, 1e-10 of the bandwidth.
    np.testing.assert_allclose(kde.log_densities(points, points), expected, rtol=1e-6)
