"""Residual 1-D convolutions for texts, `[length, characters]`."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from tfpaths import errors
from tfpaths.networks.family import NETWORKS, Family
from tfpaths.schema import PositiveInt

# Places that a convolution reads, and the factor of a block's convolutions, as in the authors' code.
_KERNEL, _FACTOR = 5, 0.3


@NETWORKS.register("residual_text")
class ResidualText(Family):
    """The generator and the critic of texts of Gulrajani et al. 2017 (arXiv 1704.00028), section 5.4.

    The sizes are those of its code (`gan_language.py`): five blocks x + 0.3 f(x), where f is twice a ReLU and a
    convolution of 5 places, all of one width; a generator that ends in a softmax over the characters of each place,
    which the critic reads as it is. The weights of the convolutions are from U(-l, l) with the variance
    4 / (fan_in + fan_out), those of the dense layers from Glorot's; biases are zero. There is no normalisation.

    The code's width is 512; a comment beside it recommends less for data sets smaller than the Billion Word corpus.

    Args:
      width: Channels of all maps.
      blocks: The number of residual blocks of each network.
      **kwargs: Arguments of `Family`, such as `latent_dim` and `precision`.

    Example:
      >>> networks = ResidualText(latent_dim=8, width=4, blocks=1)
      >>> networks.generator((16, 30)).output_shape, networks.discriminator((16, 30)).output_shape
      ((None, 16, 30), (None, 1))
    """

    def __init__(self, *, width: PositiveInt = 512, blocks: PositiveInt = 5, **kwargs: Any):
        super().__init__(**kwargs)
        self.width = width
        self.blocks = blocks

    def generator(self, example_shape: Sequence[int], *, seed: int = 0) -> keras.Model:
        """Returns G: latents `[batch, latent_dim]` -> `[batch, length, characters]`, which sum to 1, float32.

        Raises:
          InputError: An example does not have two axes.
        """
        length, characters = _axes(example_shape)
        seeds, dtype = _seeds(seed, 2 * self.blocks + 2), self.precision
        latents = keras.Input((self.latent_dim,), dtype="float32")
        dense = keras.layers.Dense(length * self.width, kernel_initializer=_glorot(next(seeds)), dtype=dtype)
        x = keras.layers.Reshape((length, self.width), dtype=dtype)(dense(latents))  # [batch, length, width]
        x = self._convolved(self._residual(x, seeds), characters, 1, seeds)
        # The softmax in float32: the probabilities of bfloat16 do not sum to 1.
        return keras.Model(latents, keras.layers.Softmax(dtype="float32")(x), name="generator")

    def discriminator(self, example_shape: Sequence[int], *, seed: int = 0) -> keras.Model:
        """Returns D: texts `[batch, length, characters]` -> logits `[batch, 1]`, float32.

        Raises:
          InputError: An example does not have two axes.
        """
        seeds, dtype = _seeds(seed, 2 * self.blocks + 2), self.precision
        texts = keras.Input(_axes(example_shape), dtype="float32")
        x = self._residual(self._convolved(texts, self.width, 1, seeds), seeds)
        x = keras.layers.Flatten(_LAST, dtype=dtype)(x)  # [batch, length * width]
        logits = keras.layers.Dense(1, kernel_initializer=_glorot(next(seeds)), dtype="float32")(x)
        return keras.Model(texts, logits, name="discriminator")

    def _residual(self, x, seeds):
        for _ in range(self.blocks):
            y = x
            for _ in range(2):
                y = self._convolved(self.layers.relu(dtype=self.precision)(y), self.width, _KERNEL, seeds)
            y = keras.layers.Rescaling(_FACTOR, dtype=self.precision)(y)
            x = keras.layers.Add(dtype=self.precision)([x, y])
        return x

    def _convolved(self, x, filters, size, seeds):
        # Keras' variance is scale / ((fan_in + fan_out) / 2).
        weights = keras.initializers.VarianceScaling(2.0, "fan_avg", "uniform", seed=next(seeds))
        return self.layers.sliding_convolution(
            filters, size, padding="same", data_format=_LAST, kernel_initializer=weights, dtype=self.precision
        )(x)


# Given explicitly, because a user may have changed Keras' default.
_LAST = "channels_last"


def _glorot(seed: int) -> keras.initializers.Initializer:
    return keras.initializers.GlorotUniform(seed=seed)


def _seeds(seed: int, count: int) -> Iterator[int]:
    """Yields different seeds for the layers: with one seed, Keras draws the same numbers again."""
    for child in np.random.SeedSequence(seed).generate_state(count):
        yield int(child >> 1)


def _axes(example_shape: Sequence[int]) -> tuple[int, int]:
    if len(example_shape) != 2:
        raise errors.InputError(
            "networks.name: 'residual_text' makes texts, of a length and characters; the examples are "
            f"{'×'.join(map(str, example_shape))}. To fix this: choose other networks with networks.name."
        )
    return example_shape[0], example_shape[1]
