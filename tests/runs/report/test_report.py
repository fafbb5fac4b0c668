"""`report.write`: its errors, its output path, and the sections of a page."""

import os
import re
import shutil

import pydantic
import pytest
from helpers import ROOT, launch

from tfpaths import config, errors, experiments, files, kinds
from tfpaths.runs import report
from tfpaths.runs.directory import RunDirectory
from tfpaths.runs.report import runs as runs_lib
from tfpaths.runs.report.section import Section
from tfpaths.runs.report.tables import Row, Table


def test_default_path_and_unfinished_run(tmp_path, training_run):
    path = report.write([str(training_run(tmp_path / "a", finished=False))])
    assert path == tmp_path / "a" / "report.html"
    assert "Run 1 is not finished: it has no results yet." in path.read_text()


def test_run_without_rows_has_neither_samples_nor_curves(tmp_path, training_run):
    training_run(tmp_path / "a")
    (tmp_path / "empty").mkdir()
    shutil.copy(tmp_path / "a" / "config.json", tmp_path / "empty")
    text = report.write([str(tmp_path / "empty")]).read_text()
    assert 'id="training-configs"' in text
    assert 'id="training-samples"' not in text
    assert 'id="training-curves"' not in text


@pytest.mark.parametrize(
    ("workdirs", "out", "line"),
    [
        (["a", "none"], None, "expected the directory of a run, received 'none': there is none."),
        (["a", "aa"], None, "received 'aa': there is none; did you mean 'a'?"),
        (["a", "../{}/a"], None, "--workdir: expected each directory once, received '../{}/a' twice."),
        (["a", "folder"], None, "received 'folder': it has no config.json."),
        (["a"], "page.pdf", "--out: expected a file that ends in .html, received 'page.pdf'."),
        (["a"], "folder.html", "--out: expected a file that ends in .html, received 'folder.html'."),
        (["a"], "a/config.json/page.html", "--out: expected a path that can be written, received"),
    ],
)
def test_invalid_input_is_one_line_and_writes_nothing(workdirs, out, line, tmp_path, monkeypatch, training_run):
    monkeypatch.chdir(tmp_path)
    training_run(tmp_path / "a")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.html").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(errors.InputError, match=re.escape(line.format(tmp_path.name))) as raised:
        report.write([workdir.format(tmp_path.name) for workdir in workdirs], out)
    assert len(str(raised.value).splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_overwrite_protects_a_named_file_only(tmp_path, training_run):
    workdirs = [str(training_run(tmp_path / "a"))]
    out = tmp_path / "thesis.html"
    out.write_text("mine")
    with pytest.raises(errors.InputError, match=r"--out: '.*thesis.html' exists. .* add --overwrite"):
        report.write(workdirs, str(out), overwrite=False)
    assert out.read_text() == "mine"
    assert "Report on 1 run" in report.write(workdirs, str(out)).read_text()
    own = report.write(workdirs, overwrite=False)
    assert report.write(workdirs, overwrite=False) == own


def test_report_is_reproducible(tmp_path, training_run):
    workdirs = [str(training_run(tmp_path / "a"))]
    assert report.write(workdirs).read_bytes() == report.write(workdirs).read_bytes()


def test_each_kind_has_a_section(tmp_path, training_run, study_run):
    figure = RunDirectory(tmp_path / "figure")
    files.write_json(figure.config, experiments.get("figure_2").model_dump(mode="json", exclude_none=True))
    paths = [figure.path, study_run(tmp_path / "study"), training_run(tmp_path / "a"), training_run(tmp_path / "b")]
    sections = report.sections(runs_lib.read([str(path) for path in paths]))
    assert [(kind, section.heading) for kind, section in sections.items()] == [
        ("training", "Training runs"),
        ("study", "Studies"),
        ("figure", "Figures"),
    ]
    assert [[run.number for run in section.runs] for section in sections.values()] == [[3, 4], [2], [1]]


def test_new_kind_gets_its_section(tmp_path, monkeypatch, read_page, training_run):
    class Poll(config.Figure):
        kind: str = pydantic.Field("poll")
        voters: int = 12

    class PollKind(kinds.Kind):
        noun = "a poll"
        describe = complete = train = None

        def section(self, runs):
            table = Table("Votes by party.", ["yes", "no"], [Row("left", ["7", None])], corner="party")
            return Section(heading="Polls", runs=runs, tables=[table])

    monkeypatch.setitem(config.KINDS, "poll", Poll)
    monkeypatch.setattr(kinds, "get", lambda kind, get=kinds.get: PollKind() if kind == "poll" else get(kind))
    poll = RunDirectory(tmp_path / "poll")
    value = Poll(name="april", figure=config.Drawing(name="votes"))
    files.write_json(poll.config, value.model_dump(mode="json", exclude_none=True))
    text = report.write([str(training_run(tmp_path / "a")), str(poll.path)], str(tmp_path / "page.html")).read_text()
    page = read_page(text)
    assert '<h2 id="poll">Polls</h2>' in text
    assert [["party", "yes", "no"], ["left", "7", "–"]] in page.tables
    assert {"#poll", "#poll-results", "#poll-configs"} <= {link.get("href") for link in page.all("a")}
    (fields,) = [table for table in page.tables if table[0] == ["field", "2 poll"]]
    assert ["voters", "12"] in fields


def test_the_command_line_needs_no_tensorflow(tmp_path, training_run, study_run):
    training_run(tmp_path / "a")
    study_run(tmp_path / "b")
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('TensorFlow was imported')")
    flags = ["--mode=report", "--workdir=a", "--workdir=b"]
    run = launch(*flags, cwd=tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert (run.returncode, run.stdout, run.stderr) == (0, "Written: a/report.html\n", "")
    assert "Report on 2 runs" in (tmp_path / "a" / "report.html").read_text()
