"""A fresh discriminator: both gradients from one logit, its update, its accuracy, and what is frozen."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import linear

from tfpaths import config, losses
from tfpaths.gan import GAN
from tfpaths.perfect import fresh

FRESH = config.Fresh(steps=3, log_every=2, examples=5, batches=4)


def generator_of(size=2):
    """G(z) = W z + c with trainable W and c."""
    model = keras.Sequential([keras.Input((size,)), keras.layers.Dense(2)])
    model.layers[0].bias.assign([1.0, -0.5])
    return model


def game(generator, discriminator, rate=0.5):
    gan = GAN(generator, discriminator, loss="non_saturating")
    gan.compile(generator_optimizer=keras.optimizers.SGD(1.0), discriminator_optimizer=keras.optimizers.SGD(rate))
    return gan


@pytest.fixture
def pair():
    generator, discriminator = generator_of(), linear([0.6, -0.8])
    stream = fresh.stream_of(3, 1)
    return generator, discriminator, stream


def test_factors_are_the_derivatives_of_both_losses():
    logits = tf.constant([[-30.0], [-3.0], [0.0], [0.7], [12.0]])
    expected = []
    for name in ("minimax", "non_saturating"):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = losses.get(name).generator(logits)
        expected.append(tape.gradient(loss, logits).numpy())
    factors = [factor.numpy() for factor in fresh.factors(logits)]
    np.testing.assert_allclose(factors, expected, rtol=1e-5)
    # D / (1 - D) = e^logit.
    np.testing.assert_allclose(factors[0] / factors[1], np.exp(logits.numpy()), rtol=1e-5)


def test_norms_are_those_of_the_losses_through_the_generator(pair):
    generator, discriminator, stream = pair
    measured = fresh.Discriminator(game(generator, discriminator), generator, stream, FRESH, 8)
    latents = stream.fold(1, 2).normal((8, 2))
    for index, name in enumerate(("minimax", "non_saturating")):
        with tf.GradientTape() as tape:
            loss = losses.get(name).generator(discriminator(generator(latents)))
        gradient = tape.gradient(loss, [variable.value for variable in generator.trainable_variables])
        assert float(measured.norms(tf.constant(2))[index]) == pytest.approx(float(tf.linalg.global_norm(gradient)))


def pairs_of(generator, stream, real):
    sets = tf.constant(real[:5]), tf.constant(real[5:])
    batches = iter(tf.data.Dataset.from_tensor_slices(real).batch(4).repeat())
    return fresh.against_samples(generator, batches, 4, sets, stream)


def test_row_is_that_of_numpy(pair):
    generator, discriminator, stream = pair
    real = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
    pairs = pairs_of(generator, stream, real)
    measured = fresh.Discriminator(game(generator, discriminator), generator, stream, FRESH, 8)
    row = measured.row(pairs, 0)
    for suffix, (x, fake) in (("", pairs.trained), ("_heldout", pairs.heldout)):
        d_real, d_fake = (discriminator(images).numpy().astype(float) for images in (x, fake))
        loss = np.mean(np.log1p(np.exp(-d_real))) + np.mean(np.log1p(np.exp(d_fake)))
        assert row[f"d_loss{suffix}"] == pytest.approx(loss, rel=1e-5)
        assert row[f"d_accuracy{suffix}"] == pytest.approx(((d_real > 0).mean() + (d_fake < 0).mean()) / 2)
    norms = np.array([measured.norms(tf.constant(number)).numpy() for number in range(4)])
    assert [row["grad_minimax"], row["grad_ns"]] == pytest.approx(list(norms.mean(axis=0)))
    assert row["grad_ns_sd"] == pytest.approx(norms[:, 1].std(ddof=1), rel=1e-4)
    # Samples of the two sets and of the updates differ.
    drawn = [pairs.trained[1][0], pairs.heldout[1][0], pairs.fake(0)[0], pairs.fake(1)[0]]
    assert len({tuple(one.numpy()) for one in drawn}) == 4


def test_updates_descend_the_cross_entropy_and_leave_the_generator(pair):
    generator, discriminator, stream = pair
    weights = [value.copy() for value in generator.get_weights()]
    real = np.random.default_rng(1).normal(size=(12, 2)).astype(np.float32)
    pairs = pairs_of(generator, stream, real)
    # d/dw [softplus(-w.x) + softplus(w.x~)] = mean of -sigmoid(-w.x) x + mean of sigmoid(w.x~) x~, with the rate 1/2.
    w = np.array([0.6, -0.8])
    for number in range(3):
        x, fake = real[4 * number : 4 * number + 4].astype(float), pairs.fake(number).numpy().astype(float)
        gradient = -np.mean(x / (1 + np.exp(x @ w))[:, None], axis=0)
        gradient += np.mean(fake / (1 + np.exp(-fake @ w))[:, None], axis=0)
        w = w - 0.5 * gradient
    gan = game(generator, discriminator)
    rows = list(fresh.Discriminator(gan, generator, stream, FRESH, 8).rows(pairs, iter(range(3))))
    assert [row["step"] for row in rows] == [0, 2, 3]
    np.testing.assert_allclose(discriminator.get_weights()[0][:, 0], w, rtol=1e-5)
    for before, after in zip(weights, generator.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_frozen_generator_uses_the_stored_statistics():
    generator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.BatchNormalization()])
    statistics = generator.layers[1].moving_variance
    statistics.assign([4.0, 4.0])
    stream = fresh.stream_of(0, 1)
    samples = fresh.generated(generator, 6, stream)
    np.testing.assert_allclose(samples, generator.layers[0](stream.normal((6, 2))) / np.sqrt(4.001), rtol=1e-5)
    np.testing.assert_array_equal(statistics.numpy(), [4.0, 4.0])


def test_without_a_generator_there_are_no_gradients(pair):
    generator, discriminator, stream = pair
    pairs = pairs_of(generator, stream, np.ones([12, 2], np.float32))
    row = fresh.Discriminator(game(generator, discriminator), None, stream, FRESH, 8).row(pairs, 0)
    assert (row["grad_minimax"], row["grad_ns"], row["grad_ns_sd"]) == (None, None, None)


def test_not_finite(pair):
    generator, discriminator, stream = pair
    pairs = pairs_of(generator, stream, np.full([12, 2], np.nan, np.float32))
    with pytest.raises(fresh.NotFiniteError, match="^d_loss is not finite after 7 updates"):
        fresh.Discriminator(game(generator, discriminator), None, stream, FRESH, 8).row(pairs, 7)


def test_accuracy_of_a_tie():
    assert fresh.accuracy(np.array([1.0, 0.0]), np.array([-1.0, 2.0])) == pytest.approx((0.75 + 0.5) / 2)
