"""What all tests share: two logical CPUs, so that a strategy of two replicas can run anywhere."""

import os
import pathlib

import pytest

from tfpaths import startup

startup.import_tensorflow(logical_cpus=2)

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture
def tfds_dir():
    """The folder of prepared TFDS data, where the machine has one with MNIST."""
    folder = pathlib.Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
    if not list(folder.glob("mnist/*/dataset_info.json")):
        pytest.skip(f"MNIST is not prepared in {folder}; set TFDS_DATA_DIR")
    return folder


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
    return keras.Sequential([keras.Input((size,)), Constant(value)])
