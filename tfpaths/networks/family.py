"""A family of networks: the pair of players for examples of a given shape."""

from collections.abc import Sequence

import keras

from tfpaths.networks import fast
from tfpaths.registry import Registry

NETWORKS: Registry[type["Family"]] = Registry("network", "tfpaths.networks")


class Family:
    """A pair of networks. A new one is a registered subclass with two methods, `generator` and `discriminator`.

    The parameters that its constructor adds are its options: fields of `networks` in a config.

    Args:
      latent_dim: Latent numbers of the generator.
      precision: Keras' policy of the layers: `float32`, `mixed_bfloat16` or `mixed_float16`.
      implementation: A name in `fast.IMPLEMENTATIONS`: whose layers are used.
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
        """Returns D: examples `[batch, *example_shape]` -> logits `[batch, 1]`, float32."""
        raise NotImplementedError
