"""DCGANs of any depth, with a choice of activations and normalisation: the random architectures of WGAN-GP's table 1.

Gulrajani et al. 2017 (arXiv 1704.00028), section 5.1, draw the activation, the depth, the number of filters and the
normalisation of both players. The paper says no more about these networks. Ours are the networks of
`tfpaths.networks.dcgan` with more convolutions:

- the depth is the number of layers with a kernel. A DCGAN of 32 pixels has four. The further ones are 3×3 convolutions
  behind the layer that makes a map, which leave its size and its channels as they are. All maps have the same number
  of them, or the smaller ones one more;
- a layer is a convolution, its normalisation, its activation. As in Radford et al. 2015, the generator's image and the
  discriminator's first map are not normalised;
- He's uniform initial weights, of variance 2 / fan-in, since Glorot's halve the variance behind each ReLU; Glorot's in
  the last layer, which has none. A transposed 4×4 convolution of stride 2 makes each output of 2×2 places of its input,
  so that its fan-in is 4 times the input's channels. Keras' `HeUniform` would take 16 times the output's channels,
  with which the variance falls to a half where the channels halve, and to a quarter where they do not;
- LeakyReLU has slope 0.2, and BatchNorm momentum 0.9.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import keras
import numpy as np

from tfpaths import errors
from tfpaths.networks.dcgan import SIZES, WIDEST
from tfpaths.networks.family import NETWORKS, Family
from tfpaths.schema import PositiveInt

# `softplus` is log(1 + exp(2 x + 2)) / 2 - 1: a smooth function that is near x above zero, and near -1 far below.
Activation = Literal["relu", "leaky_relu", "softplus", "tanh"]
_LAST = "channels_last"


@NETWORKS.register("deep_dcgan")
class DeepDCGAN(Family):
    """A generator and a discriminator of convolutions, for the square images of `dcgan`.

    The discriminator's `layer` normalisation is that of Ba et al. 2016 (arXiv 1607.06450): the mean and the variance
    are those of all values of one example's map, scale and offset those of a channel. With a gradient penalty the paper
    uses it in place of BatchNorm, which makes an example's output depend on the other examples of its batch.

    Args:
      generator_filters: Channels of the generator's largest map; a map of half the side has twice as many, up to eight
        times that number.
      discriminator_filters: The same of the discriminator.
      generator_depth: The generator's layers with a kernel.
      discriminator_depth: The discriminator's.
      generator_activation: `relu`, `leaky_relu`, `softplus` for log(1 + exp(2 x + 2)) / 2 - 1, or `tanh`. The image is
        a tanh with each of them.
      discriminator_activation: The same of the discriminator, whose logit has none.
      generator_batch_norm: Whether the generator has BatchNorm.
      discriminator_normalized: Whether the discriminator has a normalisation.
      discriminator_normalization: Which one: `layer` or `batch`.
      **kwargs: Arguments of `Family`, such as `latent_dim` and `precision`.

    Example:
      >>> networks = DeepDCGAN(generator_depth=5, generator_filters=4, discriminator_filters=4)
      >>> generator, discriminator = networks.generator((32, 32, 3)), networks.discriminator((32, 32, 3))
      >>> [sum(hasattr(layer, "kernel") for layer in model.layers) for model in (generator, discriminator)]
      [5, 8]
    """

    def __init__(
        self,
        *,
        generator_filters: PositiveInt = 64,
        discriminator_filters: PositiveInt = 64,
        generator_depth: PositiveInt = 8,
        discriminator_depth: PositiveInt = 8,
        generator_activation: Activation = "relu",
        discriminator_activation: Activation = "leaky_relu",
        generator_batch_norm: bool = True,
        discriminator_normalized: bool = False,
        discriminator_normalization: Literal["layer", "batch"] = "layer",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.generator_filters = generator_filters
        self.discriminator_filters = discriminator_filters
        self.generator_depth = generator_depth
        self.discriminator_depth = discriminator_depth
        self.generator_activation = generator_activation
        self.discriminator_activation = discriminator_activation
        self.generator_normalization = "batch" if generator_batch_norm else "none"
        self.discriminator_normalization = discriminator_normalization if discriminator_normalized else "none"

    def generator(self, example_shape: Sequence[int], *, seed: int = 0) -> keras.Model:
        """Returns G: latents `[batch, latent_dim]` -> images `[batch, height, width, channels]` in [-1, 1], float32.

        Raises:
          InputError: The images are not square, of a side that `dcgan` has not, or too large for the depth.
        """
        side, further, channels = _plan(example_shape, self.generator_depth, "generator_depth")
        seeds, dtype = _seeds(seed, self.generator_depth), self.precision
        normalization, activation = self.generator_normalization, self.generator_activation
        bias = normalization == "none"
        latents = keras.Input((self.latent_dim,), dtype="float32")
        for level, count in enumerate(further):  # The smallest map first.
            width = _channels(self.generator_filters, len(further) - 1 - level)
            if level == 0:
                weights = keras.initializers.HeUniform(seed=next(seeds))
                x = keras.layers.Dense(side * side * width, use_bias=bias, kernel_initializer=weights, dtype=dtype)(
                    latents
                )
                x = keras.layers.Reshape((side, side, width), dtype=dtype)(x)  # [batch, side, side, width]
            else:
                limit = math.sqrt(6 / (4 * x.shape[-1]))  # Of variance limit^2 / 3 = 2 / fan-in.
                weights = keras.initializers.RandomUniform(-limit, limit, seed=next(seeds))
                x = self.layers.doubling_convolution(
                    width, 4, 2, "same", data_format=_LAST, use_bias=bias, kernel_initializer=weights, dtype=dtype
                )(x)
            x = self._activated(x, normalization, activation)
            x = self._further(x, count, seeds, normalization, activation)
        weights = keras.initializers.GlorotUniform(seed=next(seeds))
        x = self.layers.doubling_convolution(
            channels, 4, 2, "same", data_format=_LAST, kernel_initializer=weights, dtype=dtype
        )(x)
        # tanh in float32: between 0.5 and 1 the values of bfloat16 are 1/256 apart, half a level of a uint8 image.
        images = keras.layers.Activation("tanh", dtype="float32")(x)
        return keras.Model(latents, images, name="generator")

    def discriminator(self, example_shape: Sequence[int], *, seed: int = 0) -> keras.Model:
        """Returns D: images `[batch, height, width, channels]` -> logits `[batch, 1]`, float32.

        Raises:
          InputError: The images are not square, of a side that `dcgan` has not, or too large for the depth.
        """
        _, further, _ = _plan(example_shape, self.discriminator_depth, "discriminator_depth")
        seeds, dtype = _seeds(seed, self.discriminator_depth), self.precision
        normalization, activation = self.discriminator_normalization, self.discriminator_activation
        images = x = keras.Input(tuple(example_shape), dtype="float32")
        for level, count in enumerate(reversed(further)):  # The largest map first.
            width, bias = _channels(self.discriminator_filters, level), level == 0 or normalization == "none"
            weights = keras.initializers.HeUniform(seed=next(seeds))
            x = self.layers.halving_convolution(
                width, 4, 2, "same", data_format=_LAST, use_bias=bias, kernel_initializer=weights, dtype=dtype
            )(x)
            x = self._activated(x, "none" if level == 0 else normalization, activation)
            x = self._further(x, count, seeds, normalization, activation)
        x = keras.layers.Flatten(_LAST, dtype=dtype)(x)  # [batch, side * side * width] of the smallest map
        weights = keras.initializers.GlorotUniform(seed=next(seeds))
        logits = keras.layers.Dense(1, kernel_initializer=weights, dtype="float32")(x)
        return keras.Model(images, logits, name="discriminator")

    def _further(self, x, count: int, seeds: Iterator[int], normalization: str, activation: str):
        """Returns the map after `count` layers that leave its shape as it is."""
        for _ in range(count):
            x = keras.layers.Conv2D(
                x.shape[-1],
                3,
                padding="same",
                data_format=_LAST,
                use_bias=normalization == "none",
                kernel_initializer=keras.initializers.HeUniform(seed=next(seeds)),
                dtype=self.precision,
            )(x)
            x = self._activated(x, normalization, activation)
        return x

    def _activated(self, x, normalization: str, activation: str):
        """Returns the normalised map's activations; the layers are Keras' own, so that an export needs no other."""
        dtype = self.precision
        if normalization == "batch":
            x = self.layers.batch_normalization(momentum=0.9, dtype=dtype)(x)
        elif normalization == "layer":
            # One group: Keras' LayerNormalization would have a scale and an offset for each place of the map.
            x = keras.layers.GroupNormalization(1, dtype=dtype)(x)
        if activation == "leaky_relu":
            return self.layers.leaky_relu(0.2, dtype=dtype)(x)
        if activation == "softplus":
            x = keras.layers.Rescaling(2.0, 2.0, dtype=dtype)(x)
            x = keras.layers.Activation("softplus", dtype=dtype)(x)
            return keras.layers.Rescaling(0.5, -1.0, dtype=dtype)(x)
        return keras.layers.Activation(activation, dtype=dtype)(x)


def _channels(filters: int, level: int) -> int:
    """Returns the channels of the map whose side is 2^level times smaller than the largest map's."""
    return filters * min(2**level, WIDEST)


def _seeds(seed: int, count: int) -> Iterator[int]:
    """Yields different seeds for the layers: with one seed, Keras draws the same numbers again."""
    for child in np.random.SeedSequence(seed).generate_state(count):
        yield int(child >> 1)


def _plan(example_shape: Sequence[int], depth: int, field: str) -> tuple[int, list[int], int]:
    """Returns (the smallest map's side, each map's further layers with the smallest map first, the image's channels).

    Example:
      >>> _plan((32, 32, 3), 9, "generator_depth")  # 4 layers make the maps and the output; 5 further ones
      (4, [2, 2, 1], 3)
    """
    shape = "×".join(map(str, example_shape))
    height, width, channels = example_shape if len(example_shape) == 3 else (0, 0, 0)
    if height != width or height not in SIZES:
        raise errors.InputError(
            f"networks.name: 'deep_dcgan' makes square images of {', '.join(map(str, SIZES))} pixels; the examples are "
            f"{shape}. To fix this: choose other networks with networks.name, or another data.image_size if the data "
            "set has this option."
        )
    side, maps = SIZES[height]
    if depth <= maps:
        raise errors.InputError(
            f"networks.{field}: expected at least {maps + 1} layers for examples of {shape}, received {depth}."
        )
    each, rest = divmod(depth - maps - 1, maps)
    return side, [each + (level < rest) for level in range(maps)], channels
