"""Games on points whose runs are trained in one program: the networks of WGAN-GP's toys, with an axis of runs.

Gulrajani et al. 2017 (arXiv 1704.00028), `gan_toy.py`: hidden layers of ReLU with He's uniform initial weights, a last
layer without activation with Glorot's, zero biases. `networks.mlp.MLP` has the same networks for a single run.
"""

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import games, progress
from tfpaths.compat import keras as compat
from tfpaths.gan import GAN
from tfpaths.networks.ensembles import EnsembleDense
from tfpaths.runs import build
from tfpaths.streams import Stream

# Branches of the runs' stream that training does not use: its branches are steps, which are not negative.
_WEIGHTS, MEASURED = -2, -3
# Branches below a step: the real batches, and the noise of a fixed generator.
_DATA, _NOISE = -1, -2
# Steps in one call of the compiled program.
_AT_ONCE = 50


def network(runs: int, inputs: int, *, width: int, depth: int, outputs: int = 1, name: str) -> keras.Model:
    """Returns a network `[runs, batch, inputs]` -> `[runs, batch, outputs]`. All weights are zero until `start`.

    Args:
      runs: The number of runs.
      inputs: The number of features of an example, or of a latent.
      width: Units of each hidden layer.
      depth: The number of hidden layers.
      outputs: The number of outputs.
      name: The model's name.

    Example:
      >>> network(3, 2, width=8, depth=1, name="critic")(tf.zeros([3, 5, 2])).shape
      TensorShape([3, 5, 1])
    """
    examples = x = keras.Input(batch_shape=(runs, None, inputs))
    for _ in range(depth):
        x = keras.layers.ReLU()(EnsembleDense(width)(x))
    return keras.Model(examples, EnsembleDense(outputs)(x), name=name)


def start(model: keras.Model, stream: Stream, copies: int) -> None:
    """Draws initial weights: He's uniform distribution in hidden layers, Glorot's in the last one.

    Args:
      model: A `network`, whose number of runs is a multiple of `copies`.
      stream: The stream of an ensemble.
      copies: So many runs have different weights; run i and run i + copies have the same.

    Example:
      >>> from tfpaths import streams
      >>> model = network(4, 2, width=8, depth=1, name="critic")
      >>> start(model, streams.root(0, first_run=0), copies=2)
      >>> kernel = model.layers[1].kernel.numpy()
      >>> bool((kernel[0] == kernel[2]).all()), bool((kernel[0] == kernel[1]).any())
      (True, False)
    """
    layers = [layer for layer in model.layers if isinstance(layer, EnsembleDense)]
    for index, layer in enumerate(layers):
        runs, inputs, outputs = layer.kernel.shape
        fans = inputs if layer is not layers[-1] else inputs + outputs
        drawn = math.sqrt(6 / fans) * (2 * stream.fold(index).uniform((copies, inputs, outputs)) - 1)
        layer.kernel.assign(tf.tile(drawn, [runs // copies, 1, 1]))
        layer.bias.assign(tf.zeros_like(layer.bias))


class Drawn(Protocol):
    """What a group's examples are drawn from: a data set of points, or anything with the same two names.

    Example:
      >>> from tfpaths.data.ring import Ring
      >>> data: Drawn = Ring()
      >>> data.shape
      (2,)
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example, with one axis."""

    def draw(self, stream: Stream, shape: Sequence[int]) -> tf.Tensor:
        """Draws examples, `[*shape, dimensions]`; `shape` is (runs, number) and the stream that of an ensemble."""


class Toys:
    """Games of one variant on groups of runs, each with its data; run g copies + i is copy i of group g.

    Copy i has the same initial weights in each group, and the same batches in groups with the same data.

    Args:
      variant: The variant.
      groups: The data of each group, of examples of the same size.
      copies: The number of runs in each group.
      width: Units of each hidden layer of both networks.
      depth: The number of hidden layers.
      batch_size: Examples in a batch of each run.
      seed: Seed for weights, batches, latents and the penalties' points.
      latents: The dimension of the latents.
      clips: The clip of the weights of each group, in place of the variant's.

    Attributes:
      gan: The game.
      runs: The number of runs.

    Example:
      >>> from tfpaths import experiments
      >>> from tfpaths.data.ring import Ring
      >>> variant = experiments.get("swiss_roll_wgan").variant
      >>> toys = Toys(variant, [Ring(), Ring()], copies=2, width=4, depth=1, batch_size=8, seed=0, clips=[0.1, 0.01])
      >>> toys.play(3, "toy")
      >>> toys.gan.step, toys.runs
      (3, 4)
    """

    def __init__(
        self,
        variant: config_lib.Variant,
        groups: Sequence[Drawn],
        *,
        copies: int,
        width: int,
        depth: int,
        batch_size: int,
        seed: int,
        latents: int = 2,
        clips: Sequence[float] | None = None,
    ):
        self.runs = len(groups) * copies
        self._groups, self._copies, self._batch_size = groups, copies, batch_size
        variant = build.complete_variant(variant)
        game = games.GAMES[variant.game.name]
        with compat.own_settings():
            (size,) = groups[0].shape
            generator = network(self.runs, latents, width=width, depth=depth, outputs=size, name="generator")
            discriminator = network(self.runs, size, width=width, depth=depth, name="discriminator")
            self.gan: GAN = game(generator, discriminator, runs=self.runs, seed=seed, **build.arguments(variant))
            self.gan.compile(**build.compiled_with(variant))
        if clips is not None:
            self.gan.weight_clip = tf.constant(np.repeat(clips, copies), tf.float32)
        for index, model in enumerate((generator, discriminator)):
            start(model, self.gan.stream.fold(_WEIGHTS, index), copies)
        self._play = self._compiled(self._played)
        self._oppose = self._compiled(self._opposed)

    def _compiled(self, step: Callable[[], None]):
        def steps(count: tf.Tensor) -> None:
            def body(done: tf.Tensor) -> tf.Tensor:
                step()
                return done + 1

            tf.while_loop(lambda done: done < count, body, [tf.constant(0)])

        return tf.function(steps, autograph=False, input_signature=[tf.TensorSpec([], tf.int32)])

    def play(self, steps: int, name: str) -> None:
        """Makes steps of the game, each with new batches; `name` is for the progress line."""
        _in_parts(self._play, steps, name)

    def oppose(self, steps: int, name: str) -> None:
        """Makes updates of the discriminators against a fixed generator, x + N(0, I) of the same batch's x.

        As in `gan_toy.py` with `FIXED_GENERATOR`: the points of an interpolation penalty lie between an example and its
        own noisy copy.

        Args:
          steps: The number of updates.
          name: For the progress line.
        """
        _in_parts(self._oppose, steps, name)

    def real(self, num: int, stream: Stream) -> tf.Tensor:
        """Draws examples of each run's data, `[runs, num, size]`; groups with the same data get the same ones."""
        return tf.concat([data.draw(stream, (self._copies, num)) for data in self._groups], axis=0)

    def noise(self, num: int, stream: Stream) -> tf.Tensor:
        """Draws the noise of a fixed generator, `[runs, num, 2]`; copy i gets the same noise in each group."""
        return tf.tile(stream.normal((self._copies, num, 2)), [len(self._groups), 1, 1])

    def stream(self, step: int | tf.Tensor) -> Stream:
        """Returns the stream below which a step's examples and noise are drawn."""
        return self.gan.stream.fold(step)

    def _played(self) -> None:
        stream = self.stream(self.gan.steps).fold(_DATA)
        batches = [self.real(self._batch_size, stream.fold(index)) for index in range(self.gan.discriminator_steps)]
        self.gan.train_step(*batches)

    def _opposed(self) -> None:
        stream = self.stream(self.gan.steps)
        real = self.real(self._batch_size, stream.fold(_DATA))
        fake = real + self.noise(self._batch_size, stream.fold(_NOISE))
        gradients, _ = self.gan.discriminator_gradients(real, fake, stream)
        self.gan.move_discriminator(gradients)
        self.gan.steps.assign_add(1)


def _in_parts(program: Callable[[tf.Tensor], None], steps: int, name: str) -> None:
    parts = -(-steps // _AT_ONCE)
    for part in progress.shown(range(parts), f"{name}, part", parts):
        program(tf.constant(min(_AT_ONCE, steps - part * _AT_ONCE)))
