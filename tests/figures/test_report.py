"""The section of a report about figures."""

import base64

import pytest

from tfpaths import experiments, files, schema
from tfpaths.figures import report as figures_report
from tfpaths.runs import report, results
from tfpaths.runs.directory import RunDirectory
from tfpaths.runs.report import runs as runs_lib

# The content does not matter: the page does not decode it.
PICTURE = b"\x89PNG 4"


@pytest.fixture
def figure(tmp_path):
    directory = RunDirectory(tmp_path / "figure_2")
    value = experiments.get("figure_2")
    files.write_json(directory.config, schema.to_dict(value))
    summary = results.summary(value, 1, {"gradient": 4.0}, {}, device="CPU")
    files.write_json(directory.results, summary | {"finding": "It is <4>."})
    files.write_bytes(directory.path / "figure.png", PICTURE)
    return directory


def test_report_shows_picture_and_finding(figure):
    text = report.write([str(figure.path)]).read_text()
    assert "<p>It is &lt;4&gt;.</p>" in text
    assert base64.b64encode(PICTURE).decode() in text
    assert 'alt="Picture of run 1, figure_2, described below"' in text


def test_section(figure):
    section = figures_report.section(runs_lib.read([str(figure.path)]))
    assert section.heading == "Figures"
    assert [row.cells for row in section.tables[0].rows] == [["4"]]
    assert [(picture.png, picture.text) for picture in section.pictures] == [(PICTURE, "It is <4>.")]


def test_unfinished_figure_has_no_picture(figure):
    (figure.path / "figure.png").unlink()
    figure.results.unlink()
    section = figures_report.section(runs_lib.read([str(figure.path)]))
    assert list(section.parts) == ["results", "configs"]
    assert [run.name for run in section.unfinished] == ["figure_2"]
