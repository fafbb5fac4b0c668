"""The section of a report about studies."""

import numpy as np
import pytest

from tfpaths import experiments
from tfpaths.lines import report
from tfpaths.runs.directory import RunDirectory
from tfpaths.runs.report import runs as runs_lib
from tfpaths.runs.report.runs import Run


def study(rows):
    return Run(1, "a", RunDirectory("a"), experiments.get("line1_ns"), rows, None)


def test_curves_skip_runs_that_are_not_finite():
    values = [(0, 0, 1.0), (0, 1, 3.0), (2, 0, 2.0), (2, 1, None)]
    run = study([{"step": step, "run": number, "squared_distance": value} for step, number, value in values])
    assert [(step, finite.tolist()) for step, finite in report.distances(run)] == [(0, [1.0, 3.0]), (2, [2.0])]
    mean, median = report.curves([run])
    assert "2 at step 0; 2 at step 2, interval 2 to 2" in mean.text
    assert "2 at step 0; 2 at step 2, interval 2 to 2" in median.text


def test_interval_of_the_mean():
    # 1.96 * sqrt(2) / sqrt(2): the standard deviation of 1 and 3 is sqrt(2), and there are two.
    assert report.mean(np.array([1.0, 3.0])) == pytest.approx((2.0, 0.04, 3.96))
    assert report.mean(np.array([3.0])) == (3.0, 3.0, 3.0)


def test_a_study_with_one_logged_step_has_no_curves():
    assert report.curves([study([{"step": 0, "run": 0, "squared_distance": 1.0}])]) == []
    assert report.curves([study([])]) == []


def test_interval_matches_the_results(tiny_study):
    (run,) = runs_lib.read([str(tiny_study)])
    section = report.section([run])
    mean, median = section.charts
    metrics = run.results["metrics"]
    low, high = metrics["distance_mean_low"], metrics["distance_mean_high"]
    assert f"{metrics['distance_mean']:.3g} at step 4, interval {low:.3g} to {high:.3g}" in mean.text
    finals = [row["squared_distance"] for row in run.rows if row["step"] == 4]
    low, high = np.quantile(finals, [0.05, 0.95])
    assert f"{np.median(finals):.3g} at step 4, interval {low:.3g} to {high:.3g}" in median.text
    assert section.heading == "Studies"
    assert {row.name: row.cells for row in section.tables[0].rows}["distance mean"] == [
        f"{metrics['distance_mean']:.4g}"
    ]
