"""The neural-net distance: what a fresh discriminator of bounded output tells apart, on its own sample and on another.

    d = max_v |E D_v(x) - E D_v(G(z))|,   0 <= D_v <= 1

Arora et al. 2017 (arXiv 1703.00573), definition 1 with f the identity, where it is a pseudometric. It is at most the
total variation distance. Its theorem 3.3: if the class has n parameters, d between samples is near d between the
distributions, from samples whose number grows like n log n. With fewer, a discriminator can memorise its samples.
So the maximum is found on one sample of both, and the same discriminator is judged on another, which is an
unbiased estimate of what it tells of the distributions. The difference of the two is the generalisation gap.

Here D_v is the sigmoid of a network, and the maximum that of some steps of Adam, from below. The
networks, the samples and the steps are ours.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpaths import errors, streams
from tfpaths.compat.tensorflow import apply_gradients
from tfpaths.metrics import loops
from tfpaths.metrics.context import Context
from tfpaths.metrics.critic import no_images
from tfpaths.metrics.metric import METRICS, Metric
from tfpaths.metrics.sources import Source
from tfpaths.networks import dcgan, mlp
from tfpaths.schema import PositiveInt

BATCH = 64
_RATE, _BETAS = 5e-4, (0.5, 0.9)
# Of the DCGAN discriminator for images, and of each of the two hidden layers for points.
_FILTERS, _WIDTH, _DEPTH = 32, 64, 2
# Examples that are drawn, and scored, at once.
_CHUNK = 500


def network(context: Context) -> keras.Model:
    """Returns an untrained discriminator of the class: of DCGAN for images, a multilayer perceptron for points.

    Args:
      context: The services of the evaluation; its seed is that of the weights.

    Example:
      >>> from tfpaths import config as config_lib
      >>> network(Context(config_lib.Data(name="mog"), config_lib.Evaluation())).count_params()
      4417
    """
    shape, seed = context.data.shape, context.evaluation.seed
    if context.data.example.name == "point":
        return mlp.MLP(width=_WIDTH, depth=_DEPTH).discriminator(shape, seed=seed)
    return dcgan.DCGAN(discriminator_filters=_FILTERS).discriminator(shape, seed=seed)


def train(model: keras.Model, real: np.ndarray, fake: np.ndarray, *, steps: int, seed: int = 0) -> None:
    """Trains a discriminator to maximise mean S(D(x)) - mean S(D(x~)), with the sigmoid S, on two samples.

    Each step is one of Adam on 64 examples of each sample, drawn with replacement.

    Args:
      model: Examples -> logits `[batch, 1]`.
      real: x, `[num, *shape]`, float32.
      fake: x~, `[num, *shape]`.
      steps: The number of steps.
      seed: Seed for the batches.

    Example:
      >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
      >>> train(model, np.ones([10, 1], np.float32), -np.ones([10, 1], np.float32), steps=100)
      >>> bool(model.layers[0].kernel > 1.0)
      True
    """
    optimizer = keras.optimizers.Adam(_RATE, *_BETAS)
    variables = model.trainable_variables
    optimizer.build(variables)
    stream = streams.root(seed)
    samples = [tf.convert_to_tensor(sample) for sample in (real, fake)]

    def update(step):
        batches = []
        for index, sample in enumerate(samples):
            # floor(u * num) for u in [0, 1): each position is equally likely.
            where = tf.cast(stream.fold(step, index).uniform([BATCH]) * len(sample), tf.int64)
            batches.append(tf.gather(sample, where))
        with tf.GradientTape() as tape:
            of_real, of_fake = (tf.reduce_mean(tf.sigmoid(model(batch, training=True))) for batch in batches)
            loss = of_fake - of_real
        apply_gradients(optimizer, tape.gradient(loss, variables), variables)

    loops.repeat(update, steps, "discriminator step")


def judge(model: keras.Model, real: np.ndarray, fake: np.ndarray) -> tuple[float, float]:
    """Returns mean S(D(x)) - mean S(D(x~)) of two samples, in [-1, 1], and its standard error.

    Args:
      model: As in `train`.
      real: As in `train`.
      fake: As in `train`.

    Example:
      >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
      >>> judge(model, np.ones([10, 1], np.float32), -np.ones([10, 1], np.float32))
      (0.0, 0.0)
    """
    batch = tf.TensorSpec([None, *real.shape[1:]], tf.float32)
    compiled = tf.function(lambda x: tf.sigmoid(model(x, training=False)), autograph=False).get_concrete_function(batch)
    scores = [
        np.concatenate([compiled(tf.constant(sample[i : i + _CHUNK])) for i in range(0, len(sample), _CHUNK)])
        for sample in (real, fake)
    ]
    of_real, of_fake = (values.astype(np.float64) for values in scores)
    error = math.sqrt(of_real.var() / len(of_real) + of_fake.var() / len(of_fake))
    return float(of_real.mean() - of_fake.mean()), error


@METRICS.register("neural_net_distance")
class NeuralNetDistance(Metric):
    """The neural-net distance of a fresh discriminator on other samples than its own, and its generalisation gap.

        neural_net_distance = mean S(D(x)) - mean S(D(x~)) of the second sample of each
        neural_net_gap      = the same of the first sample, on which D was trained, minus neural_net_distance
        neural_net_error    = the standard error of neural_net_distance

    Both samples of real examples are from the evaluated split, half of it each if it is small.

    Args:
      neural_net_samples: The size of each of the two samples, of real examples and of generated ones.
      neural_net_steps: The number of updates of the discriminator.

    Example:
      >>> from tfpaths import config as config_lib
      >>> from tfpaths.metrics import sources
      >>> context = Context(config_lib.Data(name="mog", examples=400), config_lib.Evaluation())
      >>> found = NeuralNetDistance(neural_net_steps=300).compute(context, sources.noise((2,), seed=0))
      >>> found["neural_net_distance"] > 0.9  # noise is nowhere near the modes
      True
    """

    opt_in = True
    slow = True

    def __init__(self, *, neural_net_samples: PositiveInt = 2_000, neural_net_steps: PositiveInt = 500):
        self.neural_net_samples = neural_net_samples
        self.neural_net_steps = neural_net_steps

    def missing(self, context: Context) -> str | None:
        return None if context.data.example.name == "point" else no_images(context)

    def compute(self, context: Context, source: Source, count: int | None = None) -> dict[str, float]:
        num = min(
            count or self.neural_net_samples, self._size(context), source.at_most(2 * self.neural_net_samples) // 2
        )
        if num < 1:
            raise errors.InputError("neural_net_distance: expected two real examples and two samples, received fewer.")

        def measured() -> dict[str, float]:
            first, second = (
                [_some(batches, start, num) for batches in (context.real.some, source.batches)] for start in (0, num)
            )
            model = network(context)
            train(model, *first, steps=self.neural_net_steps, seed=context.evaluation.seed)
            (trained, _), (distance, error) = judge(model, *first), judge(model, *second)
            return {
                "neural_net_distance": distance,
                "neural_net_gap": trained - distance,
                "neural_net_error": error,
            }

        return context.once(source, ("neural_net_distance", num), measured)

    def protocol(self, context: Context) -> dict[str, Any]:
        return {"neural_net_samples": self._size(context), "neural_net_steps": self.neural_net_steps}

    def depends_on(self, context: Context) -> tuple[Any, ...]:
        return BATCH, _CHUNK, _RATE, _BETAS, _FILTERS, _WIDTH, _DEPTH

    def _size(self, context: Context) -> int:
        return min(self.neural_net_samples, context.real.size // 2)


def _some(batches: Callable[[int, int], tf.Tensor], start: int, num: int) -> np.ndarray:
    """Returns the `num` examples from number `start`, `[num, *shape]`."""
    last = start + num
    return np.concatenate([batches(first, min(_CHUNK, last - first)) for first in range(start, last, _CHUNK)])
