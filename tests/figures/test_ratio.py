"""The figure of density ratios: its rows, numbers, sentence and picture."""

import json

import numpy as np
import pytest

from tfpaths.figures import density_ratios, ratio, runner
from tfpaths.figures.density_ratios import ESTIMATORS, PAIRS
from tfpaths.runs.rows import read_rows


def made_rows(f_gan, kl_wgan, steps=(10,)):
    """Returns rows with these errors in the runs 0, 1, … of every pair."""
    rest = {"scaled_error": 0.5, "mean_ratio": 2.0, "estimate": 0.25, "bound": 0.125}
    rest |= {"divergence": 1.0, "start_error": 0.75}
    return [
        {"step": step, "estimator": estimator, "pair": pair, "run": run, "error": error, **rest}
        for estimator, errors in {"f_gan": f_gan, "kl_wgan": kl_wgan}.items()
        for step in steps
        for run, error in enumerate(errors)
        for pair in PAIRS
    ]


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_true_ratio_has_no_error(pair):
    p, q = pair.on_grid()
    true = np.divide(p, q, out=np.zeros_like(p), where=p > 0)
    measured = ratio.errors_of(true, p, q)
    assert measured["error"] == pytest.approx(0, abs=1e-12)
    assert measured["mean_ratio"] == pytest.approx(1, abs=5e-5)
    # Without the ratio, the error is that of q.
    assert ratio.errors_of(np.ones_like(p), p, q)["error"] == pytest.approx(np.abs(q - p).sum())


# 1 - 5/9 of q is where p is 0, and as much of p is missing where q is: 2 (1 - 5/9). Likewise for the others.
@pytest.mark.parametrize(
    ("name", "expected"), [("three_rings", 8 / 9), ("same", 0), ("half_ring", 1), ("tenth_ring", 0.2)]
)
def test_error_of_r_1(name, expected, whole):
    rows = read_rows(whole("figure_ratio") / "metrics.jsonl")
    found = ratio.values(rows, "start_error", pair=name)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert len(found) == 2 * 2 * 2  # runs, steps, estimators


def test_rows_agree_with_each_other(whole):
    rows = read_rows(whole("figure_ratio") / "metrics.jsonl")
    assert len(rows) == 2 * 2 * 2 * len(PAIRS)
    for row in rows:
        # A bound with exact expectations; 5e-5 of the Gaussians are outside of the grid.
        assert row["bound"] <= row["divergence"] + 1e-4
        # The integral of r q - p is E_q r - 1.
        assert abs(row["mean_ratio"] - 1) <= row["error"] + 1e-4
        assert row["scaled_error"] <= 2.0001


def test_figure_is_a_function_of_the_seed(small, copy):
    path = copy("figure_ratio")
    before, picture = read_rows(path / "metrics.jsonl"), (path / "figure.png").read_bytes()
    runner.run(small("figure_ratio"), path)
    assert read_rows(path / "metrics.jsonl") == before
    assert (path / "figure.png").read_bytes() == picture


def test_metrics_are_medians(whole):
    stored = json.loads((whole("figure_ratio") / "results.json").read_text())["metrics"]
    rows = read_rows(whole("figure_ratio") / "metrics.jsonl")
    of_runs = ratio.values(rows, "error", pair="half_ring", step=3, estimator="f_gan")
    assert stored["half_ring_step_3_f_gan_error"] == pytest.approx(of_runs.mean())  # of two runs
    assert stored["half_ring_step_3_f_gan_error_low"] == min(of_runs)
    assert stored["half_ring_step_3_f_gan_error_high"] == max(of_runs)
    assert stored["half_ring_step_3_nearer"] in (0, 1, 2)
    found = ratio.metrics(made_rows([0.5, 0.2, 0.9], [0.4, 0.3, 0.1]), [10])
    assert (found["same_step_10_nearer"], found["same_step_10_f_gan_error"]) == (2, 0.5)
    assert (found["same_divergence"], found["same_start_error"], found["runs"]) == (1, 0.75, 3)


@pytest.mark.parametrize(
    ("f_gan", "kl_wgan", "text"),
    [
        (
            [0.5, 0.6],
            [0.4, 0.5],
            "After 10 steps, KL-WGAN is nearer: q = rings of radius 1, 3, 5 (0.55, 0.45), q = the",
        ),
        ([0.1, 0.2], [0.4, 0.5], "After 10 steps, f-GAN is nearer: q = rings of radius 1, 3, 5 (0.15, 0.45), q = the"),
        ([0.1, 0.6], [0.4, 0.5], "After 10 steps, runs differ: q = rings of radius 1, 3, 5 (0.35, 0.45), q = the same"),
    ],
)
def test_finding_names_who_is_nearer_in_all_runs(f_gan, kl_wgan, text):
    assert text in ratio.finding(made_rows(f_gan, kl_wgan), [10])


@pytest.mark.parametrize(
    ("f_gan", "kl_wgan", "bold"),
    [([0.5], [0.4], [False, True]), ([0.3], [0.4], [True, False]), ([0.4, 0], [0.3, 1], [False] * 2)],
)
def test_picture_marks_the_nearer_estimator(f_gan, kl_wgan, bold):
    cells = np.zeros([len(PAIRS) * len(f_gan), len(density_ratios.grid())])
    shown = {name: cells + index for index, name in enumerate(ESTIMATORS)}
    picture = ratio.picture(made_rows(f_gan, kl_wgan), shown, 10)
    for first in range(0, 20, 5):
        axes = picture.axes[first : first + 5]
        assert [each.title.get_fontweight() == "bold" for each in axes[2:4]] == bold
        assert [each.images[0].get_array().max() for each in axes[2:4]] == [0, 1]


def test_maps_show_the_run_with_the_median_error():
    errors = [0.9, 0.1, 0.5]
    maps = np.arange(12.0)[:, np.newaxis] + np.zeros(len(density_ratios.grid()))  # critic 4 i + k is run i, pair k
    picture = ratio.picture(made_rows(errors, errors), dict.fromkeys(ESTIMATORS, maps), 10)
    shown = picture.axes[5 * 1 + 2]  # pair 1, f-GAN
    assert shown.get_title() == "L1 error 0.50"
    assert shown.images[0].get_array().min() == 4 * 2 + 1


def test_lines_match_their_rows():
    rows = made_rows([0.5, 0.2, 0.9], [0.4, 0.3, 0.1], steps=(10, 20))
    cells = np.zeros([12, len(density_ratios.grid())])
    picture = ratio.picture(rows, dict.fromkeys(ESTIMATORS, cells), 10)
    lines = {line.get_label(): line for line in picture.axes[4].lines}
    np.testing.assert_array_equal(lines["f-GAN"].get_xydata(), [(10, 0.5), (20, 0.5)])
    np.testing.assert_array_equal(lines["KL-WGAN"].get_xydata(), [(10, 0.3), (20, 0.3)])
    assert list(lines["r = 1"].get_ydata()) == [0.75, 0.75]
