"""Critics that estimate the ratio of two densities, by f-GAN's and by KL-WGAN's objective, and pairs of known ratio.

Notation: T the critic, p the data's density, q that of the samples, r the ratio, E_p and E_q expectations.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpaths import streams
from tfpaths.compat import keras as compat
from tfpaths.compat import tensorflow as tf_compat
from tfpaths.data.mog import MoG
from tfpaths.data.points import Points
from tfpaths.data.ring import Ring
from tfpaths.data.square import Square
from tfpaths.networks.ensembles import EnsembleDense
from tfpaths.networks.fast import FastLeakyReLU
from tfpaths.networks.mlp import MLP
from tfpaths.networks.spectral import SpectralNormalization

# The square [-6, 6]^2 in cells of side 0.1, half the width of a ring. Less than 1e-4 of each density is outside.
REACH, _SIDE = 6.0, 0.1
AREA = _SIDE**2
AXIS = np.arange(-REACH + _SIDE / 2, REACH, _SIDE)
# Cells for which the critics are computed at a time: 30 MB for 20 critics of width 100.
_CELLS_AT_ONCE = 3_600


class DensityMixture(Points):
    """A mixture of other sets of points.

        p(x) = sum_k w_k p_k(x)

    Args:
      parts: The sets of points.
      weights: w, as many numbers; divided by their sum.

    Example:
      >>> half = DensityMixture([Square(), Ring()], [1, 1])
      >>> np.exp(half.log_density(np.array([[0.0, 0.0]]))).round(5)  # 1 / 2 · 1 / 36
      array([0.01389])
    """

    def __init__(self, parts: Sequence[Points], weights: Sequence[float]):
        super().__init__()
        self.parts = parts
        self.weights = np.array(weights) / np.sum(weights)

    def draw(self, stream: streams.Stream, shape: Sequence[int]) -> tf.Tensor:
        ends = tf.constant(np.cumsum(self.weights)[:-1], tf.float32)
        chosen = tf.searchsorted(ends, tf.reshape(stream.fold(0).uniform(shape), [-1]), side="right")
        drawn = [part.draw(stream.fold(1 + index), shape) for index, part in enumerate(self.parts)]
        every = tf.reshape(tf.stack(drawn), [len(drawn), -1, 2])  # [parts, points, 2]
        return tf.reshape(tf.gather(tf.transpose(every, [1, 0, 2]), chosen, batch_dims=1), [*shape, 2])

    def log_density(self, points: np.ndarray) -> np.ndarray:
        densities = [part.log_density(points) for part in self.parts]
        return np.logaddexp.reduce([np.log(w) + log_p for w, log_p in zip(self.weights, densities, strict=True)])


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two densities whose ratio is estimated.

    Attributes:
      p: The data.
      q: The samples.
      p_name: What p is, in a few words.
      q_name: What q is.

    Example:
      >>> p, q = Pair(Square(), Square(), "square", "the same").on_grid()
      >>> round(float(p.sum()), 6), divergence(p, q)
      (1.0, 0.0)
    """

    p: Points
    q: Points
    p_name: str
    q_name: str

    def on_grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the probability of each cell of the grid under p and under q, `[cells]`."""
        points = grid()
        log_p, log_q = self.p.log_density(points), self.q.log_density(points)
        assert log_p is not None
        assert log_q is not None
        return np.exp(log_p) * AREA, np.exp(log_q) * AREA


# A ring is as likely as it is long.
MULTIRING = DensityMixture([Ring(radius=radius) for radius in (1.0, 3.0, 5.0)], [1, 3, 5])
_HALF, _TENTH = (DensityMixture([Square(), Ring()], [1 - ring, ring]) for ring in (0.5, 0.1))
# By q's name. In the authors' second pair both are objects of one class, whose constructor seeds NumPy with 1 before it
# draws the centres: q is p.
PAIRS = {
    "three_rings": Pair(Ring(), MULTIRING, "ring", "rings of radius 1, 3, 5"),
    "same": Pair(MoG(), MoG(), "two Gaussians", "the same"),
    "half_ring": Pair(Ring(), _HALF, "ring", "1/2 square, 1/2 ring"),
    "tenth_ring": Pair(Square(), _TENTH, "square", "9/10 square, 1/10 ring"),
}


def grid() -> np.ndarray:
    """Returns the centres of the grid's cells, `[cells, 2]`: row after row, from below.

    Example:
      >>> grid().shape, grid()[:2].round(2).tolist()
      ((14400, 2), [[-5.95, -5.95], [-5.85, -5.95]])
    """
    return np.stack(np.meshgrid(AXIS, AXIS), axis=-1).reshape(-1, 2)


def divergence(p: np.ndarray, q: np.ndarray) -> float:
    """Returns KL(p || q) = sum p log(p / q) in nats; infinity if q is 0 where p is not.

    Args:
      p: The probability of each cell, `[cells]`.
      q: Likewise.

    Example:
      >>> round(divergence(np.array([1.0, 0.0]), np.array([0.5, 0.5])), 4)  # log 2
      0.6931
    """
    inside = p > 0
    if (q[inside] == 0).any():
        return math.inf
    return float(np.sum(p[inside] * np.log(p[inside] / q[inside])))


def f_gan_bound(real: tf.Tensor, fake: tf.Tensor, p: Any, q: Any) -> tf.Tensor:
    """Returns E_p T - E_q exp(T - 1), a lower bound of KL(p || q) that is tight at T = 1 + log(p / q).

    Nowozin et al. 2016 (arXiv 1606.00709), equation 4 and table 2. A constant that is added to T changes it.

    Args:
      real: T of the points of p, `[..., points]`.
      fake: T of the points of q.
      p: The points' weights: 1 / n for a sample of n points, the probability of a cell for a grid.
      q: Likewise.

    Example:
      >>> float(f_gan_bound(tf.ones([2]), tf.ones([2]), 0.5, 0.5))  # r = 1
      0.0
    """
    return _expectation(real, p) - _expectation(tf.exp(fake - 1.0), q)


def kl_wgan_bound(real: tf.Tensor, fake: tf.Tensor, p: Any, q: Any) -> tf.Tensor:
    """Returns E_p T - log E_q exp(T), a lower bound of KL(p || q) that is tight at T = log(p / q) + a constant.

    Donsker and Varadhan 1975. Its gradient is that of E_p T - E_q r T with r = exp(T) / E_q exp(T) held fixed, the
    critic's objective of KL-WGAN (Song and Ermon 2020, arXiv 1910.09779). Adding a constant to T changes nothing.
    The arguments are those of `f_gan_bound`.

    Example:
      >>> float(kl_wgan_bound(tf.ones([2]), tf.ones([2]), 0.5, 0.5))  # r = 1
      0.0
    """
    return _expectation(real, p) - tf.reduce_logsumexp(fake + tf.math.log(tf.cast(q, fake.dtype)), axis=-1)


def _expectation(values: tf.Tensor, weights: Any) -> tf.Tensor:
    # A point of weight 0 counts nothing, even where T is -inf.
    return tf.reduce_sum(tf.math.multiply_no_nan(values, tf.cast(weights, values.dtype)), axis=-1)


def f_gan_ratio(logits: np.ndarray, of_samples: np.ndarray) -> np.ndarray:
    """Returns r = exp(T - 1), the best f-GAN's p / q.

    Args:
      logits: T, `[..., points]`.
      of_samples: T of the points of q with which it was trained; not used.

    Example:
      >>> f_gan_ratio(np.array([1.0]), np.array([7.0])).tolist()
      [1.0]
    """
    del of_samples
    return np.exp(logits - 1.0)


def kl_wgan_ratio(logits: np.ndarray, of_samples: np.ndarray) -> np.ndarray:
    """Returns r = exp(T) / mean exp(T), the best KL-WGAN's p / q; the mean is over `of_samples`, as in `f_gan_ratio`.

    Example:
      >>> kl_wgan_ratio(np.log([1.0, 3.0]), np.log([1.0, 3.0])).round(6).tolist()
      [0.5, 1.5]
    """
    largest = of_samples.max(axis=-1, keepdims=True)
    return np.exp(logits - largest) / np.exp(of_samples - largest).mean(axis=-1, keepdims=True)


@dataclasses.dataclass(frozen=True)
class Estimator:
    """An objective of the critic, and the ratio that the critic gives.

    Attributes:
      label: The name in the picture.
      color: The colour of its lines.
      dash: Their style.
      bound: The objective, which the critic maximises: `f_gan_bound` or `kl_wgan_bound`.
      ratio: `f_gan_ratio` or `kl_wgan_ratio`.

    Example:
      >>> ESTIMATORS["kl_wgan"].label
      'KL-WGAN'
    """

    label: str
    color: str
    dash: str
    bound: Callable[..., tf.Tensor]
    ratio: Callable[[np.ndarray, np.ndarray], np.ndarray]


ESTIMATORS = {
    "f_gan": Estimator("f-GAN", "#D55E00", "--", f_gan_bound, f_gan_ratio),
    "kl_wgan": Estimator("KL-WGAN", "#0072B2", "-", kl_wgan_bound, kl_wgan_ratio),
}


class Critics:
    """One critic for each run and pair, trained together; critic 4 i + k is that of run i and pair k.

    A critic has two hidden layers with LeakyReLU of slope 0.01 and spectral normalisation, and a linear last layer
    without. Initial weights, points and batches are the same for every estimator.

    Args:
      bound: The objective.
      points: Points of p and of q, each `[critics, examples, 2]`.
      width: Units of each hidden layer.
      batch_size: Points of p, and of q, in a batch. They are drawn with replacement.
      learning_rate: That of RMSprop.
      seed: Seed for weights and batches.

    Example:
      >>> points = sample(1, examples=8, seed=0)
      >>> critics = Critics(f_gan_bound, points, width=4, batch_size=8, learning_rate=1e-3, seed=0)
      >>> critics.train_step(1)
      >>> critics.logits(grid()[:5]).shape
      (4, 5)
    """

    def __init__(
        self,
        bound: Callable[..., tf.Tensor],
        points: Sequence[tf.Tensor],
        *,
        width: int,
        batch_size: int,
        learning_rate: float,
        seed: int,
    ):
        self._bound = bound
        self._points = points
        self._batch_size = batch_size
        self._seed = seed
        with compat.own_settings():
            self._model = _critics(points[0].shape[0], width, seed)
            # PyTorch's decay rate, which the authors have; Keras' is 0.9.
            self._optimizer = keras.optimizers.RMSprop(learning_rate, rho=0.99)
            self._optimizer.build(self._model.trainable_variables)
        self._train_step = tf.function(self._train, autograph=False)

    def train_step(self, step: int) -> None:
        """Updates all critics with the batch of a step."""
        self._train_step(tf.constant(step))

    def _train(self, step: tf.Tensor) -> None:
        stream, size = streams.root(self._seed).fold(step), self._batch_size
        batches = []
        for index, points in enumerate(self._points):
            examples = points.shape[1]
            chosen = tf.cast(stream.fold(index).uniform([size]) * examples, tf.int32)
            batches.append(tf.gather(points, chosen, axis=1))
        with tf.GradientTape() as tape:
            logits = self._model(tf.concat(batches, axis=1), training=True)[:, :, 0]  # [critics, 2 batch_size]
            loss = -tf.reduce_sum(self._bound(logits[:, :size], logits[:, size:], 1 / size, 1 / size))
        variables = self._model.trainable_variables
        # The gradients of this step alone: the authors' notebook adds up those of all steps, without `zero_grad`.
        tf_compat.apply_gradients(self._optimizer, tape.gradient(loss, variables), variables)

    def logits(self, points: np.ndarray) -> np.ndarray:
        """Returns T of points that all critics share, `[critics, points]`, float64."""
        parts = np.array_split(points.astype(np.float32), math.ceil(len(points) / _CELLS_AT_ONCE))
        return np.concatenate(
            [self._logits(np.broadcast_to(part, (self._count, *part.shape))) for part in parts], axis=1
        )

    def of_points(self) -> list[np.ndarray]:
        """Returns T of the points of p and of q, each `[critics, examples]`, float64."""
        return [self._logits(points) for points in self._points]

    @property
    def _count(self) -> int:
        return self._points[0].shape[0]

    def _logits(self, points: Any) -> np.ndarray:
        return self._model(tf.convert_to_tensor(points))[:, :, 0].numpy().astype(np.float64)


def _critics(count: int, width: int, seed: int) -> keras.Model:
    points = x = keras.Input(batch_shape=(count, None, 2))
    layers = [EnsembleDense(width), EnsembleDense(width), EnsembleDense(1)]
    for index, layer in enumerate(layers[:2]):
        x = FastLeakyReLU(0.01)(SpectralNormalization(layer, seed=index)(x))
    model = keras.Model(points, layers[2](x), name="critics")
    family = MLP(width=width, depth=2, negative_slope=0.01, initial="pytorch")
    seeds = np.random.SeedSequence(seed).generate_state(count // len(PAIRS)) >> 1
    of_run = [family.discriminator((2,), seed=int(each)).get_weights() for each in seeds]
    kernels = [[weights[2 * index] for weights in of_run for _ in PAIRS] for index in range(3)]
    for layer, kernel in zip(layers, kernels, strict=True):
        layer.kernel.assign(np.stack(kernel))  # Biases are 0.
    return model


def sample(runs: int, *, examples: int, seed: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws the points of p and of q for each run and pair, each `[4 runs, examples, 2]`.

    Args:
      runs: The number of runs. The points of run i do not depend on it.
      examples: Points of each.
      seed: Seed for the points.

    Example:
      >>> [points.shape.as_list() for points in sample(2, examples=10, seed=0)]
      [[8, 10, 2], [8, 10, 2]]
    """
    root = streams.root(seed, attempt=1)
    drawn = [
        [(pair.p, pair.q)[side].draw(root.fold(run, index, side), (examples,)) for side in range(2)]
        for run in range(runs)
        for index, pair in enumerate(PAIRS.values())
    ]
    p, q = zip(*drawn, strict=True)
    return tf.stack(p), tf.stack(q)
