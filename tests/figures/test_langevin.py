"""The figure of Langevin chains: their laws, rows, sentence and picture."""

import json

import numpy as np
import pytest
import scipy.stats

from tfpaths.figures import langevin
from tfpaths.refinement import DYNAMICS
from tfpaths.runs.rows import read_rows


@pytest.mark.parametrize("name", DYNAMICS)
def test_law_equals_the_recursion(name):
    form, mean, variance = DYNAMICS[name], 0.9, 0.0
    # y + (e / 2) · (-y / 2), and noise of variance e T before or after it.
    factor, noise = 1 - form.step_size / 4, form.step_size * form.temperature
    for step in range(1, 30):
        mean *= factor
        variance = factor**2 * (variance + noise) if form.noise_first else factor**2 * variance + noise
        assert langevin.law(form, step) == pytest.approx((mean, variance), rel=1e-9)
    # In the limit of small steps T / a; with e = 0.01 and a = 1 / 2 the bias is 1 / (1 - 1 / 800).
    if name == "langevin":
        assert langevin.law(form, 10_000)[1] == pytest.approx(2 / (1 - 1 / 800), rel=1e-6)


def test_chains_follow_the_law(whole):
    rows = read_rows(whole("figure_langevin") / "metrics.jsonl")
    assert [(row["form"], row["step"]) for row in rows] == [
        (form, step) for form in ("langevin", "code_example", "code_latent") for step in (1, 3, 10)
    ]
    # 400 chains, 18 numbers: the probability of more than 4.5 errors is 1e-4.
    low, high = scipy.stats.chi2.ppf([5e-6, 1 - 5e-6], 399) / 399
    for row in rows:
        assert abs(row["mean"] - row["expected_mean"]) < 4.5 * np.sqrt(row["expected_variance"] / 400)
        assert low < row["variance"] / row["expected_variance"] < high
    stored = json.loads((whole("figure_langevin") / "results.json").read_text())
    deviations = [abs(value) for row in rows for value in langevin.deviations(row, 400)]
    assert stored["metrics"]["largest_deviation"] == max(deviations)
    assert stored["metrics"]["code_latent_variance"] == rows[-1]["variance"]


def test_finding_has_the_temperatures_of_the_released_code():
    rows = [
        {"form": form, "step": 500, "variance": variance}
        for form, variance in {"langevin": 1.98, "code_example": 8e-6, "code_latent": 6e-5}.items()
    ]
    text = langevin.finding(rows, 2.345)
    assert (
        "After 500 steps on the energy of N(0, 2), langevin and ddls, at temperature 1, have the variance 1.98" in text
    )
    assert "8e-06 and 6e-05: their temperatures are 1.25e-05 and 2.5e-05, not 1" in text
    assert "within 2.3 standard errors" in text


def test_points_are_measured_and_lines_are_the_law():
    rows = [
        {"form": form, "step": step, "mean": 0.5 / step, "variance": 1e-3 * step}
        for form in ("langevin", "code_example", "code_latent")
        for step in (1, 10)
    ]
    for axes, index, measured in zip(langevin.picture(rows).axes, (0, 1), ([0.5, 0.05], [1e-3, 1e-2]), strict=True):
        lines, points = axes.lines[:6:2], axes.lines[1:6:2]
        for name, line, of_rows in zip(("langevin", "code_example", "code_latent"), lines, points, strict=True):
            np.testing.assert_allclose(of_rows.get_xydata(), np.transpose([[1, 10], measured]))
            assert line.get_xdata().tolist() == list(range(1, 11))
            assert line.get_ydata()[-1] == pytest.approx(langevin.law(DYNAMICS[name], 10)[index])
