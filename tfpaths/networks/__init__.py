"""Families of networks, by name: each builds a generator and a discriminator for examples of a given shape."""

from collections.abc import Sequence

import keras

from tfpaths import config as config_lib
from tfpaths import options
from tfpaths.networks.family import NETWORKS, Family

# The parameters of every family, which a config sets elsewhere.
COMMON = frozenset(options.parameters(Family))

__all__ = ["COMMON", "NETWORKS", "Family", "build", "family", "get"]


def get(name: str) -> type[Family]:
    """Returns the family of that name.

    Raises:
      InputError: There is none; the message has the nearest name.
    """
    return NETWORKS.lookup(name)


def family(networks: config_lib.Networks, *, precision: str = "float32") -> Family:
    """Returns the family that a config describes.

    Raises:
      InputError: There is none, or an option is wrong.
    """
    # Without a data set, whose default `auto` is, there are images.
    cls = NETWORKS.lookup("dcgan" if networks.name == "auto" else networks.name, path="networks.name")
    return cls(
        **options.complete(networks, cls, "networks", reserved=COMMON),
        latent_dim=networks.latent_dim,
        precision=precision,
        implementation=networks.implementation,
    )


def build(
    networks: config_lib.Networks, example_shape: Sequence[int], *, seed: int = 0, precision: str = "float32"
) -> tuple[keras.Model, keras.Model]:
    """Returns the generator and the discriminator that a config describes; the same seed gives the same weights.

    Example:
      >>> generator, discriminator = build(config_lib.Networks(), (28, 28, 3), seed=0)
      >>> discriminator(generator(keras.ops.zeros([2, 64]))).shape
      TensorShape([2, 1])
    """
    made = family(networks, precision=precision)
    return made.generator(example_shape, seed=2 * seed), made.discriminator(example_shape, seed=2 * seed + 1)
