"""The base class of families of networks. A family builds a generator and a discriminator for a shape of examples."""

from collections.abc import Sequence

import keras

from tfpaths.networks import fast
from tfpaths.registry import Registry

NETWORKS: Registry[type["Family"]] = Registry("network", "tfpaths.networks")


class Family:
    """The base class of families. A subclass defines the two methods `generator` and `discriminator`.

    The parameters that the subclass' constructor adds are its options: fields of `networks` in a config. To add a
    family, register a subclass: `examples/custom_network.py`.

    Args:
      latent_dim: The dimension of the generator's latents.
      precision: The layers' Keras dtype policy: `float32`, `mixed_bfloat16` or `mixed_float16`.
      implementation: The layers that are used, a name in `fast.IMPLEMENTATIONS`.

    Attributes:
      layers: The `fast.Implementation` that the two methods build their networks from.

    Example:
      >>> NETWORKS["dcgan"](latent_dim=8).generator((28, 28, 3)).input_shape
      (None, 8)
    """

    def __init__(self, *, latent_dim: int = 64, precision: str = "float32", implementation: str = "fast"):
        self.latent_dim = latent_dim
        self.precision = precision
        self.layers = fast.IMPLEMENTATIONS[implementation]

    def generator(self, example_shape: Sequence[int], *, seed: int = 0) -> keras.Model:
        """Returns G: latents `[batch, latent_dim]` -> examples `[batch, *example_shape]`, float32.

        Args:
          example_shape: The shape of one example.
          seed: Seed for the initial weights.

        Raises:
          InputError: The family has no network for this shape.
        """
        raise NotImplementedError

    def discriminator(self, example_shape: Sequence[int], *, seed: int = 0) -> keras.Model:
        """Returns D: examples `[batch, *example_shape]` -> logits `[batch, 1]`, float32.

        Args:
          example_shape: The shape of one example.
          seed: Seed for the initial weights.

        Raises:
          InputError: The family has no network for this shape.
        """
        raise NotImplementedError
