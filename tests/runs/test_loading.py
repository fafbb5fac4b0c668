"""A trained run, from its directory to samples."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

import tfpaths
from tfpaths import assembly, config, data, experiments, loading, results, streams
from tfpaths.checkpoints import Checkpoints


def _weights(gan):
    return [*gan.generator.variables, *gan.discriminator.variables]


def test_three_lines_give_what_the_run_ended_with(tiny_run):
    trained = tfpaths.load(str(tiny_run))
    assert trained.config == results.RunDirectory(tiny_run).stored()
    assert (trained.step, trained.gan.step, trained.path) == (4, 4, tiny_run)
    # The oracle: the same config's GAN, restored by hand beside the data.
    images = assembly.load_data(trained.config.data)
    gan = assembly.build(trained.config, images.shape)
    Checkpoints(tiny_run / "checkpoints", gan).restore()
    for ours, theirs in zip(_weights(trained.gan), _weights(gan), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    expected = gan.sample(6, seed=3).numpy()
    sampled = trained.sample(6, seed=3)
    assert (sampled.dtype, sampled.shape) == (np.float32, (6, 28, 28, 3))
    np.testing.assert_array_equal(sampled, expected)
    assert not np.array_equal(trained.sample(6, seed=4), expected)
    # A seed's images are the same in any version, and none that training has drawn: steps are never negative.
    np.testing.assert_array_equal(sampled, gan.draw(6, streams.fold(streams.root(3), -1)))


def test_batches_change_nothing(tiny_run, monkeypatch):
    trained = loading.load(tiny_run)
    whole = trained.gan.sample(7, seed=1)
    monkeypatch.setattr(loading, "BATCH", 3)
    np.testing.assert_allclose(trained.sample(7, seed=1), whole, atol=1e-5)


def test_the_newest_checkpoint_that_can_be_read(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    config_, steps = results.RunDirectory(run).stored(), 4
    gan = assembly.build(config_, (28, 28, 3))
    checkpoints = Checkpoints(run / "checkpoints", gan)
    checkpoints.restore()
    gan.steps.assign(steps + 1)
    checkpoints.save()
    assert loading.load(run).step == 5
    for part in (run / "checkpoints").glob("step-5.data*"):
        part.write_bytes(b"torn")
    assert loading.load(run).step == 4


def test_what_is_no_trained_run_is_one_line(tiny_run, tiny_study, tmp_path):
    untrained = tmp_path / "untrained"
    untrained.mkdir()
    shutil.copy(tiny_run / "config.json", untrained)
    figure = tmp_path / "figure"
    results.write_json(figure / "config.json", config.to_dict(experiments.get("figure_2")))
    export = tmp_path / "export"
    export.mkdir()
    (export / "saved_model.pb").touch()
    for place, line in {
        tiny_run.parent / "tny": f"there is none; did you mean '{tiny_run}'?",
        tmp_path / "zzz": "there is none.",
        tmp_path: "it has no config.json.",
        untrained: "it has no checkpoint, so it is not trained yet.",
        tiny_study: "line1_ns is a study of many GANs on lines, which has no one sampler.",
        figure: "figure_2 is a figure, which has no one sampler.",
        export: "it is an export, which --mode=sample and tf.saved_model.load read.",
    }.items():
        with pytest.raises(config.InputError) as caught:
            loading.load(place)
        assert str(caught.value) == f"expected the directory of a run, received '{place}': {line}"
    with pytest.raises(config.InputError, match="at least 1 image, received 0"):
        loading.load(tiny_run).sample(0)


@pytest.mark.parametrize("name", sorted(data.DATA))
def test_the_shape_is_known_before_the_images_are(name, request, tmp_path):
    import PIL.Image

    options = {}
    if name == "folder":
        PIL.Image.new("RGB", (40, 50)).save(tmp_path / "one.png")
        options = {"path": str(tmp_path), "image_size": 32}
    elif name == "celeba":
        options = {"data_dir": str(request.getfixturevalue("celeba_dir"))}
    elif name == "cifar10":
        folder = request.getfixturevalue("tfds_dir")
        if not list(folder.glob("cifar10/*")):
            pytest.skip(f"CIFAR-10 is not prepared in {folder}")
        options = {"data_dir": str(folder)}
    else:
        options = {"source": "embedded"}
    assert data.shape(name, options.get("image_size", 64)) == data.load(name, **options).shape


def test_a_data_set_of_ones_own_is_loaded_for_its_shape(monkeypatch):
    monkeypatch.setitem(data.DATA, "mine", lambda request: data.load("color_mnist", source="embedded"))
    assert data.shape("mine") is None
    assert assembly.image_shape(config.Data(name="mine")) == (28, 28, 3)
    with pytest.raises(config.InputError, match="unknown data set 'mien'; did you mean 'mine'"):
        assembly.image_shape(config.Data(name="mien"))


def test_importing_the_package_imports_no_tensorflow(tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('TensorFlow was imported')")
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    code = "import tfpaths; assert callable(tfpaths.load); print(tfpaths.__version__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env)
    assert (run.returncode, run.stdout, run.stderr) == (0, f"{tfpaths.__version__}\n", "")
