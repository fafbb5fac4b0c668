"""Simultaneous updates: both players move from the same point."""

from typing import Any

import keras
import tensorflow as tf

from tfpaths import errors
from tfpaths.games.registry import GAMES
from tfpaths.gan import GAN
from tfpaths.streams import Stream

# The gradients of the discriminator and of the generator, and the values that a step reports.
Moves = tuple[list[tf.Tensor | None], list[tf.Tensor | None], dict[str, tf.Tensor]]


@GAMES.register("simultaneous")
@keras.saving.register_keras_serializable("tfpaths")
class Simultaneous(GAN):
    """Both gradients are computed before either player moves; `GAN` lets the generator answer the new discriminator.

    The losses, the latents and all other random numbers are those of `GAN`. Mescheder et al. 2018 (arXiv 1801.04406),
    section 2: with gradient descent at a rate h, an equilibrium where the field has the eigenvalue lambda is stable if
    |1 + h lambda| < 1. For an imaginary lambda no h is small enough.

    `update_discriminator` only keeps its batch, and `update_generator` updates both, so the step is that of `GAN`.

    Raises:
      InputError: `discriminator_steps` is above 1.

    Example:
      >>> generator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
      >>> discriminator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
      >>> gan = Simultaneous(generator, discriminator, loss="non_saturating")
      >>> gan.compile(generator_optimizer=keras.optimizers.SGD(), discriminator_optimizer=keras.optimizers.SGD())
      >>> sorted(gan.train_step(tf.zeros([4, 2])))
      ['discriminator_loss', 'generator_loss', 'penalty']
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._kept: tuple[tf.Tensor, Stream] | None = None

    @classmethod
    def check_discriminator_steps(cls, discriminator_steps: int, path: str = "variant.discriminator_steps") -> None:
        if discriminator_steps != 1:
            raise errors.InputError(
                f"{path}: expected 1, because the players of this game move at the same time, "
                f"received {discriminator_steps}. To fix this: --set {path}=1."
            )

    def update_discriminator(self, real: tf.Tensor, stream: Stream) -> dict[str, tf.Tensor]:
        """Keeps the batch and the stream of the discriminator's update for `update_generator`."""
        self._kept = real, stream
        return {}

    def update_generator(self, real: tf.Tensor, stream: Stream) -> dict[str, tf.Tensor]:
        """Updates both players once, from the same point.

        Args:
          real: A real batch.
          stream: The stream of the generator's update.

        Returns:
          The values named in `reported`.
        """
        # Replicas are traced one after the other up to their first exchange: nothing is kept beyond this line.
        assert self._kept is not None
        kept, self._kept = self._kept, None
        of_discriminator, of_generator, reported = self.moves(*kept, real, stream)
        with tf.control_dependencies([each for each in (*of_discriminator, *of_generator) if each is not None]):
            self.move_discriminator(of_discriminator)
            self.move_generator(of_generator)
        return reported

    def moves(self, real: tf.Tensor, stream: Stream, generators_real: tf.Tensor, generators_stream: Stream) -> Moves:
        """Returns the gradients of both players at the current point, for their optimisers, and the reported values.

        Args:
          real: The discriminator's real batch.
          stream: The stream of its update.
          generators_real: The generator's real batch.
          generators_stream: The stream of its update.
        """
        of_generator, reported = self.generator_gradients(generators_real, generators_stream)
        fake = self.generate(self.update_latents(real, stream), training=True)
        of_discriminator, values = self.discriminator_gradients(real, fake, stream)
        return of_discriminator, of_generator, reported | values
