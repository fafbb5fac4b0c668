"""Custom networks: two perceptrons, for examples of any shape.

    python -m tfpaths.launch --import=examples.custom_network --exp=color_mnist_ns \
        --set networks.name=perceptron --set networks.width=256

A family of networks is a registered class with two methods. A keyword-only parameter of its constructor is an option.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras

from tfpaths.networks import NETWORKS, Family
from tfpaths.schema import PositiveInt


@NETWORKS.register("perceptron")
class Perceptron(Family):
    """A generator and a discriminator of two hidden layers each.

    Args:
      width: Units of a hidden layer.
      **kwargs: Arguments of `Family`: latent_dim, precision, implementation.
    """

    def __init__(self, *, width: PositiveInt = 128, **kwargs: Any):
        super().__init__(**kwargs)
        self.width = width

    def generator(self, example_shape: Sequence[int], *, seed: int = 0) -> keras.Model:
        latents = keras.Input((self.latent_dim,), dtype="float32")
        x = self._hidden(latents, seed)
        x = keras.layers.Dense(math.prod(example_shape), activation="tanh", dtype="float32")(x)
        return keras.Model(latents, keras.layers.Reshape(tuple(example_shape), dtype="float32")(x), name="generator")

    def discriminator(self, example_shape: Sequence[int], *, seed: int = 0) -> keras.Model:
        examples = keras.Input(tuple(example_shape), dtype="float32")
        x = self._hidden(keras.layers.Flatten(dtype="float32")(examples), seed)
        return keras.Model(examples, keras.layers.Dense(1, dtype="float32")(x), name="discriminator")

    def _hidden(self, x: Any, seed: int) -> Any:
        for layer in range(2):
            weights = keras.initializers.GlorotUniform(seed=2 * seed + layer)
            x = keras.layers.Dense(self.width, kernel_initializer=weights, dtype=self.precision)(x)
            x = self.layers.leaky_relu(0.2, dtype=self.precision)(x)
        return x
