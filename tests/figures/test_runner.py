"""Drawing figures: the files of the directory, resuming, stopping and refusals."""

import itertools
import json
import math
import shutil
import signal

import numpy as np
import PIL.Image
import pytest
from helpers import names_of

from tfpaths import errors
from tfpaths.figures import runner
from tfpaths.lines import ensemble, study
from tfpaths.runs.directory import RunDirectory
from tfpaths.runs.rows import read_rows
from tfpaths.version import __version__


@pytest.mark.parametrize("name", names_of("figure"))
def test_figure_writes_picture_rows_and_finding(name, whole):
    path = whole(name)
    picture = PIL.Image.open(path / "figure.png")
    assert picture.width == 1200
    assert len(picture.convert("RGB").getcolors(maxcolors=2**20)) > 20
    assert read_rows(path / "metrics.jsonl")
    stored = json.loads((path / "results.json").read_text())
    assert (stored["kind"], stored["made"]["device"]) == ("figure", "CPU")
    assert len(stored["finding"]) > 50
    assert all(math.isfinite(value) for value in stored["metrics"].values())


def test_message_of_a_drawn_figure(tmp_path):
    message = runner.Outcome(RunDirectory(tmp_path), "It rises.").message("the command")
    assert message.splitlines() == [
        "It rises.",
        f"  picture    {tmp_path / 'figure.png'}",
        f"  rows       {tmp_path / 'metrics.jsonl'}",
        f"  results    {tmp_path / 'results.json'}",
    ]


def test_results_of_formulas_have_no_schedule(whole):
    path = whole("figure_2")
    stored = json.loads((path / "results.json").read_text())
    assert (stored["step"], stored["protocol"]) == (0, {})
    assert json.loads((path / "config.json").read_text()) == {
        "kind": "figure",
        "name": "figure_2",
        "figure": {"name": "gradients"},
        "seed": 0,
        "version": __version__,
    }


def test_rerun_keeps_finished_studies_and_adds_runs(small, copy, monkeypatch):
    directory = copy("figure_5")
    rows = {path: path.read_text() for path in directory.glob("studies/*/metrics.jsonl")}
    assert {path.parent.name for path in rows} == {"line1_ns_d2", "line2_gan_gp_d2"}
    with monkeypatch.context() as patch:
        patch.setattr(study, "build", None)  # Training would call it.
        runner.run(small("figure_5"), directory)
    runner.run(small("figure_5", study__runs="4"), directory)
    for path, text in rows.items():
        assert path.read_text().startswith(text)
        assert len(read_rows(path)) == 4 * 6


def test_studies_can_change(small, copy):
    directory = copy("figure_5")
    runner.run(small("figure_5", figure__studies="line1_ns", figure__dimensions="2,3"), directory)
    expected = {"line1_ns_d2", "line1_ns_d3", "line2_gan_gp_d2"}
    assert {path.name for path in (directory / "studies").iterdir()} == expected
    assert [row["dimension"] for row in read_rows(directory / "metrics.jsonl")] == [2, 3]


def test_a_stopped_figure_continues(small, whole, tmp_path, monkeypatch):
    # A signal at the end of a study stops the figure too.
    stopped = study.Outcome(RunDirectory(tmp_path), 3, True, signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(study, "run", lambda *args, **options: stopped)
        outcome = runner.run(small("figure_3"), tmp_path)
    assert (outcome.finding, outcome.stopped_by) == (None, signal.SIGINT)
    assert not (tmp_path / "figure.png").exists()
    assert outcome.message("the command") == (
        "Stopped by SIGINT; finished runs are kept. The same command continues:\n  the command"
    )
    shutil.copytree(whole("figure_3") / "studies", tmp_path / "studies")
    assert runner.run(small("figure_3"), tmp_path).finding


def test_another_figure_is_refused(small, copy):
    directory = copy("figure_1")
    before = (directory / "config.json").read_text()
    with pytest.raises(errors.InputError, match="holds another experiment: study.start"):
        runner.run(small("figure_1", study__start="random"), directory)
    with pytest.raises(errors.InputError, match=r"schedule.steps=10 .* received 12"):
        runner.run(small("figure_1", schedule__steps="12"), directory)
    with pytest.raises(errors.InputError, match="holds another experiment: figure.name"):
        runner.run(small("figure_1", figure__name="snapshots"), directory)
    assert (directory / "config.json").read_text() == before


@pytest.mark.parametrize(
    ("name", "lost"), [("figure_1", [1]), ("figure_1", [0, 1, 2]), ("figure_3", [0]), ("figure_4", [0])]
)
def test_figure_is_drawn_despite_runs_that_are_not_finite(name, lost, small, tmp_path, monkeypatch):
    reset = ensemble.Ensemble.reset

    def planted(block, first):
        reset(block, first)
        offset = block._linear.offset.numpy()
        for run in lost:
            if first <= run < first + block.runs:
                offset[run - first] = np.nan
        block._linear.offset.assign(offset)

    monkeypatch.setattr(ensemble.Ensemble, "reset", planted)
    if len(lost) == 3:
        with pytest.raises(errors.RunError, match="no run is finite"):
            runner.run(small(name), tmp_path)
        return
    runner.run(small(name), tmp_path)
    metrics = json.loads((tmp_path / "results.json").read_text())["metrics"]
    assert next(value for key, value in metrics.items() if key.endswith("runs_not_finite")) == len(lost)
    shown = {row["run"] for row in read_rows(tmp_path / "metrics.jsonl") if "run" in row}
    # Figure 3 shows run 0 even if it is not finite.
    assert shown == set(lost) if name == "figure_3" else not shown & set(lost)


def test_figure_4_shows_the_run_that_ends_furthest_away(small, tmp_path):
    runner.run(small("figure_4", study__runs="5"), tmp_path)
    rows = read_rows(tmp_path / "studies" / "line2_ns_d2" / "metrics.jsonl")
    ends = {row["run"]: row["squared_distance"] for row in rows if row["step"] == 10}
    drawn = read_rows(tmp_path / "metrics.jsonl")
    assert {row["run"] for row in drawn} == {max(ends, key=ends.get)}
    assert [(row["variant"], row["step"]) for row in drawn] == list(itertools.product(("ns", "dragan_ns"), (0, 4, 10)))


def test_distance_matches_the_players_in_each_row(whole):
    for row in read_rows(whole("figure_3") / "metrics.jsonl"):
        m, s, c = (np.array(row[name]) for name in ("mean", "direction", "offset"))
        (column,) = np.array(row["directions"]).T
        expected = ((m - c) ** 2).sum() + (s**2).sum() + (column**2).sum() - 2 * abs(column @ s)
        assert row["squared_distance"] == pytest.approx(expected, rel=1e-4)
