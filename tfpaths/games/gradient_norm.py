"""The gradient-norm regulariser: the generator also makes the discriminator's gradient smaller."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfpaths.games import norms
from tfpaths.games.registry import GAMES
from tfpaths.gan import GAN
from tfpaths.numerics import watching
from tfpaths.schema import Positive
from tfpaths.streams import Stream


@GAMES.register("gradient_norm")
@keras.saving.register_keras_serializable("tfpaths")
class GradientNorm(GAN):
    """The generator also descends weight ||grad_D V||^2, V = -loss.discriminator; the discriminator plays as in `GAN`.

        generator: minimise loss.generator(D(G(z))) + weight ||grad_D loss.discriminator(D(x), D(G(z)))||^2

    Nagarajan and Kolter 2017 (arXiv 1706.04156), section 4: the gradient by all weights of the discriminator, without
    penalties. On the Dirac-GAN the eigenvalues are -w f'(0)^2 ± f'(0) sqrt(w^2 f'(0)^2 - 1); for the logistic losses
    -w / 4 ± sqrt(w^2 / 16 - 1 / 4). The gradient is that of the global batch, under every strategy; in an ensemble each
    run has its own. Their code has the weight 0.5 and, as here, lets the generator answer the new discriminator.
    `gradient_norm` is reported: ||grad_D V||^2.

    Args:
      *args: Arguments of `GAN`.
      weight: w, the factor of the squared norm.
      **kwargs: Arguments of `GAN`.

    Raises:
      InputError: An optimiser scales its loss, as with mixed_float16.

    Example:
      >>> generator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
      >>> discriminator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
      >>> gan = GradientNorm(generator, discriminator, loss="minimax")
      >>> gan.compile(generator_optimizer=keras.optimizers.SGD(), discriminator_optimizer=keras.optimizers.SGD())
      >>> float(gan.train_step(tf.ones([4, 2]))["gradient_norm"]) > 0
      True
    """

    reported: Mapping[str, str] = {**GAN.reported, "gradient_norm": "|grad|²"}

    def __init__(self, *args: Any, weight: Positive = 0.5, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.weight = weight

    def compile(self, **kwargs: Any) -> None:
        """As `GAN.compile`; refuses optimisers that scale their loss."""
        used = {name: kwargs[name] for name in kwargs if name.endswith("_optimizer")}
        norms.refuse_loss_scaling("gradient_norm", used)
        super().compile(**kwargs)

    def update_generator(self, real: tf.Tensor, stream: Stream) -> dict[str, tf.Tensor]:
        """Updates the generator once, on loss.generator + weight ||grad_D V||^2.

        Args:
          real: A real batch; the update uses as many new latents, for both terms.
          stream: The stream of this update.

        Returns:
          `generator_loss`, without the regulariser, and `gradient_norm`.
        """
        variables, weights = self.generator.trainable_variables, self.discriminator.trainable_variables
        with watching(variables) as tape:
            fake = self.generate(self.update_latents(real, stream), training=True)
            loss = self.generator_loss(real, fake, stream)
            with watching(weights) as of_discriminator:
                value, _ = self.discriminator_losses(real, fake, stream)
                value = self._shared(value, self.generator_optimizer)
            gradients = of_discriminator.gradient(value, weights)
            totals = norms.over_replicas(gradients)
            # Its derivative is that of ||grad_D V||^2 = <totals, totals>.
            norm = 2.0 * norms.product(gradients, totals)
            objective = self._shared(loss, self.generator_optimizer) + self.weight * norm
        self.move_generator(tape.gradient(objective, variables))
        return {"generator_loss": loss, "gradient_norm": norms.product(totals, totals) / (self.runs or 1)}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight": self.weight}
