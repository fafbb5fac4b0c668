"""Consensus optimisation: the update against finite differences, replicas, ensembles, images, and refusals."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import assert_same_run, constant_generator, launch_here, linear, refused, toy
from scipy.special import expit

from tfpaths import config, errors, experiments, penalties, schema
from tfpaths.games.consensus import Consensus
from tfpaths.lines import dirac
from tfpaths.runs import build, training

REAL = np.array([[0.5], [-1.0], [2.0], [0.25]], np.float32)
EXACT = REAL.astype(np.float64)
W, B, RATE, WEIGHT, R1 = 0.7, -0.4, 0.1, 3.0, 0.5


def field(w, b, x=EXACT):
    """The gradients of both players of `non_saturating` with R1, D(x) = w x, G(z) = b."""
    return np.array([np.mean(-x * expit(-w * x)) + b * expit(w * b) + 2 * R1 * w, -w * expit(-w * b)])


def corrected(w, b, x=EXACT, epsilon=1e-5):
    """v + WEIGHT grad ||v||^2 / 2, by central differences."""

    def half_norm(w, b):
        return np.sum(field(w, b, x) ** 2) / 2

    slopes = [
        (half_norm(w + step, b + other) - half_norm(w - step, b - other)) / (2 * epsilon)
        for step, other in ((epsilon, 0), (0, epsilon))
    ]
    return field(w, b, x) + WEIGHT * np.array(slopes)


def players(generator=None, **options):
    arguments = {"loss": "non_saturating", "penalty": penalties.R1Penalty(weight=R1), "weight": WEIGHT, **options}
    gan = Consensus(generator or constant_generator(B), linear([W]), **arguments)
    gan.compile(generator_optimizer=keras.optimizers.SGD(RATE), discriminator_optimizer=keras.optimizers.SGD(RATE))
    return gan


def parameters(gan):
    return tuple(float(np.ravel(v)[0]) for v in (*gan.discriminator.get_weights(), *gan.generator.get_weights()))


def test_one_step_equals_the_derivation():
    gan = players()
    reported = gan.train_step(tf.constant(REAL))
    np.testing.assert_allclose(parameters(gan), np.array([W, B]) - RATE * corrected(W, B), rtol=1e-5)
    np.testing.assert_allclose(reported["consensus"], np.sum(field(W, B) ** 2) / 2, rtol=1e-5)
    assert list(reported) == list(gan.reported)
    # The correction of the generator is large enough to be seen.
    assert abs(corrected(W, B) - field(W, B)).min() > 0.05


def test_wasserstein_by_hand():
    gan = players(loss="wasserstein", penalty=None)
    gan.train_step(tf.constant(REAL))
    # v = (b - x, -w), so that ||v||^2 / 2 has the gradient (w, b - x).
    gap = B - REAL.mean()
    expected = W - RATE * (gap + WEIGHT * W), B - RATE * (-W + WEIGHT * gap)
    np.testing.assert_allclose(parameters(gan), expected, rtol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled_steps_equal_the_derivation(jit_compile):
    gan = players()
    gan.jit_compile = jit_compile
    gan.fit(tf.data.Dataset.from_tensors(REAL).repeat(3), verbose=0)
    at = np.array([W, B])
    for _ in range(3):
        at = at - RATE * corrected(*at)
    np.testing.assert_allclose(parameters(gan), at, rtol=1e-4)


def test_norm_is_that_of_the_global_batch(two_replicas):
    batches = np.random.default_rng(1).normal(size=(2, 8, 1)).astype(np.float32)
    batches[:, 4:] += 3.0  # The second replica's half.
    with two_replicas.scope():
        gan = players()
    history = gan.fit(tf.data.Dataset.from_tensor_slices(batches), verbose=0).history
    at, of_replicas = np.array([W, B]), np.array([W, B])
    for batch in batches.astype(np.float64):
        half_norm = np.sum(field(*at, batch) ** 2) / 2
        at = at - RATE * corrected(*at, batch)
        of_replicas = of_replicas - RATE * np.mean(
            [corrected(*of_replicas, half) for half in (batch[:4], batch[4:])], 0
        )
    np.testing.assert_allclose(parameters(gan), at, rtol=1e-4)
    np.testing.assert_allclose(history["consensus"][-1], half_norm, rtol=1e-4)
    # The mean of the replicas' own norms would give another step.
    assert not np.allclose(at, of_replicas, rtol=1e-3)


def test_each_run_of_an_ensemble_has_its_own_norm():
    variant = config.Variant(
        name="mine", loss=config.Loss(name="non_saturating"), game=config.Game(name="consensus", weight=WEIGHT)
    )
    block = dirac.DiracGAN(build.complete_variant(dirac.with_sgd(variant, RATE)), 3)
    starts = np.random.default_rng(0).uniform(-1.5, 1.5, (3, 2))
    block.place(starts)
    reported = block.gan.train_step(tf.zeros([3, 1, 1]))
    norms = []
    for found, (theta, psi) in zip(block.points(), starts, strict=True):
        # One real example at 0; the penalty is not there.
        v = np.array([theta * expit(psi * theta), -psi * expit(-psi * theta)])
        slope = expit(psi * theta) * expit(-psi * theta)
        jacobian = np.array(
            [
                [theta**2 * slope, expit(psi * theta) + theta * psi * slope],
                [-expit(-psi * theta) + psi * theta * slope, psi**2 * slope],
            ]
        )
        of_psi, of_theta = v + WEIGHT * jacobian.T @ v
        np.testing.assert_allclose(found, (theta - RATE * of_theta, psi - RATE * of_psi), rtol=1e-4)
        norms.append(v @ v / 2)
    np.testing.assert_allclose(reported["consensus"], np.mean(norms), rtol=1e-5)


def test_saved_game_keeps_its_weight(tmp_path):
    gan = players(generator=linear([B]))
    gan.train_step(tf.constant(REAL))
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert (type(loaded), loaded.weight) == (Consensus, WEIGHT)
    for one in (gan, loaded):
        one.train_step(tf.constant(REAL))
    np.testing.assert_array_equal(parameters(loaded), parameters(gan))


def test_images_train_through_second_derivatives(tmp_path):
    # Convolutions, BatchNorm and LeakyReLU of the fast implementation, with a penalty, which is a third derivative.
    value = toy("color_mnist_gan_gp", variant__game="consensus", schedule__steps="2")
    run = training.train(value, tmp_path / "run")
    rows = [line for line in run.directory.metrics.read_text().splitlines() if "consensus" in line]
    assert len(rows) == 2


def test_resumed_run_is_exact(tmp_path):
    # With optimistic Adam, whose step before is computed from the stored moments.
    texts = {
        "variant.game": "consensus",
        "variant.generator_optimizer": "optimistic_adam",
        "variant.discriminator_optimizer": "optimistic",
        "networks.width": "8",
        "data.examples": "400",
        "schedule.batch_size": "8",
        "schedule.log_every": "1",
        "schedule.sample_every": "2",
        "schedule.checkpoint_every": "2",
        "evaluation.metrics": "none",
    }

    def train(steps, path):
        value = schema.override(experiments.get("eight_gaussians_ns"), texts | {"schedule.steps": str(steps)})
        training.train(value, tmp_path / path)

    train(4, "whole")
    train(2, "resumed")
    train(4, "resumed")
    assert_same_run(tmp_path / "whole", tmp_path / "resumed")


def test_loss_scaling_is_refused():
    gan = Consensus(constant_generator(B), linear([W]), loss="minimax")
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(RATE))
    with pytest.raises(errors.InputError, match="precision: the game 'consensus' differentiates gradients"):
        gan.compile(generator_optimizer=scaled, discriminator_optimizer=keras.optimizers.SGD(RATE))


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--set=variant.game.weight=0"], "variant.game.weight: expected a number above zero, received 0"),
        (["--set=variant.game.wieght=1"], "variant.game.wieght: 'consensus' has no option 'wieght'; did you mean"),
        (["--precision=mixed_float16"], "precision: the game 'consensus' differentiates gradients, which underflow"),
    ],
)
def test_invalid_configs_are_one_line(flags, line, tmp_path):
    small = ["--set=networks.width=8", "--set=data.examples=400", f"--workdir={tmp_path / 'run'}"]
    done = launch_here("--exp=eight_gaussians_ns", "--set=variant.game=consensus", *small, *flags)
    assert refused(done).startswith(f"tfpaths: {line}")
    assert list(tmp_path.iterdir()) == []


def test_config_round_trip():
    value = experiments.get("eight_gaussians_ns")
    value = build.complete(value.replace(variant=value.variant.replace(game=config.Game(name="consensus"))))
    assert value.variant.game.options == {"weight": 0.1}
    assert config.from_dict(schema.to_dict(value)) == value
