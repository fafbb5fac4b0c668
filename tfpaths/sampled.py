"""What a trained game is for: latents, and the examples that are generated from them."""

from collections.abc import Mapping

import keras
import tensorflow as tf

from tfpaths import errors, refinement, streams
from tfpaths.streams import Stream

# A branch of the run's stream that training does not use: its branches are steps, which are not negative.
_SAMPLES = -1


class Sampled(keras.Model):
    """The base class of `GAN`: all generated examples come from `generate`.

    Attributes:
      generator: G.
      discriminator: D, for `refined`.
      averaged_generator: A running average of G, whose examples are the samples; None if there is none.
      runs: The number of runs of an ensemble; None for a single game.
      first_run: In an ensemble, the number of its first run; otherwise None.
      member: The number of the only generator that samples come from; None for all of them.

    Example: `tfpaths.gan.GAN`.
    """

    generator: keras.Model
    discriminator: keras.Model
    averaged_generator: keras.Model | None
    runs: int | None
    first_run: tf.Variable | None
    member: int | None = None
    # How `generate` refines its examples: `refine_steps` and `step_size`; empty if it does not.
    refinement: Mapping[str, float] = {}

    @property
    def sampled_generator(self) -> keras.Model:
        """The generator that samples come from: the averaged one, if there is one."""
        return self.averaged_generator or self.generator

    @property
    def sampled_network(self) -> keras.Model | None:
        """The network whose output the samples are; None if `generate` is overridden and makes more of it."""
        return self.sampled_generator if type(self).generate is Sampled.generate else None

    def sample_from(self, member: int) -> None:
        """Makes all samples those of one generator of a game that has several.

        Raises:
          InputError: There is no such generator.
        """
        del member
        raise errors.InputError(
            "--member: only a run of a game such as 'mix' has several generators, which can be chosen by number."
        )

    def generate(self, latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the examples G(z) for latents z.

        All generated examples come from this method: those of training, `sample`, grids, metrics, loaded runs and
        exports. Graphs are compiled without AutoGraph, so an override must write loops and conditions on tensors as
        `tf.while_loop` and `tf.cond`.

        Args:
          latents: z, drawn from N(0, I): `[batch, ...]`, in an ensemble `[runs, batch, ...]`.
          training: Whether the examples are for an update of the players.

        Returns:
          Examples `[batch, ...]`, in an ensemble `[runs, batch, ...]`; images are float32 in [-1, 1].
        """
        network = self.generator if training else self.sampled_generator
        return network(latents, training=training)

    def refined(
        self, latents: tf.Tensor, steps: int | tf.Tensor, step_size: float | tf.Tensor | None = None
    ) -> tf.Tensor:
        """Returns the examples of `generate` after some Langevin steps that follow D: `refinement.DEFAULT`."""
        dynamics = refinement.get(refinement.DEFAULT)
        pair = self.generate, self.discriminator
        return refinement.refine(*pair, latents, dynamics, steps=steps, step_size=step_size)

    def call(self, latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.generate(latents, training=training)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """The shape of the latents of one example."""
        return tuple(self.generator.input_shape[1 if self.runs is None else 2 :])

    def latents(self, num: int | tf.Tensor, stream: Stream) -> tf.Tensor:
        """Draws latents z ~ N(0, I), `[num, *latent_shape]`; in an ensemble `[runs, num, *latent_shape]`."""
        lead = (num,) if self.runs is None else (self.runs, num)
        return stream.normal((*lead, *self.latent_shape))

    def sample(self, num: int | tf.Tensor, *, seed: int | tf.Tensor = 0) -> tf.Tensor:
        """Generates `num` examples; the same seed gives the same examples. It can be called in a graph."""
        return self.generate(self.sample_latents(num, seed=seed))

    def sample_latents(
        self, num: int | tf.Tensor, *, seed: int | tf.Tensor = 0, first: int | tf.Tensor | None = None
    ) -> tf.Tensor:
        """Returns the latents that `sample` uses for this seed, from index `first` on, a multiple of four."""
        stream = streams.root(seed, first_run=self.first_run).fold(_SAMPLES)
        return self.latents(num, stream if first is None else stream.from_row(first))

    def draw(self, num: int | tf.Tensor, stream: Stream) -> tf.Tensor:
        """Generates `num` examples with latents from a stream. It can be called in a graph."""
        return self.generate(self.latents(num, stream))
