"""The export, used by TensorFlow alone, Keras alone and TensorFlow Serving."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import registered, toy
from tensorflow.core.protobuf import saved_model_pb2

import tfpaths
from tfpaths import config, data, errors, files, networks
from tfpaths.data import pictures
from tfpaths.networks import fast
from tfpaths.runs import exporting, loading, results
from tfpaths.runs.directory import RunDirectory

pytestmark = pytest.mark.usefixtures("optimised_graphs")


def hidden(run):
    """The hidden files of a run besides its lock, which some versions of filelock remove when it is released."""
    return {path.name for path in run.glob(".*")} - {".lock"}


@pytest.fixture(scope="module")
def exported(tiny_run, tmp_path_factory):
    """(a trained run, its export)."""
    run = shutil.copytree(tiny_run, tmp_path_factory.mktemp("exported") / "run")
    assert exporting.export(run) == run / "export"
    return loading.load(run), run / "export"


def signature(export, name):
    return tf.saved_model.load(str(export)).signatures[name]


def test_export_gives_the_gans_images_for_a_seed(exported):
    trained, export = exported
    model = tf.saved_model.load(str(export))
    expected = trained.gan.sample(5, seed=3).numpy()
    given = {"num_samples": tf.constant(5), "seed": tf.constant(3)}
    images = model.signatures["sample"](**given)["images"]
    assert images.dtype == tf.float32
    np.testing.assert_allclose(images, expected, atol=1e-6)
    z = model.signatures["latents"](**given, first=tf.constant(0))["z"]
    np.testing.assert_array_equal(z, trained.latents(5, seed=3))
    rest = model.signatures["latents"](num_samples=tf.constant(1), seed=tf.constant(3), first=tf.constant(4))["z"]
    np.testing.assert_array_equal(rest, z[4:])
    np.testing.assert_allclose(model.signatures["serving_default"](z=z)["images"], expected, atol=1e-6)
    levels = model.signatures["sample_uint8"](**given)["images"]
    assert levels.dtype == tf.uint8
    np.testing.assert_array_equal(levels, pictures.levels(images.numpy()))
    # As a user calls it from Python.
    np.testing.assert_array_equal(model.sample(num_samples=5, seed=3)["images"], images)
    assert np.abs(model.sample(num_samples=5, seed=4)["images"] - expected).max() > 1e-3


def test_loaded_export_has_gradients(exported, caplog):
    # Needed to search for the latents of an image; a custom gradient would be lost in a SavedModel.
    trained, export = exported
    z = tf.constant(trained.latents(3, seed=1))

    def slope(function):
        with tf.GradientTape() as tape:
            tape.watch(z)
            images = function(z)
        return tape.gradient(images, z)

    model = tf.saved_model.load(str(export))
    expected = slope(trained.gan.generate)
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(slope(lambda z: model.serving_default(z)["images"]), expected, rtol=1e-4, atol=1e-5)
    assert "custom gradient" not in caplog.text


def test_uint8_levels_match_pictures(exported):
    # Halves between two levels and values beyond the range, where two ways of rounding would differ.
    trained, _ = exported
    values = np.linspace(-1.1, 1.1, 28 * 28 * 3).reshape(1, 28, 28, 3).astype(np.float32)
    values[0, 0, :, 0] = (np.arange(28) + 0.5) / 127.5 - 1.0

    class Fixed:
        latent_shape = (5,)
        refinement = {}  # noqa: RUF012

        def generate(self, latents):
            return tf.constant(values)

        def sample(self, num, *, seed):
            return tf.constant(values)

        def sample_latents(self, num, *, seed, first):
            return tf.zeros((num, 5))

    stub = loading.Trained(gan=Fixed(), config=trained.config, step=0, path=trained.path)
    levels = exporting.Sampler(stub, pathlib.Path("unused")).sample_uint8(1, 0)["images"]
    np.testing.assert_array_equal(levels, pictures.levels(values))


def test_the_signatures_are_what_serving_expects(exported):
    _, export = exported
    found = tf.saved_model.load(str(export)).signatures
    assert set(found) == {"serving_default", "sample", "sample_uint8", "latents"}

    def described(name):
        one = found[name]
        takes = {
            key: (spec.shape.as_list(), spec.dtype.name) for key, spec in one.structured_input_signature[1].items()
        }
        gives = {key: (spec.shape.as_list(), spec.dtype.name) for key, spec in one.structured_outputs.items()}
        return takes, gives

    images = [None, 28, 28, 3]
    counted = {"num_samples": ([], "int32"), "seed": ([], "int32")}
    assert described("serving_default") == ({"z": ([None, 5], "float32")}, {"images": (images, "float32")})
    assert described("sample") == (counted, {"images": (images, "float32")})
    assert described("sample_uint8") == (counted, {"images": (images, "uint8")})
    assert described("latents") == (counted | {"first": ([], "int32")}, {"z": ([None, 5], "float32")})
    # Serving finds a model by this tag, and a signature by the method of prediction.
    (graph,) = saved_model_pb2.SavedModel.FromString((export / "saved_model.pb").read_bytes()).meta_graphs
    assert list(graph.meta_info_def.tags) == ["serve"]
    assert {graph.signature_def[name].method_name for name in found} == {"tensorflow/serving/predict"}


# Runs before TensorFlow: these packages can be found, as after pip install tensorflow, but not imported.
_ALONE = """
import importlib.abc, importlib.machinery, sys

class Refuse(importlib.abc.Loader):
    def create_module(self, spec):
        raise ImportError(f"{spec.name} was imported")
    def exec_module(self, module):
        pass

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("keras", "tf_keras", "tfpaths"):
            return importlib.machinery.ModuleSpec(name, Refuse(), origin="/keras/__init__.py")

sys.meta_path.insert(0, Finder())
import json, tensorflow as tf
try:
    import keras
except ImportError:
    model = tf.saved_model.load(sys.argv[1])
    metadata = json.loads(tf.io.read_file(model.metadata.asset_path).numpy())
    images = model.signatures["sample_uint8"](num_samples=tf.constant(3), seed=tf.constant(2))["images"]
    print(json.dumps([metadata["experiment"], metadata["step"], images.numpy().tolist()]))
"""


def test_moved_export_samples_with_tensorflow_alone(exported, tmp_path):
    trained, export = exported
    moved = shutil.copytree(export, tmp_path / "elsewhere")
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-c", _ALONE, str(moved)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=tmp_path)
    assert run.returncode == 0, run.stderr[-3000:]
    experiment, step, images = json.loads(run.stdout)
    assert (experiment, step) == ("color_mnist_dragan_ns", 4)
    expected = pictures.levels(trained.gan.sample(3, seed=2).numpy())
    # One level for a sum in another order.
    np.testing.assert_allclose(images, expected.astype(int), atol=1)


def test_metadata_describes_the_export(exported):
    trained, export = exported
    metadata = json.loads((export / "assets" / "metadata.json").read_text())
    assert config.from_dict(metadata["config"]) == trained.config
    assert (metadata["experiment"], metadata["step"]) == ("color_mnist_dragan_ns", 4)
    assert (metadata["example"], metadata["example_shape"]) == ("image", [28, 28, 3])
    assert metadata["versions"] == results.versions()
    assert metadata["results"] == results.read_results(trained.path / "results.json")
    assert metadata["results"]["metrics"]


def test_export_stores_only_the_generators_weights(exported):
    trained, export = exported
    names = {name for name, _ in tf.train.list_variables(str(export / "variables" / "variables"))}
    stored = {name for name in names if name.startswith("weights/")}
    assert len(stored) == len(trained.gan.generator.variables)


def test_points_are_exported_as_points(tmp_path):
    class Spread(data.DataSet):
        splits, sources, example, shape = ("train",), ("drawn",), data.POINT, (2,)
        networks = "flat"

        def read(self, split, *, source, seed, data_dir):
            values = np.random.default_rng(seed).normal(size=(64, 2))
            return data.examples.in_memory(self.name, split, "drawn", values, np.zeros(64, np.int64))

    class Flat(networks.Family):
        def generator(self, example_shape, *, seed=0):
            return keras.Sequential([keras.Input((self.latent_dim,)), keras.layers.Dense(example_shape[0])])

        def discriminator(self, example_shape, *, seed=0):
            return keras.Sequential([keras.Input(example_shape), keras.layers.Dense(1)])

    with registered(data.DATA, "spread", Spread), registered(networks.NETWORKS, "flat", Flat):
        value = toy("color_mnist_ns").replace(data=config.Data(name="spread"), networks=config.Networks(latent_dim=5))
        tfpaths.train(value, tmp_path / "run")
        export = tfpaths.export(tmp_path / "run")
        expected = tfpaths.load(tmp_path / "run").sample(6, seed=1)
        signatures = tf.saved_model.load(str(export)).signatures
        assert set(signatures) == {"serving_default", "sample", "latents"}
        made = signatures["sample"](num_samples=tf.constant(6), seed=tf.constant(1))
        np.testing.assert_allclose(made["points"], expected, atol=1e-6)
        assert "['points']" in exporting.message(export)
        for source in (tmp_path / "run", export):
            tfpaths.sample(source, str(tmp_path / "a.npz"), num=6, seed=1)
            np.testing.assert_allclose(np.load(tmp_path / "a.npz")["points"], expected, atol=1e-6)
        tfpaths.sample(export, str(tmp_path / "points.png"), num=6, seed=1)


def test_results_of_another_step_are_left_out(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    known = results.read_results(run / "results.json")
    files.write_json(run / "results.json", known | {"step": 3})
    assert exporting.describe(loading.load(run))["results"] is None


def test_both_networks_load_in_safe_mode_without_our_layers(exported):
    trained, export = exported
    for player in ("generator", "discriminator"):
        ours = getattr(trained.gan, player)
        model = keras.models.load_model(export / f"{player}.keras", safe_mode=True)
        # Ours are registered in this process, and would be found: the modules named in the file count.
        with zipfile.ZipFile(export / f"{player}.keras") as archive:
            asked = re.findall(r'"module": "(.*?)"', archive.read("config.json").decode())
        assert asked
        assert {name.split(".")[0] for name in asked} <= {"keras", "builtins"}, asked
        inputs = tf.random.stateless_normal((3, *ours.input_shape[1:]), [0, 1])
        np.testing.assert_allclose(model(inputs), ours(inputs), atol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_portable_network_equals_the_original(precision):
    small = config.Networks(latent_dim=5, generator_filters=4, discriminator_filters=4)
    for player in networks.build(small, (28, 28, 1), precision=precision):
        plain = exporting.portable(player)
        assert not [layer for layer in plain.layers if type(layer).__module__ == fast.__name__]
        assert [layer.compute_dtype for layer in plain.layers] == [layer.compute_dtype for layer in player.layers]
        inputs = tf.random.stateless_normal((3, *player.input_shape[1:]), [0, 1])
        np.testing.assert_allclose(plain(inputs), player(inputs), rtol=2e-2, atol=1e-3)


def test_failed_export_keeps_the_previous_one(exported, tmp_path, monkeypatch):
    run = shutil.copytree(exported[0].path, tmp_path / "run")
    (run / ".unfinished" / "export.0123456789abcdef").mkdir(parents=True)
    (run / "export" / "before.keras").touch()
    before = sorted((run / "export").rglob("*"))

    def failing(*args, **kwargs):
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "save", failing)
        with pytest.raises(OSError, match="the disk is full"):
            exporting.export(run)
    assert sorted((run / "export").rglob("*")) == before
    assert hidden(run) == set()
    exporting.export(run)
    assert not (run / "export" / "before.keras").exists()
    assert (run / "export" / "saved_model.pb").exists()
    assert hidden(run) == set()


def test_export_that_was_being_replaced_is_put_back(exported, tmp_path, monkeypatch):
    # As a process leaves it that is killed between the two renames.
    run = shutil.copytree(exported[0].path, tmp_path / "run")
    (run / ".unfinished").mkdir()
    (run / "export").rename(run / ".unfinished" / "export.tfpaths-old")
    exporting.restore(run / "none")
    assert not (run / "export").exists()
    with RunDirectory(run).locked(), pytest.raises(errors.InputError, match="another run is writing"):
        exporting.restore(run / "export")
    exporting.restore(run / "export")
    assert (run / "export" / "saved_model.pb").exists()
    (run / ".unfinished").mkdir()
    (run / "export").rename(run / ".unfinished" / "export.tfpaths-old")
    monkeypatch.setattr(tf.saved_model, "save", None)
    with pytest.raises(TypeError):
        exporting.export(run)
    assert (run / "export" / "saved_model.pb").exists()
    assert hidden(run) == set()


@pytest.mark.parametrize("umask", [0o077, 0o002])
def test_permissions_of_an_export_are_those_of_the_umask(tiny_run, tmp_path, umask):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    before = os.umask(umask)
    try:
        export = exporting.export(run)
    finally:
        os.umask(before)
    found = {path: path.stat().st_mode & 0o777 for path in [export, *export.rglob("*")]}
    assert found == {path: (0o777 if path.is_dir() else 0o666) & ~umask for path in found}


def test_invalid_export_is_refused_and_writes_nothing(tiny_study, tiny_run, tmp_path):
    for path, line in {
        tiny_study: "line1_ns is a study, which has no sampler",
        tmp_path / "none": "there is none",
    }.items():
        with pytest.raises(errors.InputError, match=line):
            exporting.export(path)
        assert not (path / "export").exists()
    with RunDirectory(tiny_run).locked(), pytest.raises(errors.InputError, match="another run is writing"):
        exporting.export(tiny_run)
