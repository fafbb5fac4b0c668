"""Each score against a closed form or an oracle in NumPy, SciPy or scikit-learn."""

import itertools
import math

import keras
import numpy as np
import pytest
import scipy.linalg
import scipy.ndimage
import sklearn.metrics
import tensorflow as tf

from tfpaths import config, data, streams
from tfpaths.data import coloured, digits, photographs
from tfpaths.metrics import critic, modes, scores, similarity
from tfpaths.tfgan import tfgan

RANDOM = np.random.default_rng(0)


def with_moments(mean, covariance, count=500, seed=0):
    """Features `[count, dimensions]` whose sample mean and unbiased covariance are exactly these."""
    draws = np.random.default_rng(seed).normal(size=(count, len(mean)))
    draws -= draws.mean(axis=0)
    white = draws @ np.linalg.inv(np.linalg.cholesky(np.cov(draws.T)).T)
    return mean + white @ np.linalg.cholesky(covariance).T


class TestClassifierScore:
    def test_it_is_the_number_of_classes_where_each_is_certain_and_equally_frequent(self):
        logits = 1000.0 * np.eye(7)[np.arange(70) % 7]
        assert scores.classifier_score(logits) == pytest.approx(7.0)

    def test_it_is_one_where_all_predictions_are_alike(self):
        assert scores.classifier_score(np.tile(RANDOM.normal(size=10), (50, 1))) == pytest.approx(1.0)

    def test_against_numpy(self):
        logits = RANDOM.normal(size=(200, 10)) * 3
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        expected = math.exp((p * np.log(p / p.mean(axis=0))).sum(axis=1).mean())
        assert scores.classifier_score(logits.astype(np.float32)) == pytest.approx(expected, rel=1e-6)

    def test_against_tfgan(self):
        logits = (RANDOM.normal(size=(300, 12)) * 4).astype(np.float32)
        theirs = float(tfgan.eval.classifier_score_from_logits(tf.constant(logits)))
        assert scores.classifier_score(logits) == pytest.approx(theirs, rel=1e-6)

    def test_a_class_that_nothing_is_taken_for_adds_nothing(self):
        # The softmax of -2000 is zero, of which there is no logarithm.
        logits = np.array([[0.0, -2000.0, -2000.0], [-2000.0, 0.0, -2000.0]])
        assert scores.classifier_score(logits) == pytest.approx(2.0)


class TestFrechetDistance:
    @pytest.mark.parametrize("rank", [16, 3])
    def test_against_tfgan(self, rank):
        # Of full rank, and of features that depend on each other.
        real, fake = (RANDOM.normal(size=(400, rank)) @ RANDOM.normal(size=(rank, 16)) + shift for shift in (0, 1))
        theirs = tfgan.eval.frechet_classifier_distance_from_activations(tf.constant(real), tf.constant(fake))
        assert scores.frechet_distance(real, fake) == pytest.approx(float(theirs), rel=1e-5)

    def test_of_normal_distributions_with_known_moments(self):
        # Diagonal covariances commute, so that the trace is sum (sqrt(a) - sqrt(b))^2 = 1 + 4 + 9; the means add 25.
        real = with_moments(np.array([0.0, 0, 0]), np.diag([1.0, 4.0, 9.0]))
        fake = with_moments(np.array([3.0, 0, 4]), np.diag([4.0, 16.0, 36.0]), count=300, seed=1)
        assert scores.frechet_distance(real, fake) == pytest.approx(1 + 4 + 9 + 25, rel=1e-9)

    def test_against_scipys_matrix_root(self):
        real, fake = (RANDOM.normal(size=(400, 20)) @ RANDOM.normal(size=(20, 20)) for _ in range(2))
        one, other = np.cov(real.T), np.cov(fake.T)
        root = scipy.linalg.sqrtm(one @ other).real
        expected = ((real.mean(0) - fake.mean(0)) ** 2).sum() + np.trace(one + other - 2 * root)
        assert scores.frechet_distance(real, fake) == pytest.approx(expected, rel=1e-6)

    def test_of_a_set_with_itself_is_zero(self):
        features = RANDOM.normal(size=(300, 30))
        assert scores.frechet_distance(features, features) == pytest.approx(0, abs=1e-6)

    @pytest.mark.parametrize("shift", [0.5, -3.0])
    def test_a_shift_in_one_feature_raises_it_by_its_square(self, shift):
        features = RANDOM.normal(size=(300, 30))
        shifted = features.copy()
        shifted[:, 7] += shift
        assert scores.frechet_distance(features, shifted) == pytest.approx(shift**2, rel=1e-6)

    def test_a_feature_that_never_varies_does_no_harm(self):
        features = np.hstack([RANDOM.normal(size=(300, 5)), np.zeros((300, 2))])
        assert scores.frechet_distance(features, features + 1) == pytest.approx(7.0, rel=1e-6)

    def test_no_more_images_than_features_are_refused(self):
        with pytest.raises(config.InputError, match=r"evaluation\.samples: expected more images than .* 64 features"):
            scores.check_counts(64, 64, "evaluation.samples")
        scores.check_counts(65, 64, "evaluation.samples")


def unbiased_mmd(real, fake):
    """Gretton et al. 2012, lemma 6, with scikit-learn's kernel (x·y / dimensions + 1)^3."""

    def kernel(one, other):
        return sklearn.metrics.pairwise.polynomial_kernel(one, other, degree=3, gamma=1 / one.shape[1], coef0=1)

    def off_diagonal(matrix):
        return (matrix.sum() - np.trace(matrix)) / (len(matrix) * (len(matrix) - 1))

    return off_diagonal(kernel(real, real)) + off_diagonal(kernel(fake, fake)) - 2 * kernel(real, fake).mean()


class TestKernelDistance:
    def test_of_one_block_against_scikit_learn(self):
        real, fake = RANDOM.normal(size=(200, 16)), RANDOM.normal(size=(150, 16)) + 0.3
        distance, error = scores.kernel_distance(real, fake)
        assert distance == pytest.approx(unbiased_mmd(real, fake), rel=1e-9)
        assert math.isnan(error)

    def test_of_more_images_it_is_the_mean_over_blocks(self):
        real, fake = RANDOM.normal(size=(2000, 8)), RANDOM.normal(size=(1500, 8)) * 1.2
        blocks = [unbiased_mmd(r, f) for r, f in zip(np.split(real, 2), np.split(fake, 2), strict=True)]
        distance, error = scores.kernel_distance(real, fake)
        assert distance == pytest.approx(np.mean(blocks), rel=1e-9)
        assert error == pytest.approx(np.std(blocks, ddof=1) / math.sqrt(2), rel=1e-9)

    def test_against_tfgan(self):
        real, fake = RANDOM.normal(size=(3000, 8)), RANDOM.normal(size=(2400, 8)) + 0.2
        theirs = tfgan.eval.kernel_classifier_distance_and_std_from_activations(tf.constant(real), tf.constant(fake))
        assert scores.kernel_distance(real, fake) == pytest.approx([float(value) for value in theirs], rel=1e-9)

    def test_float32_features_are_compared_in_float64(self):
        # Far from the origin kernels are of the order 1e6, and float32 would lose what the sets differ by.
        real, fake = (RANDOM.normal(size=(500, 4)).astype(np.float32) + 100 for _ in range(2))
        assert scores.kernel_distance(real, fake)[0] == pytest.approx(
            unbiased_mmd(real.astype(np.float64), fake.astype(np.float64)), rel=1e-6
        )


def test_names_belong_to_their_features():
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


def wang(one, other, scale_weights):
    """MS-SSIM of two images in [0, 1], one channel at a time, written from Wang et al. 2003, equations 1 to 7."""
    taps = np.exp(-((np.arange(7) - 3.0) ** 2) / (2 * 1.5**2))
    taps /= taps.sum()

    def smooth(image):
        for axis in (0, 1):
            image = scipy.ndimage.correlate1d(image, taps, axis=axis)
        return image[3:-3, 3:-3]  # where the window lies inside the image

    c1, c2 = 0.01**2, 0.03**2
    values = []
    for x, y in zip(np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0), strict=True):
        product = 1.0
        for scale, weight in enumerate(scale_weights):
            mx, my = smooth(x), smooth(y)
            vx, vy, cov = smooth(x * x) - mx**2, smooth(y * y) - my**2, smooth(x * y) - mx * my
            contrast_structure = (2 * cov + c2) / (vx + vy + c2)
            luminance = (2 * mx * my + c1) / (mx**2 + my**2 + c1)
            last = scale == len(scale_weights) - 1
            # A negative mean has no real power; TensorFlow takes it as 0, and so is the product.
            product *= max((contrast_structure * luminance if last else contrast_structure).mean(), 0) ** weight
            if not last:
                x, y = ((z[::2, ::2] + z[1::2, ::2] + z[::2, 1::2] + z[1::2, 1::2]) / 4 for z in (x, y))
        values.append(product)
    return np.mean(values)


def real_images(side):
    if side == 32:
        # scikit-learn's two photographs, cut into pieces: real pictures without a network.
        import sklearn.datasets

        photos = [
            photo[:416, :640].reshape(13, 32, 20, 32, 3).swapaxes(1, 2)
            for photo in sklearn.datasets.load_sample_images().images
        ]
        pieces = np.concatenate([photo.reshape(-1, 32, 32, 3) for photo in photos])
        return pieces[:: len(pieces) // 64][:64].astype(np.float32) / 127.5 - 1
    images = coloured.color_mnist(digits.embedded("train"), "train", 0)
    batch = images.take(np.arange(64)).numpy()
    if side == 64:
        batch = np.clip(scipy.ndimage.zoom(batch, (1, 64 / 28, 64 / 28, 1), order=1), -1, 1)
    return batch


class TestMSSSIM:
    @pytest.mark.parametrize(("side", "count"), [(28, 3), (32, 3), (64, 4)])
    def test_weights_are_wangs_first_ones_brought_to_a_sum_of_one(self, side, count):
        found = similarity.weights(side)
        assert len(found) == count
        assert sum(found) == pytest.approx(1.0)
        np.testing.assert_allclose(
            np.divide(found, found[0]), np.array([0.0448, 0.2856, 0.3001, 0.2363])[:count] / 0.0448
        )

    @pytest.mark.parametrize("side", [28, 32, 64])
    def test_against_numpy_on_real_images(self, side):
        images = real_images(side)
        pairs = list(itertools.combinations(range(8), 2))
        found = similarity.ms_ssim(*(tf.constant(images[[pair[k] for pair in pairs]]) for k in (0, 1)))
        expected = [
            wang(*((images[k].astype(np.float64) + 1) / 2 for k in pair), similarity.weights(side)) for pair in pairs
        ]
        # float32 variances are differences of squares, right to 1e-7 of 1, beside C2 = 9e-4.
        np.testing.assert_allclose(found, expected, atol=2e-4)
        assert 0 <= min(expected) < max(expected) < 1

    def test_it_is_the_mean_over_all_pairs_of_different_images_of_a_batch(self):
        images = real_images(28)
        rows, columns = zip(*itertools.combinations(range(64), 2), strict=True)
        expected = similarity.ms_ssim(tf.constant(images[list(rows)]), tf.constant(images[list(columns)]))
        assert similarity.mean_over_pairs(images) == pytest.approx(float(np.mean(expected)), rel=1e-5)
        # Batches do not mix: a second batch of equal images averages with the first.
        both = np.concatenate([images, np.repeat(images[:1], 64, axis=0)])
        assert similarity.mean_over_pairs(both) == pytest.approx((float(np.mean(expected)) + 1) / 2, rel=1e-5)

    def test_what_does_not_fit_is_refused(self):
        with pytest.raises(ValueError, match="multiple of 64 images, received 63"):
            similarity.mean_over_pairs(real_images(28)[:63])
        with pytest.raises(ValueError, match="at least 7 pixels, received 6"):
            similarity.weights(6)


class TestModes:
    def test_counts_and_divergence_by_hand(self):
        # q = (1/2, 1/4, 1/4, 0), p = 1/4 each: KL = 1/2 log 2 + 0 + 0.
        found = modes.coverage(np.array([0, 0, 1, 2]), np.full(4, 0.25))
        assert found == {"modes_covered": 3, "modes_kl": pytest.approx(0.5 * math.log(2))}

    def test_the_datas_own_distribution_has_no_divergence(self):
        assert modes.coverage(np.array([0, 1, 1, 1]), np.array([0.25, 0.75])) == {"modes_covered": 2, "modes_kl": 0.0}

    def test_one_mode_of_a_thousand(self):
        found = modes.coverage(np.full(26_000, 999), np.full(1000, 1e-3))
        assert found == {"modes_covered": 1, "modes_kl": pytest.approx(math.log(1000))}


class Normal:
    """N(mean, I) in the plane, as images of two pixels would come: a sampler and a data set."""

    def __init__(self, mean, seed):
        self.mean = tf.constant(mean, tf.float32)
        self.seed = seed

    def __call__(self, num, seed):
        return self.mean + streams.normal(streams.fold(seed, self.seed), [num, 2])

    def batches(self, batch_size):
        # The batch of a step is a function of the step, as the images' batches are.
        step = tf.data.Dataset.counter()
        return step.map(
            lambda index: tf.ensure_shape(self(batch_size, streams.fold(streams.root(9), index)), [batch_size, 2])
        )

    def examples(self, split, size):
        drawn = self(size, streams.fold(streams.root(5), ("train", "test", "validation").index(split)))
        return data.images.Images(
            "normal", split, "tfds", (2,), size, np.zeros(size), lambda where: tf.gather(drawn, where)
        )


def mlp(seed):
    layers, start = keras.layers, keras.initializers.GlorotUniform
    return keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(256, activation="relu", kernel_initializer=start(seed=seed)),
            layers.Dense(256, activation="relu", kernel_initializer=start(seed=seed + 1)),
            layers.Dense(1, kernel_initializer=start(seed=seed + 2)),
        ]
    )


class TestCritic:
    @pytest.mark.parametrize("shift", [(0.0, 0.0), (0.6, 0.8), (3.0, -4.0)])
    def test_against_the_known_distance_of_two_normal_distributions(self, shift):
        # Of two distributions that differ by a shift W1 is its length: 0, 1 and 5.
        distance = math.hypot(*shift)
        real, fake = Normal((0.0, 0.0), 1), Normal(shift, 2)
        trained = critic.train(fake, real.batches(64), steps=3000, seed=0, model=mlp(0))
        examples = {split: real.examples(split, 4000) for split in ("train", "test")}
        found = critic.estimates(trained, fake, examples, count=4000, seed=3)
        # From below by what is not yet learned, either way by what is drawn.
        assert abs(found["wasserstein_test"] - distance) < 3 * found["wasserstein_error"] + 0.05 * distance
        # Of 4,000 draws each, along one axis: sqrt(2 / 4000).
        if distance:
            assert found["wasserstein_error"] == pytest.approx(math.sqrt(2 / 4000), rel=0.1)
        # The penalty lets the slope exceed 1 by w / 20, which the estimate is divided by.
        assert trained.slope == pytest.approx(1 + distance / 20, rel=0.06) or distance == 0
        assert abs(found["wasserstein_gap"]) < 4 * found["wasserstein_error"]
        assert found["wasserstein_gap"] == pytest.approx(found["wasserstein_test"] - found["wasserstein_train"])

    def test_the_same_seed_gives_the_same_critic(self):
        real, fake = Normal((0.0, 0.0), 1), Normal((1.0, 0.0), 2)
        weights = [
            critic.train(fake, real.batches(8), steps=60, seed=4, model=mlp(1)).model.get_weights() for _ in range(2)
        ]
        for one, other in zip(*weights, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_memorised_training_images_show_as_a_gap(self):
        # A generator that has memorised 8 points: nearer to them than to points nobody trained on.
        real = Normal((0.0, 0.0), 1)
        train = real.examples("train", 8)

        def memorised(num, seed):
            return train.take(tf.cast(streams.uniform(seed, [num]) * 8, tf.int32))

        trained = critic.train(memorised, real.batches(64), steps=3000, seed=0, model=mlp(3))
        found = critic.estimates(trained, memorised, {"train": train, "test": real.examples("test", 4000)}, count=4000)
        assert found["wasserstein_gap"] > 5 * found["wasserstein_error"]

    def test_images_get_a_critic_of_their_own_shape(self):
        images = photographs.in_memory("x", "train", "tfds", np.zeros((80, 28, 28, 3), np.uint8), np.zeros(80))
        trained = critic.train(lambda num, seed: tf.ones([num, 28, 28, 3]), images.batches(16), steps=2)
        assert trained.model.input_shape == (None, 28, 28, 3)
        assert trained.scores(lambda start, num: images.take(tf.range(start, start + num)), 80).shape == (80,)
