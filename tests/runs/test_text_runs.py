"""Runs on texts at toy size: their files, resuming, sampling, the export, noise, replicas and a sweep."""

import importlib.metadata
import json

import numpy as np
import pytest
import tensorflow as tf
from helpers import assert_same_run, launch_here, refused

import tfpaths
from tfpaths import experiments, schema
from tfpaths.data.strings import PADDING
from tfpaths.runs import build, evaluation, exporting, sampling, training

TOY = {
    "data.examples": "64",
    "data.length": "6",
    "data.characters": "4",
    "schedule.steps": "4",
    "schedule.batch_size": "8",
    "schedule.log_every": "1",
    "schedule.sample_every": "2",
    "schedule.checkpoint_every": "2",
    "networks.width": "4",
    "networks.blocks": "1",
    "networks.latent_dim": "3",
    "evaluation.samples": "50",
    "variant.discriminator_steps": "2",
    "variant.instance_noise.scale": "0.1",
}
# The changes of TOY for a run on a file.
OF_A_FILE = {"data__path": "lines.txt", "data__examples": "", "data__characters": "", "schedule__steps": "2"}


def toy(name="markov_wgan_gp", **texts):
    changes = {path.replace("__", "."): text for path, text in texts.items()}
    return schema.override(experiments.get(name), {path: text for path, text in (TOY | changes).items() if text})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "run"
    training.train(toy(), path)
    exporting.export(path)
    return path


def lines_of(path):
    return path.read_text(encoding="utf-8").splitlines()


def test_files_of_a_run(finished):
    assert sorted(file.name for file in (finished / "samples").iterdir()) == [
        f"step_{step:08d}.txt" for step in (0, 2, 4)
    ]
    trained = tfpaths.load(finished)
    shown = lines_of(finished / "samples" / "step_00000004.txt")
    assert shown == trained.example.stored(trained.sample(64)).tolist()
    assert {len(line) for line in shown} == {6}
    assert set("".join(shown)) <= set("abcd")
    results = json.loads((finished / "results.json").read_text())
    assert {f"js_{n}" for n in (1, 2, 3, 4)} < set(results["metrics"])
    assert results["protocol"]["text_samples"] == 50


def test_probabilities_of_a_loaded_run(finished):
    samples = tfpaths.load(finished).sample(5, seed=1)
    assert samples.shape == (5, 6, 4)
    np.testing.assert_allclose(samples.sum(axis=-1), 1.0, atol=1e-6)


def test_a_resumed_run_equals_an_uninterrupted_one(finished, tmp_path):
    training.train(toy(schedule__steps="2"), tmp_path)
    assert training.train(toy(), tmp_path).start == 2
    assert_same_run(finished, tmp_path)


@pytest.mark.parametrize("place", ["run", "export"])
def test_samples_in_every_format(finished, place, tmp_path):
    source = finished if place == "run" else finished / "export"
    expected = tfpaths.load(finished).example.stored(tfpaths.load(finished).sample(5, seed=3)).tolist()
    sampling.sample(source, str(tmp_path / "a.txt"), num=5, seed=3)
    assert lines_of(tmp_path / "a.txt") == expected
    sampling.sample(source, str(tmp_path / "a.npz"), num=5, seed=3)
    assert np.load(tmp_path / "a.npz")["texts"].tolist() == expected
    sampling.sample(source, str(tmp_path / "folder"), num=5, seed=3)
    assert [lines_of(tmp_path / "folder" / f"text_0000{index}.txt") for index in range(5)] == [[t] for t in expected]
    line = refused(
        launch_here("--mode=sample", f"--workdir={source}", f"--out={tmp_path / 'a.png'}", "--num_samples=5")
    )
    assert line.startswith("tfpaths: --out: expected a .txt, a .npz or a directory for texts, received ")
    assert not (tmp_path / "a.png").exists()


def test_the_export_gives_probabilities_and_strings(finished):
    trained = tfpaths.load(finished)
    model = tf.saved_model.load(str(finished / "export"))
    assert set(model.signatures) == {"serving_default", "sample", "sample_string", "latents"}
    expected = trained.sample(5, seed=3)
    given = {"num_samples": tf.constant(5), "seed": tf.constant(3)}
    np.testing.assert_allclose(model.signatures["sample"](**given)["texts"], expected, atol=1e-6)
    read = model.signatures["sample_string"](**given)["texts"].numpy()
    assert [text.decode() for text in read] == trained.example.stored(expected).tolist()
    metadata = json.loads((finished / "export" / "assets" / "metadata.json").read_text())
    assert (metadata["example"], metadata["alphabet"], metadata["example_shape"]) == ("text", "abcd", [6, 4])
    assert "model.sample_string(num_samples=64, seed=0)['texts']" in exporting.message(finished / "export")


def test_the_report_shows_the_texts(finished, tmp_path):
    page = tfpaths.report([finished], str(tmp_path / "a.html")).read_text()
    assert lines_of(finished / "samples" / "step_00000004.txt")[0] in page


def test_instance_noise_is_on_what_the_critic_sees(finished):
    """x + sigma e, of both: the texts themselves stay distributions."""
    config = tfpaths.load(finished).config
    assert config.variant.instance_noise.scale == 0.1
    gan = build.build(config, (6, 4))
    one_hot = tf.one_hot(tf.zeros([500, 6], tf.int32), 4)
    seen = gan.seen(one_hot, gan.stream.fold(7)) - one_hot
    # 12,000 numbers: five standard errors of the deviation, 0.1 / sqrt(2 n).
    np.testing.assert_allclose(np.std(seen), 0.1, atol=5 * 0.1 / (2 * 12_000) ** 0.5)
    np.testing.assert_allclose(tf.reduce_sum(gan.sample(3), axis=-1), 1.0, atol=1e-6)


@pytest.fixture
def on_a_file(tmp_path, monkeypatch):
    """A finished run on the file `lines.txt` of the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.txt").write_text("äb\nbä b\n" * 20, encoding="utf-8")
    training.train(toy("text_file_wgan_gp", **OF_A_FILE), tmp_path / "run")
    return tmp_path / "run"


def test_a_run_on_a_file_is_sampled_and_exported_without_it(on_a_file, tmp_path):
    assert json.loads((on_a_file / "results.json").read_text())["protocol"]["padded_lines"] == 32
    (tmp_path / "lines.txt").unlink()
    tfpaths.sample(on_a_file, str(tmp_path / "a.txt"), num=20)
    assert set("".join(lines_of(tmp_path / "a.txt"))) <= set("äb " + PADDING + "\N{REPLACEMENT CHARACTER}")
    exporting.export(on_a_file)
    assert (on_a_file / "export" / "saved_model.pb").exists()


def test_a_run_does_not_continue_with_other_lines_of_the_same_characters(on_a_file, tmp_path):
    (tmp_path / "lines.txt").write_text("bä\näb b\n" * 20, encoding="utf-8")
    asked = toy("text_file_wgan_gp", **OF_A_FILE | {"schedule__steps": "4"})
    with pytest.raises(tfpaths.errors.InputError, match="holds another experiment: data.checksum is '.*' there and"):
        training.train(asked, on_a_file)
    stored = tfpaths.load(on_a_file).config
    for use in (
        lambda: training.train(stored.replace(schedule=stored.schedule.replace(steps=4)), on_a_file),
        lambda: evaluation.evaluate(stored, on_a_file),
    ):
        with pytest.raises(tfpaths.errors.InputError, match="^data.path: expected lines with the checksum .* To fix"):
            use()


def test_mixed_precision_and_two_replicas(tmp_path, monkeypatch, two_replicas):
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda *_: two_replicas)
    config = toy(precision="mixed_bfloat16", schedule__steps="2", evaluation__metrics="none")
    assert training.train(config, tmp_path, strategy="mirrored").step == 2
    assert np.isfinite(tfpaths.load(tmp_path).sample(3)).all()


def test_a_sweep_has_trials_on_texts(tmp_path):
    changes = {path: text for path, text in TOY.items() if not path.startswith("variant.")} | {"schedule.steps": "1"}
    flags = [f"--set={path}={text}" for path, text in changes.items()]
    done = launch_here("--exp=markov_ns", f"--workdir={tmp_path}", "--sweep=networks.width=2", "--jobs=1", *flags)
    assert done.returncode == 0, done.stderr
    (row,) = map(json.loads, lines_of(tmp_path / "trials.jsonl"))
    assert np.isfinite(row["js_4"])
    (trial,) = (tmp_path / "trials").iterdir()
    assert len(lines_of(trial / "samples" / "step_00000001.txt")) == 64


def test_a_run_is_sampled_and_exported_with_other_versions_of_its_packages(tmp_path, monkeypatch):
    options = {"data__examples": "", "data__characters": "", "evaluation__metrics": "none", "schedule__steps": "2"}
    config = toy("text_wgan_gp", data__packages="keras", **options)
    training.train(config, tmp_path / "run")
    monkeypatch.setattr(importlib.metadata.Distribution, "version", "99.9")
    assert tfpaths.load(tmp_path / "run").sample(3).shape == (3, 6, 76)
    tfpaths.sample(tmp_path / "run", str(tmp_path / "a.txt"), num=20)
    assert len(lines_of(tmp_path / "a.txt")) == 20
    exporting.export(tmp_path / "run")
    # What reads the corpus is refused, whether the experiment or the stored config is asked for.
    with pytest.raises(tfpaths.errors.InputError, match="experiment: data.corpus is 'keras 3.* there and 'keras 99.9'"):
        training.train(config, tmp_path / "run")
    line = "^data.corpus: expected the installed packages, keras 99.9, received 'keras 3"
    stored = tfpaths.load(tmp_path / "run").config
    measured = stored.replace(evaluation=stored.evaluation.replace(metrics=("ngrams",)))
    for use in (
        lambda: training.train(stored, tmp_path / "new"),
        lambda: evaluation.evaluate(measured, tmp_path / "run"),
    ):
        with pytest.raises(tfpaths.errors.InputError, match=line):
            use()
    assert not (tmp_path / "new").exists()


def test_a_batch_larger_than_the_file_is_refused(tmp_path):
    (tmp_path / "lines.txt").write_text("ab\n" * 10)
    done = launch_here(
        "--exp=text_file_ns", f"--workdir={tmp_path / 'run'}", f"--set=data.path={tmp_path / 'lines.txt'}"
    )
    line = refused(done)
    assert "batch_size: expected from 1 to the 8 examples of text_file (file, train), received 64." in line
    assert not (tmp_path / "run").exists()
