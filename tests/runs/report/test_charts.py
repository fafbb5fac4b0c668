"""The charts of a report: contrast, values and axes."""

import re

import numpy as np
import pytest

from tfpaths.runs.report import charts, page
from tfpaths.runs.report import runs as runs_lib
from tfpaths.runs.report.charts import Line


def luminance(colour):
    """WCAG 2's relative luminance of `#rrggbb`."""
    values = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(first, second):
    light, dark = sorted([luminance(first), luminance(second)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_and_lines_have_enough_contrast():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    css = (page._FOLDER / "page.css").read_text()
    # `:root` twice: the light scheme, and the dark one.
    schemes = [dict(re.findall(r"--(\w+): (#\w+)", root)) for root in re.findall(r":root \{(.*?)\}", css, re.DOTALL)]
    assert len(schemes) == 2
    for scheme in schemes:
        colours = {
            name: value if len(value) == 7 else "#" + "".join(2 * c for c in value[1:])
            for name, value in scheme.items()
        }
        for text, ground in (("ink", "paper"), ("quiet", "paper"), ("link", "paper"), ("ink", "mark")):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    # Charts have a white ground in both.
    for colour in charts.COLOURS:
        assert contrast(colour, "#ffffff") >= 3


def test_24_runs_look_different():
    assert len({tuple(map(str, charts.style(number).values())) for number in range(1, 25)}) == 24


def test_lines_match_the_rows(tmp_path, training_run):
    paths = [training_run(tmp_path / "a"), training_run(tmp_path / "b", steps=(0, 3, 6))]
    runs = runs_lib.read([str(path) for path in paths])
    lines = [Line(run, *run.values("penalty")) for run in runs]
    (axes,) = charts._draw(lines, charts.last_step(runs), False).axes
    assert axes.get_xlim() == (0, 6)
    assert [line.get_xydata().tolist() for line in axes.lines] == [[[2, 12], [4, 14]], [[3, 13], [6, 16]]]
    assert [line.get_label() for line in axes.lines] == ["1", "2"]


def test_charts_are_reproducible(tmp_path, training_run):
    (run,) = runs_lib.read([str(training_run(tmp_path / "a"))])
    first, second = (charts.chart("Penalty", [Line(run, *run.values("penalty"))], 4) for _ in range(2))
    assert first == second
    assert first.text == "Penalty by step, to step 4. run 1, a: 12 at step 2; 14 at step 4."


def test_log_axis_shows_an_interval_that_reaches_below_zero(tmp_path, training_run):
    (run,) = runs_lib.read([str(training_run(tmp_path / "a"))])
    (axes,) = charts._draw([Line(run, [0, 4], [2.0, 1.0], [1.0, -0.5], [3.0, 2.5])], 4, True).axes
    # A twentieth of the smallest value.
    assert axes.get_ylim()[0] == pytest.approx(1.0 / 20)
