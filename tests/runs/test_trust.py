"""A stranger's SavedModel runs nothing unless it is trusted."""

import json
import os
import shutil
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import launch_here, refused, start, toy
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

import tfpaths
from tfpaths import data, errors, files
from tfpaths.runs import build, directory, exporting, loading, trust

pytestmark = pytest.mark.usefixtures("optimised_graphs")


@pytest.fixture(scope="module")
def export(tiny_run, tmp_path_factory):
    run = shutil.copytree(tiny_run, tmp_path_factory.mktemp("trust") / "run")
    return exporting.export(run)


def planted(path, written):
    """A SavedModel with the signatures of an export that writes a file when it is called."""
    module = tf.Module()
    scalars = [tf.TensorSpec([], tf.int32, name) for name in ("num_samples", "seed", "first")]

    def latents(num_samples, seed, first):
        tf.io.write_file(written, "planted")
        return {"z": tf.zeros([num_samples, 5])}

    def serving_default(z):
        tf.io.write_file(written, "planted")
        return {"images": tf.zeros([tf.shape(z)[0], 28, 28, 3])}

    module.latents = tf.function(latents, scalars, autograph=False)
    module.serving_default = tf.function(serving_default, [tf.TensorSpec([None, 5], tf.float32, "z")], autograph=False)
    signatures = {"latents": module.latents, "serving_default": module.serving_default}
    tf.saved_model.save(module, str(path), signatures=signatures)
    files.write_json(path / "assets" / exporting.METADATA, {"step": 1, "example": "image"})
    return path


def test_an_export_of_ours_is_allowed_and_sampled(export, tiny_run, tmp_path):
    trust.check(export)
    arrays = [
        np.load(tfpaths.sample(path, str(tmp_path / name), num=3))
        for path, name in ((export, "a.npz"), (tiny_run, "b.npz"))
    ]
    np.testing.assert_array_equal(arrays[0]["images"], arrays[1]["images"])


# One experiment for each data set and each network.
@pytest.mark.parametrize("name", ["cifar10_gan_gp", "celeba_ns", "stacked_mnist_ns", "color_mnist_wgan"])
def test_exports_of_every_data_set_are_allowed(name, tmp_path):
    value = build.complete(toy(name, data__source="auto"))
    gan = build.build(value, data.of(value.data).shape)
    files.write_bytes(tmp_path / "metadata.json", b"{}")
    sampler = exporting.Sampler(loading.Trained(gan, value, 0, tmp_path), tmp_path / "metadata.json")
    tf.saved_model.save(sampler, str(tmp_path / "export"), signatures=sampler.functions)
    trust.check(tmp_path / "export")


def test_a_planted_export_writes_nothing(tmp_path):
    path, written = planted(tmp_path / "export", str(tmp_path / "written")), tmp_path / "written"
    flags = ["--mode=sample", f"--workdir={path}", f"--out={tmp_path / 'a.png'}"]
    line = refused(launch_here(*flags))
    assert "its operation WriteFile is not one that only computes; --trust loads it all the same" in line
    assert not written.exists()
    assert not (tmp_path / "a.png").exists()
    assert launch_here(*flags, "--trust").returncode == 0
    assert written.exists()


def test_a_saved_model_beside_a_run_is_not_used(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    planted(run, str(tmp_path / "written"))
    assert launch_here("--mode=sample", f"--workdir={run}", f"--out={tmp_path / 'a.npz'}").returncode == 0
    tfpaths.sample(tiny_run, str(tmp_path / "b.npz"))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npz")["images"], np.load(tmp_path / "b.npz")["images"])
    assert not (tmp_path / "written").exists()


def test_an_operation_in_a_called_function_is_found(tmp_path):
    inner = tf.function(lambda: tf.size(tf.io.read_file("/etc/hostname")), autograph=False)
    outer = tf.function(
        lambda x: {"y": tf.cond(x > 0, inner, lambda: 0)},
        [tf.TensorSpec([], tf.int32)],
        autograph=False,
    )
    tf.saved_model.save(tf.Module(), str(tmp_path), signatures=outer)
    with pytest.raises(errors.InputError, match="its operation ReadFile"):
        trust.check(tmp_path)


def changed(path, change):
    """Changes the program of a SavedModel."""
    model = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    change(model.meta_graphs[0])
    (path / "saved_model.pb").write_bytes(model.SerializeToString())
    return path


def reading(meta, name):
    """Adds a function that reads a file."""
    function = meta.graph_def.library.function.add()
    function.signature.name = name
    function.node_def.add(name="read", op="ReadFile")


def called_by_an_object_only(meta):
    # TensorFlow loads every function of the library, not only those that the object graph lists.
    reading(meta, "__inference__traced_save_of_a_stranger")
    node = next(node for node in meta.object_graph_def.nodes if node.WhichOneof("kind") == "function")
    node.function.concrete_functions.append("__inference__traced_save_of_a_stranger")


def shadowed(meta):
    reading(meta, next(iter(meta.object_graph_def.concrete_functions)))


def substituted(meta):
    meta.graph_def.library.function[0].attr["api_implements"].s = b"sample"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (called_by_an_object_only, "its operation ReadFile"),
        (lambda meta: reading(meta, "unused"), "its operation ReadFile"),
        (shadowed, "two of its functions have the same name"),
        (substituted, "has several implementations"),
        (lambda meta: meta.ClearField("object_graph_def"), "not in the format of TensorFlow 2"),
    ],
)
def test_a_hidden_function_is_found(export, tmp_path, change, message):
    path = changed(shutil.copytree(export, tmp_path / "export"), change)
    with pytest.raises(errors.InputError, match=message):
        trust.check(path)


def test_an_object_that_runs_while_it_is_loaded_is_refused(tmp_path):
    module = tf.Module()
    values = tf.lookup.KeyValueTensorInitializer(["a"], [1])
    module.table = tf.lookup.StaticHashTable(values, -1)
    tf.saved_model.save(module, str(tmp_path))
    with pytest.raises(errors.InputError, match="it has an object of the kind resource"):
        trust.check(tmp_path)


@pytest.mark.parametrize("name", ["saved_model.cpb", "saved_model.pbtxt"])
def test_another_format_beside_it_is_refused(export, tmp_path, name):
    path = shutil.copytree(export, tmp_path / "export")
    (path / name).write_bytes(b"")
    with pytest.raises(errors.InputError, match=f"it has a {name}, which is not checked"):
        trust.check(path)


# All of them are read by `tf.saved_model.load`.
NAMES = ["saved_model.pb", "fingerprint.pb", "debug/saved_model_debug_info.pb"]
NAMES += ["variables/variables.index", "variables/variables.data-00000-of-00001", "assets/metadata.json"]


# In its own process, which can be ended where it waits for the writer of a pipe.
SAMPLE_EACH = """
import sys, tfpaths
from tfpaths import errors
for path in sys.argv[2:]:
    try:
        tfpaths.sample(path, f"{path}.png", num=1, trust=sys.argv[1] == "True")
    except errors.InputError as error:
        print(error)
"""


@pytest.mark.parametrize("trusted", [False, True])
def test_a_named_pipe_in_an_export_is_refused(export, tmp_path, trusted):
    paths = []
    for index, name in enumerate(NAMES):
        path = shutil.copytree(export, tmp_path / str(index))
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).unlink(missing_ok=True)
        os.mkfifo(path / name)
        paths.append(path)
    process = start([sys.executable, "-c", SAMPLE_EACH, str(trusted), *map(str, paths)])
    try:
        out, err = process.communicate(timeout=200)
    finally:
        process.kill()
    lines = out.splitlines()
    assert len(lines) == len(NAMES), err
    for path, name, line in zip(paths, NAMES, lines, strict=True):
        assert line.endswith(f"expected a file at {path / name}, found a named pipe."), line


def test_allowed_operations_exist_and_touch_no_file():
    assert [name for name in trust.ALLOWED if op_def_registry.get(name) is None] == []
    words = "File Read Write Save Restore PyFunc Load Dataset Summary Print Send Recv".split()
    assert {name for name in trust.ALLOWED if any(word in name for word in words)} == {"ReadVariableOp"}


def test_an_extractor_that_only_the_run_names_is_not_loaded(tiny_run, tmp_path):
    run, written = shutil.copytree(tiny_run, tmp_path / "run"), tmp_path / "written"
    model = planted(tmp_path / "model", str(written))
    path = directory.RunDirectory(run).config
    config = json.loads(path.read_text())
    config["evaluation"] |= {"extractor": str(model), "metrics": ["scores"]}
    path.write_text(json.dumps(config))
    before = (run / "results.json").read_bytes()
    line = refused(launch_here("--mode=evaluate", f"--workdir={run}"))
    assert (
        f"evaluation.extractor: the run's config names {str(model)!r}, a program that can read and write files" in line
    )
    with pytest.raises(errors.InputError, match="the run's config names"):
        tfpaths.evaluate(run)
    assert not written.exists()
    assert (run / "results.json").read_bytes() == before


def test_gradients_of_allowed_operations_are_allowed():
    # The export of a game that refines its samples has the gradients of its networks.
    layers = keras.layers
    activations = "elu gelu leaky_relu log_softmax relu relu6 selu sigmoid silu softmax softplus softsign tanh".split()
    blocks = [
        *(layers.Conv2D(3, 3, strides=2, activation=name) for name in activations),
        layers.Conv2DTranspose(3, 4, strides=2, padding="same"),
        layers.DepthwiseConv2D(3),
        layers.SeparableConv2D(3, 3),
        layers.MaxPooling2D(2),
        layers.AveragePooling2D(2),
        layers.GlobalMaxPooling2D(),
        layers.BatchNormalization(),
        layers.LayerNormalization(),
        layers.GroupNormalization(1),
        layers.ZeroPadding2D(),
        layers.Cropping2D(),
        *(layers.UpSampling2D(interpolation=name) for name in ("nearest", "bilinear", "bicubic")),
        *(lambda x, mode=mode: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], mode) for mode in ("REFLECT", "CONSTANT")),
        *(lambda x, function=function: function(x, 2) for function in (tf.nn.depth_to_space, tf.nn.space_to_depth)),
        lambda x: tf.concat([x[:, ::2], tf.tile(x, [1, 2, 1, 1])], axis=1),
        lambda x: tf.stack(tf.unstack(x, axis=1), axis=2) + tf.gather(x, [0, 0, 1, 2, 3, 4, 5, 6], axis=1),
        lambda x: tf.reduce_max(x, axis=1) * tf.math.reduce_std(x, axis=2) + tf.reduce_prod(x, axis=1),
        lambda x: (
            tf.math.l2_normalize(tf.nn.lrn(x)) / (1 + tf.math.erf(x) ** 2)
            + tf.reduce_sum(tf.linalg.matmul(x, x, transpose_b=True))
        ),
    ]
    x = tf.random.stateless_uniform([2, 8, 8, 4], [0, 1])
    for block in blocks:
        if isinstance(block, keras.Layer):
            block.build(x.shape)

        @tf.function(autograph=False)
        def slope(x, block=block):
            with tf.GradientTape() as tape:
                tape.watch(x)
                total = tf.reduce_sum(block(x))
            return tape.gradient(total, x)

        graph = slope.get_concrete_function(x).graph.as_graph_def()
        functions = {function.signature.name: function for function in graph.library.function}
        nodes = [*graph.node, *(node for function in functions.values() for node in function.node_def)]
        assert {node.op for node in nodes} - {*trust.ALLOWED, *functions} == set(), block
