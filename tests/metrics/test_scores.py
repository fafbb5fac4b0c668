"""TF-GAN's scores against closed forms and oracles in NumPy, SciPy and scikit-learn."""

import math

import numpy as np
import pytest
import scipy.linalg
import scipy.special
import sklearn.metrics
from tensorflow.python.util import deprecation

from tfpaths import config, errors
from tfpaths.metrics import scores, sources
from tfpaths.metrics.evaluator import Evaluator

RANDOM = np.random.default_rng(0)


def classifier_score(logits):
    """exp E KL(p(y|x) || p(y)) = exp(H(E p) - E H(p)), in float64."""
    p = scipy.special.softmax(logits.astype(np.float64), axis=1)
    return math.exp(scipy.special.entr(p.mean(axis=0)).sum() - scipy.special.entr(p).sum(axis=1).mean())


def frechet_distance(real, fake):
    """By eigenvalues: those of C1 C2 are those of C1^(1/2) C2 C1^(1/2), which is symmetric."""
    real, fake = real.astype(np.float64), fake.astype(np.float64)
    one, other = np.cov(real.T), np.cov(fake.T)
    values, vectors = scipy.linalg.eigh(one)
    root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    shared = scipy.linalg.eigvalsh(root @ other @ root)
    trace = np.trace(one) + np.trace(other) - 2 * np.sqrt(np.maximum(shared, 0.0)).sum()
    return np.square(real.mean(axis=0) - fake.mean(axis=0)).sum() + trace


def unbiased_mmd(real, fake):
    """Gretton et al. 2012, lemma 6, with scikit-learn's kernel (x·y / dimensions + 1)^3."""

    def kernel(one, other):
        return sklearn.metrics.pairwise.polynomial_kernel(one, other, degree=3, gamma=1 / one.shape[1], coef0=1)

    def off_diagonal(matrix):
        return (matrix.sum() - np.trace(matrix)) / (len(matrix) * (len(matrix) - 1))

    return off_diagonal(kernel(real, real)) + off_diagonal(kernel(fake, fake)) - 2 * kernel(real, fake).mean()


def with_moments(mean, covariance, count=500, seed=0):
    """Features `[count, dimensions]` whose sample mean and unbiased covariance are exactly these."""
    draws = np.random.default_rng(seed).normal(size=(count, len(mean)))
    draws -= draws.mean(axis=0)
    white = draws @ np.linalg.inv(np.linalg.cholesky(np.cov(draws.T)).T)
    return mean + white @ np.linalg.cholesky(covariance).T


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_scores_match_the_oracles(dtype):
    mixed = RANDOM.normal(size=(48, 48)) / 7
    real, fake = ((RANDOM.normal(size=(1500, 48)) @ mixed + shift).astype(dtype) for shift in (0.0, 0.1))
    logits = (RANDOM.normal(size=(1500, 70)) * 3).astype(dtype)
    found = scores.all_scores(real, logits, fake, is_inception=False)
    # TF-GAN returns the first two in the dtype of its input.
    assert found["classifier_score"] == pytest.approx(classifier_score(logits), rel=1e-5)
    assert found["frechet_classifier_distance"] == pytest.approx(frechet_distance(real, fake), rel=1e-5)
    blocks = [unbiased_mmd(*(part.astype(np.float64) for part in pair)) for pair in halves(real, fake)]
    assert found["kernel_classifier_distance"] == pytest.approx(np.mean(blocks), rel=1e-9)


def halves(real, fake):
    return zip(np.split(real, 2), np.split(fake, 2), strict=True)


class TestClassifierScore:
    def test_certain_balanced_classes_score_their_number(self):
        logits = 1000.0 * np.eye(7)[np.arange(70) % 7]
        assert scores.classifier_score(logits) == pytest.approx(7.0)

    def test_equal_predictions_score_one(self):
        assert scores.classifier_score(np.tile(RANDOM.normal(size=10), (50, 1))) == pytest.approx(1.0)

    def test_zero_probability_adds_nothing(self):
        # The softmax of -2000 is zero, which has no logarithm.
        logits = np.array([[0.0, -2000.0, -2000.0], [-2000.0, 0.0, -2000.0]])
        for dtype in (np.float32, np.float64):
            assert scores.classifier_score(logits.astype(dtype)) == pytest.approx(2.0)


class TestFrechetDistance:
    def test_normal_distributions_with_known_moments(self):
        # Diagonal covariances commute, so that the trace is sum (sqrt(a) - sqrt(b))^2 = 1 + 4 + 9; the means add 25.
        real = with_moments(np.array([0.0, 0, 0]), np.diag([1.0, 4.0, 9.0]))
        fake = with_moments(np.array([3.0, 0, 4]), np.diag([4.0, 16.0, 36.0]), count=300, seed=1)
        assert scores.frechet_distance(real, fake) == pytest.approx(1 + 4 + 9 + 25, rel=1e-9)

    def test_matches_scipys_matrix_root(self):
        real, fake = (RANDOM.normal(size=(400, 20)) @ RANDOM.normal(size=(20, 20)) for _ in range(2))
        one, other = np.cov(real.T), np.cov(fake.T)
        root = scipy.linalg.sqrtm(one @ other).real
        expected = ((real.mean(0) - fake.mean(0)) ** 2).sum() + np.trace(one + other - 2 * root)
        assert scores.frechet_distance(real, fake) == pytest.approx(expected, rel=1e-6)

    @pytest.mark.parametrize("rank", [16, 3])
    def test_correlated_features(self, rank):
        real, fake = (RANDOM.normal(size=(400, rank)) @ RANDOM.normal(size=(rank, 16)) + shift for shift in (0, 1))
        assert scores.frechet_distance(real, fake) == pytest.approx(frechet_distance(real, fake), rel=1e-5)

    def test_distance_of_a_set_to_itself_is_zero(self):
        for seed in range(5):
            features = np.random.default_rng(seed).normal(size=(300, 30))
            assert 0 <= scores.frechet_distance(features, features) == pytest.approx(0, abs=1e-6)

    @pytest.mark.parametrize("shift", [0.5, -3.0])
    def test_a_shift_in_one_feature_adds_its_square(self, shift):
        features = RANDOM.normal(size=(300, 30))
        shifted = features.copy()
        shifted[:, 7] += shift
        assert scores.frechet_distance(features, shifted) == pytest.approx(shift**2, rel=1e-6)

    def test_constant_features(self):
        features = np.hstack([RANDOM.normal(size=(300, 5)), np.zeros((300, 2))])
        assert scores.frechet_distance(features, features + 1) == pytest.approx(7.0, rel=1e-6)


class TestKernelDistance:
    def test_one_block_matches_scikit_learn(self):
        real, fake = RANDOM.normal(size=(200, 16)), RANDOM.normal(size=(150, 16)) + 0.3
        distance, error = scores.kernel_distance(real, fake)
        assert distance == pytest.approx(unbiased_mmd(real, fake), rel=1e-9)
        assert math.isnan(error)

    def test_larger_sets_give_the_mean_over_blocks(self):
        real, fake = RANDOM.normal(size=(2000, 8)), RANDOM.normal(size=(1500, 8)) * 1.2
        blocks = [unbiased_mmd(*pair) for pair in halves(real, fake)]
        distance, error = scores.kernel_distance(real, fake)
        assert distance == pytest.approx(np.mean(blocks), rel=1e-9)
        assert error == pytest.approx(np.std(blocks, ddof=1) / math.sqrt(2), rel=1e-9)

    def test_float32_features_are_compared_in_float64(self):
        # Far from the origin kernels are of the order 1e6, and float32 would lose the difference between the sets.
        real, fake = (RANDOM.normal(size=(500, 4)).astype(np.float32) + 100 for _ in range(2))
        assert scores.kernel_distance(real, fake)[0] == pytest.approx(
            unbiased_mmd(real.astype(np.float64), fake.astype(np.float64)), rel=1e-6
        )

    def test_too_few_images_for_the_blocks_are_refused(self):
        with pytest.raises(errors.InputError, match="expected at least 4 images to compare with 2000, received 3"):
            scores.kernel_distance(np.zeros((2000, 2)), np.zeros((3, 2)))

    def test_deprecation_warning_is_not_shown(self, capfd, caplog):
        # TensorFlow prints each deprecation warning once per process, and while it traces.
        deprecation._PRINTED_WARNING.clear()
        scores._kernel_program.cache_clear()
        scores.kernel_distance(np.ones((4, 2)), np.ones((4, 2)))
        assert "deprecated" not in caplog.text + "".join(capfd.readouterr())


def test_score_names_depend_on_the_extractor():
    values = scores.all_scores(
        RANDOM.normal(size=(2100, 3)), RANDOM.normal(size=(2100, 5)), RANDOM.normal(size=(2100, 3)), is_inception=False
    )
    assert list(values) == [
        "classifier_score",
        "frechet_classifier_distance",
        "kernel_classifier_distance",
        "kernel_classifier_distance_error",
    ]
    assert scores.names(is_inception=True) == (
        "inception_score",
        "frechet_inception_distance",
        "kernel_inception_distance",
    )


EMBEDDED = config.Data(name="color_mnist", source="embedded")


class TestInception:
    """End to end, with a SavedModel that has TF-GAN's interface."""

    def test_scores_are_named_after_inception(self, inception, saved, own_cache, monkeypatch):
        # 2,048 features need more images than there are embedded test digits.
        monkeypatch.setattr(scores, "has_covariance", lambda *args: True)
        extractor = f"inception:{saved(inception())}"
        evaluator = Evaluator(EMBEDDED, config.Evaluation(metrics=("scores",), extractor=extractor, samples=300))
        found = evaluator.measure(sources.real(evaluator.examples("train")))
        assert list(found) == ["inception_score", "frechet_inception_distance", "kernel_inception_distance"]
        assert evaluator.protocol()["extractor_accuracy"] is None

    def test_too_few_images_are_refused(self, inception, saved):
        extractor = f"inception:{saved(inception())}"
        few = config.Evaluation(metrics=("scores",), extractor=extractor, samples=2048)
        with pytest.raises(errors.InputError, match=r"evaluation\.samples: .* 2048 features.* received 2048"):
            Evaluator(EMBEDDED, few)
        with pytest.raises(errors.InputError, match="the split test of color_mnist: .* 2048 features.* received 360"):
            Evaluator(EMBEDDED, few.replace(samples=2049))

    def test_other_models_scores_are_not_named_after_inception(self, inception, saved, own_cache):
        model = saved(inception(logits=5, features=20))
        evaluator = Evaluator(EMBEDDED, config.Evaluation(metrics=("scores",), extractor=model, samples=300))
        real, fake = sources.real(evaluator.examples("test")), sources.noise((28, 28, 3), 0)
        found = evaluator.measure(fake)
        assert found.keys() == {"classifier_score", "frechet_classifier_distance", "kernel_classifier_distance"}
        features = [
            np.concatenate([inception(logits=5, features=20)(of.batches(*part))["pool_3"] for part in PARTS])[:, 0, 0]
            for of in (real, fake)
        ]
        assert found["frechet_classifier_distance"] == pytest.approx(frechet_distance(*features), rel=1e-4)


# Batches of 300 images: (start, num).
PARTS = ((0, 250), (250, 50))
