"""Linear generators for points, whose distribution is a Gaussian that is known exactly."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfpaths.networks import mixture
from tfpaths.networks.family import NETWORKS
from tfpaths.networks.mlp import MLP


@NETWORKS.register("linear")
class Linear(MLP):
    """A linear generator c + S z, and the discriminator of `MLP`, for examples `[dimensions]`.

    Its examples have the distribution N(c, S S^T); those of a mixture have a mixture of Gaussians: `law`. S has the
    initial weights of a last layer of `MLP`, and c is zero.

    Args:
      **kwargs: Arguments of `MLP`: width and depth are the discriminator's.

    Example:
      >>> networks = Linear(latent_dim=1, width=8, depth=1)
      >>> networks.generator((2,)).count_params()
      4
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)

    def generator(self, example_shape: Sequence[int], *, seed: int = 0) -> keras.Model:
        return self.model("generator", self.latent_dim, example_shape, seed=seed, depth=0)


def law(generator: keras.Model) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Returns the exact distribution of a linear generator's examples, or of a mixture of such; None for others.

    Args:
      generator: A network of latents z ~ N(0, I).

    Returns:
      The weights `[K]`, means `[K, d]` and covariances `[K, d, d]` of a mixture of K Gaussians, float64.

    Example:
      >>> generator = Linear(latent_dim=1).generator((2,))
      >>> generator.set_weights([np.array([[3.0, 4.0]]), np.array([1.0, 0.0])])
      >>> weights, means, covariances = law(generator)
      >>> covariances.tolist()
      [[[9.0, 12.0], [12.0, 16.0]]]
    """
    layer = mixture.weighted(generator)
    pairs = []
    for member in mixture.members(generator) or [generator]:
        dense = [part for part in member.layers if not isinstance(part, keras.layers.InputLayer)]
        if len(dense) != 1 or type(dense[0]) is not keras.layers.Dense:
            return None
        if dense[0].activation is not keras.activations.linear or not dense[0].use_bias:
            return None
        pairs.append([weight.astype(np.float64) for weight in dense[0].get_weights()])  # S^T and c
    weights = np.ones(1) if layer is None else layer.weights_of_members.numpy().astype(np.float64)
    covariances = np.stack([directions.T @ directions for directions, _ in pairs])
    return weights, np.stack([offset for _, offset in pairs]), covariances
