"""Every loss against NumPy in float64: values and gradients, over logits from -100 to 100."""

import numpy as np
import pytest
import tensorflow as tf
from helpers import registered
from scipy.special import expit

from tfpaths import errors, losses

LOGITS = np.concatenate([np.linspace(-100, 100, 81), [-1e-3, 0.25, 1e-3, 0.75]])


def softplus(t):
    return np.logaddexp(0.0, t)


# name -> the discriminator's two terms and the generator's, and their derivatives, per logit, from the papers.
ORACLES = {
    "minimax": (
        (lambda r: softplus(-r), lambda r: -expit(-r)),
        (softplus, expit),
        (lambda f: -softplus(f), lambda f: -expit(f)),
    ),
    "non_saturating": (
        (lambda r: softplus(-r), lambda r: -expit(-r)),
        (softplus, expit),
        (lambda f: softplus(-f), lambda f: -expit(-f)),
    ),
    "wasserstein": (
        (lambda r: -r, lambda r: -np.ones_like(r)),
        (lambda f: f, np.ones_like),
        (lambda f: -f, lambda f: -np.ones_like(f)),
    ),
    "least_squares": (
        (lambda r: (r - 1) ** 2 / 2, lambda r: r - 1),
        (lambda f: f**2 / 2, lambda f: f),
        (lambda f: (f - 1) ** 2 / 2, lambda f: f - 1),
    ),
    "hinge": (
        (lambda r: np.maximum(0, 1 - r), lambda r: -(r < 1).astype(float)),
        (lambda f: np.maximum(0, 1 + f), lambda f: (f > -1).astype(float)),
        (lambda f: -f, lambda f: -np.ones_like(f)),
    ),
}


# The losses that compare a generated logit with a real one: both terms, of the difference by which real is ahead.
RELATIVE = {"relativistic": (lambda ahead: softplus(-ahead), lambda ahead: softplus(ahead))}


def test_every_loss_has_an_oracle():
    assert {*ORACLES, *RELATIVE} == set(losses.LOSSES)
    assert {name for name in losses.LOSSES if losses.get(name).is_relative} == set(RELATIVE)


@pytest.mark.parametrize("name", RELATIVE)
def test_relative_losses(name):
    discriminator_term, generator_term = RELATIVE[name]
    pair, rng = losses.get(name), np.random.default_rng(0)
    real, fake = rng.normal(scale=20.0, size=(2, 50, 1)).astype(np.float32)
    ahead = real.astype(np.float64) - fake
    for dtype, tolerance in ((tf.float32, 1e-6), (tf.bfloat16, 2e-2)):
        logits = tf.cast(real, dtype), tf.cast(fake, dtype)
        np.testing.assert_allclose(pair.discriminator(*logits), discriminator_term(ahead).mean(), rtol=tolerance)
        np.testing.assert_allclose(pair.generator(*logits), generator_term(ahead).mean(), rtol=tolerance)
        assert pair.generator(*logits).dtype == tf.float32


def test_a_loss_with_options():
    def scaled(*, scale: float = 1.0):
        return losses.Loss(lambda real, fake: scale * tf.reduce_mean(fake - real), lambda fake: -tf.reduce_mean(fake))

    with registered(losses.LOSSES, "scaled", scaled):
        pair = losses.get("scaled", scale=3.0)
        assert (pair.name, pair.options) == ("scaled", {"scale": 3.0})
        np.testing.assert_allclose(pair.discriminator(tf.constant([1.0]), tf.constant([2.0])), 3.0)


@pytest.mark.parametrize("name", ORACLES)
def test_values_and_gradients(name):
    (real_term, real_slope), (fake_term, fake_slope), (generator_term, generator_slope) = ORACLES[name]
    pair = losses.get(name)
    real, fake = tf.constant(LOGITS, tf.float32), tf.constant(LOGITS[::-1].copy(), tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        discriminator, generator = pair.discriminator(real, fake), pair.generator(fake)
    n, r, f = len(LOGITS), LOGITS, LOGITS[::-1]
    np.testing.assert_allclose(discriminator, np.mean(real_term(r)) + np.mean(fake_term(f)), rtol=1e-6)
    np.testing.assert_allclose(generator, np.mean(generator_term(f)), rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(discriminator, real) * n, real_slope(r), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(tape.gradient(discriminator, fake) * n, fake_slope(f), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(tape.gradient(generator, fake) * n, generator_slope(f), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float64])
@pytest.mark.parametrize("name", ORACLES)
def test_logits_of_any_type_are_averaged_in_float32(name, dtype):
    # 1,000 logits of 8: their sum of squares, 64,000, and a running sum in bfloat16, would both be wrong.
    pair, eight = losses.get(name), tf.fill([1000], tf.constant(8.0, dtype))
    (real_term, _), (fake_term, _), (generator_term, _) = ORACLES[name]
    discriminator, generator = pair.discriminator(eight, -eight), pair.generator(eight)
    assert discriminator.dtype == generator.dtype == tf.float32
    np.testing.assert_allclose(discriminator, real_term(np.float64(8)) + fake_term(np.float64(-8)), rtol=1e-5)
    np.testing.assert_allclose(generator, generator_term(np.float64(8)), rtol=1e-5)


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("logit", [-100.0, -20.0, 0.0, 20.0, 100.0])
def test_single_logit_is_accurate(name, logit):
    # No other logit can hide a lost digit: minimax at -20 is -2e-9, which a constant added and taken away loses.
    generator_term = ORACLES[name][2][0]
    value = losses.get(name).generator(tf.constant([logit]))
    np.testing.assert_allclose(value, generator_term(np.float64(logit)), rtol=1e-6, atol=1e-38)


@pytest.mark.parametrize("name", ORACLES)
def test_the_shape_of_the_logits_does_not_matter(name):
    pair, rng = losses.get(name), np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 12)).astype(np.float32)
    column = pair.discriminator(real[:, None], fake[:, None])
    assert column.shape == ()
    np.testing.assert_allclose(column, pair.discriminator(real, fake), rtol=1e-6)
    np.testing.assert_allclose(pair.generator(fake.reshape(3, 4)), pair.generator(fake), rtol=1e-6)


@pytest.mark.parametrize("name", ORACLES)
def test_eager_equals_graph_without_collections(name):
    pair, real, fake = losses.get(name), tf.constant([[0.3], [-2.0]]), tf.constant([[1.5], [0.1]])

    @tf.function
    def both(real, fake):
        return pair.discriminator(real, fake), pair.generator(fake)

    np.testing.assert_allclose(both(real, fake), (pair.discriminator(real, fake), pair.generator(fake)), rtol=1e-6)
    graph = both.get_concrete_function(real, fake).graph
    assert not graph.get_collection(tf.compat.v1.GraphKeys.LOSSES)


def test_unknown_loss_suggests_the_nearest():
    with pytest.raises(errors.InputError, match="did you mean 'non_saturating'"):
        losses.get("nonsaturating")
