"""Families of networks by name. A family builds a generator and a discriminator for a shape of examples."""

from collections.abc import Sequence

import keras

from tfpaths import config as config_lib
from tfpaths import options
from tfpaths.networks.family import NETWORKS, Family

# The parameters that all families have. They are not options: a config has its own fields for them.
COMMON = frozenset(options.parameters(Family))

__all__ = ["COMMON", "NETWORKS", "Family", "build", "family", "get"]


def get(name: str) -> type[Family]:
    """Returns the class of families registered as `name`, such as `dcgan`.

    Raises:
      InputError: No family has this name; the message suggests the nearest one.

    Example:
      >>> get("dcgan")(latent_dim=8).discriminator((28, 28, 3)).output_shape
      (None, 1)
    """
    return NETWORKS.lookup(name)


def family(networks: config_lib.Networks, *, precision: str = "float32") -> Family:
    """Returns the family that a config describes, with its options.

    Args:
      networks: The config; `auto` means `dcgan`, because the data set, whose default it would be, is not known here.
      precision: The layers' Keras dtype policy: `float32`, `mixed_bfloat16` or `mixed_float16`.

    Raises:
      InputError: No family has this name, or an option does not exist, has the wrong type or is out of its range.

    Example:
      >>> family(config_lib.Networks(latent_dim=8)).latent_dim
      8
    """
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

    Args:
      networks: The config, as in `family`.
      example_shape: The shape of one example.
      seed: Seed for the initial weights. The two networks use different seeds, as in `GAN.of_family`.
      precision: The layers' Keras dtype policy, as in `family`.

    Raises:
      InputError: As in `family`, or the family has no networks for this shape.

    Example:
      >>> generator, discriminator = build(config_lib.Networks(), (28, 28, 3), seed=0)
      >>> discriminator(generator(keras.ops.zeros([2, 64]))).shape
      TensorShape([2, 1])
    """
    pair = family(networks, precision=precision)
    return pair.generator(example_shape, seed=2 * seed), pair.discriminator(example_shape, seed=2 * seed + 1)
