"""MMD^2 against a loop over all pairs, and against its closed form for Gaussians."""

import numpy as np
import pytest

from tfpaths import config
from tfpaths.metrics import mmd, sources
from tfpaths.metrics.evaluator import Evaluator


def looped(samples, real):
    """MMD^2, pair by pair."""

    def mean(first, second):
        kernels = [np.exp(-((np.sqrt(np.sum((x - y) ** 2)) / len(x)) ** 2)) for x in first for y in second]
        return np.mean(kernels)

    return mean(samples, samples) + mean(real, real) - 2 * mean(samples, real)


def kernel_of_gaussians(shift, variance, dimensions):
    """E exp(-|Z|^2 / d^2) for Z ~ N(m, v I) with |m| = shift: the product over the coordinates of

    E exp(-z^2 / d^2) = (1 + 2 v / d^2)^(-1/2) exp(-m^2 / (d^2 + 2 v)).
    """
    square = dimensions**2
    return (1 + 2 * variance / square) ** (-dimensions / 2) * np.exp(-(shift**2) / (square + 2 * variance))


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_mmd2_matches_a_loop_over_pairs(dimensions, monkeypatch):
    monkeypatch.setattr(mmd, "_ROWS", 7)  # The last part has fewer rows.
    random = np.random.default_rng(dimensions)
    samples, real = random.normal(size=(30, dimensions)), random.normal(size=(20, dimensions)) + 1.0
    assert mmd.mmd2(samples, real) == pytest.approx(looped(samples, real), rel=1e-12)


@pytest.mark.parametrize(("dimensions", "shift", "num"), [(1, 1.0, 200), (2, 1.0, 200), (2, 0.0, 40), (4, 3.0, 200)])
def test_mean_for_gaussians_is_the_closed_form_and_the_bias(dimensions, shift, num):
    # x ~ N(0, I) and y ~ N(m, I / 4): differences have the variances 2, 1 / 2 and 5 / 4.
    within = kernel_of_gaussians(0, 2.0, dimensions), kernel_of_gaussians(0, 0.5, dimensions)
    exact = sum(within) - 2 * kernel_of_gaussians(shift, 1.25, dimensions)
    # The kernel of a point with itself is 1, with weight 1 / n.
    bias = sum(1 - kernel for kernel in within) / num
    random = np.random.default_rng(0)
    move = np.array([shift, *[0.0] * (dimensions - 1)])
    shape = (num, dimensions)
    found = [mmd.mmd2(random.normal(size=shape), random.normal(size=shape) / 2 + move) for _ in range(100)]
    standard_error = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(exact + bias, abs=4 * standard_error)
    # The test can tell the bias: it is larger than its tolerance.
    assert bias > 4 * standard_error or shift


def test_equal_sets_have_zero():
    points = np.random.default_rng(0).normal(size=(300, 2))
    assert 0 <= mmd.mmd2(points, points[::-1]) < 1e-12


def test_metric_compares_as_many_real_points():
    evaluator = Evaluator(config.Data(name="mog", examples=60), config.Evaluation(metrics=("mmd",), samples=40))
    train, test = (evaluator.examples(split).some(0, 40).numpy().astype(np.float64) for split in ("train", "test"))
    found = evaluator.measure(sources.real(evaluator.examples("train")))
    assert found == {"mmd2": pytest.approx(looped(train, test), rel=1e-9)}
