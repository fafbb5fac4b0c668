"""Instance noise: its schedules, the updates by hand, and runs, studies and settings with it."""

import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import TOY, assert_same_run, launch_here, linear, refused

from tfpaths import config, experiments, schema, streams
from tfpaths.gan import GAN
from tfpaths.instance_noise import InstanceNoise
from tfpaths.lines import study
from tfpaths.runs import training

REAL = tf.constant(np.random.default_rng(0).normal(size=(6, 1)), tf.float32)
RATE, W, G = 0.1, 0.7, -0.4


def players(cls=GAN, noise=None, **options):
    gan = cls(linear([G]), linear([W]), instance_noise=noise, **{"loss": "non_saturating", **options})
    gan.compile(generator_optimizer=keras.optimizers.SGD(RATE), discriminator_optimizer=keras.optimizers.SGD(RATE))
    return gan


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"scale": 0.4}, [0.4, 0.4, 0.4]),
        ({"scale": 0.4, "end": 0.1, "schedule": "linear", "steps": 100}, [0.4, 0.25, 0.1]),
        ({"scale": 0.4, "end": 0.1, "schedule": "exponential", "steps": 100}, [0.4, 0.2, 0.1]),
    ],
)
def test_schedules(fields, expected):
    noise = InstanceNoise(**fields)
    np.testing.assert_allclose([float(noise.scale_at(step)) for step in (0, 50, 300)], expected, rtol=1e-6)
    compiled = tf.function(noise.scale_at)
    np.testing.assert_allclose([float(compiled(tf.constant(step))) for step in (0, 50, 300)], expected, rtol=1e-6)


def test_noise_is_normal_with_the_scale():
    added = InstanceNoise(scale=0.5).added_to(tf.ones([20_000, 2]), 0, streams.root(3)).numpy() - 1.0
    # The standard errors of mean and standard deviation are 0.5 / 200 and 0.5 / 283.
    assert abs(added.mean()) < 0.01
    assert abs(added.std() - 0.5) < 0.01
    assert abs(np.corrcoef(added.T)[0, 1]) < 0.03


def test_one_step_equals_the_derivation():
    noise = InstanceNoise(scale=0.8, end=0.2, schedule="linear", steps=4)
    gan = players(noise=noise, discriminator_steps=2)
    gan.steps.assign(1)
    sigma, w, g = 0.65, W, G
    stream = gan.stream.fold(1, 0)
    sigmoid = lambda t: 1 / (1 + np.exp(-t))  # noqa: E731
    for update in range(2):
        of_update = stream.fold(update)
        z = of_update.fold(0).normal([6, 1]).numpy().astype(np.float64)
        x = REAL.numpy() + sigma * of_update.fold(-1).normal([6, 1]).numpy()
        fake = g * z + sigma * of_update.fold(-2).normal([6, 1]).numpy()
        # d/dw E softplus(-w x) + E softplus(w x~)
        w -= RATE * (np.mean(-sigmoid(-w * x) * x) + np.mean(sigmoid(w * fake) * fake))
    of_update = stream.fold(2)
    z = of_update.fold(0).normal([6, 1]).numpy().astype(np.float64)
    fake = g * z + sigma * of_update.fold(-2).normal([6, 1]).numpy()
    # d/dg E softplus(-w (g z + sigma e)): the gradient goes through the noisy example.
    g -= RATE * np.mean(-sigmoid(-w * fake) * w * z)
    gan.train_step(REAL)
    np.testing.assert_allclose(gan.discriminator.trainable_variables[0], [[w]], rtol=1e-5)
    np.testing.assert_allclose(gan.generator.trainable_variables[0], [[g]], rtol=1e-5)


def test_relative_loss_sees_noisy_real_examples():
    gan = players(noise=InstanceNoise(scale=0.8), loss="relativistic")
    stream = gan.stream.fold(9)
    x = REAL.numpy() + 0.8 * stream.fold(-1).normal([6, 1]).numpy()
    fake = 0.8 * stream.fold(-2).normal([6, 1]).numpy()
    expected = np.mean(np.logaddexp(0, W * x - W * fake))
    np.testing.assert_allclose(gan.generator_loss(REAL, tf.zeros([6, 1]), stream), expected, rtol=1e-5)


@pytest.mark.parametrize("noisy", [True, False])
def test_penalty_says_whether_its_points_are_noisy(noisy):
    class Square(keras.layers.Layer):
        def call(self, x):
            return tf.square(x) / 2  # whose gradient is x

    from tfpaths import penalties

    gan = GAN(
        linear([G]),
        keras.Sequential([keras.Input((1,)), Square()]),
        loss="non_saturating",
        penalty=penalties.R1Penalty(weight=1.0, noisy=noisy),
        instance_noise=InstanceNoise(scale=0.8),
    )
    stream = gan.stream.fold(9)
    _, penalty = gan.discriminator_losses(REAL, REAL, stream)
    x = REAL.numpy() + (0.8 * stream.fold(-1).normal([6, 1]).numpy() if noisy else 0.0)
    np.testing.assert_allclose(penalty, np.mean(x**2), rtol=1e-5)


@pytest.mark.parametrize("schedule", ["constant", "linear"])
def test_no_noise_bit_for_bit(schedule):
    steps = None if schedule == "constant" else 2
    pair = [players(noise=noise) for noise in (None, InstanceNoise(scale=0.0, schedule=schedule, steps=steps))]
    for gan in pair:
        for _ in range(3):
            gan.train_step(REAL)
    for plain, noisy in zip(*(gan.trainable_variables for gan in pair), strict=True):
        np.testing.assert_array_equal(plain, noisy)


def test_a_gan_with_noise_is_saved(tmp_path):
    noise = InstanceNoise(scale=0.4, end=0.1, schedule="exponential", steps=7)
    gan = players(noise=noise)
    gan.save(tmp_path / "gan.keras")
    assert keras.models.load_model(tmp_path / "gan.keras").instance_noise == noise


class TestRuns:
    def toy(self, steps=4):
        base = schema.override(experiments.get("color_mnist_ns_noise"), TOY)
        return base.replace(schedule=base.schedule.replace(steps=steps, checkpoint_every=2))

    def test_resume_is_exact_and_the_length_of_the_schedule_is_stored(self, tmp_path):
        training.train(self.toy(), tmp_path / "whole")
        stored = json.loads((tmp_path / "whole" / "config.json").read_text())
        assert stored["variant"]["instance_noise"] == {"scale": 0.5, "end": 0.0, "schedule": "linear", "steps": 4}
        # Half of it: the same schedule, which ends after four steps.
        half = schema.override(self.toy(2), {"variant.instance_noise.steps": "4"})
        training.train(half, tmp_path / "parts")
        training.train(self.toy(), tmp_path / "parts")
        assert_same_run(tmp_path / "whole", tmp_path / "parts")

    def test_another_length_is_another_schedule(self, tmp_path):
        training.train(self.toy(2), tmp_path)
        flags = [f"--set={path}={text}" for path, text in TOY.items() if path != "schedule.steps"]
        line = refused(
            launch_here(
                "--exp=color_mnist_ns_noise",
                *flags,
                "--steps=4",
                "--set=schedule.checkpoint_every=2",
                f"--workdir={tmp_path}",
            )
        )
        assert "variant.instance_noise.steps" in line


class TestStudies:
    def block(self, scale, values=()):
        base = experiments.get("line1_ns_noise")
        variant = base.variant.replace(instance_noise=base.variant.instance_noise.replace(scale=scale))
        settings = (config.Setting(path="variant.instance_noise.scale", values=values),) if values else ()
        base = base.replace(variant=variant, settings=settings)
        base = base.replace(study=base.study.replace(runs=2, width=4, depth=1))
        block = study.build(base.replace(schedule=base.schedule.replace(steps=6, batch_size=8)), runs=2)
        block.reset(0)
        block.advance(5)
        return [variable.numpy() for variable in block.gan.trainable_variables]

    def test_a_run_with_its_own_scale_equals_a_study_with_it(self):
        quiet, loud, mixed = self.block(0.0), self.block(0.7), self.block(0.5, (0.0, 0.7))
        for low, high, both in zip(quiet, loud, mixed, strict=True):
            np.testing.assert_array_equal(both[0], low[0])
            np.testing.assert_array_equal(both[1], high[1])
            assert (low[1] != high[1]).any()

    def test_no_noise_bit_for_bit(self):
        base = experiments.get("line1_ns")
        base = base.replace(study=base.study.replace(runs=2, width=4, depth=1))
        block = study.build(base.replace(schedule=base.schedule.replace(steps=6, batch_size=8)), runs=2)
        block.reset(0)
        block.advance(5)
        for one, other in zip(block.gan.trainable_variables, self.block(0.0), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"scale": "-1"}, "instance_noise.scale: expected a number of at least zero, received -1.0"),
        ({"schedule": "liner"}, "instance_noise.schedule: .*did you mean 'linear'"),
        ({"schedule": "exponential"}, "instance_noise.end: expected a number above zero with schedule=exponential"),
        ({"schedule": "constant", "end": "0.1"}, "instance_noise.end: expected 0 with schedule=constant, received 0.1"),
        ({"schedule": "constant", "steps": "5"}, "instance_noise.steps: expected none with schedule=constant"),
        ({"steps": "0"}, "instance_noise.steps: expected a number above zero"),
    ],
)
def test_invalid_input_is_one_line(fields, line, tmp_path):
    flags = [f"--set=variant.instance_noise.{name}={text}" for name, text in fields.items()]
    message = refused(launch_here("--exp=line1_ns_noise", *flags, f"--workdir={tmp_path / 'run'}"))
    assert not (tmp_path / "run").exists()
    assert re.search(line, message), message


def test_schedules_of_the_object_are_checked():
    with pytest.raises(ValueError, match="steps"):
        InstanceNoise(scale=0.1, schedule="linear")
    with pytest.raises(ValueError, match="above zero"):
        InstanceNoise(scale=0.1, schedule="exponential", steps=3)
