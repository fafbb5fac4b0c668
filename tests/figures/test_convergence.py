"""Scores by steps and by time: the runs, the time of training alone, sentence and picture, stop and resume."""

import json
import signal

import numpy as np
import pytest

from tfpaths import errors, experiments, kinds
from tfpaths.data import prepared
from tfpaths.figures import convergence, runner, trained
from tfpaths.figures.kind import KIND
from tfpaths.runs import training
from tfpaths.runs.directory import RunDirectory
from tfpaths.runs.rows import read_rows


def test_methods_are_those_of_the_paper():
    value = experiments.get("figure_convergence")
    runs = {run.variant.name: run for run in runner.build(value).trainings(value)}
    assert list(runs) == ["wgan", "wgan_gp_rmsprop", "wgan_gp", "ns"]
    of_wgan, of_penalty = (runs[name].variant for name in ("wgan", "wgan_gp_rmsprop"))
    assert of_penalty.discriminator_optimizer == of_penalty.generator_optimizer == of_wgan.generator_optimizer
    assert (of_penalty.penalty.name, of_penalty.weight_clip, of_wgan.weight_clip) == ("interpolation", None, 0.01)
    assert {name: run.variant.generator_optimizer.learning_rate for name, run in runs.items()} == {
        "wgan": 5e-5,
        "wgan_gp_rmsprop": 5e-5,
        "wgan_gp": 1e-4,
        "ns": 1e-3,
    }
    assert {name: run.variant.discriminator_steps for name, run in runs.items()} == dict.fromkeys(runs, 5) | {"ns": 1}
    for run in runs.values():
        assert run.networks.options == {"generator_filters": 32, "discriminator_filters": 32}
        assert (run.schedule.steps, run.schedule.log_every, run.evaluation.every) == (2000, 50, 100)


def test_seeds_are_runs_of_their_own(small):
    value = small("figure_convergence", figure__runs="2", seed="7")
    runs = runner.build(value).trainings(value)
    assert [(run.name, run.seed) for run in runs] == [
        (f"color_mnist_{method}_{seed}", seed) for seed in (7, 8) for method in ("wgan", "ns")
    ]


def made(method, seconds, scores, run=0):
    """Returns rows at steps 100, 200, …; each distance is 100 over the score."""
    return [
        {"step": 100 * number, "method": method, "run": run, "seconds": number * seconds, "score": score}
        | {"distance": 100 / score}
        for number, score in enumerate(scores, start=1)
    ]


ROWS = [
    *made("wgan", 4.0, [1.0, 2.0, 4.0]),
    *made("wgan", 6.0, [1.0, 2.0, 5.0], run=1),
    *made("wgan_gp_rmsprop", 9.0, [2.0, 4.0, 4.5]),
    *made("wgan_gp_rmsprop", 9.0, [2.0, 4.0, 4.5], run=1),
    *made("ns", 2.0, [2.5, 5.0, 8.0]),
    *made("ns", 2.0, [2.5, 5.0, 8.0], run=1),
]


def test_metrics_by_step_and_at_equal_time():
    found = convergence.metrics(ROWS)
    assert (found["runs"], found["equal_seconds"]) == (2, 6)  # NS-GAN's whole training
    assert (found["wgan_score"], found["wgan_score_low"], found["wgan_score_high"]) == (4.5, 4, 5)
    assert found["wgan_distance"] == pytest.approx((25 + 20) / 2)
    assert (found["wgan_seconds"], found["wgan_gp_rmsprop_seconds"]) == (15, 27)  # 3 (4 + 6) / 2
    # Until 6 s the median of clipping was evaluated once, after 5 s, and the penalty not at all.
    assert (found["wgan_equal_score"], found["ns_equal_score"]) == (1, 8)
    assert "wgan_gp_rmsprop_equal_score" not in found
    assert found["penalty_above_clipping"] == 1  # 4.5 against 4, and against 5


def test_sentence():
    text = convergence.finding(convergence.metrics(ROWS), "cifar10")
    assert text.startswith("The paper says that the penalty learns faster than clipping")
    assert (
        "on cifar10 are, after 300 steps, clipping, RMSprop 4.50 and 22.5 after 15 s (1.00 after 6 s); penalty" in text
    )
    assert "after 27 s (not yet evaluated after 6 s); NS-GAN, Adam 8.00 and 12.5 after 6 s (8.00 after 6 s); " in text
    assert text.endswith("in 1 of 2 runs (medians of 2 runs, time of training alone).")
    few = convergence.finding(convergence.metrics(made("ns", 2.0, [2.0])), "color_mnist")
    assert few.endswith(
        "NS-GAN, Adam 2.00 and 50 after 2 s (2.00 after 2 s) (medians of 1 run, time of training alone)."
    )


def test_picture_matches_the_rows():
    panels = convergence.picture(ROWS, {"real": (9.5, 0.5), "noise": (1.0, 300.0)}).axes
    by_step, by_time, distance_by_step, distance_by_time = panels
    lines = {line.get_label(): line for line in by_step.lines}
    assert list(lines) == ["clipping, RMSprop", "penalty, RMSprop", "NS-GAN, Adam", "real images"]
    np.testing.assert_allclose(lines["clipping, RMSprop"].get_xydata(), [(100, 1), (200, 2), (300, 4.5)])
    np.testing.assert_allclose(by_time.lines[0].get_xydata(), [(5, 1), (10, 2), (15, 4.5)])
    np.testing.assert_allclose(distance_by_time.lines[2].get_xydata(), [(2, 40), (4, 20), (6, 12.5)])
    assert (by_step.lines[-1].get_ydata()[0], distance_by_step.lines[-1].get_ydata()[0]) == (9.5, 0.5)
    band = by_step.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (1, 5)


def test_methods_end_at_the_same_step():
    # An evaluation failed: NS-GAN's last one is at step 200.
    rows = [*made("wgan", 1.0, [2.0, 3.0, 4.0]), *made("ns", 1.0, [2.0, 3.0])]
    with pytest.raises(errors.RunError, match="expected the same step, received 300 of wgan, 200 of ns. An evaluation"):
        convergence.metrics(rows)
    assert convergence.metrics([row for row in rows if row["step"] <= 200])["steps"] == 200


def test_only_steps_that_all_runs_have_are_drawn():
    # A failed evaluation leaves no row.
    assert convergence.curve([*made("ns", 1.0, [2.0, 3.0]), *made("ns", 1.0, [4.0], run=1)], "ns")["step"] == [100]


def test_time_is_that_of_training_alone(small):
    """5 updates of 64 examples are 320; rows after an evaluation (at 4 and 8) and the first do not count."""
    value = small("figure_convergence")
    config = runner.build(value).trainings(value)[0]
    speeds = {2: 1.0, 4: 640.0, 6: 20.0, 8: 320.0, 10: 20.0, 12: 160.0}
    rows = [{"step": step, "examples_per_second": speed} for step, speed in speeds.items()]
    rows += [{"step": step, "classifier_score": 2.0, "frechet_classifier_distance": 9.0} for step in (4, 8, 12)]
    run = trained.Trained(config, rows, {})
    assert run.seconds_per_step() == 1.0  # the median of 0.5, 1 and 2
    assert [(row["step"], row["seconds"]) for row in convergence.rows_of(run, 0)] == [(4, 4.0), (8, 8.0), (12, 12.0)]
    with pytest.raises(errors.RunError, match="no row has the time of training steps alone"):
        trained.Trained(config, rows[:1], {}).seconds_per_step()
    with pytest.raises(errors.RunError, match="no evaluation during training has succeeded"):
        convergence.rows_of(trained.Trained(config, rows[:6], {}), 0)


def test_rows_are_those_of_the_runs(whole):
    path = whole("figure_convergence")
    rows, runs = read_rows(path / "metrics.jsonl"), sorted(one.name for one in (path / "runs").iterdir())
    assert runs == ["color_mnist_ns_0", "color_mnist_wgan_0"]
    assert [(row["method"], row["step"], row["run"]) for row in rows] == [
        (method, step, 0) for method in ("wgan", "ns") for step in (2, 4)
    ]
    for method in ("wgan", "ns"):
        of_run = read_rows(path / "runs" / f"color_mnist_{method}_0" / "metrics.jsonl")
        scores = [row["classifier_score"] for row in of_run if "classifier_score" in row]
        assert [row["score"] for row in rows if row["method"] == method] == scores
    stored = json.loads((path / "results.json").read_text())
    assert stored["step"] == 4
    assert stored["protocol"]["training_runs"] == ["color_mnist_wgan_0", "color_mnist_ns_0"]
    assert (stored["protocol"]["data"], stored["protocol"]["data_source"]) == ("color_mnist", "embedded")
    found = stored["metrics"]
    assert {name: found[name] for name in convergence.metrics(rows)} == pytest.approx(convergence.metrics(rows))
    # Real digits are read as digits, each class as often; noise is far from them.
    assert found["real_score"] > 2 * max(row["score"] for row in rows)
    assert found["real_distance"] < min(row["distance"] for row in rows)
    assert found["noise_distance"] > 3 * found["real_distance"]


def test_stopped_figure_continues_exactly(small, whole, tmp_path, monkeypatch):
    train, calls, value = training.train, [], small("figure_convergence", figure__methods="ns")

    def stopping(config, path, **options):
        """Trains a run to step 2, as if a signal came then."""
        calls.append(config.name)
        train(config.replace(schedule=config.schedule.replace(steps=2)), path, **options)
        RunDirectory(path).results.unlink()  # A stopped run has none.
        return training.Run(RunDirectory(path), 0, 2, 1.0, signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(training, "train", stopping)
        outcome = runner.run(value, tmp_path)
    assert (outcome.finding, outcome.stopped_by, calls) == (None, signal.SIGTERM, ["color_mnist_ns_0"])
    assert not (tmp_path / "figure.png").exists()
    assert runner.run(value, tmp_path).finding
    first, second = (read_rows(path / "metrics.jsonl") for path in (whole("figure_convergence"), tmp_path))
    expected = [(row["step"], row["score"], row["distance"]) for row in first if row["method"] == "ns"]
    assert [(row["step"], row["score"], row["distance"]) for row in second] == expected


def test_finished_runs_are_not_trained_again(small, copy, monkeypatch):
    directory = copy("figure_convergence")
    monkeypatch.setattr(training, "train", None)  # Training would call it.
    before = read_rows(directory / "metrics.jsonl")
    runner.run(small("figure_convergence", figure__methods="ns"), directory)
    assert read_rows(directory / "metrics.jsonl") == [row for row in before if row["method"] == "ns"]


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("figure.samples", "300", "is a run with evaluation.every_samples=200; expected the same, received 300"),
        ("figure.filters", "8", "holds another experiment: networks.discriminator_filters is 4 there and 8 here"),
        ("figure.steps", "2", "color_mnist_wgan_0 has 4 steps; expected at least as many, received 2"),
    ],
)
def test_other_runs_are_refused(path, text, message, small, copy):
    directory = copy("figure_convergence")
    before = (directory / "config.json").read_text()
    with pytest.raises(errors.InputError, match=message):
        runner.run(small("figure_convergence", **{path.replace(".", "__"): text}), directory)
    assert (directory / "config.json").read_text() == before


def test_absent_data_are_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "reachable", lambda url: False)
    (tmp_path / "data").mkdir()
    settings = kinds.Settings(data_dir=str(tmp_path / "data"))
    with pytest.raises(
        errors.InputError, match=r"^cifar10 is not prepared in .*data and its server .*TFDS_DATA_DIR\.$"
    ):
        KIND.train(experiments.get("figure_convergence"), tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()


def test_too_few_samples_and_other_devices_are_refused(small, tmp_path):
    with pytest.raises(
        errors.InputError,
        match="^figure.samples: expected more images than the extractor's 192 features, received 192.$",
    ):
        runner.run(small("figure_convergence", figure__samples="192"), tmp_path / "run")
    with pytest.raises(errors.InputError, match="^figure.extractor=mine: evaluation.extractor: unknown extractor"):
        runner.run(small("figure_convergence", figure__extractor="mine"), tmp_path / "run")
    with pytest.raises(errors.InputError, match="^--strategy: figure_convergence trains on one device; remove the"):
        KIND.train(small("figure_convergence"), tmp_path / "run", kinds.Settings(strategy="mirrored"))
    assert not (tmp_path / "run").exists()


def test_an_extractor_is_a_program(small):
    assert KIND.programs(small("figure_convergence")) == {}
    assert KIND.programs(small("figure_convergence", figure__extractor="model")) == {"figure.extractor": "model"}
