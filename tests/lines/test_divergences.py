"""The Jensen-Shannon divergence on a line, against a sum over a grid."""

import math

import numpy as np
import pytest
import scipy.stats

from tfpaths.lines import divergences

M, S = np.array([1.0, -2.0, 0.5]), np.array([2.0, 1.0, -1.0])


def js(c, directions):
    return divergences.jensen_shannon(M, S, c, np.array(directions).T)


def test_divergence_of_equal_distributions_is_zero():
    assert js(M, [S]) == pytest.approx(0.0, abs=1e-12)
    assert js(M, [-0.6 * S, 0.8 * S]) == pytest.approx(0.0, abs=1e-12)


def test_divergence_of_different_lines_is_log_2():
    orthogonal = np.array([1.0, 0.0, 2.0])
    for step in (1.0, 1e-6):
        assert js(M + step * orthogonal, [S]) == math.log(2)
        assert js(M, [S, step * orthogonal]) == math.log(2)
    assert js(M, [0.0 * S]) == math.log(2)


@pytest.mark.parametrize(("shift", "scale"), [(0.5, 1.0), (0.0, 3.0), (-2.0, 0.01), (40.0, 1.0)])
def test_divergence_on_one_line_matches_a_numerical_sum(shift, scale):
    divergence = js(M + shift * S, [scale * S])
    y = np.unique(np.concatenate([np.linspace(-12, 12, 400_001), shift + scale * np.linspace(-12, 12, 400_001)]))
    p, q = scipy.stats.norm.pdf(y), scipy.stats.norm.pdf(y, shift, scale)
    middle = (p + q) / 2
    parts = [np.where(one > 0, one * np.log(np.maximum(one, 1e-300) / middle), 0.0) for one in (p, q)]
    assert divergence == pytest.approx(np.trapezoid(sum(parts) / 2, y), abs=1e-6)
