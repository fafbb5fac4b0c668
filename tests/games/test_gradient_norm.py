"""The gradient-norm regulariser: the update by hand, replicas, ensembles, images, and refusals."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import constant_generator, linear, toy
from scipy.special import expit

from tfpaths import config, errors, experiments, penalties, schema
from tfpaths.games.gradient_norm import GradientNorm
from tfpaths.lines import dirac
from tfpaths.runs import build, training

REAL = np.array([[0.5], [-1.0], [2.0], [0.25]], np.float32)
W, B, RATE, WEIGHT, R1 = 0.7, -0.4, 0.1, 3.0, 2.0


def slope_by_w(w, b, x):
    """The derivative of loss.discriminator by w, with D(x) = w x and G(z) = b, without the penalty."""
    return np.mean(-x * expit(-w * x)) + b * expit(w * b)


def stepped(w, b, x):
    """One step with R1, the generator after the discriminator."""
    w = w - RATE * (slope_by_w(w, b, x) + 2 * R1 * w)
    # d/db of (derivative by w)^2: twice it, times its derivative by b, s + b w s (1 - s).
    s = expit(w * b)
    norm_slope = 2 * slope_by_w(w, b, x) * (s + b * w * s * (1 - s))
    return w, b - RATE * (-w * expit(-w * b) + WEIGHT * norm_slope)


def players(generator=None, **options):
    arguments = {"loss": "non_saturating", "penalty": penalties.R1Penalty(weight=R1), "weight": WEIGHT, **options}
    gan = GradientNorm(generator or constant_generator(B), linear([W]), **arguments)
    gan.compile(generator_optimizer=keras.optimizers.SGD(RATE), discriminator_optimizer=keras.optimizers.SGD(RATE))
    return gan


def parameters(gan):
    return tuple(float(np.ravel(v)[0]) for v in (*gan.discriminator.get_weights(), *gan.generator.get_weights()))


def test_one_step_equals_the_derivation():
    gan = players(ema=0.75)
    reported = gan.train_step(tf.constant(REAL))
    w, b = stepped(W, B, REAL.astype(np.float64))
    np.testing.assert_allclose(parameters(gan), (w, b), rtol=1e-5)
    np.testing.assert_allclose(reported["gradient_norm"], slope_by_w(w, B, REAL) ** 2, rtol=1e-4)
    np.testing.assert_allclose(reported["generator_loss"], np.log1p(np.exp(-w * B)), rtol=1e-5)
    assert list(reported) == list(gan.reported)
    np.testing.assert_allclose(gan.averaged_generator.get_weights()[0], 0.75 * B + 0.25 * b, rtol=1e-5)
    # Without the regulariser the generator moves elsewhere.
    assert abs(b - (B + RATE * w * expit(-w * B))) > 0.01


@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled_steps_equal_the_derivation(jit_compile):
    gan = players()
    gan.jit_compile = jit_compile
    gan.fit(tf.data.Dataset.from_tensors(REAL).repeat(3), verbose=0)
    at = W, B
    for _ in range(3):
        at = stepped(*at, REAL.astype(np.float64))
    np.testing.assert_allclose(parameters(gan), at, rtol=1e-4)


def test_norm_is_that_of_the_global_batch(two_replicas):
    batches = np.random.default_rng(1).normal(1.0, 2.0, size=(3, 8, 1)).astype(np.float32)
    with two_replicas.scope():
        gan = players()
    gan.fit(tf.data.Dataset.from_tensor_slices(batches), verbose=0)
    at = of_replicas = W, B
    for batch in batches.astype(np.float64):
        at = stepped(*at, batch)
        of_replicas = np.mean([stepped(*of_replicas, half) for half in (batch[:4], batch[4:])], axis=0)
    np.testing.assert_allclose(parameters(gan), at, rtol=1e-4)
    # The mean of the replicas' own norms would give another step.
    assert not np.allclose(at, of_replicas, rtol=1e-3)


def test_each_run_of_an_ensemble_has_its_own_norm():
    variant = config.Variant(
        name="mine", loss=config.Loss(name="wasserstein"), weight_clip=9.0,
        game=config.Game(name="gradient_norm", weight=WEIGHT),
    )  # fmt: skip
    block = dirac.DiracGAN(build.complete_variant(dirac.with_sgd(variant, RATE)), 3)
    starts = np.random.default_rng(0).uniform(-1.5, 1.5, (3, 2))
    block.place(starts)
    reported = block.gan.train_step(tf.zeros([3, 1, 1]))
    theta, psi = starts.T
    psi = psi - RATE * theta
    # The derivative by psi is theta, so that the norm is theta^2.
    np.testing.assert_allclose(block.points(), np.stack([theta + RATE * (psi - 2 * WEIGHT * theta), psi], 1), rtol=1e-5)
    np.testing.assert_allclose(reported["gradient_norm"], np.mean(theta**2), rtol=1e-5)


def test_saved_game_keeps_its_weight(tmp_path):
    gan = players(generator=linear([B]))
    gan.train_step(tf.constant(REAL))
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert (type(loaded), loaded.weight) == (GradientNorm, WEIGHT)
    for one in (gan, loaded):
        one.train_step(tf.constant(REAL))
    np.testing.assert_array_equal(parameters(loaded), parameters(gan))


def test_images_train_through_second_derivatives(tmp_path):
    run = training.train(
        toy("color_mnist_gan_gp", variant__game="gradient_norm", schedule__steps="2"), tmp_path / "run"
    )
    rows = [line for line in run.directory.metrics.read_text().splitlines() if "gradient_norm" in line]
    assert len(rows) == 2


def test_loss_scaling_is_refused():
    gan = GradientNorm(constant_generator(B), linear([W]), loss="minimax")
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(RATE))
    with pytest.raises(errors.InputError, match="precision: the game 'gradient_norm' differentiates gradients"):
        gan.compile(generator_optimizer=scaled, discriminator_optimizer=keras.optimizers.SGD(RATE))


def test_config_round_trip():
    value = experiments.get("eight_gaussians_ns")
    value = build.complete(value.replace(variant=value.variant.replace(game=config.Game(name="gradient_norm"))))
    assert value.variant.game.options == {"weight": 0.5}
    assert config.from_dict(schema.to_dict(value)) == value
