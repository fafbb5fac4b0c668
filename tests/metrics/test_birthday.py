"""The birthday test against generators of known support, by brute force, and as a metric with a picture."""

import io
import math

import numpy as np
import PIL.Image
import pytest
import scipy.spatial.distance
import scipy.stats

from tfpaths import config, data, errors
from tfpaths.metrics import birthday, sources
from tfpaths.metrics.context import Context
from tfpaths.metrics.evaluator import Evaluator

EMBEDDED = config.Data(name="color_mnist", source="embedded")


def degrees(drawn):
    """How many other samples are equal to each one."""
    counts = np.bincount(drawn)
    return counts[drawn] - 1


def uniform(seed, support, num):
    return degrees(np.random.default_rng(seed).integers(support, size=num))


@pytest.mark.parametrize("support", [30, 1_000, 40_000])
def test_a_support_of_n_gives_root_n(support):
    found = birthday.estimate(uniform(0, support, 5_000))
    # K is nearly Poisson with the mean pairs / N, so that the relative error of s is 1 / (2 sqrt K).
    error = 0.5 / math.sqrt(5_000 * 4_999 / 2 / support)
    assert found["birthday"] == pytest.approx(1.1774 * math.sqrt(support), rel=4 * error)
    assert found["birthday_support"] == pytest.approx(found["birthday"] ** 2 / (2 * math.log(2)))
    assert found["birthday_low"] < found["birthday"] < found["birthday_high"]
    assert found["birthday_high"] / found["birthday_low"] == pytest.approx(1 + 4 * 0.98 * error, rel=0.1)


def test_half_of_the_batches_of_that_size_have_a_duplicate():
    random = np.random.default_rng(1)
    size = round(birthday.estimate(uniform(0, 365, 5_000))["birthday"])
    shares = [len(np.unique(random.integers(365, size=size))) < size for _ in range(4_000)]
    # 22.5, rounded; P(22) = 0.476 and P(23) = 0.507, which is the birthday paradox.
    assert 0.44 < np.mean(shares) < 0.55


@pytest.mark.parametrize("frequent", [0.0, 0.2])
def test_the_interval_covers_in_19_of_20_samples(frequent):
    """Of 300 equally likely examples; and of those with one that has a fifth of the probability by itself."""
    probabilities = np.full(300, (1 - frequent) / 300)
    probabilities[0] += frequent
    s = math.sqrt(2 * math.log(2) / np.square(probabilities).sum())
    covered = 0
    for seed in range(200):
        drawn = np.random.default_rng(seed).choice(300, size=400, p=probabilities)
        found = birthday.estimate(degrees(drawn))
        covered += found["birthday_low"] <= s <= found["birthday_high"]
    # Binomial with 0.95: at least 180 of 200 with a probability of 0.998.
    assert covered >= 180


def test_without_duplicates_there_is_only_a_lower_end():
    found = birthday.estimate(np.zeros(1_000, int))
    # No event: at most 3.689 expected, with 97.5 %.
    pairs = 1_000 * 999 / 2
    assert found == {"birthday_low": pytest.approx(math.sqrt(2 * math.log(2) * pairs / -math.log(0.025)))}


def test_equal_samples_are_one_example():
    found = birthday.estimate(np.full(50, 49))
    assert found["birthday_support"] == pytest.approx(1.0)
    assert found["birthday_low"] == pytest.approx(found["birthday"])


@pytest.mark.parametrize("num", [40, 1_500])
def test_pairs_and_threshold_by_brute_force(num):
    """Also across blocks of 1,000."""
    points = np.random.default_rng(0).normal(size=(num, 3)) + 5.0
    distances = scipy.spatial.distance.squareform(scipy.spatial.distance.pdist(points))
    limit = birthday.threshold(points, 0.01)
    every = np.sort(scipy.spatial.distance.pdist(points))
    assert limit == pytest.approx(every[math.ceil(0.01 * len(every)) - 1], rel=1e-9)
    found = birthday.pairs(points, limit, shown=7)
    np.testing.assert_array_equal(found.duplicates, (distances <= limit * (1 + 1e-12)).sum(axis=1) - 1)
    np.testing.assert_allclose(found.distances, every[:7], rtol=1e-6)
    np.testing.assert_allclose(distances[tuple(found.nearest.T)], every[:7])


def test_equal_samples_are_duplicates_for_a_threshold_of_zero():
    points = np.random.default_rng(0).normal(size=(4, 500))[[0, 1, 2, 1, 3]]
    assert birthday.pairs(points, 0.0).duplicates.tolist() == [0, 1, 0, 1, 0]


def planted(images, seed=0):
    """A generator with a few images."""

    def draw(num, stream):
        return images.take(np.floor(stream.uniform([num]).numpy() * images.size).astype(int))

    return sources.Source(
        lambda start, num: draw(num, sources.streams.root(seed).fold(start)), None, state=lambda: seed
    )


class TestMetric:
    WANTED = config.Evaluation(metrics=("birthday",), birthday_samples=2_000)

    def test_planted_images(self):
        # The embedded test images are 360 different ones, and of the real pairs 1 in 10,000 counts too.
        evaluator = Evaluator(EMBEDDED, self.WANTED)
        source = planted(evaluator.examples("test"))
        found = evaluator.measure(source)
        pairs = 2_000 * 1_999 / 2
        expected = 1 / (1 / 360 + 1e-4)
        assert found["birthday_support"] == pytest.approx(expected, rel=4 / math.sqrt(pairs / expected))
        assert found["birthday_low"] < 1.1774 * math.sqrt(expected) < found["birthday_high"]
        # The picture: the 20 nearest pairs, here equal images, side by side.
        (picture,) = evaluator.pictures(source).values()
        assert "The 20 most similar pairs of 2,000 samples, nearest first: distances of 0 to 0. " in picture.caption
        pixels = np.asarray(PIL.Image.open(io.BytesIO(picture.png)))
        # Four rows of 56 + 8 and 8; five columns of 56 + 2 + 56 + 8, and 8.
        assert pixels.shape == (4 * 64 + 8, 5 * 122 + 8, 3)
        np.testing.assert_array_equal(pixels[8:64, 8:64], pixels[8:64, 66:122])
        assert (pixels[:8] == 255).all()
        assert (pixels[8:64, 64:66] == 255).all()

    def test_threshold_is_that_of_the_evaluated_split(self):
        evaluator = Evaluator(EMBEDDED, self.WANTED)
        real = evaluator.examples("test").some(0, 360).numpy().reshape(360, -1)
        every = np.sort(scipy.spatial.distance.pdist(real))
        # Of 64,620 pairs the seventh.
        assert evaluator.protocol()["birthday_threshold"] == pytest.approx(every[6], rel=1e-5)

    def test_points_have_values_and_no_picture(self):
        evaluator = Evaluator(config.Data(name="mog", examples=1_000), self.WANTED)
        source = sources.real(evaluator.examples("train"))
        # Real points have the support 1 / quantile; 50 pairs are expected.
        assert evaluator.measure(source)["birthday_support"] == pytest.approx(1e4, rel=0.5)
        assert evaluator.pictures(source) == {}

    def test_samples_that_are_not_finite_are_an_error(self):
        source = sources.Source(lambda start, num: np.full((num, 2), np.nan), None)
        with pytest.raises(errors.RunError, match="the samples 0 to 999 are not finite"):
            Evaluator(config.Data(name="mog", examples=1_000), self.WANTED).measure(source)

    @pytest.mark.parametrize(
        ("fields", "line"),
        [
            ({"birthday_samples": 2}, r"evaluation\.birthday_samples: expected a number of at least 3, received 2"),
            ({"birthday_quantile": 0.0}, r"evaluation\.birthday_quantile: expected a number above 0 and below 1"),
            (
                {"birthday_quantile": 1e-5},
                r"evaluation\.birthday_quantile: expected at least 1\.6e-05, one of the pairs of 360 real images, rec",
            ),
        ],
    )
    def test_invalid_fields_are_refused(self, fields, line):
        with pytest.raises(errors.InputError, match=line):
            Evaluator(EMBEDDED, config.Evaluation(metrics=("birthday",), **fields))

    def test_other_examples_are_refused(self, monkeypatch):
        class Text:
            name = "text"

        monkeypatch.setattr(data.get("mog"), "example", Text())
        context = Context(config.Data(name="mog"), config.Evaluation())
        assert birthday.Birthday().missing(context) == "has neither images nor points"
