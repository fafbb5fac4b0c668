"""Discriminator contrastive divergence: the discriminator of a finished run learns from refined samples."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfpaths import errors, refinement
from tfpaths.games.registry import GAMES
from tfpaths.gan import GAN
from tfpaths.schema import Count, Positive
from tfpaths.streams import Stream


@GAMES.register("dcd")
@keras.saving.register_keras_serializable("tfpaths")
class DCD(GAN):
    """A fixed generator, whose samples are refined by the discriminator; and a discriminator that learns from them.

        x_K: `refinement_steps` Langevin steps that follow D, from G(z), see `tfpaths.refinement`
        discriminator: minimise loss.discriminator(D(x), D(x_K)) + sum of penalty(D, x, x_K)

    Song, Ye, Xu and Liu 2020 (arXiv 2004.01704): contrastive divergence of the energy -D. With the loss `wasserstein`
    the objective is E D(x_K) - E D(x); the released code has `hinge` for images. No gradient flows through the chain.
    The players begin with the weights of a finished run, `networks.weights_of`; the generator keeps them, and its
    BatchNorm uses the moving statistics. Every sample is refined: those of grids, metrics, `load` and the export.

    Args:
      *args: Arguments of `GAN`.
      refinement_steps: k, the number of steps; with 0, samples are those of the finished run.
      dynamics: The form of the dynamics, a name in `refinement.DYNAMICS`.
      step_size: e; None for that of the form.
      temperature: T; None for that of the form.
      **kwargs: Arguments of `GAN`.

    Raises:
      InputError: The form is one for images only, and the examples are no images.
      ValueError: It is an ensemble.

    Example:
      >>> generator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
      >>> discriminator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
      >>> gan = DCD(generator, discriminator, loss="wasserstein", refinement_steps=5)
      >>> z = gan.sample_latents(4)
      >>> bool(tf.reduce_all(gan.refined(z, steps=0) == generator(z)))
      True
    """

    needs_run = True
    reported: Mapping[str, str] = {name: short for name, short in GAN.reported.items() if name != "generator_loss"}

    def __init__(
        self,
        *args: Any,
        refinement_steps: Count = 20,
        dynamics: refinement.Names = "code_latent",
        step_size: Positive | None = None,
        temperature: Positive | None = None,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        if self.runs is not None:
            raise ValueError("runs: the game 'dcd' has no ensembles.")
        if self.ema is not None:
            raise errors.InputError("networks.ema: the generator of the game 'dcd' is fixed, so it has no average.")
        self.dynamics = refinement.get(dynamics, step_size=step_size, temperature=temperature)
        if self.dynamics.bounds is not None and len(self.generator.output_shape) != 4:
            raise errors.InputError(
                f"variant.game.dynamics: {dynamics!r} keeps examples in [-1, 1], which only images are. To fix this: "
                "--set variant.game.dynamics=langevin, which follows D in the space of examples too."
            )
        self.refinement = {"refine_steps": refinement_steps, "step_size": self.dynamics.step_size}
        self.refinement_steps = refinement_steps
        self._dynamics_name = dynamics

    def refined(
        self, latents: tf.Tensor, steps: int | tf.Tensor, step_size: float | tf.Tensor | None = None
    ) -> tf.Tensor:
        """Returns samples after a number of steps, and with a step size, that may differ from those of the config."""
        return refinement.refine(
            self._of_generator, self.discriminator, latents, self.dynamics, steps=steps, step_size=step_size
        )

    def generate(self, latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.refined(latents, self.refinement_steps)

    def update_generator(self, real: tf.Tensor, stream: Stream) -> dict[str, tf.Tensor]:
        """Does nothing: the generator is fixed."""
        del real, stream
        return {}

    def _of_generator(self, latents: tf.Tensor) -> tf.Tensor:
        return self.generator(latents, training=False)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "refinement_steps": self.refinement_steps,
            "dynamics": self._dynamics_name,
            "step_size": self.dynamics.step_size,
            "temperature": self.dynamics.temperature,
        }
