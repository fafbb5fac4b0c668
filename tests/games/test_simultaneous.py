"""Simultaneous updates: by hand, on two replicas, in an ensemble, saved, and refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import constant_generator, launch_here, linear, refused

from tfpaths import config, errors, experiments, penalties
from tfpaths.games import GAMES
from tfpaths.games.simultaneous import Simultaneous
from tfpaths.gan import GAN
from tfpaths.lines import dirac
from tfpaths.runs import build

REAL = np.array([[0.5], [-1.0], [2.0], [0.25]], np.float32)
W, B, RATE = 0.7, -0.4, 0.1


def players(cls=Simultaneous, loss="wasserstein", generator=None, **options):
    gan = cls(generator or constant_generator(B), linear([W]), loss=loss, **options)
    gan.compile(generator_optimizer=keras.optimizers.SGD(RATE), discriminator_optimizer=keras.optimizers.SGD(RATE))
    return gan


def parameters(gan):
    return tuple(float(np.ravel(v)[0]) for v in (*gan.discriminator.get_weights(), *gan.generator.get_weights()))


def test_both_players_see_the_other_before_its_move():
    gan = players(penalty=penalties.R1Penalty(weight=2.0))
    reported = gan.train_step(tf.constant(REAL))
    # The loss w b - w x has the slope b - x by w; the penalty 2 w^2 has 4 w. The generator sees the old w.
    w = W - RATE * (B - REAL.mean() + 4 * W)
    np.testing.assert_allclose(parameters(gan), (w, B + RATE * W), rtol=1e-6)
    assert list(reported) == list(gan.reported) == list(GAN.reported)
    np.testing.assert_allclose(reported["discriminator_loss"], W * (B - REAL.mean()), rtol=1e-5)
    np.testing.assert_allclose((reported["penalty"], reported["generator_loss"]), (2 * W**2, -W * B), rtol=1e-6)
    assert (gan.step, int(gan.discriminator_optimizer.iterations), int(gan.generator_optimizer.iterations)) == (1, 1, 1)
    alternating = players(GAN, penalty=penalties.R1Penalty(weight=2.0))
    alternating.train_step(tf.constant(REAL))
    np.testing.assert_allclose(parameters(alternating), (w, B + RATE * w), rtol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled_steps_equal_eager_ones(jit_compile):
    batches = np.random.default_rng(0).normal(size=(6, 4, 1)).astype(np.float32)
    eager, compiled = players(loss="minimax"), players(loss="minimax")
    for batch in batches:
        eager.train_step(tf.constant(batch))
    compiled.jit_compile = jit_compile
    compiled.fit(tf.data.Dataset.from_tensor_slices(batches), verbose=0)
    np.testing.assert_allclose(parameters(compiled), parameters(eager), rtol=1e-5)


def test_weights_are_clipped_and_averaged():
    gan = players(weight_clip=0.01, ema=0.75)
    gan.train_step(tf.constant(REAL))
    # The generator still sees W.
    np.testing.assert_allclose(parameters(gan), (0.01, B + RATE * W), rtol=1e-6)
    np.testing.assert_allclose(gan.averaged_generator.get_weights()[0], B + 0.25 * RATE * W, rtol=1e-6)


@pytest.mark.parametrize("loss", ["minimax", "kl_wasserstein"])
def test_two_replicas_equal_one_device(loss, two_replicas):
    # The ratio of kl_wasserstein is exchanged between replicas within the generator's loss.
    batches = np.random.default_rng(1).normal(size=(4, 8, 1)).astype(np.float32)

    def trained(strategy, batches=batches):
        with strategy.scope():
            gan = players(loss=loss, penalty=penalties.R1Penalty())
        gan.fit(tf.data.Dataset.from_tensor_slices(batches), verbose=0)
        return parameters(gan)

    one = trained(tf.distribute.get_strategy())
    np.testing.assert_allclose(trained(two_replicas), one, rtol=1e-5)
    assert not np.allclose(one, trained(tf.distribute.get_strategy(), batches[:, :4]), rtol=1e-4)


def test_saved_game_resumes(tmp_path):
    gan = players(generator=linear([B]))
    gan.train_step(tf.constant(REAL))
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert type(loaded) is Simultaneous
    for one in (gan, loaded):
        one.train_step(tf.constant(REAL))
    np.testing.assert_array_equal(parameters(loaded), parameters(gan))


def test_each_run_of_an_ensemble_is_its_own_game():
    variant = config.Variant(
        name="mine", loss=config.Loss(name="non_saturating"), game=config.Game(name="simultaneous")
    )
    variant = build.complete_variant(dirac.with_sgd(variant, RATE))
    starts = np.random.default_rng(0).uniform(-2, 2, (3, 2))
    together = dirac.DiracGAN(variant, 3).path(starts, 4, simultaneous=False)
    alone = dirac.DiracGAN(variant, 1)
    for run, start in enumerate(starts):
        np.testing.assert_allclose(together[:, run], alone.path([start], 4, simultaneous=False)[:, 0], rtol=1e-5)


def test_several_discriminator_updates_are_refused():
    with pytest.raises(errors.InputError, match="variant.discriminator_steps: expected 1, because the players"):
        players(discriminator_steps=5)


def test_invalid_config_is_one_line(tmp_path):
    small = ["--set=networks.width=8", "--set=data.examples=400", f"--workdir={tmp_path / 'run'}"]
    done = launch_here("--exp=eight_gaussians_wgan_gp", "--set=variant.game=simultaneous", *small)
    assert refused(done).endswith("received 5. To fix this: --set variant.discriminator_steps=1.")
    assert list(tmp_path.iterdir()) == []
    # A study builds its games after its directory; it is refused before.
    done = launch_here("--exp=line1_wgan_gp", "--set=variant.game=simultaneous", f"--workdir={tmp_path / 'study'}")
    assert refused(done).endswith("received 5. To fix this: --set variant.discriminator_steps=1.")
    assert list(tmp_path.iterdir()) == []


def test_config_round_trip():
    value = experiments.get("eight_gaussians_ns")
    value = build.complete(value.replace(variant=value.variant.replace(game=config.Game(name="simultaneous"))))
    assert value.variant.game.options == {}
    assert GAMES["simultaneous"] is Simultaneous
