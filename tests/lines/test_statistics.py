"""Statistics of a study's rows, by hand."""

import pytest

from tfpaths.lines import statistics


def rows_of(distances, climbed, rises, run=0):
    """The rows of one run, ten steps apart."""
    return [
        {"run": run, "step": 10 * index, "squared_distance": distance, "climbed": c, "rises": r}
        for index, (distance, c, r) in enumerate(zip(distances, climbed, rises, strict=True))
    ]


def test_a_path_by_hand():
    rows = rows_of([4.0, 5.0, 0.2, 0.3], [0.0, 1.5, 0.4, 0.2], [0.0, 0.6, 0.2, 0.7])
    (path,) = statistics.paths(rows, 1)
    assert path == {
        "run": 0,
        "initial": 4.0,
        "final": 0.3,
        "arrived": 20,
        "near": True,
        "rises": pytest.approx(0.5),
        "climbed": pytest.approx(2.1 / 3.7),
        "rises_arriving": pytest.approx(0.4),
        "climbed_arriving": pytest.approx(1.9 / 3.8),
    }


def test_paths_of_runs_that_fail():
    undefined = {"rises": None, "climbed": None, "rises_arriving": None, "climbed_arriving": None}
    (never,) = statistics.paths(rows_of([4.0, 0.41], [0.0, 0.0], [0.0, 0.0]), 1)
    assert (never["near"], never["arrived"], never["rises_arriving"]) == (False, None, None)
    passing = rows_of([4.0, 0.1, 3.0], [0.0, 0.0, 2.9], [0.0, 0.0, 0.9])
    (passed,) = statistics.paths(passing, 1)
    assert (passed["near"], passed["arrived"], passed["rises"]) == (False, 10, pytest.approx(0.45))
    (lost,) = statistics.paths(rows_of([4.0, None], [0.0, None], [0.0, None]), 1)
    assert lost == {"run": 0, "initial": 4.0, "final": None, "arrived": None, "near": False, **undefined}
    summary = statistics.summary(passing, 1)
    assert (summary["failed_share"], summary["never_near_share"]) == (1.0, 0.0)


def test_run_that_is_not_finite_counts_as_failed():
    rows = [
        row
        for run, end in enumerate([0.1, 3.0, None])
        for row in rows_of([4.0, end], [0.0, None if end is None else 0.0], [0.5, None if end is None else 0.5], run)
    ]
    summary = statistics.summary(rows, 3)
    assert summary["runs_not_finite"] == 1
    assert summary["failed_share"] == pytest.approx(2 / 3)
    assert summary["distance_mean"] == pytest.approx(1.55)
    assert summary["near_rises_share"] == pytest.approx(0.5)
    assert summary["initial_distance_mean"] == pytest.approx(4.0)


def test_surplus_runs_are_ignored():
    rows = [row for run, end in enumerate([0.1, 3.0]) for row in rows_of([4.0, end], [0.0] * 2, [0.0] * 2, run)]
    assert statistics.summary(rows, 1)["failed_share"] == 0.0
    assert statistics.summary(rows, 2)["failed_share"] == 0.5


def test_summary_without_a_finite_run():
    summary = statistics.summary(rows_of([4.0, None], [0.0, None], [0.0, None]), 1)
    assert summary == {
        "runs": 1,
        "runs_not_finite": 1,
        "initial_distance_mean": 4.0,
        "failed_share": 1.0,
        "never_near_share": 1.0,
    }


def test_averages_are_judged_like_the_runs():
    rows = [row for run, end in enumerate([0.1, 3.0]) for row in rows_of([4.0, end], [0.0] * 2, [0.0] * 2, run)]
    assert "averaged_failed_share" not in statistics.summary(rows, 2)  # rows of an older version
    for row, average in zip(rows, [4.0, 0.5, 4.0, 0.3], strict=True):
        row["averaged_distance"] = average
    summary = statistics.summary(rows, 2)
    # 0.5 and 0.3 against a tenth of 4.
    assert summary["averaged_failed_share"] == 0.5
    assert summary["averaged_distance_median"] == pytest.approx(0.4)
