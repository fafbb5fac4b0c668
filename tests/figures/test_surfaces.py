"""Critics against the data plus noise: what is measured of them, the known Gaussian, sentence and picture."""

import contextlib
import json
import math

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import tensorflow as tf

from tfpaths import experiments
from tfpaths.figures import surfaces, toys
from tfpaths.figures.runner import build
from tfpaths.metrics.assignment import wasserstein
from tfpaths.networks.ensembles import EnsembleDense
from tfpaths.runs.rows import read_rows


@pytest.fixture(scope="module")
def critics():
    variant = experiments.get("swiss_roll_wgan").variant
    groups = list(surfaces.sets().values())
    return toys.Toys(variant, groups, copies=2, width=4, depth=3, batch_size=16, seed=0)


@pytest.fixture(scope="module")
def measured(critics):
    return surfaces.Measured(critics, points=40)


@pytest.mark.parametrize("deviation", [0.1, 0.5, 2.0])
def test_distance_of_the_gaussian(deviation):
    """The critic -|x| gives the difference of the mean radii; moving along rays costs as much. Both bounds agree."""

    def mean_radius(sigma):
        density = scipy.integrate.quad(lambda r: r**2 / sigma**2 * math.exp(-(r**2) / (2 * sigma**2)), 0, 20 * sigma)
        return density[0]

    dual = mean_radius(math.hypot(1, deviation)) - mean_radius(deviation)
    assert surfaces.distance(deviation) == pytest.approx(dual, rel=1e-9)
    primal = mean_radius(deviation) * (math.hypot(1, deviation) / deviation - 1)
    assert surfaces.distance(deviation) == pytest.approx(primal, rel=1e-9)
    assert surfaces.distance(0.5) == pytest.approx(0.7746, abs=5e-5)


def test_distance_by_assignment_on_rays():
    x = np.random.default_rng(0).normal(size=(200, 2)) / 2
    y = x * math.sqrt(1.25) / 0.5
    assert wasserstein(y, x) == pytest.approx(np.linalg.norm(y, axis=1).mean() - np.linalg.norm(x, axis=1).mean())


def test_w1_of_the_points_is_that_of_linear_programming(measured):
    """The transport problem itself, with weights for all pairs and without the theorem that they are a permutation."""
    real, fake = measured.real[0, :8].numpy(), measured.fake[0, :8].numpy()
    costs = np.linalg.norm(real[:, np.newaxis] - fake, axis=-1)
    sums = np.concatenate([np.kron(np.eye(8), np.ones(8)), np.kron(np.ones(8), np.eye(8))])
    solved = scipy.optimize.linprog(costs.ravel(), A_eq=sums, b_eq=np.full(16, 1 / 8), bounds=(0, None))
    assert wasserstein(fake, real) == pytest.approx(solved.fun, rel=1e-6)
    assert measured.w1[0] == pytest.approx(wasserstein(measured.fake[0].numpy(), measured.real[0].numpy()))


@contextlib.contextmanager
def planted(critics, a, bias, rest):
    """Makes each critic ReLU(a x + bias) + 2 rest: further layers pass their first unit on, shifted by `rest`."""
    saved = critics.gan.discriminator.get_weights()
    layers = [layer for layer in critics.gan.discriminator.layers if isinstance(layer, EnsembleDense)]
    passed = np.zeros((4, 4), np.float32)
    passed[0, 0] = 1
    first = np.stack([a] + 3 * [np.zeros(2)], axis=1)
    for layer, kernel in zip(layers, (first, passed, passed, passed[:, :1]), strict=True):
        layer.kernel.assign(np.broadcast_to(np.float32(kernel), layer.kernel.shape))
        layer.bias.assign(np.full(layer.bias.shape, bias if layer is layers[0] else rest, np.float32))
    yield
    critics.gan.discriminator.set_weights(saved)


def test_rows_of_a_linear_critic(critics, measured):
    """D(x) = a x + b: its value is a (E x - E x~), its slope |a| everywhere, and it sees no more than W_1."""
    a = np.array([0.5, -2.0])
    with planted(critics, a, bias=20, rest=20):  # ReLU is the identity up there.
        rows = measured.rows(critics, runs=2)
    names = [(row["data"], row["run"]) for row in rows[:3]]
    assert names == [("eight_gaussians", 0), ("eight_gaussians", 1), ("twenty_five_gaussians", 0)]
    for index, row in enumerate(rows):
        means = [points[index].numpy().mean(axis=0) for points in (measured.real, measured.fake)]
        assert row["value"] == pytest.approx(a @ (means[0] - means[1]), abs=1e-4)
        assert row["slope"] == pytest.approx(math.sqrt(4.25), rel=1e-5)
        assert (row["slope_mean"], row["slope_sd"]) == pytest.approx((math.sqrt(4.25), 0), abs=1e-5)
        assert row["lipschitz"] == pytest.approx(math.sqrt(4.25), rel=1e-5)
        assert row["seen"] == pytest.approx(row["value"] / (row["slope"] * row["w1"]))
        assert row["seen"] <= 1


def test_slope_is_the_largest_on_grid_and_points(critics, measured):
    """ReLU(x + y - 5.7) is flat but for a corner of the grid, ReLU(x + y) slopes where x + y is above zero."""
    sums = np.concatenate([measured.real.numpy(), measured.fake.numpy()], axis=1).sum(axis=-1)  # [runs, points]
    for bias in (-5.7, 0.0):
        with planted(critics, np.ones(2), bias=bias, rest=0):
            rows = measured.rows(critics, runs=2)
        for row, share in zip(rows, (sums + bias > 0).mean(axis=1), strict=True):
            assert row["slope"] == pytest.approx(math.sqrt(2), rel=1e-5)
            assert row["slope_mean"] == pytest.approx(math.sqrt(2) * share, rel=1e-5)


def test_value_is_at_most_lipschitz_times_w1(whole):
    rows = read_rows(whole("figure_surfaces") / "metrics.jsonl")
    assert len(rows) == 4 * 4 * 2 * 2  # variants, data sets, runs, steps
    for row in rows:
        assert row["slope"] <= row["lipschitz"] * (1 + 1e-5)
        assert row["value"] <= row["lipschitz"] * row["w1"] + 1e-6
        assert row["slope_mean"] <= row["slope"]


def test_all_variants_are_measured_at_the_same_points(whole):
    rows = read_rows(whole("figure_surfaces") / "metrics.jsonl")
    for name in surfaces.DATA:
        for run in range(2):
            assert len({row["w1"] for row in rows if (row["data"], row["run"]) == (name, run)}) == 1


def test_slopes_of_the_best_critic():
    points = tf.constant([[[3.0, 4.0], [0.0, -2.0]]])
    logits, norms = surfaces.slopes(lambda x: -tf.norm(x, axis=-1, keepdims=True), points)
    np.testing.assert_allclose(logits, [[-5, -2]], rtol=1e-6)
    np.testing.assert_allclose(norms, [[1, 1]], rtol=1e-6)


def test_variants_are_those_of_the_code_with_our_sizes():
    figure = build(experiments.get("figure_surfaces"))
    clipped, penalised, ns = (figure._variant(name) for name in ("wgan", "gan_gp", "ns"))
    # 512 · 0.01 = 128 · 0.04, and the rate is the clip over 200, as 5e-5 is 0.01 over 200.
    assert (clipped.weight_clip, clipped.discriminator_optimizer.learning_rate) == (0.04, pytest.approx(2e-4))
    assert penalised.penalty.weight == 10
    assert (penalised.discriminator_optimizer.learning_rate, ns.penalty) == (1e-3, None)


def made_rows(seen):
    """Returns rows of two runs in which each variant sees this share, run 1 a tenth more."""
    return [
        {"step": step, "variant": variant, "data": name, "run": run, "w1": 0.5, "slope": 2.0, "lipschitz": 3.0}
        | {"value": share * (1 + 0.1 * run), "seen": share * (1 + 0.1 * run), "slope_mean": 1.0, "slope_sd": 0.25}
        for step in (1, 2)
        for variant, share in seen.items()
        for name in surfaces.DATA
        for run in range(2)
    ]


def test_metrics_and_sentence():
    rows = made_rows({"wgan": 0.4, "wgan_gp": 0.8, "ns": 0.1, "gan_gp": 0.7})
    rows += [{**row, "step": 0, "seen": 9.0} for row in rows]
    found = surfaces.metrics(rows)
    assert found["wgan_swiss_roll_seen"] == pytest.approx(0.42)
    assert (found["wgan_swiss_roll_seen_low"], found["wgan_swiss_roll_seen_high"]) == pytest.approx((0.4, 0.44))
    assert (found["gaussian_w1"], found["runs"]) == (0.5, 2)
    text = surfaces.finding(found)
    assert "clipped weights see 42 to 42 % of W_1, those with a penalty 84 to 84 % (E D(x) - E D(x~) over" in text
    assert "the largest slope found and W_1: means of 2 runs, over four data sets)" in text
    # value / slope of the penalty: 0.84 / 2.
    assert "where W_1 is 0.775, clipping finds 0.210 and the penalty 0.420" in text


def test_picture_shows_run_0_of_the_last_step():
    rows = made_rows({"wgan": 0.4, "wgan_gp": 0.8, "ns": 0.1, "gan_gp": 0.7})
    maps = {(variant, name): np.arange(128.0**2) for variant in surfaces.VARIANTS for name in surfaces.DATA}
    points = {name: np.zeros([3, 2]) for name in surfaces.DATA}
    picture = surfaces.picture(rows, maps, points)
    assert len(picture.axes) == 16
    assert surfaces._numbers({"value": 27.1, "slope": 181.4, "seen": 0.18}) == "value 27, slope 181: 18 % of W₁"
    assert picture.axes[0].get_title() == "value 0.40, slope 2.00: 40 % of W₁"
    assert [axes.get_ylabel() for axes in picture.axes[::4]] == list(surfaces.VARIANTS.values())
    assert picture.axes[0].texts[0].get_text() == "8 Gaussians, W₁ = 0.50"
    assert "% of W₁: value / (slope × W₁)" in picture.get_supxlabel()


def test_flat_surface_can_be_drawn():
    rows = made_rows(dict.fromkeys(surfaces.VARIANTS, 0.0))
    maps = {(variant, name): np.zeros(128**2) for variant in surfaces.VARIANTS for name in surfaces.DATA}
    points = {name: np.zeros([3, 2]) for name in surfaces.DATA}
    assert len(surfaces.picture(rows, maps, points).axes) == 16


def test_metrics_are_stored(whole):
    stored = json.loads((whole("figure_surfaces") / "results.json").read_text())["metrics"]
    assert stored == pytest.approx(surfaces.metrics(read_rows(whole("figure_surfaces") / "metrics.jsonl")))
