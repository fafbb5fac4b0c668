"""The distance by assignment against all permutations, the formula of one dimension, and by hand."""

import itertools

import numpy as np
import pytest

from tfpaths import config
from tfpaths.metrics import assignment, sources
from tfpaths.metrics.evaluator import Evaluator


def points(seed, num=40, dimensions=2):
    return np.random.default_rng(seed).normal(size=(num, dimensions))


def test_least_of_all_permutations():
    samples, real = points(0, 6), points(1, 6)
    costs = [np.linalg.norm(samples - real[list(order)], axis=1).mean() for order in itertools.permutations(range(6))]
    assert assignment.wasserstein(samples, real) == pytest.approx(min(costs), rel=1e-12)
    assert min(costs) < np.median(costs) / 1.2


def test_one_dimension_is_the_distance_of_sorted_points():
    samples, real = points(0, dimensions=1), 2.0 * points(1, dimensions=1) + 1.0
    expected = np.abs(np.sort(samples[:, 0]) - np.sort(real[:, 0])).mean()
    assert assignment.wasserstein(samples, real) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shift", [(3.0, -4.0), (0.1, 0.0)])
def test_translation_costs_its_length(shift):
    """The mean of the differences is the shift in every assignment, so that the mean length is at least its length."""
    samples = points(0)
    assert assignment.wasserstein(samples, samples + np.array(shift)) == pytest.approx(np.hypot(*shift), rel=1e-12)


def test_order_of_the_points_has_no_effect():
    samples, real = points(0), points(1)
    order = np.random.default_rng(2).permutation(40)
    expected = assignment.wasserstein(samples, real)
    assert assignment.wasserstein(samples[order], real) == pytest.approx(expected, rel=1e-12)
    assert assignment.wasserstein(samples, real[order]) == pytest.approx(expected, rel=1e-12)
    assert assignment.wasserstein(samples, samples[order]) == 0.0


@pytest.mark.parametrize(("fields", "expected"), [({}, 300), ({"assignment_samples": 50}, 50)])
def test_number_of_samples(fields, expected):
    evaluator = Evaluator(
        config.Data(name="mog", examples=300), config.Evaluation(metrics=("assignment",), samples=20, **fields)
    )
    train, test = (evaluator.examples(split).some(0, expected).numpy() for split in ("train", "test"))
    found = evaluator.measure(sources.real(evaluator.examples("train")))
    assert found == {"w1": pytest.approx(assignment.wasserstein(train, test))}
    assert evaluator.protocol()["assignment_samples"] == expected


@pytest.mark.parametrize(("count", "expected"), [(30, 30), (80, 50)])
def test_during_training_it_has_at_most_its_own_number(count, expected):
    wanted = config.Evaluation(metrics=("assignment",), assignment_samples=50)
    evaluator = Evaluator(config.Data(name="mog", examples=300), wanted)
    train, test = (evaluator.examples(split).some(0, expected).numpy() for split in ("train", "test"))
    found = evaluator.measure(sources.real(evaluator.examples("train")), count=count)
    assert found == {"w1": pytest.approx(assignment.wasserstein(train, test))}
