"""What a sweep of training runs shows: quartiles of planted scores, and failed trials."""

import pathlib

import numpy as np
import pytest

from tfpaths import experiments
from tfpaths.sweeps import scores

NAMES = ("color_mnist_ns", "color_mnist_gan_gp", "color_mnist_dragan_ns", "color_mnist_wgan_gp")
SCORE = "frechet_classifier_distance"


@pytest.fixture
def rows():
    """A score of 1, 2, … 24, plus ten times the experiment's number; the last trial of each failed."""
    made = []
    for number, name in enumerate(NAMES):
        for trial in range(24):
            row = {"step": 3000, "trial": trial, "experiment": name, "job": f"{name}-{trial:05d}"}
            failed = {"status": "failed", "why": "NaN"}
            values = {"status": "finished", "penalty": 0.1, SCORE: 1.0 + trial + 10 * number, "ms_ssim_real": 0.2}
            made.append({**row, **(failed if trial == 23 else values), "variant.penalty.weight": 1.0})
    return made


def test_quartiles_and_failures(rows):
    drawn = scores.drawn(experiments.get("robustness_color_mnist"), rows, pathlib.Path("none"))
    for number, name in enumerate(NAMES):
        expected = np.arange(1, 24) + 10.0 * number
        assert drawn.metrics[f"{name}_{SCORE}_median"] == np.median(expected)
        assert drawn.metrics[f"{name}_{SCORE}_low_quarter"] == np.quantile(expected, 0.25)
        assert (drawn.metrics[f"{name}_{SCORE}_min"], drawn.metrics[f"{name}_{SCORE}_max"]) == (
            expected[0],
            expected[-1],
        )
        assert drawn.metrics[f"{name}_failed_share"] == 1 / 24
    assert "NS-GAN (color_mnist_ns): 1 of 24 failed; Fréchet classifier distance 12 (1 to 23)" in drawn.finding
    assert drawn.picture.startswith(b"\x89PNG")


def test_losses_are_no_scores_unless_there_is_nothing_else(rows):
    sweep = experiments.get("robustness_color_mnist")
    assert scores.score_names(sweep, rows) == [SCORE]
    only_losses = [{name: value for name, value in row.items() if name not in (SCORE, "ms_ssim_real")} for row in rows]
    assert scores.score_names(sweep, only_losses) == ["penalty"]


def test_a_sweep_in_which_all_failed(rows):
    failed = [{**row, "status": "failed", "why": "NaN"} for row in rows]
    failed = [
        {name: value for name, value in row.items() if name not in (SCORE, "ms_ssim_real", "penalty")} for row in failed
    ]
    drawn = scores.drawn(experiments.get("robustness_color_mnist"), failed, pathlib.Path("none"))
    assert "24 of 24 failed" in drawn.finding
    assert drawn.metrics["color_mnist_ns_failed_share"] == 1.0
