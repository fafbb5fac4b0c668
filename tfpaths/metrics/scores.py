"""Classifier score, Fréchet distance and kernel distance, from logits and features: TF-GAN's, under honest names.

The kernel distance is computed by `tfgan.eval`. The other two are its formulas, held against it by the tests, and
written out here because it takes them the long way: two singular value decompositions where eigenvalues say it, and a
logarithm of the mean for each image.

    classifier score   exp E KL(p(y|x) || p(y))                                 Salimans et al. 2016 (arXiv 1606.03498)
    Fréchet distance   |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2))              Heusel et al. 2017 (arXiv 1706.08500)
    kernel distance    unbiased MMD^2, kernel (x·y / dimensions + 1)^3          Binkowski et al. 2018 (arXiv 1801.01401)

Covariances are the unbiased ones. The Fréchet distance of finite sets is biased upwards, the more so the smaller they
are: compare it between sets of one size. The kernel distance is the mean over blocks of at most 1,024 images, where the
paper draws subsets, and may be below zero.
"""

import contextlib
from collections.abc import Iterator, Mapping

import numpy as np
import scipy.linalg
import tensorflow as tf

from tfpaths import config
from tfpaths.tfgan import tfgan

_NAMES = ("classifier_score", "frechet_classifier_distance", "kernel_classifier_distance")
_INCEPTION_NAMES = ("inception_score", "frechet_inception_distance", "kernel_inception_distance")


def names(*, is_inception: bool) -> tuple[str, str, str]:
    """What the three are called: IS, FID and KID are names for Inception's features and no others."""
    return _INCEPTION_NAMES if is_inception else _NAMES


def classifier_score(logits: np.ndarray) -> float:
    """exp E KL(p(y|x) || p(y)), from 1 to the number of classes.

    Args:
      logits: `[count, classes]`; p(y|x) is their softmax and p(y) its mean.
    """
    log_p = tf.nn.log_softmax(tf.constant(logits, tf.float64))
    p = tf.exp(log_p)
    # E KL(p(y|x) || p(y)) = H(E p) - E H(p); a class that nothing is taken for adds nothing.
    marginal = tf.reduce_mean(p, axis=0)
    entropy = -tf.reduce_sum(tf.math.xlogy(marginal, marginal))
    mean_entropy = -tf.reduce_sum(p * log_p) / len(logits)
    return float(tf.exp(entropy - mean_entropy))


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """The squared Fréchet distance between the normal distributions fitted to two sets of features, at least 0.

    Args:
      real: `[count, dimensions]`.
      fake: `[another count, dimensions]`.
    """
    (mean, covariance), (other_mean, other_covariance) = _moments(real), _moments(fake)
    # The eigenvalues of C1 C2 are those of C1^(1/2) C2 C1^(1/2), which is symmetric and has none below zero.
    values, vectors = scipy.linalg.eigh(covariance, check_finite=False)
    root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    shared = scipy.linalg.eigvalsh(root @ other_covariance @ root, check_finite=False)
    trace = np.trace(covariance) + np.trace(other_covariance) - 2 * np.sqrt(np.maximum(shared, 0.0)).sum()
    # Of equal sets rounding leaves a number of either sign next to 0.
    return max(float(np.square(mean - other_mean).sum() + trace), 0.0)


def _moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and unbiased covariance, in float64."""
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean
    return mean, centred.T @ centred / (len(features) - 1)


def kernel_distance(real: np.ndarray, fake: np.ndarray) -> tuple[float, float]:
    """The unbiased MMD^2 between two sets of features, and its standard error over blocks.

    Args:
      real: `[count, dimensions]`.
      fake: `[another count, dimensions]`.

    Returns:
      Both of the kernel's unit; the error is NaN where there is one block.

    Raises:
      InputError: the smaller set has not two images for each block of the larger one.
    """
    blocks = -(-max(len(real), len(fake)) // 1024)
    if min(len(real), len(fake)) < 2 * blocks:
        raise config.InputError(
            f"kernel distance: expected at least {2 * blocks} images beside {max(len(real), len(fake))}, received "
            f"{min(len(real), len(fake))}."
        )
    with _without_deprecations():
        distance, error = _kernel_distance(tf.constant(real, tf.float64), tf.constant(fake, tf.float64))
    return float(distance), float(error)


# As a graph, in which TensorFlow makes two products of the cube, it takes a fourth of the time.
_kernel_distance = tf.function(tfgan.eval.kernel_classifier_distance_and_std_from_activations, autograph=False)


@contextlib.contextmanager
def _without_deprecations() -> Iterator[None]:
    """TensorFlow tells TF-GAN, not the user, that `map_fn` has lost an argument."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


def check_counts(count: int, dimensions: int, what: str) -> None:
    """Refuses sets too small for the covariance of their features.

    Raises:
      InputError: there are no more images than dimensions.
    """
    if count <= dimensions:
        raise config.InputError(
            f"{what}: expected more images than the extractor's {dimensions} features, whose covariance cannot be "
            f"estimated otherwise; received {count}. Ways out: more of them, or other metrics than scores."
        )


def all_scores(real: np.ndarray, logits: np.ndarray, fake: np.ndarray, *, is_inception: bool) -> Mapping[str, float]:
    """The three scores of a set of samples by name, and the kernel distance's standard error where there is one.

    Args:
      real: features of real images `[count, dimensions]`.
      logits: of samples `[another count, classes]`.
      fake: features of the same samples `[another count, dimensions]`.
      is_inception: whether they are Inception's.
    """
    first, second, third = names(is_inception=is_inception)
    kernel, error = kernel_distance(real, fake)
    values = {first: classifier_score(logits), second: frechet_distance(real, fake), third: kernel}
    if np.isfinite(error):
        values[f"{third}_error"] = error
    return values
