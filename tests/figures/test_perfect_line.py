"""The discriminator between two parallel lines: its descent by automatic differentiation, its limits, its bound."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf

from tfpaths import losses, streams
from tfpaths.figures import perfect_line
from tfpaths.lines import problem
from tfpaths.runs.rows import read_rows


@pytest.fixture(scope="module")
def rows():
    return {row["step"]: row for row in perfect_line.descend(100_000, 1.0)}


def test_weight_grows_like_the_logarithm(rows):
    # w' = -e^(w/2) / sqrt(3/2), so that |w| = 2 log t - log 6: 16.63 at 1e4 and 21.23 at 1e5, by hand.
    assert rows[10_000]["weight"] == pytest.approx(16.63, abs=0.005)
    assert rows[100_000]["weight"] == pytest.approx(21.23, abs=0.005)
    difference = rows[100_000]["weight"] - rows[10_000]["weight"]
    assert difference == pytest.approx(2 * math.log(10), abs=5e-3)


@pytest.mark.parametrize("name", ["weight", "d_fake", "grad_minimax", "grad_ns"])
def test_predictions_are_the_limits(rows, name):
    ratios = [rows[step][name] / rows[step][f"predicted_{name}"] for step in (1_000, 10_000, 100_000)]
    errors = [abs(ratio - 1) for ratio in ratios]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-3


def test_descent_is_that_of_the_lines():
    # The two lines in R^3, with D's gradient by automatic differentiation of the package's loss on a batch whose y and
    # z are symmetric, so that the means over the lines are exact.
    root = streams.root(3, first_run=0)
    data = problem.line(root, 1, 3)
    offset, directions = problem.start("parallel", root, data, 1)
    y = tf.constant([[-1.5], [-0.5], [0.5], [1.5]])
    # D's origin is the data's mean, as in the formula.
    real, fake = data.direction * y, offset - data.mean + directions[:, :, 0] * y  # [4, 3]
    w, b = tf.Variable(tf.zeros([3])), tf.Variable(0.0)
    pair = losses.get("minimax")
    for _ in range(20):
        with tf.GradientTape() as tape:
            loss = pair.discriminator(tf.linalg.matvec(real, w) + b, tf.linalg.matvec(fake, w) + b)
        for variable, gradient in zip((w, b), tape.gradient(loss, (w, b)), strict=True):
            variable.assign_sub(gradient)
    c, s = tf.Variable(offset[0] - data.mean[0]), tf.Variable(directions[0])

    def generated():
        return tf.linalg.matvec(c + y * s[:, 0], w) + b

    (row,) = [row for row in perfect_line.descend(100, 1.0) if row["step"] == 20]
    assert float(tf.norm(w)) == pytest.approx(row["weight"], rel=1e-5)
    for name in ("minimax", "non_saturating"):
        with tf.GradientTape() as tape:
            loss = losses.get(name).generator(generated())
        by_offset, by_directions = tape.gradient(loss, (c, s))
        expected = row["grad_ns" if name == "non_saturating" else "grad_minimax"]
        assert float(tf.norm(by_offset)) == pytest.approx(expected, rel=1e-5)
        assert float(tf.norm(by_directions)) < 1e-5


def test_both_gradients_have_the_ratio_of_their_factors(rows):
    for row in rows.values():
        assert row["grad_minimax"] / row["grad_ns"] == pytest.approx(row["d_fake"] / (1 - row["d_fake"]))


def test_bound_of_theorem_2_4():
    # D(x) = 3/4 and D(G(z)) = 1/4: w = -2 log 3, b = log 3. On both lines |D - D*| = 1/4 and |grad D| = 3/16 |w|.
    row = perfect_line.measured(-2 * math.log(3), math.log(3))
    error = 0.25 + 3 / 16 * 2 * math.log(3)
    assert row["bound"] == pytest.approx(math.sqrt(2) * error / (1 - error))
    assert row["grad_minimax"] == pytest.approx(0.25 * 2 * math.log(3))
    # Without |D - D*| below 1 the theorem says nothing: here D is wrong on the samples.
    assert perfect_line.measured(2.0, 0.0)["bound"] is None


def test_bound_holds_and_falls_as_the_gradient(rows):
    bounded = [row for row in rows.values() if row["bound"] is not None]
    assert len(bounded) > 70
    assert all(row["grad_minimax"] <= row["bound"] for row in bounded)
    # D(x) is wrong by 3/2 of D(G(z)), and for large |w| the bound is sqrt(2) e with e = (1 + |w|) 3/2 D(G(z)).
    last = rows[100_000]
    real_error = 1.5 * last["d_fake"]
    assert last["bound"] == pytest.approx(math.sqrt(2) * real_error * (1 + last["weight"]), rel=1e-3)


def test_rate_is_a_unit_of_time():
    slow, fast = (perfect_line.descend(steps, rate)[-1] for steps, rate in ((4_000, 0.5), (2_000, 1.0)))
    assert slow["predicted_weight"] == fast["predicted_weight"]
    assert slow["weight"] == pytest.approx(fast["weight"], abs=5e-3)


def test_results_and_sentence(whole):
    path = whole("perfect_line")
    both = read_rows(path / "metrics.jsonl")
    rows, deep = ([row for row in both if row["discriminator"] == name] for name in ("linear", "mlp"))
    assert [row["step"] for row in rows] == [row["step"] for row in deep]
    assert (rows[0]["step"], rows[-1]["step"]) == (1, 2_000)
    stored = json.loads((path / "results.json").read_text())
    numbers = stored["metrics"]
    assert numbers["weight"] == rows[-1]["weight"]
    assert numbers["weight_per_log"] == pytest.approx(2, abs=0.05)
    assert numbers["d_fake_slope"] == pytest.approx(-1, abs=0.05)
    assert numbers["bound_holds"] == 1
    assert numbers["mlp_grad_ns"] == deep[-1]["grad_ns"]
    assert f"(the bound of theorem 2.4 is {numbers['bound_ratio']:.2g} times as large)" in stored["finding"]
    assert f"by {numbers['weight_per_log']:.3f} for each unit of log t (predicted: 2)" in stored["finding"]


def test_bound_holds_is_the_share_of_rows_with_a_bound():
    row = perfect_line.descend(100, 1.0)[-1]
    rows = [{**row, "step": step, "bound": bound} for step, bound in ((1, None), (5, 2.0), (10, 9.0), (100, 0.0))]
    assert perfect_line.metrics(rows)["bound_holds"] == pytest.approx(2 / 3)
    assert "bound_holds" not in perfect_line.metrics([{**each, "bound": None} for each in rows])


def test_lines_are_the_rows(rows):
    shown = list(rows.values())
    deep = [{"time": 1.0, "d_fake": 0.1, "grad_minimax": 0.1, "grad_ns": 0.1}]
    left, middle, right = perfect_line.picture(shown, deep).axes
    assert left.lines[-1].get_label() == "D(G(z)), hidden layers"
    lines = {line.get_label(): line for line in middle.lines}
    np.testing.assert_allclose(lines["measured"].get_ydata(), [row["grad_minimax"] for row in shown])
    assert lines["theorem 2.4: M ε / (1 − ε)"].get_ydata()[-1] == shown[-1]["bound"]
    assert (left.get_yscale(), middle.get_yscale(), right.get_yscale()) == ("log", "log", "linear")
