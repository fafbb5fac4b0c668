"""The section about training runs."""

import json

from tfpaths.runs.report import runs as runs_lib
from tfpaths.runs.report import training
from tfpaths.runs.report.section import Picture


def test_every_quantity_is_drawn_in_row_order(tmp_path, training_run):
    # A game with other players names other quantities.
    paths = [training_run(tmp_path / "a"), training_run(tmp_path / "b", reported=("penalty", "mixture_weight"))]
    runs = runs_lib.read([str(path) for path in paths])
    assert training.quantities(runs) == [
        "discriminator_loss",
        "generator_loss",
        "penalty",
        "frechet_classifier_distance",
        "mixture_weight",
    ]
    titles = [chart.title for chart in training.section(runs).charts]
    assert titles == [
        "discriminator loss",
        "generator loss",
        "penalty",
        "Fréchet classifier distance",
        "mixture weight",
    ]


def test_a_single_point_is_not_drawn(tmp_path, training_run):
    runs = runs_lib.read([str(training_run(tmp_path / "a", steps=(0, 2)))])
    assert training.section(runs).charts == []


def test_chart_shows_only_runs_with_the_quantity(tmp_path, training_run):
    paths = [training_run(tmp_path / "a"), training_run(tmp_path / "b", reported=("penalty",))]
    charts = {chart.title: chart.text for chart in training.curves(runs_lib.read([str(path) for path in paths]))}
    assert charts["generator loss"] == "generator loss by step, to step 4. run 1, a: 12 at step 2; 14 at step 4."
    assert "run 2, b: 12 at step 2" in charts["penalty"]


def test_section_skips_runs_without_grids(tmp_path, training_run):
    paths = [training_run(tmp_path / "a", steps=(), finished=False), training_run(tmp_path / "b")]
    section = training.section(runs_lib.read([str(path) for path in paths]))
    assert [grids.run.name for grids in section.grids] == ["b"]
    assert section.steps == [0, 2, 4]
    assert [run.name for run in section.unfinished] == ["a"]


def test_pictures_of_metrics_are_shown(tmp_path, training_run):
    path = training_run(tmp_path / "a")
    stored = json.loads((path / "results.json").read_text())
    for name, file in {"pairs": path / "samples" / "pairs.png", "../outside": path / "outside.png"}.items():
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(name.encode())
    stored["pictures"] = {"pairs": "The pairs.", "missing": "None.", "../outside": "Of another directory."}
    (path / "results.json").write_text(json.dumps(stored))
    (run,) = runs_lib.read([str(path)])
    assert training.section([run]).pictures == [Picture(run, b"pairs", "The pairs.")]
