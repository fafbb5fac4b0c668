"""Networks of an ensemble: weights and examples have a leading axis of independent runs.

`reset` draws the initial weights from a stream, so run i has the same weights in every ensemble as it would alone.
"""

import functools
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfpaths import numerics
from tfpaths.networks.fast import FastLeakyReLU
from tfpaths.streams import Stream


@keras.saving.register_keras_serializable("tfpaths")
class EnsembleDense(keras.layers.Layer):
    """x W + b, `[runs, batch, inputs]` -> `[runs, batch, units]`, with one W and one b for each run.

    W and b are zero until `reset` draws W.

    Args:
      units: The number of units in each run.
      **kwargs: The arguments of `keras.layers.Layer`, such as `name`.

    Example:
      >>> layer = EnsembleDense(2)
      >>> layer(tf.zeros([3, 5, 4])).shape
      TensorShape([3, 5, 2])
      >>> layer.count_params()  # 3 runs, each with 4 * 2 weights and 2 biases
      30
    """

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        runs, _, inputs = input_shape  # [runs, batch, inputs]
        self.kernel = self.add_weight(shape=(runs, inputs, self.units), initializer="zeros", name="kernel")
        self.bias = self.add_weight(shape=(runs, 1, self.units), initializer="zeros", name="bias")

    def call(self, inputs):
        return tf.matmul(inputs, self.kernel) + self.bias

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def reset(self, stream: Stream, scale: float | tf.Tensor = 1.0) -> None:
        """Draws weights from Glorot's uniform distribution, times `scale`, and sets biases to zero."""
        inputs = self.kernel.shape[1]
        # Glorot and Bengio 2010, equation 16; the fans are those of one run.
        limit = (6.0 / (inputs + self.units)) ** 0.5
        drawn = limit * (2.0 * stream.uniform(self.kernel.shape) - 1.0)
        self.kernel.assign(numerics.of_runs(scale, drawn) * drawn)
        self.bias.assign(tf.zeros_like(self.bias))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("tfpaths")
def smooth_leaky_relu(x: tf.Tensor) -> tf.Tensor:
    """Returns 0.2 x + 0.8 log(1 + e^x): the slopes of LeakyReLU far from zero, and a second derivative everywhere.

    Example:
      >>> float(smooth_leaky_relu(tf.constant(100.0)))
      100.0
    """
    return 0.2 * x + 0.8 * tf.nn.softplus(x)


def mlp(
    runs: int,
    inputs: int,
    *,
    width: int,
    depth: int,
    outputs: int = 1,
    activation: str = "leaky_relu",
    name: str = "discriminator",
) -> keras.Model:
    """Returns a network `[runs, batch, inputs]` -> `[runs, batch, outputs]`. All weights are zero until `reset`.

    Args:
      runs: The number of runs.
      inputs: The number of features of an example, or of a latent.
      width: Units of each hidden layer.
      depth: The number of hidden layers; 0 for a linear network.
      outputs: The number of outputs: 1 for a discriminator's logits.
      activation: What follows each hidden layer: `leaky_relu`, LeakyReLU with slope 0.2, or `smooth_leaky_relu`.
      name: The model's name.

    Example:
      >>> mlp(3, 2, width=8, depth=1)(tf.zeros([3, 5, 2])).shape
      TensorShape([3, 5, 1])
    """
    examples = x = keras.Input(batch_shape=(runs, None, inputs))
    for _ in range(depth):
        x = EnsembleDense(width)(x)
        is_smooth = activation == "smooth_leaky_relu"
        x = keras.layers.Activation(smooth_leaky_relu)(x) if is_smooth else FastLeakyReLU(0.2)(x)
    return keras.Model(examples, EnsembleDense(outputs)(x), name=name)


def reset(model: keras.Model, stream: Stream, scale: float | tf.Tensor = 1.0) -> None:
    """Draws new weights for each layer of a model that has a method `reset`, each layer from its own stream.

    Args:
      model: The model.
      stream: The stream of an ensemble.
      scale: The factor of the initial weights: a number, or one for each run, `[runs]`.

    Example:
      >>> from tfpaths import streams
      >>> pair, single = mlp(2, 3, width=4, depth=1), mlp(1, 3, width=4, depth=1)
      >>> reset(pair, streams.root(0, first_run=0))
      >>> reset(single, streams.root(0, first_run=1))
      >>> bool(tf.reduce_all(pair.layers[1].kernel[1] == single.layers[1].kernel[0]))  # run 1 in both
      True
    """
    for index, layer in enumerate(layer for layer in model.layers if hasattr(layer, "reset")):
        layer.reset(stream.fold(index), scale)


def with_values_of_runs(optimizer: keras.optimizers.Optimizer, values: Mapping[str, tf.Variable]) -> None:
    """Makes the optimiser of an ensemble use other values of its options for each run.

    Keras' update of a variable `[runs, ...]` is computed with options `[runs, 1, ...]`. `fast.FusedAdam` is not
    possible here, since TensorFlow's fused operation takes scalars.

    Args:
      optimizer: Keras' Adam, RMSprop or SGD, or another one whose `update_step` is arithmetic.
      values: Option, such as `learning_rate` or `beta_1` -> its values, `[runs]`.

    Example:
      >>> optimizer, w = keras.optimizers.SGD(), keras.Variable([[1.0], [1.0]])  # [runs, 1]
      >>> with_values_of_runs(optimizer, {"learning_rate": tf.Variable([0.5, 0.1])})
      >>> optimizer.apply([tf.ones([2, 1])], [w])
      >>> w.numpy().tolist()
      [[0.5], [0.8999999761581421]]
    """
    optimizer.update_step = functools.partial(_update_step, optimizer, optimizer.update_step, values)


def _update_step(optimizer, update_step, values, gradient, variable, learning_rate):
    shaped = {name: numerics.of_runs(value, variable) for name, value in values.items()}
    learning_rate = shaped.pop("learning_rate", learning_rate)
    scalars = {name: getattr(optimizer, name) for name in shaped}
    for name, value in shaped.items():
        setattr(optimizer, name, value)
    try:
        return update_step(gradient, variable, learning_rate)
    finally:
        for name, value in scalars.items():
            setattr(optimizer, name, value)
