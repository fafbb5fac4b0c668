"""Consensus optimisation: both players also make the norm of the whole field smaller."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfpaths.games import norms
from tfpaths.games.registry import GAMES
from tfpaths.games.simultaneous import Moves, Simultaneous
from tfpaths.gan import GAN
from tfpaths.numerics import watching
from tfpaths.schema import Positive
from tfpaths.streams import Stream


@GAMES.register("consensus")
@keras.saving.register_keras_serializable("tfpaths")
class Consensus(Simultaneous):
    """Both players move at the same time, and each also descends weight ||v||^2 / 2, v the gradients of both losses.

        v = (grad_D [loss.discriminator + penalties], grad_G loss.generator)
        each player's gradient: its part of v + weight J^T v,   J the derivative of v by the variables of both

    Mescheder, Nowozin and Geiger 2017 (arXiv 1705.10461), equation 7. On the Dirac-GAN the eigenvalues are
    -weight f'(0)^2 ± i f'(0): all rotation is damped. v is that of the global batch, under every strategy; in an
    ensemble each run has its own v. J includes the points of a penalty that depend on the generator's examples.

    The step computes both losses once and differentiates twice; v enters the second pass as a constant. `consensus`
    is reported: ||v||^2 / 2 before the step.

    Args:
      *args: Arguments of `GAN`.
      weight: The factor of ||v||^2 / 2; the authors' code has 0.1 for images and 10 for mixtures of Gaussians.
      **kwargs: Arguments of `GAN`.

    Raises:
      InputError: `discriminator_steps` is above 1, or an optimiser scales its loss, as with mixed_float16.

    Example:
      >>> generator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
      >>> discriminator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
      >>> gan = Consensus(generator, discriminator, loss="minimax", weight=1.0)
      >>> gan.compile(generator_optimizer=keras.optimizers.SGD(), discriminator_optimizer=keras.optimizers.SGD())
      >>> float(gan.train_step(tf.ones([4, 2]))["consensus"]) > 0
      True
    """

    reported: Mapping[str, str] = {**GAN.reported, "consensus": "|v|²/2"}

    def __init__(self, *args: Any, weight: Positive = 0.1, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.weight = weight

    def compile(self, **kwargs: Any) -> None:
        """As `GAN.compile`; refuses optimisers that scale their loss."""
        norms.refuse_loss_scaling("consensus", {name: kwargs[name] for name in kwargs if name.endswith("_optimizer")})
        super().compile(**kwargs)

    def moves(self, real: tf.Tensor, stream: Stream, generators_real: tf.Tensor, generators_stream: Stream) -> Moves:
        pair = self.discriminator.trainable_variables, self.generator.trainable_variables
        variables = [*pair[0], *pair[1]]
        with watching(variables) as both:
            # The tape of both players sees the generator here too: the discriminator's gradient depends on it.
            with watching(pair[0]) as tape:
                fake = self.generate(self.update_latents(real, stream), training=True)
                loss, penalty = self.discriminator_losses(real, fake, stream)
                objective = self._shared(loss + penalty, self.discriminator_optimizer)
            gradients = tape.gradient(objective, pair[0])
            with watching(pair[1]) as tape:
                fake = self.generate(self.update_latents(generators_real, generators_stream), training=True)
                generator_loss = self.generator_loss(generators_real, fake, generators_stream)
                objective = self._shared(generator_loss, self.generator_optimizer)
            gradients += tape.gradient(objective, pair[1])
            totals = norms.over_replicas(gradients)
            product = norms.product(gradients, totals)
        # The derivative of ||v||^2 / 2.
        corrections = both.gradient(product, variables)
        moves = [
            correction if gradient is None else gradient if correction is None else gradient + self.weight * correction
            for gradient, correction in zip(gradients, corrections, strict=True)
        ]
        reported = {
            "discriminator_loss": loss,
            "penalty": penalty,
            "generator_loss": generator_loss,
            "consensus": norms.product(totals, totals) / (2.0 * (self.runs or 1)),
        }
        return moves[: len(pair[0])], moves[len(pair[0]) :], reported

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight": self.weight}
