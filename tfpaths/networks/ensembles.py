"""Networks of many independent runs at once: weights and examples carry a leading axis of runs.

Initial weights are drawn from a stream by `reset`, so that run i of any ensemble starts as it would alone.
"""

from typing import Any

import keras
import tensorflow as tf

from tfpaths.networks.fast import FastLeakyReLU
from tfpaths.streams import Stream


@keras.saving.register_keras_serializable("tfpaths")
class EnsembleDense(keras.layers.Layer):
    """x W + b, `[runs, batch, inputs]` -> `[runs, batch, units]`, with a matrix and a bias for each run.

    Args:
      units: of each run.
      **kwargs: Keras'.
    """

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        runs, _, inputs = input_shape
        self.kernel = self.add_weight(shape=(runs, inputs, self.units), initializer="zeros", name="kernel")
        self.bias = self.add_weight(shape=(runs, 1, self.units), initializer="zeros", name="bias")

    def call(self, inputs):
        return tf.matmul(inputs, self.kernel) + self.bias

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def reset(self, stream: Stream) -> None:
        """Glorot's uniform weights from a stream, and biases of zero."""
        inputs = self.kernel.shape[1]
        limit = (6.0 / (inputs + self.units)) ** 0.5
        self.kernel.assign(limit * (2.0 * stream.uniform(self.kernel.shape) - 1.0))
        self.bias.assign(tf.zeros_like(self.bias))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


def mlp(runs: int, inputs: int, *, width: int, depth: int) -> keras.Model:
    """D: `[runs, batch, inputs]` -> logits `[runs, batch, 1]`, of `depth` hidden layers with LeakyReLU 0.2."""
    examples = x = keras.Input(batch_shape=(runs, None, inputs))
    for _ in range(depth):
        x = FastLeakyReLU(0.2)(EnsembleDense(width)(x))
    return keras.Model(examples, EnsembleDense(1)(x), name="discriminator")


def reset(model: keras.Model, stream: Stream) -> None:
    """Draws new weights for a model of these layers, each layer from its own stream."""
    for index, layer in enumerate(layer for layer in model.layers if isinstance(layer, EnsembleDense)):
        layer.reset(stream.fold(index))
