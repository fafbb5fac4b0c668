"""Evaluation of runs: `results.json`, refusals, and failures that lose nothing."""

import contextlib
import json
import math
import shutil

import numpy as np
import pytest
import tensorflow as tf
from helpers import MEASURED, registered, toy
from helpers import SMALL_EVALUATION as SMALL

from tfpaths import config, data, errors, experiments, files, schema
from tfpaths.data import prepared
from tfpaths.metrics import METRICS, Metric, cache, extractors, ms_ssim
from tfpaths.metrics.evaluator import Evaluator
from tfpaths.runs import build, evaluation, report, rows, training

EMBEDDED = config.Data(name="color_mnist", source="embedded")


def evaluating(**fields):
    return {f"evaluation__{name}": str(value) for name, value in (SMALL | {"metrics": "auto"} | fields).items()}


class Failing(Metric):
    """Fails whenever it is measured."""

    def compute(self, context, source, count=None):
        raise errors.InputError("failing: expected another source.")


@pytest.fixture
def failing():
    with registered(METRICS, "failing", Failing):
        yield


@contextlib.contextmanager
def eagerly():
    """Runs functions as plain Python, so that calls can be counted."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A separate cache for one test, which contains the shared classifier."""
    extractors.get("digits", data.of(EMBEDDED), source="embedded")
    directory = tmp_path / "cache"
    directory.mkdir()
    for file in cache.directory().glob("classifier-*embedded*"):
        (directory / file.name).write_bytes(file.read_bytes())
    monkeypatch.setenv("TFPATHS_CACHE_DIR", str(directory))
    return directory


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run, evaluated at its end."""
    path = tmp_path_factory.mktemp("run")
    training.train(toy("color_mnist_ns", **evaluating(every=2, every_samples=250)), path)
    return path


class TestAtTheEndOfTraining:
    def test_results_have_metrics_and_protocol(self, run):
        found = json.loads((run / "results.json").read_text())
        assert found["metrics"].keys() >= {*MEASURED, "generator_loss"}
        assert found["made"]["device"] == "CPU"
        assert all(math.isfinite(value) for value in found["metrics"].values())
        accuracy = extractors.get("digits", data.of(EMBEDDED), source="embedded").accuracy
        expected = {
            "data": "color_mnist",
            "batch_size": 8,
            "precision": "float32",
            "split": "test",
            "samples": 300,
            "real_images": 300,
            "extractor": "digits",
            "extractor_accuracy": accuracy,
            "ms_ssim": "5 batches of 64, all pairs, 3 scales",
            "mode_samples": 400,
            "mode_classifier_accuracy": accuracy,
            "critic_steps": 3,
            "evaluation_seed": 0,
            "data_source": "embedded",
            "train_examples": 1200,
            "replicas": 1,
        }
        assert found["protocol"] | expected == found["protocol"]

    def test_rows_have_measurements_during_training(self, run):
        measured = [row for row in rows.read_rows(run / "metrics.jsonl") if "classifier_score" in row]
        assert measured[0]["step"] == 2
        assert all("frechet_classifier_distance" in row and "generator_loss" not in row for row in measured)
        shown = set()
        for file in (run / "tensorboard").iterdir():
            for event in tf.compat.v1.train.summary_iterator(str(file)):
                shown |= {(value.tag, event.step) for value in event.summary.value}
        assert ("evaluation/classifier_score", 2) in shown

    def test_evaluating_again_gives_the_same_numbers(self, run):
        before = json.loads((run / "results.json").read_text())
        again = evaluation.evaluate(toy("color_mnist_ns", **evaluating()), run)
        assert again["metrics"] == pytest.approx(before["metrics"], rel=1e-5, abs=1e-6)
        assert (again["protocol"], again["versions"]) == (before["protocol"], before["versions"])

    def test_restarted_finished_run_is_not_measured_again(self, run, monkeypatch):
        before = (run / "results.json").read_bytes()
        monkeypatch.setattr(Evaluator, "measure_each", None)
        training.train(toy("color_mnist_ns", **evaluating()), run)
        assert (run / "results.json").read_bytes() == before

    def test_finished_run_is_measured_again_as_the_config_says(self, run, tmp_path):
        path = shutil.copytree(run, tmp_path / "run")
        before = json.loads((path / "results.json").read_text())
        wanted = toy("color_mnist_ns", **evaluating(metrics="modes", mode_samples=50))
        again = training.train(wanted, path)
        assert (again.start, again.step, again.is_measured) == (4, 4, True)
        assert "This run is at step 4 already; its scores are measured again" in again.message("")
        found = json.loads((path / "results.json").read_text())
        assert found["protocol"]["mode_samples"] == 50
        assert found["metrics"]["frechet_classifier_distance"] == before["metrics"]["frechet_classifier_distance"]
        assert json.loads((path / "config.json").read_text())["evaluation"]["mode_samples"] == 50
        assert not training.train(wanted, path).is_measured

    @pytest.mark.usefixtures("failing")
    def test_failed_measurement_of_a_finished_run_changes_nothing(self, run, tmp_path):
        path = shutil.copytree(run, tmp_path / "run")
        names = ("config.json", "results.json", "metrics.jsonl")
        before = [(path / name).read_bytes() for name in names]
        with pytest.raises(errors.InputError, match="expected another source"):
            training.train(toy("color_mnist_ns", **evaluating(metrics="failing")), path)
        assert [(path / name).read_bytes() for name in names] == before
        # Nothing to measure: the old scores stay.
        training.train(toy("color_mnist_ns", **evaluating(metrics="none")), path)
        assert (path / "results.json").read_bytes() == before[1]

    def test_measuring_does_not_change_the_training(self, run, tmp_path):
        training.train(toy("color_mnist_ns"), tmp_path)
        final = [tf.train.load_checkpoint(str(path / "checkpoints" / "step-4")) for path in (run, tmp_path)]
        for name in final[0].get_variable_to_shape_map():
            # The rows hold what was measured, and the config that it was.
            if not name.startswith(("_CHECKPOINTABLE", "rows/", "config/", "description/")):
                np.testing.assert_array_equal(*(reader.get_tensor(name) for reader in final))

    @pytest.mark.usefixtures("failing")
    def test_failed_evaluation_keeps_the_finished_training(self, tmp_path):
        with pytest.raises(
            errors.InputError, match=r"expected another source\. The training itself is finished and sav"
        ):
            training.train(toy("color_mnist_ns", **evaluating(metrics="failing")), tmp_path)
        assert json.loads((tmp_path / "results.json").read_text())["metrics"].keys() >= {"generator_loss"}

    @pytest.mark.usefixtures("failing")
    def test_old_results_stay_until_new_ones_are_written(self, tmp_path):
        training.train(toy("color_mnist_ns", schedule__steps="2", **evaluating(metrics="modes")), tmp_path)
        before = (tmp_path / "results.json").read_bytes()
        with pytest.raises(errors.InputError):
            training.train(toy("color_mnist_ns", **evaluating(metrics="failing")), tmp_path)
        assert (tmp_path / "results.json").read_bytes() == before
        training.train(toy("color_mnist_ns", **evaluating(metrics="modes")), tmp_path)
        assert json.loads((tmp_path / "results.json").read_text())["step"] == 4

    @pytest.mark.usefixtures("failing")
    def test_failed_measurement_does_not_stop_training(self, tmp_path, caplog):
        few = toy("color_mnist_ns", **evaluating(metrics="none", every=2, every_metrics="failing"))
        assert training.train(few, tmp_path).step == 4
        assert "not measured at step 2: failing: expected another source" in caplog.text
        assert all("failing" not in row for row in rows.read_rows(tmp_path / "metrics.jsonl"))

    def test_training_skips_unavailable_metrics(self, monkeypatch, caplog, tmp_path):
        monkeypatch.setattr(prepared, "reachable", lambda url: False)
        monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
        pixels = np.random.default_rng(0).integers(0, 255, (8, 16, 16, 3), np.uint8)
        for index, image in enumerate(pixels):
            tf.io.write_file(str(tmp_path / "images" / f"{index}.png"), tf.io.encode_png(image))
        texts = {"data__path": str(tmp_path / "images"), "data__image_size": "28", "data__source": "auto"}
        training.train(toy("folder_ns", **texts, **evaluating(every=0)), tmp_path / "run")
        warnings = [record.getMessage() for record in caplog.records if record.name == "absl"]
        assert [line.split(":")[0] for line in warnings] == ["scores", "ms_ssim"]
        assert (tmp_path / "run" / "results.json").exists()


def test_last_step_is_measured_once(tmp_path, monkeypatch):
    # Of the samples at steps 2 and 4, and of the real images: the final evaluation, at step 4 again, adds nothing.
    calls = []
    monkeypatch.setattr(ms_ssim, "mean_over_pairs", lambda images: calls.append(images) or 0.25)
    texts = evaluating(metrics="ms_ssim", every=2, every_metrics="ms_ssim")
    training.train(toy("color_mnist_ns", **texts), tmp_path)
    assert [row["step"] for row in rows.read_rows(tmp_path / "metrics.jsonl") if "ms_ssim" in row] == [2, 4]
    assert json.loads((tmp_path / "results.json").read_text())["metrics"]["ms_ssim"] == 0.25
    assert len(calls) == 3


def test_the_table_shows_every_number(run):
    summary = json.loads((run / "results.json").read_text())
    summary["references"] = {"real": {"ms_ssim": 0.25}, "noise": {"ms_ssim": 0.03}}
    lines = evaluation.table(summary).splitlines()
    assert lines[0].split() == ["metric", "samples", "real", "noise"]
    assert [line.split()[0] for line in lines[1:]] == list(summary["metrics"])
    (line,) = (line for line in lines if line.split()[0] == "ms_ssim")
    assert line.split()[2:] == ["0.25", "0.03"]


def test_references_are_added_to_existing_results(run, own_cache, tmp_path):
    run = shutil.copytree(run, tmp_path / "run")
    before = json.loads((run / "results.json").read_text())
    found = evaluation.evaluate(toy("color_mnist_ns", **evaluating(metrics="modes", references=True)), run)
    assert found["references"].keys() == {"real", "noise"}
    assert (found["metrics"], found["protocol"]) == (before["metrics"], before["protocol"])
    assert json.loads((run / "results.json").read_text()) == found


class TestOnRequest:
    def test_gap_and_pairs_of_a_run(self, run, tmp_path):
        path = shutil.copytree(run, tmp_path / "run")
        texts = evaluating(
            metrics="birthday,duality_gap", birthday_samples=200, birthday_quantile=0.001, duality_steps=2
        )
        found = evaluation.evaluate(toy("color_mnist_ns", **texts), path)
        before = json.loads((run / "results.json").read_text())["metrics"]
        metrics = {name: value for name, value in found["metrics"].items() if name not in before}
        assert metrics["duality_gap"] == pytest.approx(metrics["discriminator_gain"] + metrics["generator_gain"])
        assert metrics.keys() >= {"birthday_low", "duality_gap_error"}
        assert found["protocol"]["duality_batches"] == "16 of 64"
        # The sheet of pairs is a file beside the grids, with its caption in the results, and no grid.
        assert list(found["pictures"]) == ["birthday_pairs"]
        assert (path / "samples" / "birthday_pairs.png").read_bytes().startswith(b"\x89PNG")
        assert b"most similar pairs of 200 samples" in report.write([str(path)]).read_bytes()
        # Another evaluation of the same step keeps it.
        again = evaluation.evaluate(toy("color_mnist_ns", **evaluating(metrics="modes", mode_samples=50)), path)
        assert again["pictures"] == found["pictures"]

    def test_gap_of_two_replicas_is_that_of_one(self, two_replicas):
        experiment = toy("color_mnist_ns")
        with two_replicas.scope():
            mirrored = build.build(experiment, (28, 28, 3))
        plain = build.build(experiment, (28, 28, 3))
        evaluator = Evaluator(EMBEDDED, config.Evaluation(metrics=("duality_gap",), duality_steps=1))
        one, other = (evaluator.measure(evaluation.source(gan, 0)) for gan in (plain, mirrored))
        assert one == pytest.approx(other, rel=1e-3, abs=1e-6)


def test_another_split_keeps_the_training_protocol(run, tmp_path):
    run = shutil.copytree(run, tmp_path / "run")
    asked = evaluating(metrics="modes", split="validation", mode_samples=50)
    found = evaluation.evaluate(toy("color_mnist_ns", **asked), run)
    assert found["metrics"].keys() & set(MEASURED) == {"modes_covered", "modes_kl"}
    assert (found["protocol"]["split"], found["protocol"]["train_examples"]) == ("validation", 1200)
    assert "samples" not in found["protocol"]


def test_protocol_without_results_comes_from_the_config(run, tmp_path):
    run = shutil.copytree(run, tmp_path / "run")
    (run / "results.json").unlink()
    found = evaluation.evaluate(toy("color_mnist_ns", **evaluating(metrics="modes")), run)
    expected = {"data": "color_mnist", "data_source": "embedded", "batch_size": 8, "precision": "float32"}
    assert found["protocol"] | expected == found["protocol"]
    assert found["metrics"].keys() >= {"generator_loss", "modes_kl"}


def test_a_registered_metric_is_measured_and_reported(run, tmp_path):
    class Sum(Metric):
        def __init__(self, *, summed: int = 2):
            self.summed = summed

        def compute(self, context, source, count=None):
            return {"sum": float(np.sum(source.batches(0, self.summed)))}

        def protocol(self, context):
            return {"summed": self.summed}

    run = shutil.copytree(run, tmp_path / "run")
    with registered(METRICS, "sum", Sum):
        changed = schema.assign(toy("color_mnist_ns"), ["evaluation.metrics=sum", "evaluation.summed=5"])
        found = evaluation.evaluate(changed, run)
    assert found["protocol"]["summed"] == 5
    assert "sum" in found["metrics"]
    assert "sum" in evaluation.table(found)


class TestSamples:
    def test_whole_batches_are_drawn_once_per_step(self):
        gan = build.build(toy("color_mnist_ns"), (28, 28, 3))
        evaluator = Evaluator(EMBEDDED, config.Evaluation(metrics=("scores", "modes"), **SMALL))
        drawn = []
        draw, gan.draw = gan.draw, lambda num, stream: drawn.append(num) or draw(num, stream)
        with eagerly():
            first = evaluator.measure(evaluation.source(gan, 0), ("modes",), count=250)
            evaluator.measure(evaluation.source(gan, 0))
            assert evaluator.measure(evaluation.source(gan, 0), ("modes",), count=250) == first
            # 300 for the scores, 400 for the modes: only the last batch, which was not whole, is drawn again.
            assert drawn == [250, 50, 150]
            gan.restarts.assign_add(1)
            evaluator.measure(evaluation.source(gan, 0), ("modes",), count=250)
            assert drawn == [250, 50, 150, 250]

    def test_two_replicas_give_the_same_numbers(self, two_replicas):
        experiment = toy("color_mnist_ns")
        with two_replicas.scope():
            mirrored = build.build(experiment, (28, 28, 3))
        plain = build.build(experiment, (28, 28, 3))
        evaluator = Evaluator(EMBEDDED, config.Evaluation(metrics=("scores", "modes", "critic"), **SMALL))
        one, other = (evaluator.measure(evaluation.source(gan, 0)) for gan in (plain, mirrored))
        assert one == pytest.approx(other, rel=1e-4, abs=1e-5)


class TestRefused:
    def test_invalid_evaluation_stops_before_training(self, tmp_path):
        for fields, line in (
            ({"split": "tset"}, "'tset'; did you mean 'test'"),
            ({"samples": "100"}, r"evaluation\.samples: expected more images than .* 192 features.*received 100"),
            ({"every": "2", "every_samples": "100"}, r"evaluation\.every_samples: .* 192 features.*received 100"),
            ({"metrics": "scores", "extractor": str(tmp_path)}, r"expected a directory with a saved_model\.pb"),
            ({"metrics": "ms_ssim", "split": "validation"}, "expected 320 images in the split validation"),
            ({"mode_samples": "0"}, r"evaluation\.mode_samples: expected a number above zero"),
            ({"metrics": "fid"}, r"evaluation\.metrics: unknown metric 'fid'"),
        ):
            with pytest.raises(errors.InputError, match=line):
                training.train(toy("color_mnist_ns", **evaluating(**fields)), tmp_path / "run")
        assert not (tmp_path / "run").exists()

    def test_directory_without_run_or_checkpoint(self, tmp_path):
        with pytest.raises(errors.InputError, match="expected the directory of a run"):
            evaluation.evaluate(experiments.get("color_mnist_ns"), tmp_path)
        files.write_json(tmp_path / "config.json", schema.to_dict(build.complete(toy("color_mnist_ns"))))
        with pytest.raises(errors.InputError, match="expected a run with a checkpoint"):
            evaluation.evaluate(toy("color_mnist_ns", **evaluating()), tmp_path)
        with pytest.raises(errors.InputError, match="expected a metric to measure, received 'none'"):
            evaluation.evaluate(toy("color_mnist_ns"), tmp_path)

    def test_failed_evaluation_does_not_change_the_results(self, run):
        before = (run / "results.json").read_bytes()
        with pytest.raises(errors.InputError):
            evaluation.evaluate(toy("color_mnist_ns", **evaluating(samples=100)), run)
        assert (run / "results.json").read_bytes() == before
