"""Penalties of critics with known gradients, and a test for each error found in public code."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import linear

from tfpaths import errors, numerics, penalties, streams

REAL = tf.constant(np.random.default_rng(1).normal(size=(64, 2)), tf.float32)
FAKE = tf.constant(np.random.default_rng(2).normal(size=(64, 2)) + 3.0, tf.float32)
STREAM = streams.root(7)
EVERY = sorted(penalties.PENALTIES)
# Those of one gradient norm at points of their own.
OF_NORM = [name for name in EVERY if issubclass(penalties.PENALTIES[name], penalties.GradientPenalty)]


def quadratic():
    """D(x) = |x|^2 / 2, whose gradient is x."""
    inputs = keras.Input((2,))
    outputs = keras.layers.Lambda(lambda x: tf.reduce_sum(x**2, axis=1, keepdims=True) / 2, output_shape=(1,))(inputs)
    return keras.Model(inputs, outputs)


def quadratic_penalty(points, weight=10.0, target=1.0):
    return weight * np.mean((np.linalg.norm(np.asarray(points, np.float64), axis=1) - target) ** 2)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("interpolation", 160.0), ("dragan", 160.0), ("one_sided", 160.0), ("r1", 125.0), ("r2", 125.0)],
)
def test_a_linear_critic(name, expected):
    # D(x) = 3 x1 + 4 x2 has a gradient of norm 5 everywhere: 10 (5 - 1)^2 = 160; zero-centred, 5 * 5^2 = 125.
    value = penalties.get(name)()(linear([3.0, 4.0]), REAL, FAKE)
    assert value.shape == ()
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_r1_uses_real_and_r2_generated_examples():
    np.testing.assert_allclose(
        penalties.R1Penalty()(quadratic(), REAL, FAKE), quadratic_penalty(REAL, 5.0, 0.0), rtol=1e-5
    )
    np.testing.assert_allclose(
        penalties.R2Penalty()(quadratic(), REAL, FAKE), quadratic_penalty(FAKE, 5.0, 0.0), rtol=1e-5
    )
    # The gamma / 2 of the paper: gamma = 10 before the mean of the squared norm.
    squares = (REAL.numpy().astype(np.float64) ** 2).sum(axis=1)
    np.testing.assert_allclose(penalties.R1Penalty()(quadratic(), REAL, FAKE), 10 / 2 * squares.mean(), rtol=1e-5)


def test_one_sided_penalty_uses_the_interpolated_points():
    norms = np.linalg.norm(penalties.interpolate(REAL, FAKE, STREAM).numpy().astype(np.float64), axis=1)
    assert (norms < 1).any()
    expected = 10 * np.mean(np.maximum(norms - 1, 0) ** 2)
    np.testing.assert_allclose(penalties.OneSidedPenalty()(quadratic(), REAL, FAKE, stream=STREAM), expected, rtol=1e-5)


# Every penalty with the numbers of Gulrajani et al., so that one table of expectations serves them all.
def common(name, **options):
    return penalties.get(name)(**{"weight": 10.0, "target": 1.0, **options})


@pytest.mark.parametrize(("weights", "expected"), [([0.3, 0.4], 0.0), ([3.0, 4.0], 160.0)])
def test_one_sided_ignores_small_gradients(weights, expected):
    # Norms of 0.5 and 5 against a target of 1.
    penalty = penalties.InterpolationPenalty(one_sided=True)
    np.testing.assert_allclose(penalty(linear(weights), REAL, FAKE), expected, rtol=1e-6)


@pytest.mark.parametrize("name", OF_NORM)
def test_target_and_weight(name):
    # (5 - 2)^2 = 9, times 3.
    np.testing.assert_allclose(penalties.get(name)(weight=3.0, target=2.0)(linear([3.0, 4.0]), REAL, FAKE), 27.0, 1e-6)


@pytest.mark.parametrize("name", OF_NORM)
def test_zero_critic_has_a_finite_gradient(name):
    # Without an epsilon under the root this is NaN. At g = 0 the penalty is 10 (0 - 1)^2.
    critic = linear([0.0, 0.0])
    with tf.GradientTape() as tape:
        value = common(name, one_sided=False)(critic, REAL, FAKE)
    gradient = tape.gradient(value, critic.trainable_variables[0])
    np.testing.assert_allclose(value, 10.0, rtol=1e-5)
    np.testing.assert_allclose(gradient, np.zeros((2, 1)), atol=1e-4)


@pytest.mark.parametrize("name", OF_NORM)
def test_norm_of_one_has_no_penalty(name):
    # Code that adds 1e-4 under the root reads 0.9801 of the penalty where g = 0, and 2.5e-8 here.
    np.testing.assert_allclose(common(name)(linear([0.6, 0.8]), REAL, FAKE), 0.0, atol=1e-11)


def test_interpolation_at_its_points():
    points = penalties.interpolate(REAL, FAKE, STREAM)
    value = penalties.InterpolationPenalty()(quadratic(), REAL, FAKE, stream=STREAM)
    np.testing.assert_allclose(value, quadratic_penalty(points), rtol=1e-5)


def test_interpolation_draws_one_number_per_example():
    # real = 1, fake = 0: the points are a itself. A normal a leaves [0, 1]; one a for the batch has no spread; one per
    # element differs within an example.
    points = penalties.interpolate(tf.ones([4096, 3, 3, 2]), tf.zeros([4096, 3, 3, 2]), STREAM).numpy()
    a = points[:, 0, 0, 0]
    np.testing.assert_array_equal(points, np.broadcast_to(a[:, None, None, None], points.shape))
    assert a.min() >= 0
    assert a.max() < 1
    # Kolmogorov-Smirnov against U[0, 1): at 4,096 draws a distance of 0.03 has a probability of 0.1 %.
    assert np.abs(np.sort(a) - (np.arange(4096) + 0.5) / 4096).max() < 0.03


def dragan_noise(**options):
    """(p - x) / (c std), from a real batch of known spread."""
    real = tf.constant(np.random.default_rng(3).normal(scale=2.0, size=(4096, 5)), tf.float32)
    points = penalties.perturb(real, STREAM, noise_scale=0.5, **options)
    return ((points - real) / (0.5 * np.std(real.numpy()))).numpy()


def test_dragan_default_matches_the_authors_notebook():
    # a u with a, u ~ U[0, 1), one a per example: mean 1/4, variance 1/9 - 1/16 = 0.0486, correlated within an example:
    # E[a^2] E[u]^2 - 1/16 = 1/12 - 1/16 = 0.0208.
    noise = dragan_noise()
    assert noise.min() >= 0
    assert noise.max() < 1
    np.testing.assert_allclose(noise.mean(), 1 / 4, atol=0.01)
    np.testing.assert_allclose(noise.var(), 1 / 9 - 1 / 16, atol=0.004)
    np.testing.assert_allclose(np.cov(noise[:, 0], noise[:, 1])[0, 1], 1 / 12 - 1 / 16, atol=0.004)


def test_dragan_centered_uniform_noise():
    # u ~ U[-1/2, 1/2): mean 0, variance 1/12, independent within an example.
    noise = dragan_noise(noise="centered_uniform", interpolated=False)
    assert noise.min() >= -0.5
    assert noise.max() < 0.5
    np.testing.assert_allclose(noise.mean(), 0, atol=0.01)
    np.testing.assert_allclose(noise.var(), 1 / 12, atol=0.002)
    np.testing.assert_allclose(np.cov(noise[:, 0], noise[:, 1])[0, 1], 0, atol=0.005)


def test_dragan_clip_keeps_points_in_the_image_range():
    layer = penalties.DRAGANPenalty(noise="centered_uniform", noise_scale=1.0, interpolate=False, clip=True)
    real = tf.constant(np.random.default_rng(5).uniform(-1, 1, (256, 4)), tf.float32)
    u = STREAM.fold(0).uniform(real.shape).numpy() - 0.5
    expected = np.clip(real.numpy() + np.std(real.numpy()) * u, -1, 1)
    points = layer.points(real, real, STREAM, 1).numpy()
    np.testing.assert_allclose(points, expected, atol=1e-6)
    assert (np.abs(points) == 1).any()


def test_dragan_gaussian_noise():
    noise = dragan_noise(noise="gaussian", interpolated=False)
    np.testing.assert_allclose((noise.mean(), noise.var()), (0, 1), atol=0.03)
    # The fourth moment, 3, tells a normal distribution from a uniform one, 1.8.
    np.testing.assert_allclose((noise**4).mean(), 3, atol=0.2)


def test_dragan_on_the_probability():
    # D = 3 x1 + 4 x2: the gradient of sigmoid(D) is s (1 - s) (3, 4), of norm 5 s (1 - s).
    points = penalties.perturb(REAL, STREAM).numpy().astype(np.float64)
    s = 1 / (1 + np.exp(-points @ [3.0, 4.0]))
    expected = 10 * np.mean((5 * s * (1 - s) - 1) ** 2)
    value = penalties.DRAGANPenalty(on_probability=True)(linear([3.0, 4.0]), REAL, FAKE, stream=STREAM)
    np.testing.assert_allclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"noise": "gaussian", "interpolate": False}, {"noise": "centered_uniform"}])
def test_dragan_at_its_points(options):
    arguments = {"interpolated" if key == "interpolate" else key: value for key, value in options.items()}
    points = penalties.perturb(REAL, STREAM, **arguments)
    value = penalties.DRAGANPenalty(**options)(quadratic(), REAL, FAKE, stream=STREAM)
    np.testing.assert_allclose(value, quadratic_penalty(points), rtol=1e-5)


@pytest.mark.parametrize("shape", [(6,), (4, 4, 1), (4, 4, 3), (4, 4, 5)])
@pytest.mark.parametrize("name", OF_NORM)
def test_norm_is_per_example_over_all_axes(name, shape):
    # D(x) = sum x: the norm is sqrt(number of elements). Over one axis or over the whole batch it is something else.
    size = int(np.prod(shape))
    critic = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(1)])
    critic.layers[1].kernel.assign(tf.ones([size, 1]))
    real = tf.random.stateless_normal((8, *shape), [1, 2])
    value = common(name)(critic, real, -real)
    np.testing.assert_allclose(value, 10 * (np.sqrt(size) - 1) ** 2, rtol=1e-5)


@pytest.mark.parametrize("name", OF_NORM)
def test_gradient_of_the_penalty_by_hand(name):
    # |w| = 5: d/dw 10 (|w| - 1)^2 = 20 (|w| - 1) w / |w| = 16 w, a second derivative of D.
    critic = linear([3.0, 4.0])
    with tf.GradientTape() as tape:
        value = common(name)(critic, REAL, FAKE)
    gradient = tape.gradient(value, critic.trainable_variables[0])
    np.testing.assert_allclose(gradient, [[48.0], [64.0]], rtol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_layer_contract(name):
    penalty = penalties.get(name)(weight=3.0, seed=5, name="mine")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(penalty))
    assert type(again) is type(penalty)
    assert again.get_config() == penalty.get_config()
    critic = quadratic()
    np.testing.assert_array_equal(penalty(critic, REAL, FAKE), again(critic, REAL, FAKE))
    # Its own stream advances from call to call; a stream that is passed in decides alone.
    if name not in ("r1", "r2", "roth"):  # which draw nothing
        assert float(penalty(critic, REAL, FAKE)) != float(penalty(critic, REAL, FAKE))
    np.testing.assert_array_equal(
        penalty(critic, REAL, FAKE, stream=STREAM), penalty(critic, REAL, FAKE, stream=STREAM)
    )
    graph = tf.function(lambda real, fake: penalty(critic, real, fake, stream=STREAM))
    np.testing.assert_allclose(graph(REAL, FAKE), penalty(critic, REAL, FAKE, stream=STREAM), rtol=1e-6)
    assert not penalty.trainable_variables


@pytest.mark.parametrize("name", OF_NORM)
def test_float32_under_a_half_precision_policy(name):
    seen = []

    def spy(x):
        seen.append(x)
        return tf.reduce_sum(x, axis=1, keepdims=True)

    critic = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(spy, output_shape=(1,), dtype="float32")])
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        layer = common(name)
        value = layer(critic, REAL, FAKE, stream=STREAM)
        also = layer(critic, tf.cast(REAL, tf.bfloat16), tf.cast(FAKE, tf.bfloat16))
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    assert value.dtype == also.dtype == tf.float32
    # The points are not rounded to bfloat16 on the way, which a layer's usual cast of its inputs would do.
    np.testing.assert_array_equal(seen[-2], layer.points(REAL, FAKE, STREAM, 1))
    np.testing.assert_allclose(value, 10 * (np.sqrt(2) - 1) ** 2, rtol=1e-6)


def test_custom_penalty_defines_only_points():
    class OnFake(penalties.GradientPenalty):
        def points(self, real, fake, stream, batch_axes):
            return fake

    value = OnFake(target=0.0, weight=1.0)(quadratic(), REAL, FAKE)
    np.testing.assert_allclose(value, quadratic_penalty(FAKE, 1.0, 0.0), rtol=1e-5)
    with pytest.raises(NotImplementedError, match="define points"):
        penalties.GradientPenalty()(quadratic(), REAL, FAKE)


def test_invalid_arguments_are_refused():
    with pytest.raises(ValueError, match="fake of the shape of real"):
        penalties.InterpolationPenalty()(quadratic(), REAL, FAKE[:3])
    with pytest.raises(errors.InputError, match="did you mean 'dragan'"):
        penalties.get("dragon")
    with pytest.raises(errors.InputError, match="did you mean 'uniform'"):
        penalties.DRAGANPenalty(noise="unifrom")
    for options in ({"weight": -1.0}, {"weight": float("nan")}, {"target": -1.0}, {"noise_scale": 0.0}):
        with pytest.raises(errors.InputError, match=next(iter(options))):
            penalties.DRAGANPenalty(**options)


def test_norm_keeps_the_batch_axes():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    np.testing.assert_allclose(
        numerics.per_example_norm(tf.constant(x), batch_axes=2), np.sqrt((x**2).sum(axis=(2, 3))), rtol=1e-6
    )
    with pytest.raises(ValueError, match="at least 2 axes"):
        numerics.per_example_norm(tf.zeros([3]), batch_axes=2)


def test_norm_of_half_precision_is_computed_in_float32():
    # 300^2 * 2 overflows float16.
    norm = numerics.per_example_norm(tf.constant([[300.0, 300.0]], tf.float16))
    assert norm.dtype == tf.float32
    np.testing.assert_allclose(norm, [300 * np.sqrt(2)], rtol=1e-6)
