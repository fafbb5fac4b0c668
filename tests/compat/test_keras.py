"""Keras features without a public name, or that only some versions have."""

import concurrent.futures
import sys
import threading

import keras
import pytest
import tensorflow as tf
from helpers import finish

from tfpaths.compat import keras as compat


def test_adams_moments():
    # One step on the gradient 2 with betas of 0.5 and 0.75: m = 1, v = 1.
    variable, adam = keras.Variable(1.0), keras.optimizers.Adam(0.1, beta_1=0.5, beta_2=0.75)
    adam.apply([tf.constant(2.0)], [variable])
    assert [float(moment.numpy()) for moment in compat.adam_moments(adam, variable)] == [1.0, 1.0]


def test_renormalizes():
    assert not compat.renormalizes(keras.layers.BatchNormalization())
    layer = keras.layers.BatchNormalization()
    if not hasattr(layer, "renorm"):
        pytest.skip(f"Keras {keras.__version__} has no batch renormalisation")
    assert compat.renormalizes(keras.layers.BatchNormalization(renorm=True))


def test_takes_any_argument():
    class Named(keras.layers.Layer):
        def call(self, name, x):
            return x

    plain, free = Named(), Named()
    compat.takes_any_argument(free)
    assert float(free("a", tf.constant(1.0))) == 1.0
    with pytest.raises(ValueError, match="positional"):
        plain("a", tf.constant(1.0))


def test_all_layers_includes_those_inside():
    inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="deep")])
    model = keras.Sequential([keras.Input((2,)), inner, keras.layers.Dense(1, name="top")])
    assert {"deep", "top"} <= {layer.name for layer in compat.all_layers(model)}


def test_another_backend_is_refused():
    code = "import sys, keras; keras.backend.backend = lambda: 'jax'; sys.modules.pop('tfpaths.compat.keras', None)\n"
    code += "import tfpaths.compat.keras"
    _, err = finish([sys.executable, "-c", code], status=1)
    assert "tfpaths needs Keras' TensorFlow backend; it is 'jax'. To fix this: set KERAS_BACKEND" in err


def test_own_settings_restores_the_users_settings():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        with compat.own_settings():
            assert keras.layers.Dense(1).dtype_policy.name == keras.config.floatx() == "float32"
        assert (keras.config.floatx(), keras.config.dtype_policy().name) == ("float64", "mixed_bfloat16")
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


def test_own_settings_of_two_threads_can_overlap():
    first_ends, second_begun = threading.Event(), threading.Event()

    def first():
        with compat.own_settings():
            assert second_begun.wait(10)
        first_ends.set()

    keras.config.set_image_data_format("channels_first")
    try:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            ended = pool.submit(first)
            with compat.own_settings():
                second_begun.set()
                assert first_ends.wait(10)
                # The other thread's block has ended, and this one has not.
                assert keras.config.image_data_format() == "channels_last"
            ended.result()
        assert keras.config.image_data_format() == "channels_first"
    finally:
        keras.config.set_image_data_format("channels_last")
