"""Layers that the second derivative asks for."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("tfpaths")
class LeakyReLU(keras.layers.Layer):
    """x where x > 0, negative_slope * x elsewhere: x times a slope that no derivative sees.

    The same function and the same first and second derivatives as `keras.layers.LeakyReLU`, whose slope is piecewise
    constant too. Written as a product, its gradient is one product more and nothing to differentiate again, so that
    the second backward pass of a gradient penalty is shorter. TensorFlow's graph optimiser also reports an error, and
    gives up, on the fused convolution and LeakyReLU in such a pass; it has nothing to fuse here.
    """

    def __init__(self, negative_slope: float = 0.2, **kwargs: Any):
        super().__init__(**kwargs)
        self.negative_slope = negative_slope
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        one = tf.ones([], inputs.dtype)
        return inputs * tf.stop_gradient(tf.where(inputs > 0, one, self.negative_slope * one))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "negative_slope": self.negative_slope}
