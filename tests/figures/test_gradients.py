"""The gradients figure against its formulas."""

import math

import pytest
import scipy.stats

from tfpaths.figures import gradients


def test_gradients_match_the_densities():
    for row in gradients.gradients_by_x():
        # The best discriminator between N(0, 1) and N(4, 1), from the densities themselves.
        p, q = scipy.stats.norm.pdf(row["x"]), scipy.stats.norm.pdf(row["x"], 4.0)
        d = p / (p + q)
        assert row["probability"] == pytest.approx(d, rel=1e-4)
        assert row["minimax"] == pytest.approx(4 * d, rel=1e-4)
        assert row["non_saturating"] == pytest.approx(4 * (1 - d), rel=1e-4, abs=1e-5)


def test_losses_match_their_formulas():
    for row in gradients.losses_by_output():
        assert row["minimax"] == pytest.approx(math.log1p(-row["probability"]), rel=1e-4)
        assert row["non_saturating"] == pytest.approx(-math.log(row["probability"]), rel=1e-4)
