"""Shared helpers: players whose updates can be derived by hand, toy sizes, and the repository's root."""

import contextlib
import io
import os
import pathlib
import subprocess
import sys
import time

import keras
import numpy as np
import ready
import scipy.stats
import tensorflow as tf

ROOT = pathlib.Path(__file__).parent.parent

# Overrides that make a training run take seconds.
TOY = {
    "data.source": "embedded",
    "schedule.steps": "4",
    "schedule.batch_size": "8",
    "schedule.log_every": "1",
    "schedule.sample_every": "2",
    "networks.latent_dim": "5",
    "networks.generator_filters": "4",
    "networks.discriminator_filters": "4",
    "evaluation.metrics": "none",
}
# An evaluation of a few seconds.
SMALL_EVALUATION = {"samples": 300, "mode_samples": 400, "critic_steps": 3}
# Every number of color_mnist, in the order of the results.
MEASURED = [
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
]
CELEBA_SIZES = {"train": 12, "validation": 5, "test": 4}
# The lines of a prepared `lm1b`.
LM1B_LINES = {
    "train": [*(f"Line {number} of the training split, long enough to be cropped ." for number in range(40)), "Café"],
    "test": [f"Held out {number} ." for number in range(12)],
}
# Each family of networks, at toy size: its options, and shapes of examples that it supports.
FAMILIES = {
    "dcgan": (
        {"generator_filters": 4, "discriminator_filters": 4},
        [(side, side, channels) for side in (16, 28, 32, 64, 128, 256) for channels in (1, 3)],
    ),
    "deep_dcgan": (
        {"generator_filters": 2, "discriminator_filters": 2, "generator_depth": 7, "discriminator_depth": 7}
        | {"generator_activation": "softplus", "discriminator_normalized": True},
        [(32, 32, 3), (28, 28, 1), (16, 16, 3), (256, 256, 1)],
    ),
    "mlp": ({"width": 6, "depth": 2}, [(1,), (2,), (7,)]),
    "residual_text": ({"width": 4, "blocks": 2}, [(8, 5), (16, 30), (5, 2)]),
    "linear": ({"width": 6, "depth": 2}, [(1,), (2,), (7,)]),
}


class Constant(keras.layers.Layer):
    """A player with one parameter: returns b for any input."""

    def __init__(self, value, **kwargs):
        super().__init__(**kwargs)
        self.value = value

    def build(self, input_shape):
        self.b = self.add_weight(shape=(), initializer=keras.initializers.Constant(self.value), name="b")

    def call(self, inputs):
        return self.b + 0.0 * inputs


def assert_standard_normal(values):
    """Moments, distribution and independence of neighbours along each axis, for many numbers that should be N(0, 1)."""
    num = values.size
    # E x^k and the variance of x^k: 15 - 0, 105 - 3^2.
    for power, (moment, variance) in {1: (0, 1), 2: (1, 2), 3: (0, 15), 4: (3, 96)}.items():
        assert abs(np.mean(values**power) - moment) < 4 * np.sqrt(variance / num)
    assert scipy.stats.kstest(values.ravel(), "norm").pvalue > 1e-3
    for axis in range(values.ndim):
        assert_independent(values, np.roll(values, 1, axis))


def assert_independent(first, second):
    """Numbers from N(0, 1) and their squares have no correlation: the error of r is 1 / sqrt(num)."""
    assert abs(np.mean(first * second)) < 4 / np.sqrt(first.size)
    assert abs(np.mean(first**2 * second**2) - 1) < 4 * np.sqrt(8 / first.size)  # 3 · 3 - 1 = 8


def compiles(function):
    """Returns whether XLA compiles a part of a concrete function."""
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
    return any(node.attr["_XlaMustCompile"].b for node in nodes if "_XlaMustCompile" in node.attr)


def derivatives(function, first, second):
    """The first derivatives of a sum of sines of the function, and those of the sum of their squares."""
    with tf.GradientTape() as outer:
        outer.watch([first, second])
        with tf.GradientTape() as inner:
            inner.watch([first, second])
            total = tf.reduce_sum(tf.sin(function(first, second)))
        slopes = inner.gradient(total, [first, second])
        squares = tf.add_n([tf.reduce_sum(tf.square(slope)) for slope in slopes])
    return *slopes, *outer.gradient(squares, [first, second])


def linear(weights, **kwargs):
    """D(x) = w · x."""
    weights = tf.constant(weights, tf.float32)
    model = keras.Sequential([keras.Input((len(weights),)), keras.layers.Dense(1, use_bias=False, **kwargs)])
    model.layers[0].kernel.assign(weights[:, tf.newaxis])
    return model


def constant_generator(value, size=1):
    """G(z) = b for every z."""
    return keras.Sequential([keras.Input((size,)), Constant(value)])


def portrait(index):
    """218×178: a ramp in the central 160×160, and a frame around it that the crop must exclude."""
    image = np.full((218, 178, 3), 255, np.uint8)
    image[29:189, 9:169] = np.linspace(0, 120, 160)[:, None, None] + index
    return image


def toy(name, **texts):
    """A registered experiment of toy size, with further overrides: `toy("color_mnist_ns", seed="3")`."""
    from tfpaths import experiments, schema

    return schema.override(experiments.get(name), TOY | {path.replace("__", "."): text for path, text in texts.items()})


def launch(*flags, cwd=None, new=False, **env):
    """Runs `python -m tfpaths.launch` with these flags to its end.

    Args:
      *flags: The flags.
      cwd: The working directory.
      new: Whether the process is a new one, which imports TensorFlow itself, rather than a copy; see `ready`.
      **env: Environment variables.
    """
    command = [sys.executable, "-m", "tfpaths.launch", *flags]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    if new:
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)
    process = ready.start(command, cwd=cwd or os.getcwd(), env=environment)
    out, err = process.communicate(timeout=400)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def launch_here(*flags):
    """Runs the command line with these flags in this process, which saves the import of TensorFlow; for invalid input.

    A test of file descriptors, of signals or of the interpreter's start needs `launch`.
    """
    from absl.testing import flagsaver

    from tfpaths import launch as launch_lib

    saved, out, err = flagsaver.save_flag_values(), io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = launch_lib.main(launch_lib.parse_flags(["tfpaths.launch", *flags]))
            except SystemExit as end:
                status = end.code
    finally:
        flagsaver.restore_flag_values(saved)
    return subprocess.CompletedProcess(flags, status, out.getvalue(), err.getvalue())


def refused(run):
    """Checks that a run was refused with one line; returns the line."""
    assert run.returncode == 2, (run.returncode, run.stdout, run.stderr[-2000:])
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert line.startswith("tfpaths: ")
    return line


@contextlib.contextmanager
def registered(registry, name, item):
    """Registers `item` under `name` for the duration of a test."""
    registry.register(name)(item)
    try:
        yield item
    finally:
        del registry._items[name]


def saving_toy(name="color_mnist_dragan_ns", **texts):
    """A registered experiment of toy size that saves every other step; see `toy`."""
    return toy(name, **{"schedule__checkpoint_every": "2"} | texts)


def toy_flags(**texts):
    """The flags that make `--exp=color_mnist_dragan_ns` the experiment of `saving_toy(**texts)`."""
    values = TOY | {"schedule.checkpoint_every": "2"} | {path.replace("__", "."): text for path, text in texts.items()}
    return [f"--set={path}={text}" for path, text in values.items()]


def toy_command(workdir, **texts):
    """The command of a toy run."""
    launch = [sys.executable, "-m", "tfpaths.launch", "--exp=color_mnist_dragan_ns", f"--workdir={workdir}"]
    return [*launch, *toy_flags(**texts)]


def start(command):
    """Starts a command of Python in its own group and captures its output; see `ready`."""
    return ready.start(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})


def finish(command, status=0):
    """Runs a command to its end, which must have this exit status; returns its output and its errors."""
    process = start(command)
    out, err = process.communicate(timeout=400)
    assert process.returncode == status, (out, err)
    return out, err


def wait_for(path, process, seconds=240):
    """Waits until a running process has written a file."""
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f"{path} was not written"
        time.sleep(0.05)


def state(path):
    """Every number of the newest checkpoint, without the texts of its rows (which contain speeds) and its config."""
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(path / "checkpoints")))
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if not name.startswith(("_CHECKPOINTABLE", "save_counter", "rows/", "config/"))
    }


def assert_same_state(one, other):
    """Checks that two runs have equal weights, optimisers and counters."""
    first, second = state(one), state(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value, err_msg=name)


def assert_same_run(one, other):
    """Checks equal state, grids and rows. Of two steps in one execution only the second has a row."""
    from tfpaths.runs import rows

    assert_same_state(one, other)
    found = [
        [
            {name: value for name, value in row.items() if name != "examples_per_second"}
            for row in rows.read_rows(path / "metrics.jsonl")
        ]
        for path in (one, other)
    ]
    shared = {row["step"] for row in found[1]}
    assert [row for row in found[0] if row["step"] in shared] == found[1]
    assert found[0][-1] == found[1][-1]
    for grid in (one / "samples").iterdir():
        assert grid.read_bytes() == (other / "samples" / grid.name).read_bytes()


def names_of(kind):
    """Returns the names of the registered experiments of a kind, such as `figure`."""
    from tfpaths import experiments

    return [name for name in experiments.names() if experiments.get(name).kind == kind]
