"""The mean log density against its formula, and by hand where the density is 0."""

import numpy as np
import pytest

from tfpaths import config
from tfpaths.metrics import log_density, sources
from tfpaths.metrics.evaluator import Evaluator

WANTED = config.Evaluation(metrics=("log_density",), samples=4)


def measured(name, points):
    evaluator = Evaluator(config.Data(name=name, examples=4), WANTED)
    points = np.array(points, np.float32)
    return evaluator.measure(sources.Source(lambda start, num: points[start : start + num], None, len(points)))


def test_samples_outside_the_support_are_counted_and_not_averaged():
    # The density is 1 / 36 in [-3, 3]^2.
    found = measured("square", [[0, 0], [3.5, 0], [1, -2], [0, -4]])
    assert found == pytest.approx({"log_density": -np.log(36), "outside_support": 0.5})


def test_without_a_sample_in_the_support_there_is_no_mean():
    assert measured("square", [[5, 5], [0, 9]]) == {"outside_support": 1.0}


def test_mean_by_hand():
    # N(x1; 0, 4) N(x2; (x1^2 - 4) / 5, 1) at (0, -0.8) and at (2, 3): -log(4 pi), and 1 / 2 + 9 / 2 less.
    found = measured("banana", [[0, -0.8], [2, 3]])
    assert found == pytest.approx({"log_density": -np.log(4 * np.pi) - 2.5, "outside_support": 0.0}, abs=1e-6)


def test_real_points_have_minus_the_entropy():
    # log(2 pi e s^2) + log 2 for two Gaussians of deviation s = 1/2, far apart.
    evaluator = Evaluator(config.Data(name="mog", examples=20_000), WANTED.replace(samples=20_000))
    found = evaluator.measure(sources.real(evaluator.examples("train")))["log_density"]
    # log p of a Gaussian in the plane is minus an exponential variable, of deviation 1.
    assert found == pytest.approx(-np.log(2 * np.pi * np.e / 4) - np.log(2), abs=4 / np.sqrt(20_000))


def test_summary_of_infinite_values():
    assert log_density.summary(np.array([-np.inf, 2.0, 4.0])) == {"log_density": 3.0, "outside_support": 1 - 2 / 3}
