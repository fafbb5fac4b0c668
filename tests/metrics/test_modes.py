"""Mode coverage by hand."""

import math

import numpy as np
import pytest

from tfpaths import config, errors
from tfpaths.metrics import modes
from tfpaths.metrics.evaluator import Evaluator


def test_counts_and_divergence_by_hand():
    # q = (1/2, 1/4, 1/4, 0), p = 1/4 each: KL = 1/2 log 2 + 0 + 0.
    found = modes.coverage(np.array([0, 0, 1, 2]), np.full(4, 0.25))
    assert found == {"modes_covered": 3, "modes_kl": pytest.approx(0.5 * math.log(2))}


def test_exact_distribution_has_zero_divergence():
    assert modes.coverage(np.array([0, 1, 1, 1]), np.array([0.25, 0.75])) == {"modes_covered": 2, "modes_kl": 0.0}


def test_one_of_1000_modes():
    found = modes.coverage(np.full(26_000, 999), np.full(1000, 1e-3))
    assert found == {"modes_covered": 1, "modes_kl": pytest.approx(math.log(1000))}


def test_data_set_without_modes_is_refused():
    line = r"evaluation\.metrics: 'modes' cannot be computed for cifar10, which has no modes"
    with pytest.raises(errors.InputError, match=line):
        Evaluator(config.Data(name="cifar10"), config.Evaluation(metrics=("ms_ssim", "modes")))
