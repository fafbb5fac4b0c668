"""The discriminator with hidden layers between two parallel lines: the linear one is a case of it, and its rate."""

import math

import numpy as np
import pytest

from tfpaths.figures import perfect_line
from tfpaths.lines.separation import Separation


def test_without_hidden_layers_it_is_the_linear_discriminator():
    steps = [1, 2, 10, 100]
    expected = {row["step"]: row for row in perfect_line.descend(100, 1.0)}
    for row in Separation(width=1, depth=0, rate=1.0).rows(steps):
        for name in ("time", "d_loss", "d_fake", "grad_minimax", "grad_ns"):
            assert row[name] == pytest.approx(expected[row["step"]][name], rel=2e-4), name


def test_gradients_are_those_of_the_formula():
    # By c and S: the means of -D(G) grad D and of -(1 - D(G)) grad D, and the same times z, with grad D by differences.
    separation = Separation(width=4, depth=1, rate=0.1, seed=3)
    (row,) = separation.rows([20])
    nodes, weights = np.polynomial.hermite_e.hermegauss(16)
    weights /= weights.sum()
    first, bias, last, end = (weight.astype(np.float64) for weight in separation._discriminator.get_weights())

    def logit(points):
        hidden = points @ first + bias
        return (np.where(hidden > 0, hidden, 0.2 * hidden) @ last + end)[:, 0]

    points = np.stack([np.ones(16), nodes], axis=1)
    slopes = [(logit(points + 1e-6 * unit) - logit(points - 1e-6 * unit)) / 2e-6 for unit in np.eye(2)]
    probability = 1 / (1 + np.exp(-logit(points)))
    assert row["d_fake"] == pytest.approx(weights @ probability, rel=1e-4)
    for name, factor in (("grad_minimax", probability), ("grad_ns", 1 - probability)):
        gradient = [weights @ (factor * slope * z) for slope in slopes for z in (1, nodes)]
        assert row[name] == pytest.approx(np.linalg.norm(gradient), rel=1e-4)


def test_loss_falls_at_the_rate_of_a_homogeneous_network():
    # k = 3: the mean of -1 - (4/3) / log t over the decade to t = 1,000, by quadrature in log t.
    rows = [{"discriminator": "mlp", **row} for row in Separation(width=64, depth=2, rate=0.1).rows([1000, 10_000])]
    found = perfect_line.deep_metrics(rows, 2)
    logs = np.linspace(math.log(100), math.log(1000), 10_001)
    expected = np.trapezoid(-1 - 4 / 3 / logs, logs) / math.log(10)
    assert found["mlp_loss_slope_predicted"] == pytest.approx(expected, rel=1e-6)
    # The theorem has no biases, and bounds the loss up to a factor, so that it gives no tolerance. The slope is between
    # those of a linear network, -1, and of infinite depth, -1 - 2 / log t, and nearer to that of k = 3 than to -1.
    deepest = np.trapezoid(-1 - 2 / logs, logs) / math.log(10)
    assert deepest < found["mlp_loss_slope"] < (expected - 1) / 2


def test_prediction_begins_with_separated_sets():
    row = {"d_loss": 1.0, "d_fake": 0.5, "grad_minimax": 1.0, "grad_ns": 1.0}
    rows = [{"step": step, "time": 0.1 * step, **row} for step in (10, 100)]
    assert "mlp_loss_slope_predicted" not in perfect_line.deep_metrics(rows, 2)
