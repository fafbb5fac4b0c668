"""The figure of refinement on the line with noise: its laws, distances, rows, sentence and picture."""

import json

import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from tfpaths import refinement
from tfpaths.figures import refine
from tfpaths.runs.rows import read_rows

FORMS = {"ddls": 0.2, "langevin": 0.2, "code_latent": None}


def form(name):
    return refinement.get(name, step_size=FORMS[name])


def test_discriminator_is_the_log_ratio_of_the_densities():
    data, samples = (scipy.stats.multivariate_normal(mean, refine.COVARIANCE) for mean in ([0, 0], refine.OFFSET))
    x = np.random.default_rng(0).normal(size=(20, 2))
    logit = x @ refine.SLOPE + 0.5 * refine.OFFSET @ refine.OFFSET / refine.SIGMA**2
    np.testing.assert_allclose(logit, data.logpdf(x) - samples.logpdf(x))
    # A latent t along the line, and noise of standard deviation sigma in both coordinates.
    np.testing.assert_allclose(refine.COVARIANCE, [[1 + 0.25, 0], [0, 0.25]])


@pytest.mark.parametrize("name", FORMS)
def test_law_equals_the_recursion(name):
    # y of the chain has mean and covariance; it moves by (e / 2) times the gradient of its log density.
    dynamics, latent = form(name), name != "langevin"
    slope = refine.MATRIX @ refine.SLOPE if latent else refine.SLOPE
    mean, covariance = (np.zeros(3), np.eye(3)) if latent else (refine.OFFSET, refine.COVARIANCE)
    e = dynamics.step_size
    for step in range(1, 20):
        factor = 1 - e / 2 if name == "ddls" else 1
        mean = factor * mean + e / 2 * slope
        covariance = factor**2 * covariance + e * dynamics.temperature * np.eye(len(mean))
        of_samples = (mean, covariance)
        if latent:
            of_samples = mean @ refine.MATRIX + refine.OFFSET, refine.MATRIX.T @ covariance @ refine.MATRIX
        for ours, expected in zip(refine.law(dynamics, step), of_samples, strict=True):
            np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_distance_and_divergence():
    # Any Gaussian, by SciPy's root of a matrix, and by the mean of log q / p over many samples of q.
    mean, covariance = np.array([0.3, -0.4]), np.array([[0.9, 0.2], [0.2, 0.6]])
    root = scipy.linalg.sqrtm(covariance @ refine.COVARIANCE).real
    expected = mean @ mean + np.trace(covariance + refine.COVARIANCE - 2 * root)
    assert refine.distance(mean, covariance) == pytest.approx(expected, rel=1e-6)
    q = scipy.stats.multivariate_normal(mean, covariance)
    p = scipy.stats.multivariate_normal([0, 0], refine.COVARIANCE)
    x = q.rvs(200_000, random_state=1)
    ratios = q.logpdf(x) - p.logpdf(x)
    error = 4 * ratios.std() / np.sqrt(len(ratios))
    assert abs(refine.divergence(mean, covariance) - ratios.mean()) < error < 0.02
    assert refine.distance(np.zeros(2), refine.COVARIANCE) == pytest.approx(0, abs=1e-12)
    assert refine.divergence(np.zeros(2), refine.COVARIANCE) == pytest.approx(0, abs=1e-12)


def test_samples_follow_the_law():
    latents = np.random.default_rng(0).normal(size=(4_000, 3)).astype(np.float32)
    for name in FORMS:
        for step in (0, 1, 7):
            samples, (mean, covariance) = refine.refined(latents, form(name), step), refine.law(form(name), step)
            errors = np.sqrt(np.diag(covariance) / len(samples))
            assert (np.abs(samples.mean(0) - mean) < 4.5 * errors).all()
            ratio = samples.var(0) / np.diag(covariance)
            assert (np.abs(ratio - 1) < 4.5 * np.sqrt(2 / len(samples))).all()


def test_only_ddls_tends_to_the_data():
    # Its bias is that of the variance, 1 / (1 - e / 4); the others drift by a constant in each step.
    last = refine.distance(*refine.law(form("ddls"), 1_000))
    assert last == pytest.approx((np.sqrt(1 / 0.95) - 1) ** 2 * 1.5, rel=1e-6)
    # At step k, the mean of code_latent is v (1 - k / 2), that of langevin v (1 - 0.4 k).
    assert refine.distance(*refine.law(form("code_latent"), 2)) < 1e-8
    assert refine.distance(*refine.law(form("code_latent"), 20)) == pytest.approx(81, rel=1e-5)
    mean, covariance = refine.law(form("langevin"), 100)
    np.testing.assert_allclose(mean, [0, 1 - 0.4 * 100])
    np.testing.assert_allclose(np.diag(covariance), [21.25, 20.25])


def test_metrics_are_those_of_the_rows(whole):
    rows = read_rows(whole("figure_refine") / "metrics.jsonl")
    assert [(row["form"], row["step"]) for row in rows] == [(name, step) for name in FORMS for step in (0, 1, 2, 5)]
    stored = json.loads((whole("figure_refine") / "results.json").read_text())
    metrics = stored["metrics"]
    for index, name in enumerate(FORMS):
        of_form = rows[4 * index :][:4]
        assert metrics[f"{name}_divergence"] == of_form[-1]["divergence"]
        assert metrics[f"{name}_least_squared_distance"] == min(row["squared_distance"] for row in of_form)
    assert metrics["code_latent_least_step"] == 2
    assert metrics["unrefined_squared_distance"] == rows[0]["squared_distance"] == pytest.approx(1, abs=0.3)
    assert "without refinement, and after 5 steps" in stored["finding"]
    assert "with code_latent (least: " in stored["finding"]


def test_points_are_measured_and_lines_are_the_law():
    rows = [{"form": name, "step": step, "squared_distance": 0.5 * step} for name in FORMS for step in (0, 1, 10)]
    shown = {name: np.full([4, 2], index) for index, name in enumerate([*FORMS, "samples"])}
    left, right = refine.picture(rows, shown, {name: form(name) for name in FORMS}, 10).axes
    for name, line, points in zip(FORMS, left.lines[1:7:2], left.lines[2:7:2], strict=True):
        assert line.get_label().startswith(f"{name}: e = ")
        assert line.get_ydata()[-1] == pytest.approx(refine.distance(*refine.law(form(name), 10)))
        np.testing.assert_allclose(points.get_xydata(), [(1, 0.5), (10, 5)])
    assert [each.get_offsets().mean() for each in right.collections] == [0, 1, 2, 3]
    assert [each.get_label() for each in right.collections] == [*FORMS, "not refined"]
