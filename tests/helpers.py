"""What the tests share: players whose updates can be derived by hand, toy sizes, and the repository's root."""

import contextlib
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import tensorflow as tf

ROOT = pathlib.Path(__file__).parent.parent

# Overrides that make a training run one of seconds.
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
CELEBA_SIZES = {"train": 12, "validation": 5, "test": 4}


class Constant(keras.layers.Layer):
    """A player with one parameter: b, whatever it is given."""

    def __init__(self, value, **kwargs):
        super().__init__(**kwargs)
        self.value = value

    def build(self, input_shape):
        self.b = self.add_weight(shape=(), initializer=keras.initializers.Constant(self.value), name="b")

    def call(self, inputs):
        return self.b + 0.0 * inputs


def linear(weights, **kwargs):
    """D(x) = w · x."""
    weights = tf.constant(weights, tf.float32)
    model = keras.Sequential([keras.Input((len(weights),)), keras.layers.Dense(1, use_bias=False, **kwargs)])
    model.layers[0].kernel.assign(weights[:, tf.newaxis])
    return model


def constant_generator(value, size=1):
    """G(z) = b, whatever z is."""
    return keras.Sequential([keras.Input((size,)), Constant(value)])


def portrait(index):
    """218×178: a ramp inside the central 160×160, and a frame outside that no crop may let in."""
    image = np.full((218, 178, 3), 255, np.uint8)
    image[29:189, 9:169] = np.linspace(0, 120, 160)[:, None, None] + index
    return image


def toy(name, **texts):
    """A registered experiment of toy size, with further overrides: `toy("color_mnist_ns", seed="3")`."""
    from tfpaths import experiments, schema

    return schema.override(experiments.get(name), TOY | {path.replace("__", "."): text for path, text in texts.items()})


def launch(*flags, cwd=None, **env):
    """`python -m tfpaths.launch` with these flags, finished."""
    return subprocess.run(
        [sys.executable, "-m", "tfpaths.launch", *flags],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        check=False,
    )


def refused(run):
    """The one line of a refusal."""
    assert run.returncode == 2, (run.returncode, run.stdout, run.stderr[-2000:])
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert line.startswith("tfpaths: ")
    return line


@contextlib.contextmanager
def registered(registry, name, item):
    """Has `item` in a registry under `name` for the length of a test."""
    registry.register(name)(item)
    try:
        yield item
    finally:
        del registry._items[name]
