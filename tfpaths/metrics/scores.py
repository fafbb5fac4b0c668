"""Classifier score, Fréchet distance and kernel distance, computed by TF-GAN from logits and features.

    classifier score   exp E KL(p(y|x) || p(y))                                 Salimans et al. 2016 (arXiv 1606.03498)
    Fréchet distance   |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2))              Heusel et al. 2017 (arXiv 1706.08500)
    kernel distance    unbiased MMD^2, kernel (x·y / dimensions + 1)^3          Binkowski et al. 2018 (arXiv 1801.01401)

Covariances are the unbiased ones. The Fréchet distance of finite sets is biased upwards, the more so the smaller they
are: compare it between sets of the same size. The kernel distance is the mean over blocks of at most 1,024 images,
where the paper draws subsets, and may be below zero.

All of it runs on the CPU, so that the numbers do not depend on whether the machine has a GPU.
"""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfpaths import errors
from tfpaths.compat.tfgan import tfgan
from tfpaths.metrics.context import Context
from tfpaths.metrics.metric import METRICS, Metric, UnavailableError
from tfpaths.metrics.sources import Source

_NAMES = ("classifier_score", "frechet_classifier_distance", "kernel_classifier_distance")
_INCEPTION_NAMES = ("inception_score", "frechet_inception_distance", "kernel_inception_distance")
# exp(-700) is the least power of e that float64 holds in full.
_LEAST_LOGIT = -700.0


def names(*, is_inception: bool) -> tuple[str, str, str]:
    """Returns the names of the three: IS, FID and KID are names for Inception's features and no others."""
    return _INCEPTION_NAMES if is_inception else _NAMES


def classifier_score(logits: np.ndarray) -> float:
    """exp E KL(p(y|x) || p(y)), from 1 to the number of classes.

    Args:
      logits: `[count, classes]`; p(y|x) is their softmax and p(y) its mean.

    Example:
      >>> round(classifier_score(100.0 * np.eye(7)), 4)
      7.0
    """
    with tf.device("CPU"):
        values = tf.constant(logits)
        # TF-GAN multiplies a probability of 0 by its infinite logarithm; one of 1e-304 adds nothing either.
        values = tf.maximum(values, tf.reduce_max(values, axis=1, keepdims=True) + _LEAST_LOGIT)
        return float(tfgan.eval.classifier_score_from_logits(values))


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """|m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2)), at least 0.

    The squared Fréchet distance between the normal distributions that have the moments of two sets of features.

    Args:
      real: `[count, dimensions]`.
      fake: `[another count, dimensions]`.
    """
    with tf.device("CPU"):
        distance = tfgan.eval.frechet_classifier_distance_from_activations(tf.constant(real), tf.constant(fake))
    # Of equal sets rounding leaves a number of either sign near 0.
    return max(float(distance), 0.0)


def kernel_distance(real: np.ndarray, fake: np.ndarray) -> tuple[float, float]:
    """The unbiased MMD^2 between two sets of features, and its standard error over blocks.

    It is computed in float64: kernels of features far from zero are large, and close to each other.

    Args:
      real: `[count, dimensions]`.
      fake: `[another count, dimensions]`.

    Returns:
      Both of the kernel's unit; the error is NaN if there is one block.

    Raises:
      InputError: The smaller set has fewer than two images for each block of the larger one.
    """
    blocks = -(-max(len(real), len(fake)) // 1024)
    if min(len(real), len(fake)) < 2 * blocks:
        raise errors.InputError(
            f"kernel distance: expected at least {2 * blocks} images beside {max(len(real), len(fake))}, received "
            f"{min(len(real), len(fake))}."
        )
    with tf.device("CPU"), _without_deprecation():
        distance, error = tfgan.eval.kernel_classifier_distance_and_std_from_activations(
            tf.constant(real), tf.constant(fake), dtype=tf.float64
        )
    return float(distance), float(error)


@contextlib.contextmanager
def _without_deprecation() -> Iterator[None]:
    """Hides TensorFlow's advice about an argument with which TF-GAN calls `map_fn`."""

    def is_news(record: logging.LogRecord) -> bool:
        return "back_prop" not in record.getMessage()

    logger = tf.get_logger()
    logger.addFilter(is_news)
    try:
        yield
    finally:
        logger.removeFilter(is_news)


def all_scores(real: np.ndarray, logits: np.ndarray, fake: np.ndarray, *, is_inception: bool) -> dict[str, float]:
    """Returns the three scores of a set of samples by name, and the kernel distance's standard error if there is one.

    Args:
      real: Features of real images `[count, dimensions]`.
      logits: Logits of samples `[another count, classes]`.
      fake: Features of the same samples `[another count, dimensions]`.
      is_inception: Whether they are Inception's.
    """
    first, second, third = names(is_inception=is_inception)
    kernel, error = kernel_distance(real, fake)
    values = {first: classifier_score(logits), second: frechet_distance(real, fake), third: kernel}
    if np.isfinite(error):
        values[f"{third}_error"] = error
    return values


def has_covariance(count: int, dimensions: int) -> bool:
    """Returns whether the covariance of features can be estimated: there are more images than dimensions."""
    return count > dimensions


@METRICS.register("scores")
class Scores(Metric):
    """The three scores of `evaluation.samples` samples against as many real images, on `evaluation.extractor`."""

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
