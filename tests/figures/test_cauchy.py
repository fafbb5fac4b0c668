"""The figure of theorem 2.6: its noise model, spreads, numbers, sentence and picture."""

import json
import math

import numpy as np
import pytest
import scipy.stats

from tfpaths.figures import cauchy
from tfpaths.runs.rows import read_rows


@pytest.mark.parametrize("size", [1, 16, 256])
def test_means_of_the_model_are_cauchy(size):
    means = cauchy.model(8, 512 * size, seed=3).reshape(-1, size).mean(axis=1)
    # Cauchy with scale 1, whatever the size is: the test of Kolmogorov and Smirnov on 4,096 means.
    assert scipy.stats.kstest(means, scipy.stats.cauchy.cdf).pvalue > 1e-3


def test_spreads_of_the_model_do_not_depend_on_the_size():
    rows = cauchy.spreads(cauchy.model(16, 16_384, seed=0), [1, 16, 256])
    # The IQR of a Cauchy variable is 2. Its density at the quartiles is f = 1 / (2 pi), and quartiles of n values have
    # the variance 3 / (16 n f^2) and the covariance 1 / (16 n f^2): their difference has 1 / (4 n f^2) = pi^2 / n.
    for row in rows:
        means = 16 * 16_384 / row["batch_size"]
        assert abs(row["pooled"] - 2) < 4.5 * math.pi / math.sqrt(means)


def test_spreads_by_hand():
    random = np.random.default_rng(0)
    noise, offsets = random.normal(size=(200, 4_096)), 10 * random.normal(size=(200, 1))
    rows = cauchy.spreads(noise + offsets, [1, 64])
    iqr = 2 * scipy.stats.norm.ppf(0.75)
    # One network: 1 / sqrt n, with 64 batches of the larger size. All: sqrt(100 + 1 / n), which hardly falls.
    assert rows[0]["within"] == pytest.approx(iqr, rel=0.02)
    assert rows[1]["within"] == pytest.approx(iqr / 8, rel=0.05)
    spread = np.diff(np.quantile(offsets, [0.25, 0.75]))[0]
    assert [row["pooled"] for row in rows] == pytest.approx([spread, spread], rel=0.1)


def test_about_by_hand():
    # Two networks, whose means are (1, 2) and (-3, 2): one of the two moves the generator towards the data.
    gradients = np.array([[[0, 1], [2, 3]], [[-4, 1], [-2, 3]]], np.float32)
    found = cauchy.about(gradients, np.array([[0.1, 0.2], [0.3, 0.9]]), np.array([1.0, 0.5]))
    assert (found["runs"], found["towards_share"], found["perfect_share"]) == (2, 0.5, 0.5)
    assert found["output_median"] == pytest.approx(0.25)
    # Variances: of 0, 2, -4, -2 it is 5, of the means 4. Of 1, 3, 1, 3 it is 1, of the means 0.
    assert found["towards_the_data_between_share"] == pytest.approx(4 / 5)
    assert found["along_the_line_between_share"] == 0
    assert found["towards_the_data_largest"] == 4


def test_tail_is_that_of_the_distribution():
    values = scipy.stats.cauchy.ppf(np.linspace(0, 1, 100_001)[1:-1])
    distances, shares = cauchy.tail(values)[1:].T
    # P(|x| > d) = 1 - (2 / pi) arctan d, and half the range is 1.
    np.testing.assert_allclose(shares, 1 - 2 / math.pi * np.arctan(distances), rtol=0.02, atol=3e-5)


def test_rows_and_metrics(whole):
    path = whole("figure_cauchy")
    rows = read_rows(path / "metrics.jsonl")
    names = ["model", "towards the data", "along the line"]
    assert [(row["name"], row["batch_size"]) for row in rows] == [(name, size) for name in names for size in (1, 4, 16)]
    assert {row["step"] for row in rows} == {20}
    stored = json.loads((path / "results.json").read_text())
    metrics = stored["metrics"]
    assert metrics["runs"] == 3
    assert metrics["model_pooled_first"] == rows[0]["pooled"]
    assert metrics["along_the_line_within_last"] == rows[-1]["within"]
    assert metrics["model_pooled_slope"] == pytest.approx(cauchy.slope(rows[:3], "pooled"))
    # A finite variance: the range of one network's batches falls to about a half from 4 to 16. (The gradient of one
    # sample takes few values, since the networks are piecewise linear: its range is no measure of the variance.)
    for rows_of in (rows[3:6], rows[6:]):
        assert 1.5 < rows_of[1]["within"] / rows_of[2]["within"] < 2.7
    assert "From batches of one to batches of 16" in stored["finding"]
    remaining = [100 * three[-1]["pooled"] / three[0]["pooled"] for three in (rows[:3], rows[3:6], rows[6:])]
    assert f"keeps {remaining[0]:.3g} % of its size" in stored["finding"]
    assert f"all networks {remaining[1]:.3g} % and {remaining[2]:.3g} % of it remain" in stored["finding"]


def test_lines_are_relative_to_the_first_spread():
    rows = [
        {"name": name, "batch_size": size, "within": 6 / size, "pooled": 5.0}
        for name in ("model", "towards the data", "along the line")
        for size in (1, 4)
    ]
    tails = dict.fromkeys(("model", "towards the data", "along the line"), np.array([[0, 1], [1, 0.5], [3, 0.25]]))
    left, right = cauchy.picture(rows, tails).axes
    lines = {line.get_label(): line.get_xydata() for line in left.lines}
    np.testing.assert_allclose(lines["noise model of theorem 2.6"], [(1, 1), (4, 1)])
    np.testing.assert_allclose(lines["along the line, batches of one network"], [(1, 1), (4, 1 / 4)])
    np.testing.assert_allclose(lines["n^(−1/2)"], [(1, 1), (4, 1 / 2)])
    np.testing.assert_allclose(right.lines[0].get_xydata(), [(1, 0.5), (3, 0.25)])
