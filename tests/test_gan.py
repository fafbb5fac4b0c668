"""The training step, by hand: one-parameter players, plain gradient descent."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import FAMILIES, constant_generator, linear
from scipy.special import expit

from tfpaths import config, errors, losses, networks, penalties
from tfpaths.gan import GAN
from tfpaths.networks import fast

REAL = np.array([[0.5], [-1.0], [2.0], [0.25]], np.float32)
W, B, RATE, WEIGHT = 0.7, -0.4, 0.1, 10.0

# With D(x) = w x and G(z) = b, the derivative of each loss by w, and of the generator's by b.
DISCRIMINATOR_SLOPE = {
    "minimax": lambda w, b, x: np.mean(-x * expit(-w * x)) + b * expit(w * b),
    "non_saturating": lambda w, b, x: np.mean(-x * expit(-w * x)) + b * expit(w * b),
    "wasserstein": lambda w, b, x: b - np.mean(x),
    # All generated examples are equal, so that each has weight 1.
    "kl_wasserstein": lambda w, b, x: b - np.mean(x),
    "least_squares": lambda w, b, x: np.mean((w * x - 1) * x) + w * b * b,
    "hinge": lambda w, b, x: np.mean(np.where(w * x < 1, -x, 0)) + (b if w * b > -1 else 0),
    "relativistic": lambda w, b, x: np.mean((b - x) * expit(w * b - w * x)),
}
GENERATOR_SLOPE = {
    "minimax": lambda w, b, x: -w * expit(w * b),
    "non_saturating": lambda w, b, x: -w * expit(-w * b),
    "wasserstein": lambda w, b, x: -w,
    "kl_wasserstein": lambda w, b, x: -w,
    "least_squares": lambda w, b, x: (w * b - 1) * w,
    "hinge": lambda w, b, x: -w,
    "relativistic": lambda w, b, x: np.mean(-w * expit(w * x - w * b)),
}


# The gradient of D is w everywhere: a penalty of the norm |w| = 0.7, and its derivative by w.
PENALTY = {
    "interpolation": (WEIGHT * (W - 1) ** 2, 2 * WEIGHT * (W - 1)),
    "dragan": (WEIGHT * (W - 1) ** 2, 2 * WEIGHT * (W - 1)),
    "one_sided": (0.0, 0.0),
    "r1": (WEIGHT * W**2, 2 * WEIGHT * W),
    "r2": (WEIGHT * W**2, 2 * WEIGHT * W),
    # 10 (E s(-w x)^2 + s(w b)^2) w^2, with s' = s (1 - s).
    "roth": (
        WEIGHT * (_FACTOR := np.mean(expit(-W * REAL) ** 2) + expit(W * B) ** 2) * W**2,
        WEIGHT * 2 * W * _FACTOR
        + WEIGHT
        * W**2
        * 2
        * (B * expit(W * B) ** 2 * expit(-W * B) - np.mean(REAL * expit(-W * REAL) ** 2 * expit(W * REAL))),
    ),
    None: (0.0, 0.0),
}


def test_every_penalty_has_a_derivation():
    assert set(PENALTY) == {None, *penalties.PENALTIES}


def players(loss, penalty=None, optimizer=keras.optimizers.SGD, **options):
    gan = GAN(constant_generator(B), linear([W]), loss=loss, penalty=penalty, **options)
    gan.compile(generator_optimizer=optimizer(RATE), discriminator_optimizer=optimizer(RATE))
    return gan


def parameters(gan):
    return float(gan.discriminator.trainable_variables[0].numpy().item()), float(
        gan.generator.trainable_variables[0].numpy()
    )


@pytest.mark.parametrize("penalty", [None, *sorted(penalties.PENALTIES)])
@pytest.mark.parametrize("loss", sorted(losses.LOSSES))
def test_one_step_equals_the_derivation(loss, penalty):
    layer = None if penalty is None else penalties.get(penalty)(weight=WEIGHT)
    gan = players(loss, layer)
    reported = gan.train_step(tf.constant(REAL))
    expected, penalty_slope = PENALTY[penalty]
    w = W - RATE * (DISCRIMINATOR_SLOPE[loss](W, B, REAL) + penalty_slope)
    # The generator answers the discriminator that has just moved.
    b = B - RATE * GENERATOR_SLOPE[loss](w, B, REAL)
    np.testing.assert_allclose(parameters(gan), (w, b), rtol=1e-5)
    np.testing.assert_allclose(reported["penalty"], expected, rtol=1e-5)
    assert list(reported) == list(gan.reported)


def test_several_penalties_are_added_up():
    gan = players("wasserstein", [penalties.R1Penalty(weight=3.0), penalties.R2Penalty(weight=WEIGHT)])
    reported = gan.train_step(tf.constant(REAL))
    # 3 w^2 + 10 w^2, whose derivative by w is 26 w.
    np.testing.assert_allclose(reported["penalty"], 13 * W**2, rtol=1e-5)
    w = W - RATE * (B - REAL.mean() + 26 * W)
    np.testing.assert_allclose(parameters(gan), (w, B + RATE * w), rtol=1e-5)


def test_overridden_generate_is_used_everywhere():
    # A game whose examples are one higher: the discriminator and the generator see b + 1, and so does a sample.
    class Higher(GAN):
        def generate(self, latents, training=False):
            return super().generate(latents, training=training) + 1.0

    gan = Higher(constant_generator(B), linear([W]), loss="wasserstein")
    gan.compile(generator_optimizer=keras.optimizers.SGD(RATE), discriminator_optimizer=keras.optimizers.SGD(RATE))
    np.testing.assert_allclose(gan.sample(2), np.full((2, 1), B + 1), rtol=1e-6)
    np.testing.assert_allclose(gan(tf.zeros([2, 1])), np.full((2, 1), B + 1), rtol=1e-6)
    np.testing.assert_allclose(gan.draw(2, gan.stream), np.full((2, 1), B + 1), rtol=1e-6)
    gan.train_step(tf.constant(REAL))
    w = W - RATE * (B + 1 - REAL.mean())
    np.testing.assert_allclose(parameters(gan), (w, B + RATE * w), rtol=1e-5)


def test_run_eagerly_runs_python():
    seen = []

    class Watched(GAN):
        def update_generator(self, real, stream):
            reported = super().update_generator(real, stream)
            seen.append(float(reported["generator_loss"]))  # Only an eager tensor has a number.
            return reported

    batches = tf.data.Dataset.from_tensors(REAL).repeat(4)
    made = []
    for run_eagerly in (True, False):
        cls = Watched if run_eagerly else GAN
        gan = cls(constant_generator(B), linear([W]), loss="minimax", penalty=penalties.DRAGANPenalty())
        gan.compile(
            generator_optimizer=keras.optimizers.SGD(RATE),
            discriminator_optimizer=keras.optimizers.SGD(RATE),
            steps_per_execution=2,
            run_eagerly=run_eagerly,
        )
        gan.fit(batches, verbose=0)
        made.append(parameters(gan))
    assert len(seen) == 4
    np.testing.assert_allclose(*made, rtol=1e-6)


@pytest.mark.parametrize("loss", ["non_saturating", "relativistic"])
def test_saved_gan_resumes_training(loss, tmp_path):
    shape, batches = (28, 28, 3), tf.random.stateless_uniform((4, 6, 28, 28, 3), [1, 2], -1.0, 1.0)
    sizes = config.Networks(latent_dim=4, generator_filters=4, discriminator_filters=4)
    gan = GAN(
        *networks.build(sizes, shape), loss=loss, penalty=[penalties.DRAGANPenalty(), penalties.R1Penalty()], seed=3
    )
    gan.compile(
        generator_optimizer=fast.FusedAdam(1e-3, beta_1=0.5), discriminator_optimizer=fast.FusedAdam(1e-3),
        steps_per_execution=2,
    )  # fmt: skip
    gan.fit(tf.data.Dataset.from_tensor_slices(batches[:2]), verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert (type(loaded), loaded.step, loaded.loss_pair.name, loaded.seed) == (GAN, 2, loss, 3)
    assert [penalty.get_config() for penalty in loaded.penalties] == [p.get_config() for p in gan.penalties]
    for one in (gan, loaded):
        one.fit(tf.data.Dataset.from_tensor_slices(batches[2:]), verbose=0)
    # All but the seeds of the penalties, from which no step draws. On a busy machine two repetitions of the same steps
    # may differ in the last bits. Adam makes that larger where a gradient is nearly zero, so the mean is compared;
    # without Adam's moments it is 4e-4.
    for part in ("networks", "optimizers"):
        found, expected = (
            np.concatenate(
                [
                    np.ravel(variable.numpy()).astype(np.float64)
                    for owner in getattr(model, part).values()
                    for variable in owner.variables
                ]
            )
            for model in (loaded, gan)
        )
        assert np.abs(found - expected).mean() < 1e-5
    assert np.abs(loaded.sample(3, seed=1) - gan.sample(3, seed=1)).mean() < 1e-3


def test_gan_with_an_unregistered_loss_cannot_be_saved(tmp_path):
    mine = losses.Loss(losses.hinge_discriminator_loss, losses.wasserstein_generator_loss)
    with pytest.raises(ValueError, match="if its loss has a name in tfpaths.losses.LOSSES"):
        players(mine).save(tmp_path / "gan.keras")


def test_reported_discriminator_loss_excludes_the_penalty():
    reported = players("wasserstein", penalties.InterpolationPenalty()).train_step(tf.constant(REAL))
    np.testing.assert_allclose(reported["discriminator_loss"], W * B - W * REAL.mean(), rtol=1e-6)


def test_each_discriminator_update_uses_its_own_batch():
    gan = players("wasserstein", discriminator_steps=3)
    gan.train_step(*(tf.constant(REAL + shift) for shift in range(3)))
    # Each update adds rate * (mean(x) - b) to w; the three batches have means m, m + 1 and m + 2.
    w = W + RATE * sum(REAL.mean() + shift - B for shift in range(3))
    np.testing.assert_allclose(parameters(gan), (w, B + RATE * w), rtol=1e-5)
    assert int(gan.discriminator_optimizer.iterations) == 3
    assert int(gan.generator_optimizer.iterations) == 1
    assert gan.step == 1


def test_number_of_batches_is_one_or_one_per_update():
    gan = players("wasserstein", discriminator_steps=3)
    gan.train_step(tf.constant(REAL))
    np.testing.assert_allclose(parameters(gan)[0], W + 3 * RATE * (REAL.mean() - B), rtol=1e-5)
    with pytest.raises(ValueError, match="1 or 3 real batches, received 2"):
        gan.train_step(tf.constant(REAL), tf.constant(REAL))


def test_latents_differ_by_update_and_repeat_for_a_seed():
    def drawn(seed):
        seen = []

        class Spy(keras.layers.Layer):
            def call(self, z):
                if tf.executing_eagerly():
                    seen.append(np.asarray(z))
                return z

        generator = keras.Sequential([keras.Input((1,)), Spy(), keras.layers.Dense(1)])
        gan = GAN(generator, linear([W]), loss="wasserstein", discriminator_steps=2, seed=seed)
        gan.compile(generator_optimizer=keras.optimizers.SGD(0.0), discriminator_optimizer=keras.optimizers.SGD(0.0))
        seen.clear()
        for _ in range(2):
            gan.train_step(tf.constant(REAL))
        return seen

    first = drawn(0)
    assert len(first) == 6  # (2 discriminator updates and 1 generator update) in each of 2 steps
    assert len({z.tobytes() for z in first}) == 6
    np.testing.assert_array_equal(first, drawn(0))
    assert not np.array_equal(first, drawn(1))


def test_weights_are_clipped_before_the_generator_update():
    gan = players("wasserstein", weight_clip=0.01)
    gan.train_step(tf.constant(REAL))
    # w would leave the box upwards; the generator must see 0.01: b - rate * (-0.01).
    np.testing.assert_allclose(parameters(gan), (0.01, B + RATE * 0.01), rtol=1e-6)


def trained(strategy, batches, loss, penalty, steps_per_execution=1):
    with strategy.scope():
        gan = players(loss, penalty and penalties.get(penalty)())
        gan.steps_per_execution = steps_per_execution
    data = tf.data.Dataset.from_tensor_slices(batches)
    gan.fit(data, verbose=0)
    return parameters(gan)


def stepped(batches, loss, penalty):
    """As `trained` on one device, but without compiling."""
    gan = players(loss, penalty and penalties.get(penalty)())
    for batch in batches:
        gan.train_step(tf.constant(batch))
    return parameters(gan)


@pytest.mark.parametrize("penalty", [None, "interpolation"])
@pytest.mark.parametrize("loss", sorted(losses.LOSSES))
def test_two_replicas_equal_one_device_on_the_joined_batches(loss, penalty, two_replicas):
    # The penalty of a linear critic is the same at every point, so its randomness does not matter here.
    batches = np.random.default_rng(0).normal(size=(4, 8, 1)).astype(np.float32)
    one = stepped(batches, loss, penalty)
    two = trained(two_replicas, batches, loss, penalty, steps_per_execution=2)
    np.testing.assert_allclose(two, one, rtol=1e-5)
    # The mean over a replica's own half differs from that over the batch, so the test can fail.
    assert not np.allclose(one, stepped(batches[:, :4], loss, penalty), rtol=1e-5)


@pytest.mark.parametrize("steps_per_execution", [2, 4])
def test_steps_per_execution_does_not_change_the_result(steps_per_execution):
    batches = np.random.default_rng(0).normal(size=(8, 4, 1)).astype(np.float32)
    one = trained(tf.distribute.get_strategy(), batches, "minimax", "dragan")
    np.testing.assert_array_equal(
        trained(tf.distribute.get_strategy(), batches, "minimax", "dragan", steps_per_execution), one
    )


def test_two_replicas_clip_and_count_like_one(two_replicas):
    batches = np.random.default_rng(1).normal(size=(4, 8, 1)).astype(np.float32)

    def run(strategy):
        with strategy.scope():
            gan = players("wasserstein", weight_clip=0.72, discriminator_steps=2)
        gan.fit(tf.data.Dataset.from_tensor_slices(batches), verbose=0)
        return (*parameters(gan), gan.step, int(gan.discriminator_optimizer.iterations.numpy()))

    one = run(tf.distribute.get_strategy())
    np.testing.assert_allclose(run(two_replicas), one, rtol=1e-5)
    assert one[2:] == (2, 4)


def test_epoch_is_one_pass_and_labels_are_ignored():
    gan = players("wasserstein", discriminator_steps=3)
    data = tf.data.Dataset.from_tensor_slices((np.tile(REAL, (7, 1)), np.zeros(28))).batch(4)
    history = gan.fit(data, epochs=2, verbose=0)
    assert gan.step == 4  # 7 batches hold 2 steps of 3
    assert len(history.history["generator_loss"]) == 2


def test_all_steps_use_one_trace():
    gan = players("minimax", penalties.DRAGANPenalty())
    gan.fit(tf.data.Dataset.from_tensors(REAL).repeat(5), verbose=0)
    gan.fit(tf.data.Dataset.from_tensors(REAL).repeat(3), verbose=0)
    assert gan.train_function.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("loss", sorted(losses.LOSSES))
def test_a_step_compiles_under_xla(loss):
    gan = players(loss, penalties.InterpolationPenalty())
    gan.compile(
        generator_optimizer=keras.optimizers.SGD(RATE), discriminator_optimizer=keras.optimizers.SGD(RATE),
        jit_compile=True,
    )  # fmt: skip
    gan.fit(tf.data.Dataset.from_tensors(REAL), verbose=0)
    (traced,) = gan.train_function._list_all_concrete_functions()
    functions = traced.graph.as_graph_def().library.function
    assert any("_XlaMustCompile" in node.attr for function in functions for node in function.node_def)
    plain = players(loss, penalties.InterpolationPenalty())
    plain.train_step(tf.constant(REAL))
    np.testing.assert_allclose(parameters(gan), parameters(plain), rtol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", FAMILIES)
def test_networks_and_precisions_train(name, precision):
    options, (_, shape, *_) = FAMILIES[name]
    sizes = config.Networks(name=name, latent_dim=4, **options)
    gan = GAN(*networks.build(sizes, shape, precision=precision), loss="minimax", penalty=penalties.DRAGANPenalty())
    optimizers = [keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-3)) for _ in range(2)]
    if precision != "mixed_float16":
        optimizers = [keras.optimizers.Adam(1e-3) for _ in range(2)]
    gan.compile(generator_optimizer=optimizers[0], discriminator_optimizer=optimizers[1])
    before = [v.numpy() for v in gan.trainable_variables]
    logs = gan.fit(tf.data.Dataset.from_tensors(tf.random.stateless_uniform((4, *shape), [0, 1])), verbose=0).history
    assert all(np.isfinite(values).all() for values in logs.values())
    # Under float16 the first loss scale may overflow, and the optimiser then skips the step by design.
    if precision != "mixed_float16":
        assert all(np.any(v.numpy() != old) for v, old in zip(gan.trainable_variables, before, strict=True))


def test_samples_repeat_for_a_seed():
    generator, _ = networks.build(config.Networks(generator_filters=4), (28, 28, 3))
    gan = GAN(generator, linear([1.0]), loss="minimax")
    one = gan.sample(4, seed=1)
    assert one.shape == (4, 28, 28, 3)
    assert one.dtype == tf.float32
    assert np.abs(one).max() <= 1
    np.testing.assert_array_equal(gan.sample(4, seed=1), one)
    assert not np.array_equal(gan.sample(4, seed=2), one)


def test_batch_norm_with_a_penalty_warns():
    critic = keras.Sequential([keras.Input((1,)), keras.layers.BatchNormalization(name="bn"), keras.layers.Dense(1)])
    with pytest.warns(UserWarning, match=r"\(bn\)"):
        GAN(constant_generator(B), critic, loss="minimax", penalty=penalties.DRAGANPenalty())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GAN(constant_generator(B), critic, loss="minimax")


def test_invalid_arguments_are_refused():
    with pytest.raises(ValueError, match="at least 1, received 0"):
        players("minimax", discriminator_steps=0)
    with pytest.raises(ValueError, match="weight_clip: expected a number above zero"):
        players("minimax", weight_clip=-1.0)
    with pytest.raises(errors.InputError, match="did you mean 'minimax'"):
        players("minmax")
    # Two batches hold no step of three updates; an endless epoch of zero steps would follow.
    with pytest.raises(ValueError, match="received 0 steps"):
        players("minimax", discriminator_steps=3).fit(tf.data.Dataset.from_tensors(REAL).repeat(2), verbose=0)
    with pytest.raises(ValueError, match="Expected a tf.data.Dataset"):
        players("minimax", discriminator_steps=3).fit(REAL, verbose=0)
    by_two = players("minimax")
    by_two.steps_per_execution = 2
    with pytest.raises(ValueError, match="multiple of 2 steps in an epoch"):
        by_two.fit(tf.data.Dataset.from_tensors(REAL).repeat(3), verbose=0)
    gan = GAN(constant_generator(B), linear([W]), loss="minimax")
    same = keras.optimizers.SGD(0.1)
    with pytest.raises(ValueError, match="same object twice"):
        gan.compile(generator_optimizer=same, discriminator_optimizer=same)
