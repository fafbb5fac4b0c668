"""Classifier score, Fréchet distance and kernel distance, from logits and features: TF-GAN's, under honest names.

The formulas are `tfgan.eval`'s, and the tests hold each against it. They are written out here because it takes them the
long way: two singular value decompositions where eigenvalues say it, a logarithm of the mean for each image, a cube by
the power function.

    classifier score   exp E KL(p(y|x) || p(y))                                 Salimans et al. 2016 (arXiv 1606.03498)
    Fréchet distance   |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2))              Heusel et al. 2017 (arXiv 1706.08500)
    kernel distance    unbiased MMD^2, kernel (x·y / dimensions + 1)^3          Binkowski et al. 2018 (arXiv 1801.01401)

Covariances are the unbiased ones. The Fréchet distance of finite sets is biased upwards, the more so the smaller they
are: compare it between sets of one size. The kernel distance is the mean over blocks of at most 1,024 images, where the
paper draws subsets, and may be below zero.
"""

from collections.abc import Mapping

import numpy as np
import scipy.linalg
import scipy.special

from tfpaths import config

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
    # p(y|x) = e / total and log p(y|x) = shifted - log total. Numbers for each class stay in the logits' float32, in
    # which the classifier gave them; numbers for each image are added up in float64.
    shifted = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    total = e.sum(axis=1, dtype=np.float64)
    marginal = (1 / total).astype(e.dtype) @ e / np.float64(len(e))
    # E KL(p(y|x) || p(y)) = H(E p) - E H(p); a class that nothing is taken for adds nothing.
    entropy = scipy.special.entr(marginal).sum()
    mean_entropy = (np.log(total) - np.einsum("ij,ij->i", e, shifted) / total).mean()
    return float(np.exp(entropy - mean_entropy))


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
    pairs = zip(np.array_split(real, blocks), np.array_split(fake, blocks), strict=True)
    distances = [_squared_mmd(one.astype(np.float64), other.astype(np.float64)) for one, other in pairs]
    error = np.std(distances, ddof=1) / blocks**0.5 if blocks > 1 else np.nan
    return float(np.mean(distances)), float(error)


def _squared_mmd(real: np.ndarray, fake: np.ndarray) -> float:
    """The unbiased estimate of MMD^2 of two blocks: Gretton et al. 2012, lemma 6."""

    def kernel_mean(one: np.ndarray, other: np.ndarray) -> float:
        kernel = one @ other.T / one.shape[1] + 1
        total, pairs = np.vdot(kernel * kernel, kernel), kernel.size
        if one is other:
            # An image is no pair with itself.
            total, pairs = total - (np.diagonal(kernel) ** 3).sum(), pairs - len(one)
        return total / pairs

    return kernel_mean(real, real) + kernel_mean(fake, fake) - 2 * kernel_mean(real, fake)


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
