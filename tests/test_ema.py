"""The exponential moving average of the generator's weights: by hand, in runs, samples, exports and checkpoints."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import TOY, assert_same_run, launch_here, linear, refused

import tfpaths
from tfpaths import experiments, schema
from tfpaths.gan import GAN
from tfpaths.runs import exporting, loading, training

REAL = tf.constant([[0.5], [-1.0], [2.0], [0.25]])
EMA = 0.75
FIELDS = TOY | {"networks.ema": str(EMA), "schedule.checkpoint_every": "2"}


def players(ema=EMA, generator=None, **options):
    gan = GAN(generator or linear([-0.4]), linear([0.7]), loss="non_saturating", ema=ema, **options)
    gan.compile(generator_optimizer=keras.optimizers.SGD(0.1), discriminator_optimizer=keras.optimizers.SGD(0.1))
    return gan


def test_average_by_hand():
    gan, plain = players(), players(None)
    expected = -0.4
    for _ in range(3):
        gan.train_step(REAL)
        plain.train_step(REAL)
        (weight,) = gan.generator.get_weights()
        expected = EMA * expected + (1 - EMA) * weight.item()
        # The players' updates do not use the average.
        np.testing.assert_array_equal(weight, plain.generator.get_weights()[0])
    np.testing.assert_allclose(gan.averaged_generator.get_weights()[0], [[expected]], rtol=1e-6)
    z = gan.sample_latents(5)
    np.testing.assert_allclose(gan.sample(5), expected * z, rtol=1e-6)
    np.testing.assert_allclose(gan.generate(z, training=True), weight.item() * z, rtol=1e-6)


def test_statistics_of_batch_norm_are_copied():
    generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1), keras.layers.BatchNormalization()])
    gan = players(generator=generator)
    gan.train_step(REAL)
    norm, average = gan.generator.layers[-1], gan.averaged_generator.layers[-1]
    assert float(norm.moving_variance[0]) != 1.0
    np.testing.assert_array_equal(average.moving_mean, norm.moving_mean)
    np.testing.assert_array_equal(average.moving_variance, norm.moving_variance)


def test_two_replicas_have_equal_averages(two_replicas):
    with two_replicas.scope():
        gan = players()
    before = gan.averaged_generator.get_weights()[0].item()
    gan.fit(tf.data.Dataset.from_tensors(REAL), verbose=0)
    average, weight = (one.get_weights()[0].item() for one in (gan.averaged_generator, gan.generator))
    assert weight != before
    np.testing.assert_allclose(average, EMA * before + (1 - EMA) * weight, rtol=1e-6)
    for replica in gan.averaged_generator.trainable_variables[0].value.values:
        np.testing.assert_allclose(replica, average, rtol=1e-6)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("ema") / "whole"
    training.train(schema.override(experiments.get("color_mnist_ns"), FIELDS), path)
    return path


def test_resume_is_exact(whole, tmp_path):
    toy = schema.override(experiments.get("color_mnist_ns"), FIELDS)
    training.train(toy.replace(schedule=toy.schedule.replace(steps=2)), tmp_path)
    training.train(toy, tmp_path)
    assert_same_run(whole, tmp_path)
    one, other = (loading.load(path).gan.averaged_generator.get_weights() for path in (whole, tmp_path))
    for values, values_other in zip(one, other, strict=True):
        np.testing.assert_array_equal(values, values_other)


def test_loaded_runs_and_exports_sample_from_the_average(whole):
    trained = tfpaths.load(whole)
    z = trained.gan.sample_latents(4, seed=3)
    expected = trained.gan.averaged_generator(z, training=False)
    np.testing.assert_array_equal(trained.sample(4, seed=3), expected)
    assert np.abs(expected - trained.gan.generator(z, training=False)).max() > 1e-4
    sample = tf.saved_model.load(str(exporting.export(whole))).signatures["sample"]
    (images,) = sample(num_samples=tf.constant(4), seed=tf.constant(3)).values()
    np.testing.assert_allclose(images, expected, atol=1e-6)
    assert (whole / "export" / "averaged_generator.keras").exists()


def test_a_new_run_begins_with_the_averaged_weights(whole):
    toy = schema.override(experiments.get("color_mnist_ns"), TOY)
    from tfpaths.runs import build

    gan, trained = build.build(toy, (28, 28, 3)), loading.load(whole)
    loading.start_from(gan, whole)
    for ours, theirs in zip(gan.generator.get_weights(), trained.gan.averaged_generator.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_invalid_input_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ema: expected a number in \[0, 1\), received 1"):
        players(1.0)
    line = refused(launch_here("--exp=color_mnist_ns", "--set=networks.ema=1", f"--workdir={tmp_path / 'run'}"))
    assert line == "tfpaths: networks.ema: expected a number in [0, 1), received 1.0."
    assert not (tmp_path / "run").exists()
