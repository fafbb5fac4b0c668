"""The data sets of points: densities, moments and entropies against SciPy, and points as a function of their number."""

import math
import warnings

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from tfpaths import config, data
from tfpaths.data.points import Mixture

NAMES = (
    "banana",
    "cosine",
    "eight_gaussians",
    "funnel",
    "mog",
    "ring",
    "square",
    "swiss_roll",
    "twenty_five_gaussians",
)
WITH_DENSITY = tuple(name for name in NAMES if name != "swiss_roll")
NUM = 100_000
normal = scipy.stats.norm


def of(name, **options):
    return data.of(config.Data(name=name, **options))


@pytest.fixture(scope="module")
def drawn():
    """Returns all points of the training split of a data set, `[100000, 2]`, float64."""
    loaded = {}

    def points(name):
        if name not in loaded:
            loaded[name] = data.load(name).take(np.arange(NUM)).numpy().astype(np.float64)
        return loaded[name]

    return points


def centres(name):
    """The centres of a mixture, from the papers' descriptions."""
    if name == "mog":
        return np.array([[-4.0, 0.0], [4.0, 0.0]])
    if name == "eight_gaussians":
        diagonal = math.sqrt(0.5)
        ring = [
            (1, 0),
            (-1, 0),
            (0, 1),
            (0, -1),
            *((a, b) for a in (diagonal, -diagonal) for b in (diagonal, -diagonal)),
        ]
        return 2 * np.array(ring) / 1.414
    return np.array([(2.0 * i, 2.0 * j) for i in range(-2, 3) for j in range(-2, 3)]) / 2.828


DEVIATIONS = {"mog": 0.5, "eight_gaussians": 0.02 / 1.414, "twenty_five_gaussians": 0.05 / 2.828}


def mixture(name):
    def density(x, y):
        parts = [scipy.stats.multivariate_normal(c, DEVIATIONS[name] ** 2).pdf([x, y]) for c in centres(name)]
        return np.mean(parts)

    return density


# p(x, y), by SciPy's distributions.
DENSITIES = {
    **{name: mixture(name) for name in DEVIATIONS},
    "banana": lambda x, y: normal.pdf(x, 0, 2) * normal.pdf(y, (x**2 - 4) / 5, 1),
    "cosine": lambda x, y: scipy.stats.uniform.pdf(x, -4, 8) * normal.pdf(y, 3 * math.cos(2 * x), 1),
    "funnel": lambda x, y: normal.pdf(x, 0, 2) * normal.pdf(y, 0, math.sqrt(min(math.exp(-x), 10))),
    # The density of the radius, spread over the circle; -5 is 50 deviations away.
    "ring": lambda x, y: normal.pdf(math.hypot(x, y), 5, 0.2) / (2 * math.pi * math.hypot(x, y)),
    "square": lambda x, y: scipy.stats.uniform.pdf(x, -3, 6) * scipy.stats.uniform.pdf(y, -3, 6),
}


class TestDensity:
    @pytest.mark.parametrize("name", WITH_DENSITY)
    def test_density_matches_scipy(self, name, drawn):
        points = np.concatenate([drawn(name)[:50], np.random.default_rng(0).uniform(-5, 5, (50, 2))])
        expected = [DENSITIES[name](*point) for point in points]
        found = of(name).log_density(points)
        assert found.dtype == np.float64
        np.testing.assert_allclose(np.exp(found), expected, rtol=1e-9, atol=1e-300)

    @pytest.mark.parametrize("name", WITH_DENSITY)
    def test_integral_is_one(self, name):
        points, areas = grid(name)
        assert np.sum(np.exp(of(name).log_density(points)) * areas) == pytest.approx(1.0, abs=1e-6)

    def test_integral_of_a_wide_ring_is_one(self):
        # With negative radii too: N(-r; 1/2, 1/4) is not small. p r is smooth, and the integral in polar coordinates.
        step = 0.01
        radius = np.arange(step / 2, 5, step)
        density = np.exp(of("ring", radius=0.5, width=0.5).log_density(np.stack([radius, 0 * radius], axis=1)))
        assert np.sum(density * 2 * np.pi * radius) * step == pytest.approx(1.0, abs=1e-4)

    def test_float32_points_are_computed_in_float64(self):
        points = np.array([[0.25, -0.75], [2.5, 1.5]])
        for name in WITH_DENSITY:
            found = of(name).log_density(points.astype(np.float32))
            np.testing.assert_array_equal(found, of(name).log_density(points))
            assert found.dtype == np.float64

    @pytest.mark.parametrize("name", WITH_DENSITY)
    def test_far_points_have_a_density_that_is_a_number(self, name):
        far = np.array([(0, 0), (0, 1e38), (1e38, 0), (-1e38, 1), (1500, 2), (-1500, 2), (1e38, 1e38)], np.float32)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = of(name).log_density(far)
        has_support = name in ("square", "cosine")
        assert (np.isneginf(found) if has_support else np.isfinite(found))[2:].all()
        assert np.isfinite(found[0])

    def test_swiss_roll_has_no_closed_form(self):
        assert of("swiss_roll").log_density(np.zeros([1, 2])) is None


def grid(name):
    """Points `[num, 2]` that resolve the density, and the area around each, `[num]`.

    A sum of a Gaussian in steps of its deviation, or less, differs from its integral by 2 exp(-2 pi^2) = 5e-9.
    """
    if name == "funnel":
        # x2 is narrow where x1 is large: for each x1, the grid of x2 is in units of its standard deviation.
        first, scaled = np.meshgrid(np.arange(-12, 12, 0.05), np.arange(-6, 6, 0.25), indexing="ij")
        deviation = np.sqrt(np.minimum(np.exp(-first), 10))
        return np.stack([first, deviation * scaled], axis=-1).reshape(-1, 2), (0.05 * 0.25 * deviation).ravel()
    # Limits of x1 and of x2, and the step. The edges of the square and of the cosine lie between points.
    (low, high), (bottom, top), step = {
        "banana": ((-12, 12), (-8, 36), 0.2),
        "cosine": ((-5, 5), (-10, 10), 0.1),
        "eight_gaussians": ((-1.6, 1.6), (-1.6, 1.6), 0.01),
        "mog": ((-8, 8), (-4, 4), 0.1),
        "ring": ((-6.5, 6.5), (-6.5, 6.5), 0.05),
        "square": ((-4, 4), (-4, 4), 0.1),
        "twenty_five_gaussians": ((-1.6, 1.6), (-1.6, 1.6), 0.01),
    }[name]
    axes = [np.arange(start + step / 2, end, step) for start, end in ((low, high), (bottom, top))]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    return points, np.full(len(points), step**2)


def second_moments():
    """E x and E (x1^2, x1 x2, x2^2) of each data set."""
    variances = {name: DEVIATIONS[name] ** 2 for name in DEVIATIONS}
    # E c c^T over the centres: c1^2 and c2^2; 8 = mean(0, 4, 4, 16, 16) is that of the grid.
    spread = {"mog": (16.0, 0.0), "eight_gaussians": (2 / 1.414**2,) * 2, "twenty_five_gaussians": (8 / 2.828**2,) * 2}
    moments = {
        name: ((0.0, 0.0), (spread[name][0] + variances[name], 0.0, spread[name][1] + variances[name]))
        for name in spread
    }
    # Var x1^2 = 2 · 2^4 for x1 ~ N(0, 2^2).
    moments["banana"] = (0.0, 0.0), (4.0, 0.0, 32 / 25 + 1)
    # E cos(2 x) = sin(8) / 8 and E cos^2(2 x) = (1 + sin(16) / 16) / 2 over [-4, 4].
    cosine = 3 * math.sin(8) / 8, 9 * (1 + math.sin(16) / 16) / 2 + 1
    moments["cosine"] = (0.0, cosine[0]), (64 / 12, 0.0, cosine[1])
    # E min(exp(-x), 10): exp(-x) N(x; 0, 4) = e^2 N(x; -4, 4), above x = -log 10; 10 below.
    border = -math.log(10)
    variance = math.exp(2) * normal.sf(border, -4, 2) + 10 * normal.cdf(border, 0, 2)
    moments["funnel"] = (0.0, 0.0), (4.0, 0.0, variance)
    moments["ring"] = (0.0, 0.0), ((25 + 0.04) / 2, 0.0, (25 + 0.04) / 2)
    moments["square"] = (0.0, 0.0), (3.0, 0.0, 3.0)

    def over_the_roll(function):
        total, _ = scipy.integrate.quad(function, 1.5 * math.pi, 4.5 * math.pi)
        return total / (3 * math.pi)

    cos, sin = math.cos, math.sin
    mean = tuple(over_the_roll(lambda t, f=f: t * f(t)) / 7.5 for f in (cos, sin))
    squares = [over_the_roll(lambda t, f=f, g=g: t**2 * f(t) * g(t)) for f, g in ((cos, cos), (cos, sin), (sin, sin))]
    noise = 0.25**2
    moments["swiss_roll"] = mean, ((squares[0] + noise) / 7.5**2, squares[1] / 7.5**2, (squares[2] + noise) / 7.5**2)
    return moments


def entropies():
    """The differential entropy of each data set, in nats."""
    gaussian = math.log(2 * math.pi * math.e) / 2  # of N(0, 1); log s more for N(0, s^2)
    values = {name: math.log(len(centres(name))) + 2 * (gaussian + math.log(s)) for name, s in DEVIATIONS.items()}
    values["square"] = math.log(36)
    values["banana"] = 2 * gaussian + math.log(2)
    values["cosine"] = math.log(8) + gaussian
    # E log of the deviation of x2: E min(y, b) / 2 for y = -x1 ~ N(0, 4), b = log 10.
    border = math.log(10)
    values["funnel"] = (
        2 * gaussian + math.log(2) + (border * normal.sf(border, 0, 2) - 4 * normal.pdf(border, 0, 2)) / 2
    )
    # log p = log N(r) - log(2 pi r).
    log_radius, _ = scipy.integrate.quad(lambda r: normal.pdf(r, 5, 0.2) * math.log(r), 3, 7)
    values["ring"] = gaussian + math.log(0.2) + math.log(2 * math.pi) + log_radius
    return values


class TestDraws:
    """100,000 points: means within 4 standard errors of their expectation, s / sqrt(100,000)."""

    @pytest.mark.parametrize("name", NAMES)
    def test_moments(self, name, drawn):
        first, second = drawn(name).T
        expected = [number for numbers in second_moments()[name] for number in numbers]
        for values, moment in zip((first, second, first**2, first * second, second**2), expected, strict=True):
            assert values.mean() == pytest.approx(moment, abs=4 * values.std() / math.sqrt(NUM))

    @pytest.mark.parametrize("name", WITH_DENSITY)
    def test_mean_log_density_is_minus_the_entropy(self, name, drawn):
        found = of(name).log_density(drawn(name))
        # Every point of the square has the same density: the error is then that of rounding.
        error = max(4 * found.std() / math.sqrt(NUM), 1e-9)
        assert found.mean() == pytest.approx(-entropies()[name], abs=error)

    @pytest.mark.parametrize("name", sorted(DEVIATIONS))
    def test_modes_are_equally_likely(self, name):
        loaded = data.load(name)
        modes = len(centres(name))
        np.testing.assert_array_equal(loaded.modes, np.full(modes, 1 / modes))
        counts = np.bincount(loaded.labels, minlength=modes)
        assert counts.shape == (modes,)
        # Binomial: n p (1 - p).
        assert np.abs(counts - NUM / modes).max() < 5 * math.sqrt(NUM / modes * (1 - 1 / modes))

    def test_points_without_modes_have_label_zero(self):
        loaded = data.load("ring", examples=100)
        assert loaded.modes is None
        assert not loaded.labels.any()

    def test_options_of_the_ring(self):
        radius = np.linalg.norm(data.load("ring", examples=NUM, radius=3.0, width=0.5).take(np.arange(NUM)), axis=1)
        assert radius.mean() == pytest.approx(3.0, abs=4 * 0.5 / math.sqrt(NUM))
        # The variance of a variance is 2 s^4 / n.
        assert radius.var() == pytest.approx(0.25, abs=4 * 0.25 * math.sqrt(2 / NUM))


class TestToysOfWganGp:
    """The scaling of `gan_toy.py`: without it the points are those of the paper's text."""

    def test_eight_gaussians(self, drawn):
        points = 1.414 * drawn("eight_gaussians")
        directions = np.rint(np.arctan2(points[:, 1], points[:, 0]) / (math.pi / 4)) * math.pi / 4
        noise = points - 2 * np.stack([np.cos(directions), np.sin(directions)], axis=1)
        # 200,000 numbers of N(0, 0.02^2); their deviation has the standard error s / sqrt(2 n).
        assert noise.std() == pytest.approx(0.02, abs=4 * 0.02 / math.sqrt(4 * NUM))
        assert np.abs(noise).max() < 6 * 0.02

    def test_twenty_five_gaussians(self, drawn):
        points = 2.828 * drawn("twenty_five_gaussians")
        noise = points - 2 * np.rint(points / 2)
        assert np.abs(np.rint(points / 2)).max() == 2
        assert noise.std() == pytest.approx(0.05, abs=4 * 0.05 / math.sqrt(4 * NUM))
        assert np.abs(noise).max() < 6 * 0.05

    def test_swiss_roll(self, drawn):
        points = 7.5 * drawn("swiss_roll")
        radius, angle = np.linalg.norm(points, axis=1), np.arctan2(points[:, 1], points[:, 0])
        # The turn of the spiral whose radius t is nearest; t's derivative across the spiral is nearly along the radius.
        t = angle + 2 * math.pi * np.rint((radius - angle) / (2 * math.pi))
        assert np.abs(radius - t).max() < 6 * 0.25
        assert (radius - t).std() == pytest.approx(0.25, rel=0.03)
        # u = (t / (3 pi / 2) - 1) / 2 is uniform, up to the noise at both ends.
        u = (t / (1.5 * math.pi) - 1) / 2
        assert scipy.stats.kstest(u, "uniform").statistic < 0.01


@pytest.mark.parametrize("name", NAMES)
class TestPointIsAFunctionOfItsNumber:
    def test_few_points_are_the_first_of_many(self, name):
        # The last of 10, 77 and 1,001 points are not in a whole vector of a CPU's numbers.
        many = data.load(name, examples=30_000)
        for size in (10, 77, 1001):
            few = data.load(name, examples=size)
            np.testing.assert_array_equal(few.take(np.arange(size)), many.take(np.arange(size)))
            np.testing.assert_array_equal(few.labels, many.labels[:size])
            assert few.size == size

    def test_equal_requests_give_equal_points(self, name):
        one, other = (data.load(name, "test", examples=100, seed=5) for _ in range(2))
        assert one.content == other.content

    def test_splits_and_seeds_have_other_points(self, name):
        requests = [("train", 0), ("validation", 0), ("test", 0), ("train", 1), ("test", 1)]
        loaded = [
            data.load(name, split, examples=100, seed=seed).take(np.arange(100)).numpy() for split, seed in requests
        ]
        assert len(np.unique(np.concatenate(loaded), axis=0)) == 100 * len(requests)


class TestNearest:
    def test_by_hand(self):
        # Deviation 1/2 at (-4, 0) and (4, 0): near within 1.5.
        points = np.array([[-4.0, 0.0], [-4.0, 1.5], [-4.0, 1.5001], [0.1, 0.0], [5.5, 0.0], [100.0, 0.0]])
        modes, near = of("mog").nearest(points)
        assert modes.tolist() == [0, 0, 0, 1, 1, 1]
        assert near.tolist() == [True, True, False, False, True, False]

    @pytest.mark.parametrize("name", sorted(DEVIATIONS))
    def test_each_centre_is_nearest_to_itself(self, name):
        mixture = of(name)
        assert isinstance(mixture, Mixture)
        modes, near = mixture.nearest(mixture.centres.astype(np.float32))
        np.testing.assert_array_equal(modes, np.arange(mixture.modes))
        assert near.all()
        # The centres are those of the paper, in any order.
        both = [np.round(points, 6)[np.lexsort(np.round(points, 6).T)] for points in (mixture.centres, centres(name))]
        np.testing.assert_allclose(*both, atol=1e-5)
