"""Ensembles: each of many runs equals the same run trained alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpaths import experiments, losses, penalties, streams
from tfpaths.experiments.variants import VARIANTS
from tfpaths.gan import GAN
from tfpaths.lines import ensemble, study
from tfpaths.networks import ensembles

NAMES = [variant.name for variant in VARIANTS]


@pytest.fixture(scope="module")
def block_of(block):
    """Returns a block of a variant, with at most two updates of the discriminator for each of the generator.

    Five, which two variants have, take twice as long to compile.
    """

    def built(variant, runs):
        steps = min(2, experiments.get(f"line2_{variant}").variant.discriminator_steps)
        return block(f"line2_{variant}", runs=runs, variant__discriminator_steps=str(steps))

    return built


def weights(made):
    """Every weight of a block, by run."""
    gan = made.gan
    return [variable.numpy() for variable in (*gan.generator.weights, *gan.discriminator.weights)]


def trained(made, first_run):
    """Weights and progress of a block's runs after four steps."""
    made.reset(first_run)
    progress = made.advance(4)
    return [*weights(made), progress.distance, progress.rises]


def assert_equal_runs(one, run, other, run_other):
    for values, values_other in zip(one, other, strict=True):
        np.testing.assert_allclose(values_other[run_other], values[run], rtol=2e-4, atol=2e-5)


# One for each kind of step: without a penalty, with several updates of D, and with a penalty at drawn points.
@pytest.mark.parametrize("variant", ["ns", "wgan_gp", "dragan_ns"])
def test_each_run_equals_the_run_alone(variant, block_of):
    many = trained(block_of(variant, runs=4), 7)
    alone = block_of(variant, runs=1)
    for run in range(4):
        assert_equal_runs(trained(alone, 7 + run), 0, many, run)


@pytest.mark.parametrize("variant", NAMES)
def test_run_does_not_depend_on_its_place(variant, block_of):
    made = block_of(variant, runs=4)
    first, shifted = trained(made, 7), trained(made, 9)
    for run in (9, 10):
        assert_equal_runs(first, run - 7, shifted, run - 9)


@pytest.mark.parametrize("variant", NAMES)
def test_nan_in_one_run_does_not_change_the_others(variant, block_of):
    made = block_of(variant, runs=4)
    made.advance(3)
    whole = weights(made)
    made.reset(0)
    offset = made._linear.offset.numpy()
    offset[2] = np.nan
    made._linear.offset.assign(offset)
    progress = made.advance(3)
    assert np.isnan(progress.distance).tolist() == [False, False, True, False]
    for one, other in zip(whole, weights(made), strict=True):
        np.testing.assert_array_equal(other[[0, 1, 3]], one[[0, 1, 3]])


def test_reset_starts_again(small):
    # Two blocks that are built separately: what a block has trained before does not matter.
    made, other = (study.build.__wrapped__(small(), 2) for _ in range(2))
    made.reset(0)
    first = made.advance(5).distance
    other.reset(3)
    other.advance(5)
    for block in (made, other):
        block.reset(0)
        assert block.gan.step == 0
        np.testing.assert_array_equal(block.advance(5).distance, first)


def test_update_equals_that_of_a_plain_gan():
    # Plain descent, one step, no penalty: the update of each run's c is that of a GAN without the axis of runs.
    generator, discriminator = ensemble.players(2, 3, 1, width=8, depth=1)
    gan = GAN(generator, discriminator, loss="non_saturating", runs=2)
    gan.compile(generator_optimizer=keras.optimizers.SGD(0.1), discriminator_optimizer=keras.optimizers.SGD(1e-9))
    ensembles.reset(discriminator, streams.root(0, first_run=0))
    # Step 0, replica 0; the generator's update follows the discriminator's one.
    z = gan.latents(16, gan.stream.fold(0, 0).fold(1, 0))
    layer = generator.layers[-1]
    layer.offset.assign([[1.0, -2.0, 0.5], [0.3, 0.7, -1.0]])
    layer.directions.assign(np.linspace(-1.0, 1.0, 6).reshape(2, 3, 1))
    expected = []
    for run in range(2):
        c, s = tf.Variable(layer.offset[run]), layer.directions[run]
        kernels = [weight[run] for weight in discriminator.weights]
        with tf.GradientTape() as tape:
            x = c + tf.matmul(z[run], s, transpose_b=True)
            hidden = tf.nn.leaky_relu(tf.matmul(x, kernels[0]) + kernels[1], 0.2)
            logits = tf.matmul(hidden, kernels[2]) + kernels[3]
            loss = losses.get("non_saturating").generator(logits)
        expected.append(c - 0.1 * tape.gradient(loss, c))
    gan.train_step(tf.zeros([2, 16, 3]))
    np.testing.assert_allclose(layer.offset, np.stack(expected), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "penalty",
    [
        penalties.InterpolationPenalty(),
        penalties.DRAGANPenalty(),
        penalties.R1Penalty(weight=10.0, target=1.0),
    ],
    ids=lambda penalty: type(penalty).__name__,
)
def test_penalty_is_the_mean_over_runs(penalty):
    # D(x) = w_r · x: the norm of run r is |w_r|, so that the penalty is the mean of 10 (|w_r| - 1)^2.
    w = np.array([[3.0, 4.0], [0.0, 2.0]], np.float32)

    def discriminator(x, training=False):
        return tf.einsum("rbd,rd->rb", x, w)

    real, fake = tf.ones([2, 5, 2]), tf.zeros([2, 5, 2])
    value = penalty(discriminator, real, fake, stream=streams.root(0, first_run=0), batch_axes=2)
    assert float(value) == pytest.approx((10 * 16 + 10 * 1) / 2, rel=1e-5)


def test_dragan_std_is_per_run():
    real = tf.stack([tf.zeros([6, 2]), 100.0 * streams.root(2).normal([6, 2])])
    points = penalties.perturb(real, streams.root(0, first_run=0), batch_axes=2).numpy()
    np.testing.assert_array_equal(points[0], 0.0)
    assert np.abs(points[1] - real[1]).max() > 5


def test_rises_are_counted_step_by_step(block):
    made = block(runs=2)
    distances = [made.distance().numpy()] + [made.advance(1).distance for _ in range(12)]
    rises = np.diff(distances, axis=0)
    made.reset(0)
    progress = made.advance(12)
    np.testing.assert_array_equal(progress.rises, (rises > 0).sum(axis=0))
    np.testing.assert_allclose(progress.climbed, np.maximum(rises, 0).sum(axis=0), rtol=1e-3, atol=1e-6)


def test_averaged_generator_is_the_mean_over_the_steps(block):
    made = block("line2_ns", runs=2)
    start = [variable.numpy() for variable in made.gan.generator.trainable_variables]
    for average, variable in zip(made.averages(), start, strict=True):
        np.testing.assert_array_equal(average, variable)  # before the first step
    iterates = []
    for _ in range(3):
        progress = made.advance(1)
        iterates.append([variable.numpy() for variable in made.gan.generator.trainable_variables])
    means = [np.mean(values, axis=0) for values in zip(*iterates, strict=True)]
    for average, mean in zip(made.averages(), means, strict=True):
        np.testing.assert_allclose(average, mean, rtol=1e-5, atol=1e-7)
    # Its distance is that of a generator with these weights, and the iterates' distance is another.
    for variable, mean in zip(made.gan.generator.trainable_variables, means, strict=True):
        variable.assign(mean)
    np.testing.assert_allclose(progress.others["averaged_distance"], made.distance(), rtol=1e-4, atol=1e-6)
    assert (progress.others["averaged_distance"] != progress.distance).all()
    # Another start has another average: nothing is left of the runs before.
    made.reset(0)
    again = made.advance(3)
    np.testing.assert_allclose(again.others["averaged_distance"], progress.others["averaged_distance"], rtol=1e-4)
