"""Reading run directories."""

from tfpaths import experiments
from tfpaths.runs.directory import RunDirectory
from tfpaths.runs.report import runs as runs_lib
from tfpaths.runs.report.runs import Run


def test_directories_with_the_same_name_keep_their_paths(tmp_path, monkeypatch, training_run):
    monkeypatch.chdir(tmp_path)
    for name in ("a/run", "b/run", "c"):
        training_run(tmp_path / name)
    runs = runs_lib.read(["a/run", "b/run", "c"])
    assert [(run.number, run.name) for run in runs] == [(1, "a/run"), (2, "b/run"), (3, "c")]


def test_values_skip_rows_without_a_number(tmp_path):
    rows = [{"step": 1, "x": 2.0}, {"step": 2}, {"step": 3, "x": None}, {"step": 4, "x": 5}, {"step": 6, "x": True}]
    run = Run(1, "a", RunDirectory(tmp_path), experiments.get("color_mnist_ns"), rows, None)
    assert run.values("x") == ([1, 4], [2.0, 5])
    assert (run.step, run.steps, run.kind) == (6, 20_000, "training")


def test_steps_without_rows_or_schedule(tmp_path):
    run = Run(1, "a", RunDirectory(tmp_path), experiments.get("figure_2"), [], {"step": 3})
    assert (run.step, run.steps) == (3, None)
