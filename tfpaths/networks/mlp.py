"""Multilayer perceptrons, for points and other flat examples."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import keras
import numpy as np

from tfpaths import errors
from tfpaths.networks.family import NETWORKS, Family
from tfpaths.schema import NonNegative, PositiveInt


@NETWORKS.register("mlp")
class MLP(Family):
    """A generator and a discriminator of dense layers, for examples `[dimensions]`.

    The defaults are the networks of Gulrajani et al.'s toys (`gan_toy.py`): three hidden layers of 512 units with ReLU,
    initial weights from He's uniform distribution, and a linear last layer with Glorot's. Song and Ermon's toys
    (`synthetic/kl_wgan.py`) have two hidden layers of 100 units, a slope of 0.01 and PyTorch's initial weights.

    Args:
      width: Units of each hidden layer.
      depth: The number of hidden layers.
      negative_slope: The slope of the activation below zero: 0 is ReLU, more is LeakyReLU.
      initial: The distribution of the initial weights: `he`, or `pytorch` for U(-l, l) with l = inputs^(-1/2) in all
        layers. Biases are zero; PyTorch draws them from the same distribution.
      **kwargs: Arguments of `Family`, such as `latent_dim` and `precision`.

    Example:
      >>> networks = MLP(latent_dim=2, width=8, depth=1)
      >>> networks.generator((3,)).output_shape, networks.discriminator((3,)).output_shape
      ((None, 3), (None, 1))
    """

    def __init__(
        self,
        *,
        width: PositiveInt = 512,
        depth: PositiveInt = 3,
        negative_slope: NonNegative = 0.0,
        initial: Literal["he", "pytorch"] = "he",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.width = width
        self.depth = depth
        self.negative_slope = negative_slope
        self.initial = initial

    def generator(self, example_shape: Sequence[int], *, seed: int = 0) -> keras.Model:
        """Returns G: latents `[batch, latent_dim]` -> examples `[batch, dimensions]`, float32, of any size.

        Raises:
          InputError: An example has more than one axis.
        """
        return self.model("generator", self.latent_dim, example_shape, seed=seed)

    def discriminator(self, example_shape: Sequence[int], *, seed: int = 0) -> keras.Model:
        """Returns D: examples `[batch, dimensions]` -> logits `[batch, 1]`, float32.

        Raises:
          InputError: An example has more than one axis.
        """
        return self.model("discriminator", _dimensions(example_shape), (1,), seed=seed)

    def model(
        self, name: str, inputs: int, example_shape: Sequence[int], *, seed: int, depth: int | None = None
    ) -> keras.Model:
        """Returns a network `[batch, inputs]` -> `[batch, dimensions]` of these layers, for examples of a shape.

        Args:
          name: The network's name.
          inputs: The number of inputs.
          example_shape: The shape of one output.
          seed: Seed for the initial weights.
          depth: The number of hidden layers; None for that of the family.

        Raises:
          InputError: An output has more than one axis.
        """
        outputs, depth = _dimensions(example_shape), self.depth if depth is None else depth
        seeds, dtype = _seeds(seed, depth + 1), self.precision
        start = x = keras.Input((inputs,), dtype="float32")
        for _ in range(depth):
            weights = self._weights("he", next(seeds))
            x = keras.layers.Dense(self.width, kernel_initializer=weights, dtype=dtype)(x)
            if self.negative_slope:
                x = self.layers.leaky_relu(self.negative_slope, dtype=dtype)(x)
            else:
                x = self.layers.relu(dtype=dtype)(x)
        last = keras.layers.Dense(outputs, kernel_initializer=self._weights("glorot", next(seeds)), dtype="float32")
        return keras.Model(start, last(x), name=name)

    def _weights(self, name: str, seed: int) -> keras.initializers.Initializer:
        if self.initial == "pytorch":
            # Of variance 1 / (3 inputs).
            return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed=seed)
        return _INITIALIZERS[name](seed=seed)


_INITIALIZERS = {"he": keras.initializers.HeUniform, "glorot": keras.initializers.GlorotUniform}


def _seeds(seed: int, count: int) -> Iterator[int]:
    """Yields different seeds for the layers: with one seed, Keras draws the same numbers again."""
    for child in np.random.SeedSequence(seed).generate_state(count):
        yield int(child >> 1)


def _dimensions(example_shape: Sequence[int]) -> int:
    if len(example_shape) != 1:
        raise errors.InputError(
            f"networks.name: 'mlp' makes flat examples, such as points; the examples are "
            f"{'×'.join(map(str, example_shape))}. To fix this: choose other networks with networks.name."
        )
    return example_shape[0]
