"""The game on the line at its equilibrium, with a linear discriminator: real players, and exact moments for batches.

    data x = s y        generator c + S z        D(x) = w.x + b        equilibrium: c = 0, S = s, w = 0, b = 0

At w = b = 0 the Jacobian depends only on the first and second moments of y, z and the instance noise. Nodes with the
moments of Gaussians, ±1 and ±sigma sqrt(d) e_i, therefore give it without the error of a sample: it is that of the
expected field.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths.gan import GAN
from tfpaths.lines import ensemble, jacobian
from tfpaths.lines.path_angle import field
from tfpaths.runs.build import arguments, complete_variant

# Penalty -> gamma / weight, for (gamma / 2) E |grad D(x)|^2 with the same second derivative at w = 0. Roth's has the
# factors (1 - D)^2 + D^2 of the probability D = 1/2, which are 1/2 together.
_GAMMAS = {"r1": 2.0, "r2": 2.0, "roth": 1.0}
_LOSSES = ("minimax", "non_saturating")


def damping(variant: config_lib.Variant) -> tuple[float, float] | None:
    """Returns gamma and sigma^2 of a variant at step 0, for `jacobian.eigenvalues`; None where no formula holds.

    The formula is that of the logistic losses, with zero-centred penalties and instance noise. A penalty with a target
    above zero has no second derivative at w = 0.

    Args:
      variant: A variant whose options are filled in.

    Example:
      >>> from tfpaths import experiments
      >>> [damping(complete_variant(experiments.get(f"line1_{name}").variant, 1)) for name in ("r1_r2", "gan_gp")]
      [(20.0, 0.0), None]
    """
    gamma = 0.0
    for penalty in variant.penalties:
        if penalty.name not in _GAMMAS or penalty.options.get("target"):
            return None
        weight: Any = penalty.options["weight"]
        gamma += _GAMMAS[penalty.name] * weight
    if variant.loss.name not in _LOSSES or variant.game.name != "gan" or variant.weight_clip is not None:
        return None
    noise = variant.instance_noise
    return gamma, 0.0 if noise is None else noise.scale**2


class _Nodes(GAN):
    """A GAN whose latents are ±1 and whose noise is ±sigma sqrt(d) e_i: each latent with each node of the noise."""

    def update_latents(self, real: tf.Tensor, stream: Any) -> tf.Tensor:
        return tf.constant(np.tile([1.0, -1.0], real.shape[1] // 2).reshape(1, -1, 1), tf.float32)

    def seen(self, examples: tf.Tensor, stream: Any) -> tf.Tensor:
        if self.instance_noise is None:
            return examples
        dimension = examples.shape[-1]
        axes = np.concatenate([np.eye(dimension), -np.eye(dimension)]).repeat(2, axis=0)  # [4 d, d]
        sigma = self.instance_noise.scale_at(self.steps)
        return examples + sigma * tf.constant(dimension**0.5 * axes, tf.float32)


def game(variant: config_lib.Variant, direction: Sequence[float], slopes: Any) -> tuple[GAN, tf.Tensor]:
    """Returns games with the generator at the data and D(x) = slope.x, and the real nodes, `[runs, 4 d, d]`.

    Args:
      variant: A variant of the game `gan`.
      direction: s, d numbers.
      slopes: w of each run, `[runs, d]`.

    Example:
      >>> from tfpaths import experiments
      >>> gan, real = game(experiments.get("line1_ns").variant, (1.0, 0.0), [[0.0, 1.0]])
      >>> gan.runs, real.shape
      (1, TensorShape([1, 8, 2]))
    """
    w, s = np.asarray(slopes, np.float32), np.asarray(direction, np.float32)
    runs = len(w)
    generator, discriminator = ensemble.players(runs, len(s), 1, width=1, depth=0)
    gan = _Nodes(generator, discriminator, runs=runs, **arguments(complete_variant(variant, 1)))
    discriminator.trainable_variables[0].assign(w[:, :, None])
    _, directions = generator.trainable_variables
    directions.assign(np.tile(s[None, :, None], [runs, 1, 1]))
    return gan, tf.constant(np.tile([1.0, -1.0], 2 * len(s))[None, :, None] * np.tile(s, [runs, 1, 1]), tf.float32)


def linear_jacobian(variant: config_lib.Variant, direction: Sequence[float]) -> np.ndarray:
    """Returns the Jacobian of the real players at the equilibrium, `[3 d + 1, 3 d + 1]`, in the order w, b, c, S.

    Args:
      variant: As in `game`.
      direction: s.

    Example:
      >>> from tfpaths import experiments
      >>> J = linear_jacobian(experiments.get("line1_ns").variant, (1.0, 0.0))
      >>> aside = J[np.ix_([1, 4], [1, 4])]  # of the second components of w and of c
      >>> aside.round(6).tolist()
      [[0.0, -0.5], [0.5, 0.0]]
    """
    # One run for each column: all of them in one product.
    size = 3 * len(direction) + 1
    gan, real = game(variant, direction, np.zeros([size, len(direction)]))
    return jacobian.product(gan, real, gan.stream, tf.eye(size)).numpy().astype(np.float64).T


def pushes(variant: config_lib.Variant, direction: Sequence[float], slopes: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns the parts of the field that belong to w and to c, each `[runs, d]`, with the generator at the data.

    Both are zero at an equilibrium. The generator's is w / 2 where w is at right angles to s, with every variant: there
    D is 1/2 at all examples.

    Args:
      variant: As in `game`.
      direction: s.
      slopes: w of each run, `[runs, d]`.

    Example:
      >>> from tfpaths import experiments
      >>> gan_gp = experiments.get("line1_gan_gp").variant
      >>> of_d, of_g = pushes(gan_gp, (1.0, 0.0), slopes=[[0.0, 1.0]])
      >>> of_d.round(6).tolist(), of_g.round(6).tolist()  # D rests at a slope of 1, and the generator leaves the data
      ([[0.0, 0.0]], [[0.0, 0.5]])
    """
    gan, real = game(variant, direction, slopes)
    of_w, _, of_c, _ = (value.numpy().astype(np.float64) for value in field(gan, real, gan.stream))
    return of_w[:, :, 0], of_c
