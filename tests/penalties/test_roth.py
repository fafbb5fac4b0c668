"""Roth's penalty: by hand, against NumPy, its derivative, its decay, and the noise that it stands for."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import linear
from scipy import special

from tfpaths import errors, penalties
from tfpaths.gan import GAN
from tfpaths.penalties import RothPenalty

RNG = np.random.default_rng(0)
REAL, FAKE = (tf.constant(RNG.normal(loc, 1.0, (64, 2)), tf.float32) for loc in (0.0, 1.0))
W = np.array([0.6, -0.3])


def expected(w, weight=1.0, real=REAL, fake=FAKE):
    """The formula for D(x) = w · x, whose gradient is w everywhere."""
    real, fake = (special.expit(np.asarray(x, np.float64) @ w) for x in (real, fake))
    return weight * (np.mean((1 - real) ** 2) + np.mean(fake**2)) * np.sum(w**2)


@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_formula(weight):
    np.testing.assert_allclose(RothPenalty(weight=weight)(linear(W), REAL, FAKE), expected(W, weight), rtol=1e-5)


def test_derivative_includes_that_of_the_factors():
    critic = linear(W)
    with tf.GradientTape() as tape:
        value = RothPenalty()(critic, REAL, FAKE)
    (gradient,) = tape.gradient(value, critic.trainable_variables)
    h = 1e-5
    differences = [(expected(W + h * e) - expected(W - h * e)) / (2 * h) for e in np.eye(2)]
    np.testing.assert_allclose(gradient[:, 0], differences, rtol=1e-4)


def test_is_the_effect_of_small_noise():
    # For a linear D without a second derivative, E over noise N(0, gamma I) of softplus(-D(x + e)) is softplus(-D(x)) +
    # (gamma / 2) s (1 - s) |w|^2 + O(gamma^2). Where D is the best one for the data, s(D) = p / (p + q) and the noise
    # on real and generated examples together gives E_p[(1 - s) s] + E_q[(1 - s) s]: with p (1 - s) = q s it is
    # E_p[(1 - s)^2] + E_q[s^2], Roth's form. Data N(0, 1) and N(1, 1): D = 1/2 - x, in closed form.
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    gamma = 1e-3

    def mean(function, center):
        return np.sum(weights * function(nodes + center))

    def loss(x, sign):  # E over noise
        return np.array([np.sum(weights * np.logaddexp(0, -sign * (0.5 - (v + gamma**0.5 * nodes)))) for v in x])

    noisy = mean(lambda x: loss(x, 1), 0.0) + mean(lambda x: loss(x, -1), 1.0)
    clean = mean(lambda x: np.logaddexp(0, -(0.5 - x)), 0.0) + mean(lambda x: np.logaddexp(0, 0.5 - x), 1.0)
    s = lambda x: special.expit(0.5 - x)  # noqa: E731
    roth = gamma / 2 * (mean(lambda x: (1 - s(x)) ** 2, 0.0) + mean(lambda x: s(x) ** 2, 1.0))
    np.testing.assert_allclose(noisy - clean, roth, rtol=1e-3)
    x, y = (tf.constant(RNG.normal(loc, 1.0, (200_000, 1)), tf.float32) for loc in (0.0, 1.0))
    critic = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    critic.layers[0].set_weights([np.array([[-1.0]]), np.array([0.5])])
    np.testing.assert_allclose(RothPenalty(weight=gamma / 2)(critic, x, y), roth, rtol=0.01)


@pytest.mark.parametrize(("step", "factor"), [(0, 1.0), (50, 0.1), (100, 0.01), (200, 1e-4)])
def test_decay(step, factor):
    penalty = RothPenalty(weight=2.0, decay=0.01, decay_steps=100)
    value = penalty(linear(W), REAL, FAKE, step=tf.constant(step, tf.int64))
    np.testing.assert_allclose(value, expected(W, 2.0 * factor), rtol=1e-5)


def test_gan_passes_the_step():
    penalty = RothPenalty(decay=0.1, decay_steps=1)
    gan = GAN(linear([1.0, 1.0]), linear([0.5]), loss="non_saturating", penalty=penalty)
    gan.steps.assign(2)
    real, fake = REAL[:, :1], FAKE[:, :1]
    _, value = gan.discriminator_losses(real, fake, gan.stream)
    np.testing.assert_allclose(value, expected(np.array([0.5]), 0.01, real, fake), rtol=1e-5)


def test_in_an_ensemble_each_run_has_its_own_weight():
    logits = tf.constant(RNG.normal(size=(2, 3, 5)), tf.float32)
    norms = tf.constant(RNG.uniform(size=(2, 3, 5)), tf.float32)
    of_runs = [
        penalties.roth_penalty(logits[0, run], logits[1, run], norms[0, run], norms[1, run], weight=weight)
        for run, weight in enumerate([1.0, 2.0, 3.0])
    ]
    together = penalties.roth_penalty(*logits, *norms, weight=tf.constant([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(together, np.mean(of_runs), rtol=1e-6)


def test_confident_discriminator_is_not_penalised():
    # Real examples at logits of +40 and generated at -40: both factors are 4e-18, without an overflow.
    far = tf.fill([3], 40.0)
    assert 0 < float(penalties.roth_penalty(far, -far, far, far)) < 1e-30


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"decay": 0.0}, "decay: expected a number above zero"),
        ({"decay_steps": 0}, "decay_steps: expected a number above zero"),
        ({"weight": 0.0}, "weight: expected a number above zero"),
    ],
)
def test_invalid_options(options, line):
    with pytest.raises(errors.InputError, match=line):
        RothPenalty(**options)
