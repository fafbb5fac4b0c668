"""Pairs of densities, the two objectives and the ratios of their critics, against closed forms."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfpaths import losses, streams
from tfpaths.compat import tensorflow as compat
from tfpaths.data.ring import Ring
from tfpaths.data.square import Square
from tfpaths.figures import density_ratios
from tfpaths.figures.density_ratios import ESTIMATORS, PAIRS

F_GAN, KL_WGAN = ESTIMATORS.values()


def log_ratio(pair):
    """Returns log(p / q) in each cell, -inf where p is 0, with p and q."""
    p, q = pair.on_grid()
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p > 0, np.log(p / q), -np.inf), p, q


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_densities_integrate_to_one(pair):
    for probability in pair.on_grid():
        # Of a Gaussian of the pair `same`, 4 standard deviations away from the edge, 3e-5 are outside.
        assert probability.sum() == pytest.approx(1, abs=5e-5)


def test_mixture_draws_from_its_density():
    points = density_ratios.MULTIRING.draw(streams.root(3), (20_000,)).numpy()
    rings = np.rint((np.linalg.norm(points, axis=1) - 1) / 2).clip(0, 2).astype(int)
    # Standard error of a share: at most sqrt(1 / 4 / 20,000) = 0.0035. Rings 2 apart with deviation 0.2 do not mix.
    np.testing.assert_allclose(np.bincount(rings) / len(rings), [1 / 9, 3 / 9, 5 / 9], atol=0.014)
    radius = np.linalg.norm(points, axis=1)[rings == 1]
    assert (radius.mean(), radius.std()) == (pytest.approx(3, abs=0.01), pytest.approx(0.2, abs=0.01))


def test_mixture_has_the_shape_that_is_asked_for():
    points = density_ratios.MULTIRING.draw(streams.root(3), (2, 5)).numpy()
    assert points.shape == (2, 5, 2)
    np.testing.assert_array_equal(points.reshape(-1, 2)[:2], points[0, :2])


# Where p is not 0, q is a multiple of p.
@pytest.mark.parametrize(
    ("name", "expected"), [("three_rings", 9 / 5), ("same", 1), ("half_ring", 2), ("tenth_ring", 10 / 9)]
)
def test_divergence_is_the_log_of_the_ratio(name, expected):
    assert density_ratios.divergence(*PAIRS[name].on_grid()) == pytest.approx(math.log(expected), abs=2e-5)


def test_divergence_is_infinite_outside_the_support_of_q():
    pair = density_ratios.Pair(Ring(), Square(), "ring", "square")
    assert density_ratios.divergence(*pair.on_grid()) == math.inf
    p, q = pair.on_grid()
    assert density_ratios.divergence(q, (q + p) / 2) == pytest.approx(math.log(2), abs=1e-4)


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_both_bounds_are_tight_at_the_true_ratio(pair):
    t, p, q = log_ratio(pair)
    kl = density_ratios.divergence(p, q)
    # The grid's sums of p and q are not exactly 1.
    assert float(KL_WGAN.bound(t, t, p, q)) == pytest.approx(kl, abs=5e-5)
    assert float(F_GAN.bound(1 + t, 1 + t, p, q)) == pytest.approx(kl, abs=5e-5)


@pytest.mark.parametrize("constant", [-2.0, 3.0])
def test_a_constant_changes_f_gan_only(constant):
    t, p, q = log_ratio(PAIRS["half_ring"])
    kl = math.log(2)
    assert float(KL_WGAN.bound(t + constant, t + constant, p, q)) == pytest.approx(kl, abs=2e-4)
    # E_p (1 + t + c) - E_q exp(t + c) = 1 + KL + c - exp(c)
    shifted = float(F_GAN.bound(1 + t + constant, 1 + t + constant, p, q))
    assert shifted == pytest.approx(kl + 1 + constant - math.exp(constant), abs=2e-4)
    logits, of_samples = np.array([0.5, 2.0]), np.array([0.0, 1.0, 1.5])
    np.testing.assert_allclose(
        KL_WGAN.ratio(logits + constant, of_samples + constant), KL_WGAN.ratio(logits, of_samples)
    )
    np.testing.assert_allclose(
        F_GAN.ratio(logits + constant, of_samples + constant),
        math.exp(constant) * F_GAN.ratio(logits, of_samples),
    )


def test_kl_wgan_ratio_is_that_of_the_loss():
    logits = np.random.default_rng(0).normal(size=(3, 7))
    ratio = KL_WGAN.ratio(logits, logits)
    np.testing.assert_allclose(ratio.mean(axis=1), 1)
    np.testing.assert_allclose(ratio, losses.density_ratio(tf.constant(logits)), rtol=1e-5)
    # exp(1000) would be infinite.
    np.testing.assert_allclose(KL_WGAN.ratio(logits + 1000, logits + 1000), ratio)


def test_kl_wgan_gradient_holds_the_ratio_fixed():
    logits = np.random.default_rng(1).normal(size=5)
    fake = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(fake)
        bound = KL_WGAN.bound(tf.zeros([5], tf.float64), fake, 0.2, 0.2)
    np.testing.assert_allclose(tape.gradient(bound, fake), -KL_WGAN.ratio(logits, logits) / 5)


def critics(bound, runs=1, seed=0):
    points = density_ratios.sample(runs, examples=16, seed=seed)
    return density_ratios.Critics(bound, points, width=4, batch_size=8, learning_rate=0.01, seed=seed)


@pytest.mark.parametrize(("bound", "gradient"), [(F_GAN.bound, 1 - math.exp(-1)), (KL_WGAN.bound, 0)])
def test_gradients_are_those_of_one_step(bound, gradient, monkeypatch):
    made, recorded = critics(bound), []
    for layer in made._model.layers:
        layer.set_weights([np.zeros_like(each) for each in layer.get_weights()])
    monkeypatch.setattr(compat, "apply_gradients", lambda optimizer, gradients, variables: recorded.append(gradients))
    # T is 0 everywhere. Of the last bias b, d/db (E_p T - E_q exp(T - 1)) = 1 - exp(-1), in the second step too.
    for step in (1, 2):
        made._train(tf.constant(step))
        np.testing.assert_allclose(np.ravel(recorded[-1][-1]), [-gradient] * len(PAIRS), atol=1e-6)


def test_bound_rises_in_training():
    for estimator in ESTIMATORS.values():
        made = critics(estimator.bound)

        def bound(made=made, estimator=estimator):
            real, fake = made.of_points()
            return estimator.bound(tf.constant(real), tf.constant(fake), 1 / 16, 1 / 16).numpy()

        before = bound()
        for step in range(30):
            made.train_step(step)
        assert (bound() > before).all()


def test_estimators_start_from_the_same_critics():
    cells = density_ratios.grid()[::500]
    first, second = (critics(estimator.bound).logits(cells) for estimator in ESTIMATORS.values())
    np.testing.assert_array_equal(first, second)
    assert np.ptp(first) > 0
    assert (first != critics(F_GAN.bound, seed=1).logits(cells)).any()


def test_a_run_does_not_depend_on_the_number_of_runs():
    cells, trained = density_ratios.grid()[::500], []
    for runs in (1, 2):
        made = critics(KL_WGAN.bound, runs)
        for step in range(3):
            made.train_step(step)
        trained.append(made.logits(cells))
    np.testing.assert_allclose(trained[0], trained[1][: len(PAIRS)], atol=1e-4)
    assert np.abs(trained[1][len(PAIRS) :] - trained[0]).max() > 0.01
