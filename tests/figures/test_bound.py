"""The figure of theorem 3.3: its least bounds, rows, sentence and picture."""

import json
import math

import numpy as np
import pytest
import scipy.optimize

from tfpaths.figures import bound
from tfpaths.runs.rows import read_rows


@pytest.mark.parametrize("name", ["theorem", "root_two", "variation"])
@pytest.mark.parametrize("distance", [0.01, 0.1, 0.3])
def test_least_value_is_that_of_scipy(name, distance):
    found = scipy.optimize.minimize_scalar(
        lambda log_noise: float(bound.bounds(distance, math.exp(log_noise))[name]),
        bounds=(math.log(distance), math.log(10)),
        method="bounded",
        options={"xatol": 1e-8},
    )
    values = bound.least(distance)
    assert values[name] == pytest.approx(found.fun, rel=1e-6)
    assert values[f"{name}_noise"] == pytest.approx(math.exp(found.x), rel=2e-3)


def test_no_noise_is_best_far_away():
    # With a = 0, JSD is log 2 and V is 0: 2 C sqrt(log 2), C the diameter of the two supports.
    values = bound.least(1.0)
    assert values["trivial"] == pytest.approx(math.sqrt(13))
    assert values["theorem"] == pytest.approx(2 * math.sqrt(13 * math.log(2)), rel=1e-9)
    assert values["theorem_noise"] == 0
    # W itself cannot be above the trivial bound, and the theorem's bound is then above it by 2 sqrt(log 2).
    assert values["theorem"] / values["trivial"] == pytest.approx(2 * math.sqrt(math.log(2)))


@pytest.mark.parametrize("name", ["theorem", "root_two"])
def test_helps_below(name):
    distance = bound.helps_below(name)
    below, above = (bound.least(distance * factor) for factor in (0.99, 1.01))
    assert below[name] < below["trivial"]
    assert above[name] > above["trivial"]


def test_rows_and_metrics_are_the_closed_forms(whole):
    path = whole("figure_bound")
    rows = read_rows(path / "metrics.jsonl")
    over_noise = [row for row in rows if "noise" in row]
    assert len(over_noise) == 2 * 61
    for row in over_noise[::7]:
        v, a = row["distance"], row["noise"]
        diameter = math.hypot(math.sqrt(12), v + 2 * a)
        divergence = min(1, v / (2 * a)) * math.log(2)
        assert row["theorem"] == pytest.approx(2 * a / math.sqrt(3) + 2 * diameter * math.sqrt(divergence))
        assert v <= row["variation"] <= row["root_two"] <= row["theorem"]
    stored = json.loads((path / "results.json").read_text())
    # At |s| = 1 and |v| = 0.1 the theorem's bound is 25 times W at its best.
    assert stored["metrics"]["distance_0.1_theorem_ratio"] == pytest.approx(24.7, abs=0.05)
    assert stored["metrics"]["distance_1_theorem"] == pytest.approx(6.004, abs=1e-3)
    assert "24.7 times W for |v| = 0.1 (19.3 with √2 C; noise of 0.6 is best)" in stored["finding"]
    assert "6 times W for |v| = 1 (4.25 with √2 C; no noise at all is best)" in stored["finding"]


def test_lines_are_the_rows():
    rows = [
        {"distance": distance, "noise": noise, "theorem": 3 * noise, "root_two": 2 * noise, "variation": noise}
        for distance in (0.1, 1.0)
        for noise in (0.5, 2.0)
    ]
    least_of = [
        {"distance": distance, "theorem": 8.0, "root_two": 6.0, "variation": 4.0, "trivial": 16.0}
        for distance in (2.0, 4.0)
    ]
    left, right = bound.picture(rows, least_of).axes
    np.testing.assert_allclose(left.lines[0].get_xydata(), [(0.5, 1.5), (2, 6)])
    assert [line.get_ydata()[0] for line in left.lines if len(set(line.get_ydata())) == 1] == [0.1, 1.0]
    lines = {line.get_label(): line for line in right.lines}
    np.testing.assert_allclose(lines["theorem 3.3: 2 √V + 2 C √JSD"].get_xydata(), [(2, 4), (4, 2)])
    np.testing.assert_allclose(lines["no noise: the diameter of the supports"].get_ydata(), [8, 4])
