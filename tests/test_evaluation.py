"""Evaluation as a user meets it: the protocol, floor and ceiling, refusals, and what is never lost."""

import json
import math
import shutil

import numpy as np
import pytest
import tensorflow as tf
from test_extractors import Inception, saved
from test_training import toy

from tfpaths import assembly, config, data, evaluation, experiments, results, training
from tfpaths import evaluator as evaluator_lib
from tfpaths.data import prepared
from tfpaths.metrics import extractors, scores, similarity, sources

EMBEDDED = config.Data(name="color_mnist", source="embedded")
SMALL = {"samples": 300, "mode_samples": 400, "critic_steps": 3}
MEASURED = {
    "classifier_score",
    "frechet_classifier_distance",
    "kernel_classifier_distance",
    "ms_ssim",
    "ms_ssim_real",
    "modes_covered",
    "modes_kl",
    "wasserstein_validation",
    "wasserstein_test",
    "wasserstein_train",
    "wasserstein_gap",
    "wasserstein_error",
}


def evaluating(**fields):
    return {f"evaluation__{name}": str(value) for name, value in (SMALL | {"metrics": "auto"} | fields).items()}


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache of this test's own, which holds the classifier of the tests'."""
    extractors.get("digits", "color_mnist", source="embedded")
    place = tmp_path / "cache"
    place.mkdir()
    for file in extractors.classifiers.cache.folder().glob("classifier-*"):
        (place / file.name).write_bytes(file.read_bytes())
    monkeypatch.setenv("TFPATHS_CACHE_DIR", str(place))
    return place


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run, evaluated at its end."""
    path = tmp_path_factory.mktemp("run")
    training.train(toy("color_mnist_ns", **evaluating(every=2, every_samples=250)), path)
    return path


class TestAtTheEndOfTraining:
    def test_results_hold_the_numbers_beside_their_protocol(self, run):
        found = json.loads((run / "results.json").read_text())
        assert found["metrics"].keys() >= MEASURED | {"generator_loss"}
        assert all(math.isfinite(value) for value in found["metrics"].values())
        accuracy = extractors.get("digits", "color_mnist", source="embedded").accuracy
        assert (
            found["protocol"]
            | {
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
            }
            == found["protocol"]
        )

    def test_rows_hold_what_was_measured_on_the_way(self, run):
        rows = [row for row in results.read_rows(run / "metrics.jsonl") if "classifier_score" in row]
        assert [row["step"] for row in rows] == [2, 4]
        assert all("frechet_classifier_distance" in row and "generator_loss" not in row for row in rows)
        shown = {}
        for file in (run / "tensorboard").iterdir():
            for event in tf.compat.v1.train.summary_iterator(str(file)):
                shown |= {value.tag: event.step for value in event.summary.value}
        assert shown["evaluation/classifier_score"] == 4

    def test_evaluating_again_gives_the_same_numbers(self, run):
        before = json.loads((run / "results.json").read_text())
        again = evaluation.evaluate(toy("color_mnist_ns", **evaluating()), run)
        assert again["metrics"] == pytest.approx(before["metrics"], rel=1e-5, abs=1e-6)
        assert (again["protocol"], again["versions"]) == (before["protocol"], before["versions"])

    def test_a_finished_run_that_is_started_again_is_not_measured_again(self, run, monkeypatch):
        before = (run / "results.json").read_bytes()
        monkeypatch.setattr(evaluator_lib.Evaluator, "measure_each", None)
        training.train(toy("color_mnist_ns", **evaluating()), run)
        assert (run / "results.json").read_bytes() == before

    def test_measuring_changes_nothing_of_the_training(self, run, tmp_path):
        training.train(toy("color_mnist_ns"), tmp_path)
        final = [tf.train.load_checkpoint(str(path / "checkpoints" / "step-4")) for path in (run, tmp_path)]
        for name in final[0].get_variable_to_shape_map():
            # The rows hold what was measured, and the config that it was.
            if not name.startswith(("_CHECKPOINTABLE", "rows/", "config/")):
                np.testing.assert_array_equal(*(reader.get_tensor(name) for reader in final))

    def test_the_table_shows_every_number(self, run):
        summary = json.loads((run / "results.json").read_text())
        summary["references"] = {"real": {"ms_ssim": 0.25}, "noise": {"ms_ssim": 0.03}}
        lines = evaluation.table(summary).splitlines()
        assert lines[0].split() == ["metric", "samples", "real", "noise"]
        assert [line.split()[0] for line in lines[1:]] == list(summary["metrics"])
        (line,) = (line for line in lines if line.split()[0] == "ms_ssim")
        assert line.split()[2:] == ["0.25", "0.03"]

    def test_an_evaluation_that_fails_leaves_the_finished_training_and_says_so(self, tmp_path):
        few = toy("color_mnist_ns", **evaluating(split="validation", metrics="ms_ssim"))
        with pytest.raises(config.InputError, match=r"received 237\. The training itself is finished and saved"):
            training.train(few, tmp_path)
        assert json.loads((tmp_path / "results.json").read_text())["metrics"].keys() >= {"generator_loss"}

    def test_a_run_of_more_steps_keeps_its_earlier_results_until_the_new_ones_are_there(self, tmp_path):
        training.train(toy("color_mnist_ns", schedule__steps="2", **evaluating(metrics="ms_ssim")), tmp_path)
        before = (tmp_path / "results.json").read_bytes()
        with pytest.raises(config.InputError):
            training.train(toy("color_mnist_ns", **evaluating(split="validation", metrics="ms_ssim")), tmp_path)
        assert (tmp_path / "results.json").read_bytes() == before
        training.train(toy("color_mnist_ns", **evaluating(metrics="ms_ssim")), tmp_path)
        assert json.loads((tmp_path / "results.json").read_text())["step"] == 4


class TestReferences:
    def test_floor_and_ceiling_are_computed_once_and_then_known(self, own_cache, capsys, monkeypatch):
        wanted = config.Evaluation(**(SMALL | {"critic_steps": 200}), references=True)
        first = evaluator_lib.Evaluator(EMBEDDED, wanted).references()
        out = capsys.readouterr().out
        assert out.count("for comparison") == 2
        real, noise = first["real"], first["noise"]
        assert real.keys() == noise.keys() >= MEASURED
        # What they are there for: real images are better than noise by every measure.
        assert real["classifier_score"] > noise["classifier_score"]
        for name in ("frechet_classifier_distance", "kernel_classifier_distance", "modes_kl", "wasserstein_test"):
            assert real[name] < noise[name], name
        # Embedded digits have a mean MS-SSIM of their own; independent noise has next to none.
        assert real["ms_ssim"] == pytest.approx(real["ms_ssim_real"], abs=0.05)
        assert noise["ms_ssim"] < 0.1
        monkeypatch.setattr(evaluator_lib.Evaluator, "measure_each", None)
        later = evaluator_lib.Evaluator(EMBEDDED, config.Evaluation(**(SMALL | {"critic_steps": 200})))
        assert later.references() == first
        # Another protocol has other references.
        assert evaluator_lib.Evaluator(EMBEDDED, config.Evaluation(samples=301, critic_steps=4)).references() == {
            kind: {name: values[name] for name in ("ms_ssim", "ms_ssim_real")} for kind, values in first.items()
        }

    def test_they_stand_in_the_results_beside_what_was_measured_before(self, run, own_cache, tmp_path):
        run = shutil.copytree(run, tmp_path / "run")
        before = json.loads((run / "results.json").read_text())
        found = evaluation.evaluate(toy("color_mnist_ns", **evaluating(metrics="ms_ssim", references=True)), run)
        assert found["references"].keys() == {"real", "noise"}
        assert (found["metrics"], found["protocol"]) == (before["metrics"], before["protocol"])
        assert json.loads((run / "results.json").read_text()) == found


class TestInception:
    """The whole path, driven by a SavedModel of TF-GAN's interface."""

    @pytest.fixture
    def folder(self, tmp_path):
        return saved(tmp_path / "inception", Inception())

    def test_scores_are_called_by_their_names(self, folder, own_cache, monkeypatch):
        # 2,048 features ask for more images than there are embedded digits to test.
        monkeypatch.setattr(scores, "check_counts", lambda *args: None)
        wanted = config.Evaluation(metrics="scores", extractor=f"inception:{folder}", samples=300)
        evaluator = evaluator_lib.Evaluator(EMBEDDED, wanted)
        found = evaluator.measure(sources.real(evaluator.images("train")))
        assert list(found) == ["inception_score", "frechet_inception_distance", "kernel_inception_distance"]
        assert evaluator.protocol()["extractor_accuracy"] is None
        # Real features are kept and not read again.
        extractor = evaluator._extractor
        monkeypatch.setattr(type(extractor), "collect", lambda *args: pytest.fail("collected again"))
        again = evaluator_lib.Evaluator(EMBEDDED, wanted)
        assert again._features_of(extractor, again.images("test"), 300).shape == (300, 2048)

    def test_too_few_images_for_its_features_are_refused(self, folder):
        wanted = config.Evaluation(metrics="scores", extractor=f"inception:{folder}", samples=300)
        with pytest.raises(config.InputError, match=r"evaluation\.samples: .* 2048 features.* received 300"):
            evaluator_lib.Evaluator(EMBEDDED, wanted)
        more = config.Evaluation(metrics="scores", extractor=f"inception:{folder}")
        with pytest.raises(config.InputError, match="the split test of color_mnist: .* 2048 features.* received 360"):
            evaluator_lib.Evaluator(EMBEDDED, more)

    def test_with_another_model_they_are_not(self, own_cache, tmp_path):
        model = saved(tmp_path / "own", Inception(logits=5, features=20))
        evaluator = evaluator_lib.Evaluator(EMBEDDED, config.Evaluation(metrics="scores", extractor=model, samples=300))
        found = evaluator.measure(sources.noise((28, 28, 3), 0))
        assert found.keys() == {"classifier_score", "frechet_classifier_distance", "kernel_classifier_distance"}

    def test_the_distance_is_that_of_the_features(self, own_cache, tmp_path):
        model = saved(tmp_path / "own", Inception(logits=5, features=20))
        evaluator = evaluator_lib.Evaluator(EMBEDDED, config.Evaluation(metrics="scores", extractor=model, samples=300))
        real, fake = sources.real(evaluator.images("test")), sources.noise((28, 28, 3), 0)
        features = [
            Inception(logits=5, features=20)(tf.concat([of.batches(0, 250), of.batches(250, 50)], axis=0))["pool_3"][
                :, 0, 0
            ]
            for of in (real, fake)
        ]
        expected = scores.frechet_distance(*(value.numpy() for value in features))
        assert evaluator.measure(fake)["frechet_classifier_distance"] == pytest.approx(expected, rel=1e-4)


class TestWhatIsRefused:
    def test_metrics_that_a_data_set_does_not_have(self):
        with pytest.raises(config.InputError, match="none that counts modes with cifar10, received 'modes'"):
            evaluator_lib.Evaluator(config.Data(name="cifar10"), config.Evaluation(metrics="ms_ssim,modes"))
        with pytest.raises(config.InputError, match="unknown metric in evaluation.metrics 'fid'"):
            config.Evaluation(metrics="fid")
        with pytest.raises(config.InputError, match="metrics: expected 'none' alone, or names"):
            config.Evaluation(metrics="none,critic")

    def test_an_unreachable_hub(self, monkeypatch):
        monkeypatch.setattr(prepared, "reachable", lambda url: False)
        monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
        with pytest.raises(config.InputError, match="does not answer"):
            evaluator_lib.Evaluator(config.Data(name="celeba"), config.Evaluation())

    def test_a_split_that_is_missing(self, tmp_path):
        place = config.Data(name="folder", path=str(tmp_path))
        tf.io.write_file(str(tmp_path / "a.png"), tf.io.encode_png(np.zeros((8, 8, 3), np.uint8)))
        wanted = config.Evaluation(metrics="ms_ssim", split="test")
        with pytest.raises(config.InputError, match="unknown split of the folder .*'test'.* Ways out: another split"):
            evaluator_lib.Evaluator(place, wanted).measure(sources.noise((64, 64, 3), 0))

    def test_what_cannot_be_is_refused_before_anything_is_trained(self, tmp_path):
        for fields, line in (
            ({"split": "tset"}, "unknown split 'tset'; did you mean 'test'"),
            ({"samples": "100"}, r"evaluation\.samples: expected more images than .* 192 features.*received 100"),
            ({"every": "2", "every_samples": "100"}, r"evaluation\.every_samples: .* 192 features.*received 100"),
            ({"metrics": "scores", "extractor": str(tmp_path)}, "expected a folder with a saved_model.pb"),
        ):
            with pytest.raises(config.InputError, match=line):
                training.train(toy("color_mnist_ns", **evaluating(**fields)), tmp_path / "run")
        assert not (tmp_path / "run").exists()

    def test_a_measurement_on_the_way_that_fails_does_not_end_the_training(self, tmp_path, caplog):
        few = toy("color_mnist_ns", **evaluating(split="validation", metrics="none", every=2, every_metrics="ms_ssim"))
        assert training.train(few, tmp_path).step == 4
        assert "not measured at step 2: ms_ssim: expected 320 images" in caplog.text
        assert all("ms_ssim" not in row for row in results.read_rows(tmp_path / "metrics.jsonl"))

    def test_too_few_validation_images_for_the_critic(self, tmp_path):
        for split, count in (("train", 100), ("validation", 20), ("test", 30)):
            for index in range(count):
                tf.io.write_file(
                    str(tmp_path / split / f"{index}.png"), tf.io.encode_png(np.full((8, 8, 3), index, np.uint8))
                )
        place = config.Data(name="folder", path=str(tmp_path), image_size=28)
        evaluator = evaluator_lib.Evaluator(place, config.Evaluation(metrics="critic"))
        with pytest.raises(
            config.InputError, match="expected at least the 64 validation images of a batch, received 20"
        ):
            evaluator.measure(sources.noise((28, 28, 3), 0))

    def test_too_few_real_images_for_ms_ssim(self, own_cache):
        evaluator = evaluator_lib.Evaluator(EMBEDDED, config.Evaluation(metrics="ms_ssim", split="validation"))
        with pytest.raises(config.InputError, match="320 images in the split validation of color_mnist, received 237"):
            evaluator.measure(sources.noise((28, 28, 3), 0))

    def test_training_goes_on_without_metrics_that_nobody_named(self, monkeypatch, caplog, tmp_path):
        monkeypatch.setattr(prepared, "reachable", lambda url: False)
        monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
        pixels = np.random.default_rng(0).integers(0, 255, (8, 16, 16, 3), np.uint8)
        for index, image in enumerate(pixels):
            tf.io.write_file(str(tmp_path / "images" / f"{index}.png"), tf.io.encode_png(image))
        texts = {"data__path": str(tmp_path / "images"), "data__image_size": "28", "data__source": "auto"}
        training.train(toy("folder_ns", **texts, **evaluating(every=0)), tmp_path / "run")
        said = [record.getMessage() for record in caplog.records if record.name == "absl"]
        assert [line.split(":")[0] for line in said] == ["no scores will be computed", "ms_ssim"]
        assert (tmp_path / "run" / "results.json").exists()

    def test_a_directory_without_a_run_or_a_checkpoint(self, tmp_path):
        with pytest.raises(config.InputError, match="expected the directory of a run"):
            evaluation.evaluate(experiments.get("color_mnist_ns"), tmp_path)
        results.write_json(tmp_path / "config.json", config.to_dict(toy("color_mnist_ns")))
        with pytest.raises(config.InputError, match="expected a run with a checkpoint"):
            evaluation.evaluate(toy("color_mnist_ns", **evaluating()), tmp_path)
        with pytest.raises(config.InputError, match="expected something to measure, received 'none'"):
            evaluation.evaluate(toy("color_mnist_ns"), tmp_path)

    def test_a_failed_evaluation_leaves_the_results_as_they_were(self, run):
        before = (run / "results.json").read_bytes()
        with pytest.raises(config.InputError):
            evaluation.evaluate(toy("color_mnist_ns", **evaluating(samples=100)), run)
        assert (run / "results.json").read_bytes() == before


def test_a_number_that_is_not_finite_is_no_result(monkeypatch):
    monkeypatch.setattr(similarity, "mean_over_pairs", lambda images: math.nan)
    evaluator = evaluator_lib.Evaluator(EMBEDDED, config.Evaluation(metrics="ms_ssim"))
    with pytest.raises(config.RunError, match="ms_ssim of the samples is nan"):
        evaluator.measure(sources.noise((28, 28, 3), 0))


def test_what_is_kept_of_one_folder_is_not_taken_for_another(own_cache, tmp_path, monkeypatch):
    draw = np.random.default_rng(0)
    wanted = config.Evaluation(metrics="ms_ssim", references=True)
    found = {}
    for name, image in {
        "flat": lambda: np.full((28, 28, 3), 99),
        "noisy": lambda: draw.integers(0, 255, (28, 28, 3)),
    }.items():
        for index in range(330):
            path = str(tmp_path / name / "images" / "train" / f"{index}.png")
            tf.io.write_file(path, tf.io.encode_png(image().astype(np.uint8)))
        shutil.copytree(tmp_path / name / "images" / "train", tmp_path / name / "images" / "test")
        monkeypatch.chdir(tmp_path / name)
        place = config.Data(name="folder", path="images", image_size=28)
        found[name] = evaluator_lib.Evaluator(place, wanted).references()["real"]["ms_ssim"]
    assert found["flat"] == pytest.approx(1.0)
    assert found["noisy"] < 0.1


def test_what_is_derived_from_a_classifier_belongs_to_its_weights(own_cache, monkeypatch):
    first = extractors.get("digits", "color_mnist", source="embedded")
    kept = {file: extractors.classifiers.cache.read(file.name) for file in own_cache.iterdir()}
    (file,) = (file for file, (_, facts) in kept.items() if facts["accuracy"] == first.accuracy)
    arrays, facts = extractors.classifiers.cache.read(file.name)
    extractors.classifiers.cache.write(file.name, {k: v + 1e-3 for k, v in arrays.items()}, facts)
    other = extractors.get("digits", "color_mnist", source="embedded")
    assert other.key != first.key
    extractors.classifiers.cache.write(file.name, arrays, facts | {"accuracy": 0.9})
    with pytest.raises(config.RunError, match=r"reads 90\.00% of the test images; its scores need 96%\. Ways out"):
        extractors.get("digits", "color_mnist", source="embedded")


def test_the_first_images_stand_for_all_in_whatever_order_they_are_stored():
    # Sorted by brightness, as a folder may be by class: the first tenth is nonetheless a fair draw of all.
    pixels = np.repeat(np.arange(250, dtype=np.uint8), 4)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    images = data.photographs.in_memory("x", "test", "tfds", pixels, np.zeros(1000))
    first = images.some(0, 100).numpy()[:, 0, 0, 0]
    assert abs((first + 1).mean() * 127.5 - 124.5) < 3 * 72 / 10
    whole = np.concatenate([images.some(0, 300), images.some(300, 700)])[:, 0, 0, 0]
    np.testing.assert_allclose(np.sort(whole), np.sort(pixels[:, 0, 0, 0] / 127.5 - 1), atol=1e-6)
    np.testing.assert_array_equal(images.some(50, 20)[:, 0, 0, 0], first[50:70])


def test_sources_give_the_same_images_for_the_same_call():
    images = data.load("color_mnist", source="embedded")
    for source in (sources.real(images), sources.noise(images.shape, 3)):
        np.testing.assert_array_equal(source.batches(20, 30), source.batches(20, 30))
        assert np.abs(source.batches(0, 30) - source.batches(30, 30)).max() > 0.5
        one, other = (source.sampler(30, tf.constant([1, seed])) for seed in (2, 3))
        assert one.shape == (30, 28, 28, 3)
        assert np.abs(one - other).max() > 0.5
    assert (sources.noise(images.shape, 3).size, sources.real(images).size) == (None, 1200)


def test_the_samples_of_a_gan_on_two_replicas_are_measured_like_any_others(two_replicas, own_cache):
    experiment = toy("color_mnist_ns")
    with two_replicas.scope():
        mirrored = assembly.build(experiment, (28, 28, 3))
    plain = assembly.build(experiment, (28, 28, 3))
    evaluator = evaluator_lib.Evaluator(EMBEDDED, config.Evaluation(**SMALL))
    one, other = (evaluator.measure(sources.samples(gan.draw, 0)) for gan in (plain, mirrored))
    assert one == pytest.approx(other, rel=1e-4, abs=1e-5)
