"""The independent Wasserstein critic: a fresh WGAN-GP critic, trained between samples and validation images.

Danihelka et al. 2017 (arXiv 1705.05263). The GAN's discriminator was trained on the training images; this critic has
seen neither training nor test images. Its estimate on test images is the distance of the samples from the data. If the
estimate on training images is lower, the samples are closer to images that were trained on than to new images: the gap
shows memorisation.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpaths import errors, losses, penalties, streams
from tfpaths.compat.tensorflow import apply_gradients
from tfpaths.data.examples import Examples
from tfpaths.metrics.context import Context
from tfpaths.metrics.loops import repeat
from tfpaths.metrics.metric import METRICS, Metric
from tfpaths.metrics.sources import Sampler, Source
from tfpaths.networks import dcgan
from tfpaths.schema import PositiveInt

# The weight is from Gulrajani et al. 2017, algorithm 1; the other values are not. With this learning rate the estimate
# takes a fourth of the steps that it takes with theirs, 1e-4.
BATCH = 64
_RATE, _BETAS, _WEIGHT = 5e-4, (0.5, 0.9), 10.0
# Half the width of the experiments' networks, which takes a fourth of the time.
_FILTERS = 32
# Examples that are scored at once.
_CHUNK = 500
# Streams below the seed: for training (samples and penalty points), for the final estimate, and for the slope.
_TRAINING, _SAMPLES, _SLOPE = 0, 1, 2
# Training uses validation images; the estimates are for all three splits, in this order.
SPLITS = ("validation", "test", "train")


@dataclasses.dataclass(frozen=True)
class TrainedCritic:
    """A trained critic.

    Attributes:
      model: Examples `[batch, *shape]` -> one score for each, `[batch, 1]`.
      slope: The root mean square of the norm of its gradient, at random points between samples and validation images.

    Example:
      >>> model = keras.Sequential([keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
      >>> critic = TrainedCritic(model, slope=3.0)
      >>> critic.scores(lambda start, num: tf.ones([num, 3]), 2).tolist()
      [1.0, 1.0]
    """

    model: keras.Model
    slope: float

    @functools.cached_property
    def _compiled(self):
        return tf.function(
            lambda examples: self.model(examples, training=False), reduce_retracing=True, autograph=False
        )

    def scores(self, batches: Callable[[int, int], tf.Tensor], count: int) -> np.ndarray:
        """Returns the scores of `count` examples, divided by the slope, `[count]`.

        Args:
          batches: `(start, num)` -> the `num` examples from number `start`.
          count: The number of examples.
        """
        parts = [
            self._compiled(batches(start, min(_CHUNK, count - start))).numpy().reshape(-1)
            for start in range(0, count, _CHUNK)
        ]
        return np.concatenate(parts) / self.slope


def train(
    sampler: Sampler,
    real_batches: tf.data.Dataset,
    *,
    steps: int,
    seed: int = 0,
    model: keras.Model | None = None,
) -> TrainedCritic:
    """Trains a critic to minimise E D(G(z)) - E D(x) + 10 E (||grad D(a x + (1 - a) G(z))|| - 1)^2, with a in U[0, 1).

    This is the WGAN-GP loss: Gulrajani et al. 2017 (arXiv 1704.00028), equation 3.

    Args:
      sampler: `(num, stream)` -> samples `[num, *shape]`.
      real_batches: An endless data set of batches of validation examples, `[batch, *shape]`.
      steps: The number of updates, each on a new batch of both.
      seed: Seed for the critic's weights, the samples and the penalty's points.
      model: An untrained critic; by default a DCGAN discriminator with 32 filters.

    Example:
      Between 0 and 1, D(x) = w x has the loss -w + 10 (w - 1)^2, which is least at w = 1.05:

      >>> model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="ones")])
      >>> model.build([None, 1])
      >>> ones = tf.data.Dataset.from_tensors(tf.ones([8, 1])).repeat()
      >>> critic = train(lambda num, stream: tf.zeros([num, 1]), ones, steps=300, model=model)
      >>> round(critic.slope, 2)
      1.05
    """
    shape = real_batches.element_spec.shape
    if model is None:
        model = dcgan.DCGAN(discriminator_filters=_FILTERS).discriminator(shape[1:], seed=seed)
    optimizer = keras.optimizers.Adam(_RATE, *_BETAS)
    variables = model.trainable_variables
    optimizer.build(variables)
    penalty = penalties.InterpolationPenalty(weight=_WEIGHT)
    pair = losses.get("wasserstein")
    stream = streams.root(seed).fold(_TRAINING)
    batches = iter(real_batches)

    def update(step: tf.Tensor) -> None:
        step_stream = stream.fold(step)
        real, fake = next(batches), sampler(shape[0], step_stream.fold(0))
        with tf.GradientTape() as tape:
            loss = pair.discriminator(model(real, training=True), model(fake, training=True))
            loss += penalty(model, real, fake, stream=step_stream.fold(1))
        apply_gradients(optimizer, tape.gradient(loss, variables), variables)

    repeat(update, steps, "critic step")
    return TrainedCritic(model, _slope(model, sampler, batches, shape[0], seed))


def _slope(model: keras.Model, sampler: Sampler, batches, size: int, seed: int) -> float:
    """Returns sqrt(E ||grad D(p)||^2), p between samples and validation examples; at least 1e-6.

    The expectation is the mean of 20 batches of a gradient penalty with weight 1 and target 0.
    """
    squared_norm = penalties.InterpolationPenalty(weight=1.0, target=0.0)
    stream = streams.root(seed).fold(_SLOPE)

    @tf.function(reduce_retracing=True, autograph=False)
    def value(real, stream):
        return squared_norm(model, real, sampler(size, stream.fold(0)), stream=stream.fold(1))

    values = [value(next(batches), stream.fold(index)) for index in range(20)]
    return max(math.sqrt(float(tf.reduce_mean(values))), 1e-6)


def estimates(
    critic: TrainedCritic, sampler: Sampler, examples: Mapping[str, Examples], *, count: int, seed: int = 0
) -> dict[str, float]:
    """Returns the critic's estimates of the Wasserstein-1 distance between each split and the samples.

        wasserstein_<split> = (E D(x) - E D(G(z))) / slope          x from the split
        wasserstein_gap     = wasserstein_test - wasserstein_train
        wasserstein_error   = sqrt(var D(x) / images + var D(G(z)) / samples) / slope          x from test

    The unit is that of the examples' values: images are in [-1, 1], and distances between images are Euclidean.

    A critic whose slope is at most 1 gives a lower bound of W1. The penalty lets the slope exceed 1: for two sets that
    differ by a shift of length w, the slope converges to 1 + w / (2 · 10), and E D(x) - E D(G(z)) is too large by this
    factor. The division corrects that; public code does not divide. It is exact if the slope is constant, and otherwise
    an approximation. A critic that is not fully trained gives a smaller estimate: compare only estimates with the same
    number of steps.

    Args:
      critic: A critic trained between these samples and validation images.
      sampler: `(num, stream)` -> samples `[num, *shape]`.
      examples: The splits by name: `train`, `test` and any others.
      count: The number of samples, and the maximum number of images of each split.
      seed: Seed for the samples.

    Example:
      With D(x) = x, between samples at 0 and examples at 1:

      >>> from tfpaths.data.examples import in_memory
      >>> model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="ones")])
      >>> ones = in_memory("ones", "test", "drawn", np.ones([10, 1], np.float32), np.zeros(10))
      >>> critic, splits = TrainedCritic(model, slope=1.0), {"train": ones, "test": ones}
      >>> estimates(critic, lambda num, stream: tf.zeros([num, 1]), splits, count=10)
      {'wasserstein_train': 1.0, 'wasserstein_test': 1.0, 'wasserstein_gap': 0.0, 'wasserstein_error': 0.0}
    """
    stream = streams.root(seed).fold(_SAMPLES)
    draw = tf.function(lambda num, stream: sampler(num, stream), reduce_retracing=True, autograph=False)
    fake = critic.scores(lambda start, num: draw(num, stream.fold(start)), count)
    values, standard_errors = {}, {}
    # fake: [count]; real: [at most count]
    for split, images in examples.items():
        real = critic.scores(images.some, min(count, images.size))
        values[f"wasserstein_{split}"] = float(real.mean() - fake.mean())
        standard_errors[split] = math.sqrt(real.var() / len(real) + fake.var() / len(fake))
    values["wasserstein_gap"] = values["wasserstein_test"] - values["wasserstein_train"]
    values["wasserstein_error"] = standard_errors["test"]
    return values


def no_images(context: Context) -> str | None:
    """Returns why a DCGAN discriminator cannot read the examples of a data set, or None if it can; see `missing`.

    Args:
      context: The services of the evaluation.

    Example:
      >>> from tfpaths import config as config_lib
      >>> no_images(Context(config_lib.Data(name="mog"), config_lib.Evaluation()))
      'has no square images of 16, 28, 32, 64, 128, 256 pixels'
    """
    height, *others = context.data.shape
    if context.data.example.name != "image" or height not in dcgan.SIZES or others[0] != height:
        return f"has no square images of {', '.join(map(str, dcgan.SIZES))} pixels"
    return None


@METRICS.register("critic")
class Critic(Metric):
    """The Wasserstein-1 distance between samples and each split, estimated by an independently trained critic.

    Args:
      critic_steps: The number of updates of the critic.

    Example:
      >>> from tfpaths import config as config_lib
      >>> context = Context(config_lib.Data(name="color_mnist"), config_lib.Evaluation(samples=1000))
      >>> Critic(critic_steps=50).protocol(context)
      {'critic_steps': 50, 'critic_samples': 1000}
    """

    slow = True

    def __init__(self, *, critic_steps: PositiveInt = 2_000):
        self.critic_steps = critic_steps

    def missing(self, context: Context) -> str | None:
        absent = [split for split in SPLITS if split not in context.known_splits]
        if absent:
            return f"has no split {absent[0]}"
        return no_images(context)

    def compute(self, context: Context, source: Source, count: int | None = None) -> dict[str, float]:
        seed, count = context.evaluation.seed, count or context.evaluation.samples
        examples = {split: context.examples(split) for split in SPLITS}
        validation = examples["validation"]
        if validation.size < BATCH:
            raise errors.InputError(
                f"critic: expected at least {BATCH} validation images, one batch, received {validation.size}."
            )

        def trained() -> TrainedCritic:
            batches = validation.batches(BATCH, seed=seed)
            return train(source.sampler, batches, steps=self.critic_steps, seed=seed)

        critic = context.once(source, "critic", trained)
        return estimates(critic, source.sampler, examples, count=count, seed=seed)

    def protocol(self, context: Context) -> dict[str, Any]:
        return {"critic_steps": self.critic_steps, "critic_samples": context.evaluation.samples}

    def depends_on(self, context: Context) -> tuple[Any, ...]:
        contents = (context.examples(split).content for split in SPLITS)
        return BATCH, _RATE, _BETAS, _WEIGHT, _FILTERS, context.evaluation.samples, *contents
