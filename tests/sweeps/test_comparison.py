"""Shares and paired tests, against SciPy's distributions and sums by hand."""

import math

import pytest
import scipy.stats

from tfpaths.sweeps import comparison


@pytest.mark.parametrize(("count", "trials"), [(0, 10), (3, 10), (10, 10), (31, 1000)])
def test_the_interval_is_that_of_the_beta_distribution(count, trials):
    # Clopper and Pearson: the quantiles of Beta(k, n - k + 1) and Beta(k + 1, n - k).
    share = comparison.share([True] * count + [False] * (trials - count))
    low = scipy.stats.beta.ppf(0.025, count, trials - count + 1) if count else 0.0
    high = scipy.stats.beta.ppf(0.975, count + 1, trials - count) if count < trials else 1.0
    assert (share.value, share.trials) == (count / trials, trials)
    assert (share.low, share.high) == pytest.approx((low, high), rel=1e-6)


def test_no_trial_has_no_share():
    assert comparison.share([]) == comparison.Share(0, 0, 0.0, 1.0)
    assert comparison.share([]).value == 0.0


def test_mcnemar_counts_what_differs():
    first = {0: True, 1: True, 2: False, 3: False, 4: False, 5: False, 6: True, 9: True}
    second = {0: True, 1: False, 2: True, 3: True, 4: True, 5: False, 6: True, 7: True}
    pair = comparison.paired(first, second)
    # Of the trials 0 to 6, which both have: 1 only by the first, 2, 3 and 4 only by the second.
    assert (pair.only_first, pair.only_second, pair.trials) == (1, 3, 7)
    # Both in 0 and 6, neither in 5.
    assert (pair.both, pair.neither) == (2, 1)
    assert pair.difference == pytest.approx(2 / 7)
    # Two-sided: P(at most 1 of 4) and its mirror.
    assert pair.p == pytest.approx(2 * (1 + 4) / 2**4)


def test_equal_experiments_do_not_differ():
    assert comparison.paired({0: True, 1: False}, {0: True, 1: False}) == comparison.Pair(0, 0, 1, 2, 1.0)
    assert comparison.paired({}, {}).difference == 0.0


def test_holm_is_monotone_and_bounded():
    values = [0.04, 0.001, 0.6, 0.02]
    # Sorted: 0.001 * 4, 0.02 * 3, 0.04 * 2 = 0.08, 0.6 * 1.
    assert comparison.holm(values) == pytest.approx([0.08, 0.004, 0.6, 0.06])
    assert comparison.holm([]) == []
    assert all(value <= 1.0 for value in comparison.holm([0.9] * 5))
    assert not any(math.isnan(value) for value in comparison.holm(values))
