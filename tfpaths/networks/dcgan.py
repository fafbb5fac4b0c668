"""The DCGAN pair for square images of 16, 28, 32, 64, 128 and 256 pixels and any number of channels.

After Radford et al. 2015 (arXiv 1511.06434): strided convolutions, BatchNorm and ReLU in the generator, LeakyReLU 0.2
in the discriminator. The discriminator has no BatchNorm: a gradient penalty concerns the gradient at one example, and
BatchNorm makes an example's output depend on the other examples of its batch.

These choices are ours:

- the widths, and their limit above 64 pixels, which is the paper's size;
- Glorot's uniform initial weights, because without BatchNorm a discriminator that starts from N(0, 0.02) is nearly zero
  and changes slowly;
- a BatchNorm momentum of 0.9, so that the statistics for sampling follow the weights within some tens of steps.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from tfpaths import errors
from tfpaths.networks.family import NETWORKS, Family
from tfpaths.schema import PositiveInt

# Side of the images -> (the side of the smallest feature map, how many times it is doubled).
SIZES = {16: (4, 2), 28: (7, 2), 32: (4, 3), 64: (4, 4), 128: (4, 5), 256: (4, 6)}
# A map has at most this many times the channels of the largest map. At 256 pixels the two networks have 23 million
# weights; without the limit they would have 90 million.
WIDEST = 8


@NETWORKS.register("dcgan")
class DCGAN(Family):
    """DCGAN's generator and discriminator.

    The generator's last map before the image has `generator_filters` channels, the discriminator's first map
    `discriminator_filters`. A map of half the side has twice as many channels, up to eight times that number.

    Args:
      generator_filters: Channels of the generator's largest map.
      discriminator_filters: Channels of the discriminator's largest map.
      synchronized: Whether BatchNorm uses the statistics of the global batch instead of those of each replica's batch.
        Its moving statistics, for sampling, are the first replica's.
      **kwargs: Arguments of `Family`, such as `latent_dim` and `precision`.

    Example:
      >>> networks = DCGAN(latent_dim=8, generator_filters=4, discriminator_filters=4)
      >>> networks.generator((32, 32, 3)).output_shape, networks.discriminator((32, 32, 3)).output_shape
      ((None, 32, 32, 3), (None, 1))
    """

    def __init__(
        self,
        *,
        generator_filters: PositiveInt = 64,
        discriminator_filters: PositiveInt = 64,
        synchronized: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.generator_filters = generator_filters
        self.discriminator_filters = discriminator_filters
        self.synchronized = synchronized

    def generator(self, example_shape: Sequence[int], *, seed: int = 0) -> keras.Model:
        """Returns G: latents `[batch, latent_dim]` -> images `[batch, height, width, channels]` in [-1, 1], float32.

        Raises:
          InputError: The images are not square, or of a side that is not in `SIZES`.
        """
        side, doublings, channels = _plan(example_shape)
        weights, dtype = _initializers(seed), self.precision
        *widths, first = (_channels(self.generator_filters, level) for level in range(doublings))
        latents = keras.Input((self.latent_dim,), dtype="float32")
        x = keras.layers.Dense(side * side * first, use_bias=False, kernel_initializer=next(weights), dtype=dtype)(
            latents
        )
        x = keras.layers.Reshape((side, side, first), dtype=dtype)(x)  # [batch, side, side, first]
        for width in reversed(widths):
            x = self._normalised(x)
            x = self.layers.doubling_convolution(
                width, 4, 2, "same", data_format=_LAST, use_bias=False, kernel_initializer=next(weights), dtype=dtype
            )(x)
        x = self._normalised(x)
        x = self.layers.doubling_convolution(
            channels, 4, 2, "same", data_format=_LAST, kernel_initializer=next(weights), dtype=dtype
        )(x)
        # tanh in float32: between 0.5 and 1 the values of bfloat16 are 1/256 apart, half a level of a uint8 image.
        images = keras.layers.Activation("tanh", dtype="float32")(x)
        return keras.Model(latents, images, name="generator")

    def discriminator(self, example_shape: Sequence[int], *, seed: int = 0) -> keras.Model:
        """Returns D: images `[batch, height, width, channels]` -> logits `[batch, 1]`, float32.

        Raises:
          InputError: The images are not square, or of a side that is not in `SIZES`.
        """
        _, halvings, _ = _plan(example_shape)
        weights, dtype = _initializers(seed), self.precision
        images = x = keras.Input(tuple(example_shape), dtype="float32")
        for level in range(halvings):
            filters = _channels(self.discriminator_filters, level)
            x = self.layers.halving_convolution(
                filters, 4, 2, "same", data_format=_LAST, kernel_initializer=next(weights), dtype=dtype
            )(x)
            x = self.layers.leaky_relu(0.2, dtype=dtype)(x)
        x = keras.layers.Flatten(_LAST, dtype=dtype)(x)  # [batch, side * side * filters] of the smallest map
        logits = keras.layers.Dense(1, kernel_initializer=next(weights), dtype="float32")(x)
        return keras.Model(images, logits, name="discriminator")

    def _normalised(self, x):
        norm = self.layers.batch_normalization(momentum=0.9, synchronized=self.synchronized, dtype=self.precision)
        return keras.layers.ReLU(dtype=self.precision)(norm(x))


def _channels(filters: int, level: int) -> int:
    """Returns the channels of the map whose side is 2^level times smaller than the largest map's."""
    return filters * min(2**level, WIDEST)


# Given explicitly, because a user may have changed Keras' default.
_LAST = "channels_last"


def _initializers(seed: int) -> Iterator[keras.initializers.Initializer]:
    """Yields an initializer for each layer, with different seeds: with one seed, Keras draws the same numbers again."""
    for child in np.random.SeedSequence(seed).generate_state(16):
        yield keras.initializers.GlorotUniform(seed=int(child >> 1))


def _plan(example_shape: Sequence[int]) -> tuple[int, int, int]:
    """Returns (the side of the smallest map, the number of doublings, the image's channels)."""
    height, width, channels = example_shape if len(example_shape) == 3 else (0, 0, 0)
    if height != width or height not in SIZES:
        raise errors.InputError(
            f"networks.name: 'dcgan' makes square images of {', '.join(map(str, SIZES))} pixels; the examples are "
            f"{'×'.join(map(str, example_shape))}. To fix this: choose other networks with networks.name, or "
            "another data.image_size if the data set has this option."
        )
    return (*SIZES[height], channels)
