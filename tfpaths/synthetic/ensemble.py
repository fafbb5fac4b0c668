"""Many independent GANs on lines, trained together in one compiled program."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from tfpaths import streams
from tfpaths.gan import GAN
from tfpaths.networks import ensembles
from tfpaths.synthetic import line


@dataclasses.dataclass(frozen=True)
class Progress:
    """What a stretch of steps did to each run, `[runs]` each.

    Attributes:
      distance: d^2 at its end.
      rises: on how many of its steps d^2 rose.
      climbed: by how much in all.
    """

    distance: np.ndarray
    rises: np.ndarray
    climbed: np.ndarray


class Ensemble:
    """A block of runs: one GAN whose networks and data carry an axis of runs, and a program of many of its steps.

    Args:
      gan: an ensemble, compiled; its generator is one `LinearGenerator`.
      batch_size: of each run.
      start: `random` or `parallel`, see `line.start`.
    """

    def __init__(self, gan: GAN, *, batch_size: int, start: str):
        assert gan.runs is not None
        self.gan = gan
        self._batch_size = batch_size
        self._start = start
        self.runs = gan.runs
        # A program of XLA's runs where its variables are, and is to be called from there.
        self._device = gan.steps.device
        (self._linear,) = (layer for layer in gan.generator.layers if isinstance(layer, line.LinearGenerator))
        dimension = self._linear.dimension
        self.data = line.Line(*(tf.Variable(tf.zeros([self.runs, dimension]), trainable=False) for _ in range(2)))
        optimizers = (gan.generator_optimizer, gan.discriminator_optimizer)
        self._fresh = [(variable, variable.numpy()) for optimizer in optimizers for variable in optimizer.variables]
        # Traced here, once for each block: called as plain functions they would be taken for one that is traced again
        # and again, of which TensorFlow warns.
        self._draw = tf.function(self._draw_all, jit_compile=True).get_concrete_function()
        self._advance = tf.function(self._advance_all, jit_compile=True, autograph=False).get_concrete_function(
            tf.TensorSpec([], tf.int32)
        )

    def reset(self, first_run: int) -> None:
        """Makes the block that of the runs from `first_run` on, each at its start."""
        assert self.gan.first_run is not None
        self.gan.steps.assign(0)
        self.gan.first_run.assign(first_run)
        for variable, value in self._fresh:
            variable.assign(value)
        with tf.device(self._device):
            self._draw()

    def _draw_all(self):
        # Compiled like the steps: a stream's numbers are those of the compiler that draws them.
        seed = self.gan.stream
        drawn = line.line(seed, *self._linear.offset.shape)
        self.data.mean.assign(drawn.mean)
        self.data.direction.assign(drawn.direction)
        offset, directions = line.start(self._start, seed, drawn, self._linear.directions.shape[2])
        self._linear.offset.assign(offset)
        self._linear.directions.assign(directions)
        ensembles.reset(self.gan.discriminator, streams.fold(seed, line.DISCRIMINATOR))

    def distance(self) -> tf.Tensor:
        """d^2 of each run as it is, `[runs]`."""
        return line.squared_distance(self._data(), self._linear.offset.value, self._linear.directions.value)

    def players(self) -> dict[str, np.ndarray]:
        """Data and generator as they are: mean m, direction s and offset c `[runs, d]`, directions S `[runs, d, k]`."""
        values = {
            "mean": self.data.mean,
            "direction": self.data.direction,
            "offset": self._linear.offset,
            "directions": self._linear.directions,
        }
        return {name: value.numpy() for name, value in values.items()}

    def advance(self, steps: int) -> Progress:
        """Makes steps, all in one call of the program."""
        with tf.device(self._device):
            return Progress(*(value.numpy() for value in self._advance(tf.constant(steps))))

    def _data(self) -> line.Line:
        return line.Line(*(tf.convert_to_tensor(value) for value in (self.data.mean, self.data.direction)))

    def _advance_all(self, steps):
        gan, data, seed = self.gan, self._data(), self.gan.stream

        def one(done, before, rises, climbed):
            batches = [
                data.batch(self._batch_size, line.data_stream(seed, gan.steps, update))
                for update in range(gan.discriminator_steps)
            ]
            gan.train_step(*batches)
            after = self.distance()
            rise = after - before
            return done + 1, after, rises + tf.cast(rise > 0, tf.int32), climbed + tf.nn.relu(rise)

        distance = self.distance()
        _, *found = tf.while_loop(
            lambda done, *_: done < steps,
            one,
            (tf.constant(0), distance, tf.zeros_like(distance, tf.int32), tf.zeros_like(distance)),
        )
        return found


def players(runs: int, dimension: int, latents: int, *, width: int, depth: int) -> tuple[keras.Model, keras.Model]:
    """The generator and the discriminator of a block of runs."""
    z = keras.Input(batch_shape=(runs, None, latents))
    generator = keras.Model(z, line.LinearGenerator(dimension)(z), name="generator")
    return generator, ensembles.mlp(runs, dimension, width=width, depth=depth)
