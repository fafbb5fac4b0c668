"""Many independent GANs, trained together in one compiled program; and the block of those on lines."""

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpaths.gan import GAN
from tfpaths.lines import hyperparameters, problem
from tfpaths.networks import ensembles
from tfpaths.streams import Stream


@dataclasses.dataclass(frozen=True)
class Progress:
    """The effect of several steps on each run; every array is `[runs]`.

    Attributes:
      distance: The squared distance after the last step.
      rises: The number of steps on which it rose.
      climbed: The sum of those rises.
      others: Further values after the last step, by name.
    """

    distance: np.ndarray
    rises: np.ndarray
    climbed: np.ndarray
    others: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)


class Ensemble:
    """A block of runs: one GAN whose networks have an axis of runs, and compiled programs that start and train it.

    A subclass says how data, weights and batches are drawn, and how far each run is from its data.

    Args:
      gan: A compiled ensemble.
      settings: The hyper-parameters of its runs, which the GAN uses.
      batch_size: Examples in a batch of each run.

    Attributes:
      gan: The GAN.
      runs: The number of runs.

    Example: see `tfpaths.lines.study.build`.
    """

    def __init__(self, gan: GAN, settings: hyperparameters.Hyperparameters, *, batch_size: int):
        assert gan.runs is not None
        self.gan = gan
        self._settings = settings
        self._batch_size = batch_size
        self.runs = gan.runs
        # XLA runs a program on the device of its variables, and must be called from there.
        self._device = gan.steps.device
        variables = (variable for optimizer in gan.optimizers.values() for variable in optimizer.variables)
        self._fresh = [(variable, variable.numpy()) for variable in variables]
        # The means of the generator's variables over the steps so far.
        self._averages = [
            tf.Variable(tf.zeros_like(variable), trainable=False) for variable in gan.generator.trainable_variables
        ]
        # Traced here, once for each block. As methods called directly, TensorFlow would take the blocks' functions for
        # one function that is traced repeatedly, and would warn.
        self._draw = self._compiled(self._draw_all)
        self._advance = self._compiled(self._advance_all, tf.TensorSpec([], tf.int32))

    def _compiled(self, function: Any, *takes: tf.TensorSpec) -> Any:
        # Everything is compiled with XLA, like the steps: the numbers of a stream depend on the compiler.
        return tf.function(function, jit_compile=True, autograph=False).get_concrete_function(*takes)

    def reset(self, first_run: int) -> None:
        """Starts the runs `first_run`, `first_run + 1`, …: new data, weights and optimiser state for each."""
        assert self.gan.first_run is not None
        self.gan.steps.assign(0)
        self.gan.first_run.assign(first_run)
        self._settings.assign(first_run)
        # The averages need no reset: the first step replaces them.
        for variable, value in self._fresh:
            variable.assign(value)
        with tf.device(self._device):
            self._draw()

    def advance(self, steps: int) -> Progress:
        """Trains for `steps` steps, in one call of the compiled program."""
        with tf.device(self._device):
            distance, rises, climbed, averaged = (value.numpy() for value in self._advance(tf.constant(steps)))
            return Progress(distance, rises, climbed, {"averaged_distance": averaged})

    def players(self) -> dict[str, np.ndarray]:
        """Returns the parameters of data and generator by name, each `[runs, ...]`; none by default."""
        return {}

    def scale(self, path: str) -> float | tf.Variable:
        """Returns the factor of a random start, of each run."""
        return self._settings.variables.get(path, 1.0)

    def draw(self, stream: Stream) -> None:
        """Draws data and weights of each run; called in a compiled program."""
        raise NotImplementedError

    def batch(self, stream: Stream) -> tf.Tensor:
        """Draws a real batch of each run, `[runs, batch, dimension]`; called in a compiled program."""
        raise NotImplementedError

    def distance(self) -> tf.Tensor:
        """Returns the current squared distance of each run, `[runs]`."""
        raise NotImplementedError

    def averaged_distance(self) -> tf.Tensor:
        """Returns the squared distance of the generator of `averages`, `[runs]`; called in a compiled program."""
        raise NotImplementedError

    def averages(self) -> list[tf.Tensor]:
        """Returns the means of the generator's variables over the steps 1 to k; before the first step, the variables.

        The average of the iterates of a game can converge where the iterates circle (Kodali et al. 2017, arXiv
        1705.07215, section 2).
        """
        started = self.gan.steps > 0
        pairs = zip(self._averages, self.gan.generator.trainable_variables, strict=True)
        return [tf.where(started, average, tf.convert_to_tensor(variable)) for average, variable in pairs]

    def _draw_all(self):
        self.draw(self.gan.stream)

    def _train_once(self, stream):
        updates = range(self.gan.discriminator_steps)
        self.gan.train_step(*(self.batch(problem.data_stream(stream, self.gan.steps, update)) for update in updates))
        step = tf.cast(self.gan.steps, tf.float32)
        for average, variable in zip(self._averages, self.gan.generator.trainable_variables, strict=True):
            average.assign_add((variable - average) / step)

    def _advance_all(self, steps):
        stream = self.gan.stream

        def step(done, before, rises, climbed):
            self._train_once(stream)
            after = self.distance()
            rise = after - before
            return done + 1, after, rises + tf.cast(rise > 0, tf.int32), climbed + tf.nn.relu(rise)

        distance = self.distance()
        _, *progress = tf.while_loop(
            lambda done, *_: done < steps,
            step,
            (tf.constant(0), distance, tf.zeros_like(distance, tf.int32), tf.zeros_like(distance)),
        )
        return *progress, self.averaged_distance()


class LineEnsemble(Ensemble):
    """A block of runs on lines; its generator has one `LinearGenerator`.

    Args:
      gan: As in `Ensemble`.
      settings: As in `Ensemble`.
      batch_size: As in `Ensemble`.
      start: `random` or `parallel`, see `problem.start`.

    Attributes:
      data: The current data of each run, as variables.

    Example: see `tfpaths.lines.study.build`.
    """

    def __init__(self, gan: GAN, settings: hyperparameters.Hyperparameters, *, batch_size: int, start: str):
        self._start = start
        (self._linear,) = (layer for layer in gan.generator.layers if isinstance(layer, problem.LinearGenerator))
        shape = [gan.runs, self._linear.dimension]
        self.data = problem.Line(*(tf.Variable(tf.zeros(shape), trainable=False) for _ in range(2)))
        super().__init__(gan, settings, batch_size=batch_size)

    def distance(self) -> tf.Tensor:
        """Returns the current d^2 of each run, `[runs]`."""
        return problem.squared_distance(self._data(), self._linear.offset.value, self._linear.directions.value)

    def averaged_distance(self) -> tf.Tensor:
        return problem.squared_distance(self._data(), *self.averages())

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

    def draw(self, stream: Stream) -> None:
        drawn = problem.line(stream, *self._linear.offset.shape)
        self.data.mean.assign(drawn.mean)
        self.data.direction.assign(drawn.direction)
        scale = self.scale(hyperparameters.GENERATOR_SCALE)
        offset, directions = problem.start(self._start, stream, drawn, self._linear.directions.shape[2], scale)
        self._linear.offset.assign(offset)
        self._linear.directions.assign(directions)
        scale = self.scale(hyperparameters.DISCRIMINATOR_SCALE)
        ensembles.reset(self.gan.discriminator, stream.fold(problem.DISCRIMINATOR), scale)

    def batch(self, stream: Stream, size: int | None = None) -> tf.Tensor:
        return self._data().batch(size or self._batch_size, stream)

    def _data(self) -> problem.Line:
        return problem.Line(*(tf.convert_to_tensor(value) for value in (self.data.mean, self.data.direction)))


def players(
    runs: int, dimension: int, latents: int, *, width: int, depth: int, activation: str = "leaky_relu"
) -> tuple[keras.Model, keras.Model]:
    """Returns the generator and the discriminator of a block of runs.

    Args:
      runs: The number of runs.
      dimension: d.
      latents: k.
      width: Units of each hidden layer of the discriminator.
      depth: Hidden layers of the discriminator.
      activation: As in `ensembles.mlp`.

    Example:
      >>> generator, discriminator = players(4, 2, 1, width=8, depth=2)
      >>> discriminator(generator(tf.zeros([4, 16, 1]))).shape
      TensorShape([4, 16, 1])
    """
    z = keras.Input(batch_shape=(runs, None, latents))
    generator = keras.Model(z, problem.LinearGenerator(dimension)(z), name="generator")
    return generator, ensembles.mlp(runs, dimension, width=width, depth=depth, activation=activation)
