"""Distances between two samples of N(0, I / d): linear and MLP discriminators, and the Jensen-Shannon divergence."""

import math

import keras
import numpy as np
import scipy.spatial.distance
import scipy.special
import tensorflow as tf

from tfpaths import streams
from tfpaths.compat import keras as compat
from tfpaths.compat.tensorflow import apply_gradients
from tfpaths.networks import ensembles

# Adam's rate, for the MLPs.
_RATE = 1e-2


def sample(dimension: int, num: int, *, seed: int, run: int) -> np.ndarray:
    """Returns four samples of N(0, I / d), float32 `[4, num, dimension]`.

    Args:
      dimension: d.
      num: The points of each.
      seed: Seed of the figure.
      run: The number of the run.

    Example:
      >>> points = sample(400, 100, seed=0, run=0)
      >>> round(float(np.square(points).sum(axis=-1).mean()), 1)  # E |x|^2
      1.0
    """
    random = np.random.default_rng([seed, dimension, num, run])
    return (random.standard_normal((4, num, dimension)) / math.sqrt(dimension)).astype(np.float32)


def of_linear(first: np.ndarray, second: np.ndarray, *fresh: np.ndarray) -> tuple[float, float]:
    """Returns the neural-net distance of the class w.x, |w| <= 1, and what the same w tells of two new samples.

    The maximum of |E w.x - E w.y| is the norm of the difference of the means, at w along it.

    Args:
      first: x, `[num, d]`.
      second: y.
      *fresh: New samples x' and y'.

    Example:
      >>> of_linear(np.array([[3.0, 4.0]]), np.zeros([1, 2]), np.array([[5.0, 0.0]]), np.zeros([1, 2]))  # w = (.6, .8)
      (5.0, 3.0)
    """
    difference, new = (one.mean(axis=0) - other.mean(axis=0) for one, other in ((first, second), fresh))
    norm = float(np.linalg.norm(difference))
    return norm, float(difference @ new) / max(norm, 1e-300)


def jensen_shannon(first: np.ndarray, second: np.ndarray, deviation: float, random: np.random.Generator) -> float:
    """Returns JS between two samples with Gaussian noise, in nats.

        p = mean_i N(x_i, s^2 I),   q = mean_i N(y_i, s^2 I)
        JS = (E_p log(2 p / (p + q)) + E_q log(2 q / (p + q))) / 2

    Each expectation is the mean over one draw from each of the Gaussians.

    Args:
      first: x, `[num, d]`.
      second: y, `[num, d]`.
      deviation: s.
      random: Draws the noise.

    Example:
      >>> x = np.zeros([3, 2])
      >>> round(jensen_shannon(x, x + 9.0, 0.1, np.random.default_rng(0)), 6)  # log 2: far apart
      0.693147
    """
    total = 0.0
    for ours, others in ((first, second), (second, first)):
        points = ours + deviation * random.standard_normal(ours.shape)
        # log of each density, but for the same constant.
        log_p, log_q = (
            scipy.special.logsumexp(
                -scipy.spatial.distance.cdist(points, x, "sqeuclidean") / (2 * deviation**2), axis=1
            )
            for x in (ours, others)
        )
        total += float(np.mean(math.log(2) - np.logaddexp(0, log_q - log_p))) / 2
    return total


class Discriminators:
    """MLPs of one hidden layer with sigmoid outputs, one for each run, that tell two samples of N(0, I / d) apart.

    They read the points times sqrt d, whose coordinates have a variance of 1.

    Args:
      runs: Their number.
      dimension: d.
      width: Units of the hidden layer.
      seed: Seed for the initial weights.

    Example:
      >>> mlps = Discriminators(2, 3, width=4, seed=0)
      >>> points = np.stack([sample(3, 5, seed=0, run=run) for run in range(2)], axis=1)
      >>> mlps.train(*points[:2], updates=1)
      >>> mlps.distances(*points[2:]).shape
      (2,)
    """

    def __init__(self, runs: int, dimension: int, *, width: int, seed: int):
        self._factor = math.sqrt(dimension)
        with compat.own_settings():
            self._model = ensembles.mlp(runs, dimension, width=width, depth=1)
            ensembles.reset(self._model, streams.root(seed, first_run=0))
            self._optimizer = keras.optimizers.Adam(_RATE)
            self._optimizer.build(self._model.trainable_variables)

    def train(self, first: np.ndarray, second: np.ndarray, *, updates: int) -> None:
        """Maximises mean S(D(x)) - mean S(D(y)) of each run; the samples are `[runs, num, d]`."""
        samples = [tf.constant(points) for points in (first, second)]
        variables = self._model.trainable_variables

        def update(step):
            with tf.GradientTape() as tape:
                # Runs do not share a variable: the gradient of the sum is that of each.
                loss = -tf.reduce_sum(self._distances(*samples))
            apply_gradients(self._optimizer, tape.gradient(loss, variables), variables)
            return step + 1

        def loop():
            tf.while_loop(lambda step: step < updates, lambda step: (update(step),), (tf.constant(0),))

        tf.function(loop, autograph=False).get_concrete_function()()

    def distances(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Returns mean S(D(x)) - mean S(D(y)) of each run, `[runs]`."""
        return self._distances(*(tf.constant(points) for points in (first, second))).numpy().astype(np.float64)

    def _distances(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        means = [tf.reduce_mean(tf.sigmoid(self._model(self._factor * x)), axis=[1, 2]) for x in (first, second)]
        return means[0] - means[1]
