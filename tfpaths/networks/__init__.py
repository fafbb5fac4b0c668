"""Pairs of networks, by name: each builds a generator and a discriminator for images of a given shape."""

import dataclasses
from collections.abc import Callable, Sequence

import keras

from tfpaths import config
from tfpaths.networks import dcgan


@dataclasses.dataclass(frozen=True)
class Pair:
    """Builders of two Keras models: latents -> images in [-1, 1], and images -> one logit each."""

    generator: Callable[..., keras.Model]
    discriminator: Callable[..., keras.Model]


NETWORKS = {"dcgan": Pair(dcgan.generator, dcgan.discriminator)}


def get(name: str) -> Pair:
    """The builders of that name. Raises an InputError that names the nearest where there is none."""
    return NETWORKS[config.choose("network", name, NETWORKS)]


def build(
    networks: config.Networks, image_shape: Sequence[int], *, seed: int = 0, precision: str = "float32"
) -> tuple[keras.Model, keras.Model]:
    """The generator and the discriminator that a config describes; the same seed gives the same weights."""
    pair = get(networks.name)
    generator = pair.generator(
        image_shape,
        networks.latent_dim,
        filters=networks.generator_filters,
        seed=2 * seed,
        precision=precision,
        synchronized=networks.synchronized,
    )
    discriminator = pair.discriminator(
        image_shape, filters=networks.discriminator_filters, seed=2 * seed + 1, precision=precision
    )
    return generator, discriminator
