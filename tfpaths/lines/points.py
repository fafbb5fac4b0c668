"""Many independent GANs on points in the plane, and how far each is from its data.

    MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y)        k(x, y) = exp(-|x - y|^2 / 4)

between samples and real points, biased, with the kernel of Song and Ermon 2020 (arXiv 1910.09779) for the plane. It is
the squared distance of a study on points: it is 0 for equal sets, and a tenth of its initial value is near.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import data as data_lib
from tfpaths import errors
from tfpaths.data.points import NEAR, Points
from tfpaths.gan import GAN
from tfpaths.lines import ensemble, hyperparameters, problem
from tfpaths.networks import ensembles
from tfpaths.streams import Stream

# The number of samples, and of real points, that are compared; ours. A set of data of this size is about 1e-3 from
# another, which is the floor of the distance.
COMPARED = 1_000
# Branches of the stream that training does not use, besides those of `problem`.
_GENERATOR, _MEASURE = -6, -7


def mmd2(samples: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """Returns the biased MMD^2 of each run, `[runs]`.

    Args:
      samples: `[runs, num, 2]`.
      real: `[runs, num, 2]`.

    Example:
      >>> mmd2(tf.zeros([1, 5, 2]), tf.zeros([1, 5, 2])).numpy()
      array([0.], dtype=float32)
    """

    def kernel(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        # |x - y|^2 from the differences, and not from |x|^2 - 2 x y + |y|^2, which cancels in float32.
        squares = tf.add_n(
            [tf.square(one[:, :, tf.newaxis, axis] - other[:, tf.newaxis, :, axis]) for axis in range(one.shape[-1])]
        )  # [runs, num, num]
        return tf.reduce_mean(tf.exp(-squares / one.shape[-1] ** 2), axis=[1, 2])

    return kernel(samples, samples) + kernel(real, real) - 2.0 * kernel(samples, real)


class PointEnsemble(ensemble.Ensemble):
    """A block of runs on points. Each batch is drawn afresh; the samples of `distance` have the same latents each time.

    Args:
      gan: As in `Ensemble`.
      settings: As in `Ensemble`.
      batch_size: As in `Ensemble`.
      data: The data set.

    Example: see `tfpaths.lines.study.build`.
    """

    def __init__(self, gan: GAN, settings: hyperparameters.Hyperparameters, *, batch_size: int, data: Points):
        self.data = data
        super().__init__(gan, settings, batch_size=batch_size)
        self._measure = self._compiled(self._measure_all)
        self._before: np.ndarray | None = None

    def reset(self, first_run: int) -> None:
        super().reset(first_run)
        self._before = None

    def draw(self, stream: Stream) -> None:
        for network, branch, path in (
            (self.gan.generator, _GENERATOR, hyperparameters.GENERATOR_SCALE),
            (self.gan.discriminator, problem.DISCRIMINATOR, hyperparameters.DISCRIMINATOR_SCALE),
        ):
            ensembles.reset(network, stream.fold(branch), self.scale(path))

    def batch(self, stream: Stream) -> tf.Tensor:
        return self.data.draw(stream, (self.runs, self._batch_size))

    def distance(self) -> tf.Tensor:
        """Returns the current MMD^2 of each run, `[runs]`."""
        with tf.device(self._device):
            return self._measure()["distance"]

    def advance(self, steps: int) -> ensemble.Progress:
        """Trains for `steps` steps. A rise is that of the distance since the last call: it counts for all its steps."""
        with tf.device(self._device):
            self._advance(tf.constant(steps))
            values = {name: value.numpy() for name, value in self._measure().items()}
        distance = values.pop("distance")
        rise = np.zeros_like(distance) if self._before is None else distance - self._before
        self._before = distance
        return ensemble.Progress(distance, np.where(rise > 0, steps, 0), np.maximum(rise, 0), values)

    def _advance_all(self, steps):
        stream = self.gan.stream

        def step(done):
            self._train_once(stream)
            return (done + 1,)

        return tf.while_loop(lambda done: done < steps, step, (tf.constant(0),))

    def _measure_all(self):
        stream = self.gan.stream.fold(_MEASURE)
        latents = self.gan.latents(COMPARED, stream.fold(0))
        samples = self.gan.generate(latents)  # [runs, COMPARED, 2]
        real = self.data.draw(stream.fold(1), (self.runs, COMPARED))
        # Instead of the generator's variables: those of its average. Its networks have no other state.
        averaged, _ = self.gan.generator.stateless_call(self.averages(), [], latents)
        values = {"distance": mmd2(samples, real), "averaged_distance": mmd2(averaged, real)}
        if self.data.centres is not None:
            centres = tf.constant(self.data.centres, tf.float32)
            # [runs, COMPARED, modes]
            near = tf.norm(samples[:, :, tf.newaxis] - centres, axis=-1) <= NEAR * self.data.deviation
            values["modes_hit"] = tf.reduce_sum(tf.cast(tf.reduce_any(near, axis=1), tf.float32), axis=1)
            values["near_modes"] = tf.reduce_mean(tf.cast(tf.reduce_any(near, axis=2), tf.float32), axis=1)
        return values


def players(
    runs: int, latents: int, *, width: int, depth: int, activation: str = "leaky_relu"
) -> tuple[keras.Model, keras.Model]:
    """Returns the generator and the discriminator of a block of runs, with the same hidden layers.

    Args:
      runs: The number of runs.
      latents: The dimension of the latents.
      width: Units of each hidden layer.
      depth: The number of hidden layers.
      activation: As in `ensembles.mlp`.

    Example:
      >>> generator, discriminator = players(4, 2, width=8, depth=2)
      >>> discriminator(generator(tf.zeros([4, 16, 2]))).shape
      TensorShape([4, 16, 1])
    """
    layers: dict[str, Any] = {"width": width, "depth": depth, "activation": activation}
    generator = ensembles.mlp(runs, latents, outputs=2, name="generator", **layers)
    return generator, ensembles.mlp(runs, 2, **layers)


def data_of(config: config_lib.Data) -> Points:
    """Returns the data set of points that a config describes.

    Raises:
      InputError: There is no such data set, an option is invalid, or its examples are not points with a formula.

    Example:
      >>> data_of(config_lib.Data(name="ring", radius=3.0)).radius
      3.0
    """
    data_set = data_lib.of(config, "study.data")
    if not isinstance(data_set, Points):
        raise errors.InputError(
            f"study.data: expected a data set of points that are drawn, received {config.name!r}; there are "
            f"{', '.join(name for name, cls in data_lib.DATA.items() if issubclass(cls, Points))}."
        )
    return data_set
