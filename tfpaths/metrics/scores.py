"""Classifier score, Fréchet distance and kernel distance: TF-GAN computes them from logits and features.

    classifier score   exp E KL(p(y|x) || p(y))                                 Salimans et al. 2016 (arXiv 1606.03498)
    Fréchet distance   |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2))              Heusel et al. 2017 (arXiv 1706.08500)
    kernel distance    unbiased MMD^2, kernel (x·y / dimensions + 1)^3          Binkowski et al. 2018 (arXiv 1801.01401)

Covariances are unbiased estimates. The Fréchet distance of finite sets is biased upwards, and more for smaller sets:
compare values of sets of the same size. The kernel distance is the mean over blocks of at most 1,024 images, where the
paper draws random subsets. It can be negative, because it is unbiased.

Everything runs on the CPU, so that the values do not depend on whether the machine has a GPU.
"""

import contextlib
import functools
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfpaths import errors
from tfpaths.compat import lapack
from tfpaths.compat.tfgan import tfgan
from tfpaths.metrics.context import Context
from tfpaths.metrics.metric import METRICS, Metric, UnavailableError
from tfpaths.metrics.sources import Source

_NAMES = ("classifier_score", "frechet_classifier_distance", "kernel_classifier_distance")
_INCEPTION_NAMES = ("inception_score", "frechet_inception_distance", "kernel_inception_distance")
# exp(-700) is close to the smallest power of e that float64 holds with full precision.
_LEAST_LOGIT = -700.0


def names(*, is_inception: bool) -> tuple[str, str, str]:
    """Returns the names of the three scores. Only scores of Inception's features are called IS, FID and KID.

    Args:
      is_inception: Whether the extractor is Inception.

    Example:
      >>> names(is_inception=True)
      ('inception_score', 'frechet_inception_distance', 'kernel_inception_distance')
    """
    return _INCEPTION_NAMES if is_inception else _NAMES


def classifier_score(logits: np.ndarray) -> float:
    """Returns exp E KL(p(y|x) || p(y)), from 1 to the number of classes.

    The score is 1 if all images have the same p(y|x). It is the number of classes if each image certainly belongs to
    one class, and all classes are equally frequent.

    Args:
      logits: `[count, classes]`; p(y|x) is their softmax and p(y) its mean.

    Example:
      >>> round(classifier_score(100.0 * np.eye(7)), 4)
      7.0
    """
    with tf.device("CPU"):
        values = tf.constant(logits)
        # TF-GAN computes 0 * log 0 = NaN for a probability of 0; one of exp(-700) = 1e-304 adds nothing to the sum.
        values = tf.maximum(values, tf.reduce_max(values, axis=1, keepdims=True) + _LEAST_LOGIT)
        return float(_classifier_score(values))


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Returns |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2)), at least 0.

    This is the squared Fréchet distance between two normal distributions, with the mean m and the covariance C of each
    set of features.

    Args:
      real: `[real_count, dimensions]`.
      fake: `[fake_count, dimensions]`.

    Example:
      Equal covariances, and means at a distance of 5:

      >>> features = np.eye(4, 2)
      >>> round(frechet_distance(features, features + np.array([3.0, 4.0])), 4)
      25.0
    """
    with tf.device("CPU"), lapack.used():
        distance = tfgan.eval.frechet_classifier_distance_from_activations(tf.constant(real), tf.constant(fake))
    # Rounding can make the distance of equal sets slightly negative.
    return max(float(distance), 0.0)


def kernel_distance(real: np.ndarray, fake: np.ndarray) -> tuple[float, float]:
    """Returns the unbiased MMD^2 between two sets of features, and its standard error over blocks.

        MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y)        k(x, y) = (x·y / dimensions + 1)^3

    Both sets are split into the same number of blocks, of at most 1,024 images each. The computation is in float64,
    because kernels of features far from zero are large and differ little.

    Args:
      real: `[real_count, dimensions]`.
      fake: `[fake_count, dimensions]`.

    Returns:
      MMD^2 and its standard error, in the kernel's unit. The error is NaN if there is only one block.

    Raises:
      InputError: The smaller set has fewer than two images for each block of the larger set.

    Example:
      With x = 0 and y = 1, k(0, 0) + k(1, 1) - 2 k(0, 1) = 1 + 8 - 2:

      >>> round(kernel_distance(np.zeros([4, 1]), np.ones([4, 1]))[0], 4)
      7.0
    """
    # TF-GAN's number of blocks, rounded up.
    blocks = -(-max(len(real), len(fake)) // 1024)
    if min(len(real), len(fake)) < 2 * blocks:
        raise errors.InputError(
            f"kernel distance: expected at least {2 * blocks} images to compare with "
            f"{max(len(real), len(fake))}, received {min(len(real), len(fake))}."
        )
    with tf.device("CPU"), lapack.used(), _without_deprecation():
        program = _kernel_program(real.shape[1])
        distance, error = program(*(tf.constant(features.astype(np.float64)) for features in (real, fake)))
    return float(distance), float(error)


# As programs, since TensorFlow then computes a cube by two products instead of a general power, and the blocks of the
# kernel distance at the same time.
_classifier_score = tf.function(tfgan.eval.classifier_score_from_logits, autograph=False, reduce_retracing=True)


@functools.cache
def _kernel_program(dimensions: int):
    features = tf.TensorSpec([None, dimensions], tf.float64)
    distance = tfgan.eval.kernel_classifier_distance_and_std_from_activations
    return tf.function(distance, input_signature=[features, features], autograph=False)


@contextlib.contextmanager
def _without_deprecation() -> Iterator[None]:
    """Hides TensorFlow's deprecation warnings about `back_prop` and `dtype`, which TF-GAN passes to `map_fn`."""

    def is_other(record: logging.LogRecord) -> bool:
        return "calling map_fn" not in record.getMessage()

    logger = tf.get_logger()
    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)


def all_scores(real: np.ndarray, logits: np.ndarray, fake: np.ndarray, *, is_inception: bool) -> dict[str, float]:
    """Returns the three scores of samples by name, with the standard error of the kernel distance if it is finite.

    Args:
      real: Features of real images, `[real_count, dimensions]`.
      logits: Logits of samples, `[fake_count, classes]`.
      fake: Features of the same samples, `[fake_count, dimensions]`.
      is_inception: Whether the extractor is Inception, which determines the names.

    Raises:
      InputError: As `kernel_distance`.

    Example:
      >>> features = np.eye(4, 2)
      >>> scores = all_scores(features, 100.0 * np.eye(4), features, is_inception=False)
      >>> {name: round(score, 4) for name, score in scores.items()}
      {'classifier_score': 4.0, 'frechet_classifier_distance': 0.0, 'kernel_classifier_distance': ...}
    """
    first, second, third = names(is_inception=is_inception)
    kernel, error = kernel_distance(real, fake)
    values = {first: classifier_score(logits), second: frechet_distance(real, fake), third: kernel}
    if np.isfinite(error):
        values[f"{third}_error"] = error
    return values


def has_covariance(count: int, dimensions: int) -> bool:
    """Returns whether features have a covariance of full rank: there are more images than dimensions.

    Args:
      count: The number of images.
      dimensions: The number of features.

    Example:
      >>> has_covariance(64, 64), has_covariance(65, 64)
      (False, True)
    """
    return count > dimensions


@METRICS.register("scores")
class Scores(Metric):
    """The three scores of `evaluation.samples` samples against as many real images.

    `evaluation.extractor` selects the features. If a split has fewer real images, all of them are used.

    Example:
      >>> from tfpaths import config as config_lib
      >>> context = Context(config_lib.Data(name="color_mnist"), config_lib.Evaluation(samples=192))
      >>> Scores().check(context)
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: evaluation.samples: expected more images than the extractor's 192 features, ...
    """

    def missing(self, context: Context) -> str | None:
        if context.data.example.name != "image" and context.evaluation.extractor == "auto":
            return "has no feature extractor"
        return None

    def check(self, context: Context, count: int | None = None) -> None:
        try:
            dimensions = context.dimensions()
        except errors.InputError as error:
            if context.evaluation.extractor == "auto":
                raise UnavailableError(str(error)) from error
            raise
        name = "evaluation.samples" if count is None else "evaluation.every_samples"
        received = context.evaluation.samples if count is None else count
        if not has_covariance(received, dimensions):
            raise errors.InputError(_too_few(name, received, dimensions))
        real = context.real
        if not has_covariance(real.size, dimensions):
            raise UnavailableError(_too_few(f"the split {real.split} of {real.name}", real.size, dimensions))

    def compute(self, context: Context, source: Source, count: int | None = None) -> dict[str, float]:
        extractor, real = context.extractor(), context.real
        features = context.features(extractor, real, min(context.evaluation.samples, real.size))
        count = source.at_most(count or context.evaluation.samples)
        received, dimensions = min(count, len(features)), features.shape[1]
        if not has_covariance(received, dimensions):
            raise errors.InputError(_too_few("scores", received, dimensions))
        logits, fake = context.outputs(extractor, source, count)
        return all_scores(features, logits, fake, is_inception=extractor.is_inception)

    def protocol(self, context: Context) -> dict[str, Any]:
        extractor = context.extractor()
        return {
            "samples": context.evaluation.samples,
            "extractor": extractor.name,
            "extractor_key": extractor.key,
            "extractor_accuracy": extractor.accuracy,
        }

    def depends_on(self, context: Context) -> tuple[Any, ...]:
        return context.evaluation.samples, context.extractor().key


def _too_few(what: str, received: int, dimensions: int) -> str:
    return (
        f"{what}: expected more images than the extractor's {dimensions} features, whose covariance cannot be "
        f"estimated otherwise; received {received}. To fix this: use more of them, or other metrics than scores."
    )
