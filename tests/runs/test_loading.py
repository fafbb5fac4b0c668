"""Loading a trained run from its directory, and sampling."""

import shutil

import numpy as np
import pytest
from helpers import launch_here, registered

import tfpaths
from tfpaths import config, data, errors, experiments, files, schema, streams
from tfpaths.runs import build, identity, loading
from tfpaths.runs.checkpoints import Checkpoints
from tfpaths.runs.directory import RunDirectory


def _weights(gan):
    return [*gan.generator.variables, *gan.discriminator.variables]


def test_load_restores_the_final_state(tiny_run):
    trained = tfpaths.load(str(tiny_run))
    assert trained.config == RunDirectory(tiny_run).stored()
    assert (trained.step, trained.gan.step, trained.path) == (4, 4, tiny_run)
    # The oracle: the same config's GAN, restored by hand beside the data.
    images = data.load("color_mnist", source="embedded")
    gan = build.build(trained.config, images.shape)
    Checkpoints(tiny_run / "checkpoints", gan).restore()
    for ours, theirs in zip(_weights(trained.gan), _weights(gan), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    expected = gan.sample(6, seed=3).numpy()
    sampled = trained.sample(6, seed=3)
    assert (sampled.dtype, sampled.shape) == (np.float32, (6, 28, 28, 3))
    np.testing.assert_array_equal(sampled, expected)
    assert not np.array_equal(trained.sample(6, seed=4), expected)
    # A seed's images are the same in any version, and none that training has drawn: steps are never negative.
    np.testing.assert_array_equal(sampled, gan.draw(6, streams.root(3).fold(-1)))


def test_batch_size_does_not_change_samples(tiny_run, monkeypatch):
    trained = loading.load(tiny_run)
    whole = trained.gan.sample(7, seed=1)
    monkeypatch.setattr(loading, "BATCH", 4)
    np.testing.assert_allclose(trained.sample(7, seed=1), whole, atol=1e-5)


def test_newest_readable_checkpoint_is_loaded(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    config_, steps = RunDirectory(run).stored(), 4
    gan = build.build(config_, (28, 28, 3))
    checkpoints = Checkpoints(run / "checkpoints", gan)
    checkpoints.restore()
    gan.steps.assign(steps + 1)
    checkpoints.save()
    assert loading.load(run).step == 5
    for part in (run / "checkpoints").glob("step-5.data*"):
        part.write_bytes(b"torn")
    assert loading.load(run).step == 4


def test_directory_without_a_trained_run_is_refused(tiny_run, tiny_study, tmp_path):
    untrained = tmp_path / "untrained"
    untrained.mkdir()
    shutil.copy(tiny_run / "config.json", untrained)
    figure = tmp_path / "figure"
    files.write_json(figure / "config.json", schema.to_dict(experiments.get("figure_2")))
    export = tmp_path / "export"
    export.mkdir()
    (export / "saved_model.pb").touch()
    for path, line in {
        tiny_run.parent / "tny": f"there is none; did you mean '{tiny_run}'?",
        tmp_path / "zzz": "there is none.",
        tmp_path: "it has no config.json.",
        untrained: "it has no checkpoint, so it is not trained yet.",
        export: "it is an export, which --mode=sample and tf.saved_model.load read.",
    }.items():
        with pytest.raises(errors.InputError) as caught:
            loading.load(path)
        assert str(caught.value) == f"expected the directory of a run, received '{path}': {line}"
    for path, line in {
        tiny_study: "line1_ns is a study, which has no sampler.",
        figure: "figure_2 is a figure, which has no sampler.",
    }.items():
        with pytest.raises(errors.InputError) as caught:
            loading.load(path)
        assert str(caught.value) == f"expected the directory of a trained run, received '{path}': {line}"
    with pytest.raises(errors.InputError, match="num: expected at least 1, received 0"):
        loading.load(tiny_run).sample(0)


def test_custom_data_set_is_not_read_for_its_shape(tmp_path):
    class Mine(type(data.of(config.Data(name="color_mnist")))):
        def read(self, split, **arguments):
            raise AssertionError("The data set was read.")

    with registered(data.DATA, "mine", Mine):
        value = experiments.get("color_mnist_ns").replace(data=config.Data(name="mine"))
        files.write_json(tmp_path / "config.json", schema.to_dict(build.complete(value)))
        Checkpoints(tmp_path / "checkpoints", build.build(value, (28, 28, 3))).save()
        assert loading.load(tmp_path).sample(2).shape == (2, 28, 28, 3)


@pytest.mark.parametrize(
    ("described", "status", "line"),
    [
        (
            ("config", "variables"),
            2,
            "expected a checkpoint of these networks: discriminator exists here only. To fix this: use the code of",
        ),
        (("config",), 1, "none of the checkpoints in"),
    ],
)
def test_checkpoint_without_the_discriminator_is_one_line(described, status, line, tiny_run, tmp_path, monkeypatch):
    # `--refine` needs the discriminator; it never starts from initial weights.
    run = shutil.copytree(tiny_run, tmp_path / "run")
    gan = build.build(RunDirectory(run).stored(), (28, 28, 3))
    shutil.rmtree(run / "checkpoints")
    # Its optimiser refers to its variables, too, and would be enough to restore them.
    state = {name: item for name, item in gan.state.items() if "discriminator" not in name}
    with monkeypatch.context() as patch:
        patch.setattr(type(gan), "state", state)
        description = identity.essence(RunDirectory(run).stored(), gan)
        Checkpoints(run / "checkpoints", gan, description={name: description[name] for name in described}).save()
    before = sorted(tmp_path.rglob("*"))
    done = launch_here("--mode=sample", f"--workdir={run}", "--refine=2", f"--out={tmp_path / 'a.png'}")
    assert done.returncode == status
    (last,) = [text for text in done.stderr.splitlines() if text.startswith("tfpaths: ")]
    assert line in last
    assert not (tmp_path / "a.png").exists()
    assert {path for path in tmp_path.rglob("*") if path.name != "error.log"} == set(before)
