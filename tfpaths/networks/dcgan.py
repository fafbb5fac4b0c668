"""The DCGAN pair for images of 28, 32 and 64 pixels and any number of channels.

After Radford et al. 2015 (arXiv 1511.06434): strided convolutions, BatchNorm and ReLU in the generator, LeakyReLU 0.2
in the discriminator. The discriminator has no BatchNorm: a gradient penalty is about the gradient at one example, and
BatchNorm makes an example's output depend on the others of its batch.

Ours, since the paper does not state its own: the widths; Glorot's uniform initial weights, because without BatchNorm
a discriminator that starts from N(0, 0.02) is nearly zero and slow to leave it; BatchNorm momentum 0.9, so
that the statistics for sampling follow the weights within some tens of steps.
"""

from collections.abc import Sequence

import keras
import numpy as np

from tfpaths import config
from tfpaths.networks import layers

# Pixels -> the side of the smallest feature map, and how often it is doubled from there.
SIZES = {28: (7, 2), 32: (4, 3), 64: (4, 4)}


def generator(
    image_shape: Sequence[int],
    latent_dim: int,
    *,
    filters: int = 64,
    seed: int = 0,
    precision: str = "float32",
    synchronized: bool = False,
) -> keras.Model:
    """G: latents `[batch, latent_dim]` -> images `[batch, height, width, channels]` in [-1, 1], float32.

    The map before the image has `filters` channels; each map before it has twice as many on half the side.
    BatchNorm's statistics are those of the replica's batch, or if it is synchronised of the global one; its moving
    statistics, for sampling, are the first replica's.

    Raises:
      InputError: the images are not square, or of another side than 28, 32 or 64.
    """
    side, doublings, channels = _plan(image_shape)
    weights = _initializers(seed)
    width = filters * 2 ** (doublings - 1)
    latents = keras.Input((latent_dim,))
    x = keras.layers.Dense(side * side * width, use_bias=False, kernel_initializer=next(weights), dtype=precision)(
        latents
    )
    x = keras.layers.Reshape((side, side, width), dtype=precision)(x)
    for _ in range(doublings - 1):
        x = _normalised(x, precision, synchronized)
        width //= 2
        x = keras.layers.Conv2DTranspose(
            width, 4, 2, "same", use_bias=False, kernel_initializer=next(weights), dtype=precision
        )(x)
    x = _normalised(x, precision, synchronized)
    x = layers.Conv2DTranspose(channels, 4, 2, "same", kernel_initializer=next(weights), dtype=precision)(x)
    # tanh in float32: half precision has 8 bits between 0.5 and 1, too few for a picture.
    images = keras.layers.Activation("tanh", dtype="float32")(x)
    return keras.Model(latents, images, name="generator")


def discriminator(
    image_shape: Sequence[int], *, filters: int = 64, seed: int = 0, precision: str = "float32"
) -> keras.Model:
    """D: images `[batch, height, width, channels]` -> logits `[batch, 1]`, float32.

    The first map has `filters` channels on half the image's side; each further one has twice as many on half the side.

    Raises:
      InputError: the images are not square, or of another side than 28, 32 or 64.
    """
    _, halvings, _ = _plan(image_shape)
    weights = _initializers(seed)
    images = x = keras.Input(tuple(image_shape))
    for level in range(halvings):
        convolution = layers.Conv2D if level == 0 else keras.layers.Conv2D
        x = convolution(filters * 2**level, 4, 2, "same", kernel_initializer=next(weights), dtype=precision)(x)
        x = layers.LeakyReLU(0.2, dtype=precision)(x)
    x = keras.layers.Flatten(dtype=precision)(x)
    logits = keras.layers.Dense(1, kernel_initializer=next(weights), dtype="float32")(x)
    return keras.Model(images, logits, name="discriminator")


def _normalised(x, precision, synchronized):
    norm = layers.BatchNormalization(momentum=0.9, synchronized=synchronized, dtype=precision)
    return keras.layers.ReLU(dtype=precision)(norm(x))


def _initializers(seed: int):
    """Glorot's, for one layer after the other, each with a seed of its own: Keras repeats a seed's draw."""
    for child in np.random.SeedSequence(seed).generate_state(16):
        yield keras.initializers.GlorotUniform(seed=int(child >> 1))


def _plan(image_shape: Sequence[int]) -> tuple[int, int, int]:
    height, width, channels = image_shape
    if height != width or height not in SIZES:
        raise config.InputError(
            f"dcgan: expected square images of {', '.join(map(str, SIZES))} pixels, received {height}×{width}."
        )
    return (*SIZES[height], channels)
