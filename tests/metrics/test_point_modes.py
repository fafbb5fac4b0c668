"""Modes among points, by hand and for a Gaussian's share within three deviations."""

import numpy as np
import pytest

from tfpaths import config, data
from tfpaths.metrics import point_modes, sources
from tfpaths.metrics.evaluator import Evaluator


def measured(name, points):
    points = np.asarray(points, np.float32)
    source = sources.Source(lambda start, num: points[start : start + num], None, len(points))
    wanted = config.Evaluation(metrics=("point_modes",), samples=30_000)
    return Evaluator(config.Data(name=name, examples=30_000), wanted).measure(source)


def test_hits_and_share_by_hand():
    # Deviation 1/2 around (-4, 0) and (4, 0): within 1.5, on the border, and outside.
    assert measured("mog", [[-4, 0], [-4, 1.5], [-4, 1.75], [0, 0]]) == {"modes_hit": 1, "near_modes": 0.5}
    assert measured("mog", [[-4, 1.25], [5.25, 0]]) == {"modes_hit": 2, "near_modes": 1.0}
    assert measured("mog", [[0, 0]]) == {"modes_hit": 0, "near_modes": 0.0}


@pytest.mark.parametrize(("name", "modes"), [("eight_gaussians", 8), ("twenty_five_gaussians", 25)])
def test_one_sample_at_each_centre(name, modes):
    centres = data.get(name).centres
    assert measured(name, centres) == {"modes_hit": modes, "near_modes": 1.0}
    # 4 deviations away.
    moved = centres + [4 * data.get(name).deviation, 0]
    assert measured(name, [*moved[1:], centres[0]]) == {"modes_hit": 1, "near_modes": 1 / modes}


@pytest.mark.parametrize("name", ["eight_gaussians", "mog", "twenty_five_gaussians"])
def test_real_points_are_near_their_modes(name):
    # |x - c|^2 / s^2 is a chi-squared variable of two degrees of freedom: P(<= 9) = 1 - exp(-9 / 2) = 0.989.
    real, num = data.load(name, "test", examples=30_000), 30_000
    found = measured(name, real.take(np.arange(num)))
    share = 1 - np.exp(-9 / 2)
    assert found["near_modes"] == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / num))
    assert found["modes_hit"] == len(data.get(name).centres)


def test_a_far_sample_hits_no_mode():
    assert point_modes.hits(np.array([2, 2]), np.array([False, False])) == {"modes_hit": 0, "near_modes": 0.0}
