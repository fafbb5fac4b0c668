"""Many independent GANs on lines, trained together in one compiled program."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from tfpaths.gan import GAN
from tfpaths.lines import hyperparameters, problem
from tfpaths.networks import ensembles


@dataclasses.dataclass(frozen=True)
class Progress:
    """The effect of several steps on each run; every array is `[runs]`.

    Attributes:
      distance: d^2 after the last step.
      rises: The number of steps on which d^2 rose.
      climbed: The sum of those rises.
    """

    distance: np.ndarray
    rises: np.ndarray
    climbed: np.ndarray


class Ensemble:
    """A block of runs: one GAN whose networks and data have an axis of runs, and a compiled program of many steps.

    Args:
      gan: A compiled ensemble; its generator has one `LinearGenerator`.
      settings: The hyper-parameters of its runs, which the GAN uses.
      batch_size: Examples in a batch of each run.
      start: `random` or `parallel`, see `problem.start`.

    Attributes:
      gan: The GAN.
      runs: The number of runs.
      data: The current data of each run, as variables.

    Example: see `tfpaths.lines.study.build`.
    """

    def __init__(self, gan: GAN, settings: hyperparameters.Hyperparameters, *, batch_size: int, start: str):
        assert gan.runs is not None
        self.gan = gan
        self._settings = settings
        self._batch_size = batch_size
        self._start = start
        self.runs = gan.runs
        # XLA runs a program on the device of its variables, and must be called from there.
        self._device = gan.steps.device
        (self._linear,) = (layer for layer in gan.generator.layers if isinstance(layer, problem.LinearGenerator))
        dimension = self._linear.dimension
        self.data = problem.Line(*(tf.Variable(tf.zeros([self.runs, dimension]), trainable=False) for _ in range(2)))
        variables = (variable for optimizer in gan.optimizers.values() for variable in optimizer.variables)
        self._fresh = [(variable, variable.numpy()) for variable in variables]
        # Traced here, once for each block. As methods called directly, TensorFlow would take the blocks' functions for
        # one function that is traced repeatedly, and would warn.
        self._draw = tf.function(self._draw_all, jit_compile=True, autograph=False).get_concrete_function()
        self._advance = tf.function(self._advance_all, jit_compile=True, autograph=False).get_concrete_function(
            tf.TensorSpec([], tf.int32)
        )

    def reset(self, first_run: int) -> None:
        """Starts the runs `first_run`, `first_run + 1`, …: new data, weights and optimiser state for each."""
        assert self.gan.first_run is not None
        self.gan.steps.assign(0)
        self.gan.first_run.assign(first_run)
        self._settings.assign(first_run)
        for variable, value in self._fresh:
            variable.assign(value)
        with tf.device(self._device):
            self._draw()

    def distance(self) -> tf.Tensor:
        """Returns the current d^2 of each run, `[runs]`."""
        return problem.squared_distance(self._data(), self._linear.offset.value, self._linear.directions.value)

    def players(self) -> dict[str, np.ndarray]:
        """Returns data and generator: mean m, direction s and offset c, `[runs, d]`, and directions S, `[runs, d, k]`.

        All are float32, by name.
        """
        values = {
            "mean": self.data.mean,
            "direction": self.data.direction,
            "offset": self._linear.offset,
            "directions": self._linear.directions,
        }
        return {name: value.numpy() for name, value in values.items()}

    def advance(self, steps: int) -> Progress:
        """Trains for `steps` steps, in one call of the compiled program."""
        with tf.device(self._device):
            return Progress(*(value.numpy() for value in self._advance(tf.constant(steps))))

    def _draw_all(self):
        # Compiled with XLA like the steps: the numbers of a stream depend on the compiler.
        stream = self.gan.stream
        drawn = problem.line(stream, *self._linear.offset.shape)
        self.data.mean.assign(drawn.mean)
        self.data.direction.assign(drawn.direction)
        scales = [
            self._settings.variables.get(path, 1.0)
            for path in (hyperparameters.GENERATOR_SCALE, hyperparameters.DISCRIMINATOR_SCALE)
        ]
        offset, directions = problem.start(self._start, stream, drawn, self._linear.directions.shape[2], scales[0])
        self._linear.offset.assign(offset)
        self._linear.directions.assign(directions)
        ensembles.reset(self.gan.discriminator, stream.fold(problem.DISCRIMINATOR), scales[1])

    def _data(self) -> problem.Line:
        return problem.Line(*(tf.convert_to_tensor(value) for value in (self.data.mean, self.data.direction)))

    def _advance_all(self, steps):
        gan, data, stream = self.gan, self._data(), self.gan.stream

        def step(done, before, rises, climbed):
            batches = [
                data.batch(self._batch_size, problem.data_stream(stream, gan.steps, update))
                for update in range(gan.discriminator_steps)
            ]
            gan.train_step(*batches)
            after = self.distance()
            rise = after - before
            return done + 1, after, rises + tf.cast(rise > 0, tf.int32), climbed + tf.nn.relu(rise)

        distance = self.distance()
        _, *progress = tf.while_loop(
            lambda done, *_: done < steps,
            step,
            (tf.constant(0), distance, tf.zeros_like(distance, tf.int32), tf.zeros_like(distance)),
        )
        return progress


def players(runs: int, dimension: int, latents: int, *, width: int, depth: int) -> tuple[keras.Model, keras.Model]:
    """Returns the generator and the discriminator of a block of runs.

    Args:
      runs: The number of runs.
      dimension: d.
      latents: k.
      width: Units of each hidden layer of the discriminator.
      depth: Hidden layers of the discriminator.

    Example:
      >>> generator, discriminator = players(4, 2, 1, width=8, depth=2)
      >>> discriminator(generator(tf.zeros([4, 16, 1]))).shape
      TensorShape([4, 16, 1])
    """
    z = keras.Input(batch_shape=(runs, None, latents))
    generator = keras.Model(z, problem.LinearGenerator(dimension)(z), name="generator")
    return generator, ensembles.mlp(runs, dimension, width=width, depth=depth)
