"""Refinement by Langevin dynamics: the law after each step, exact for quadratic and linear functions."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpaths import errors, refinement, streams

NUM = 20_000
# D(x) = -(A / 2) |x - MU|^2: log p of an example, in each of two coordinates.
A, MU = 0.8, 0.3
# G(z) = s z + b. Examples are near the middle of [-1, 1], where no clipping binds.
SLOPE = {"example": (0.05, 0.1), "latent": (1.0, 0.1)}


def quadratic(x, training):
    return -0.5 * A * tf.reduce_sum(tf.square(x - MU), axis=1, keepdims=True)


def latents(num=NUM):
    return streams.root(5).normal([num, 2])


def law(dynamics, steps):
    """Mean and variance of y after some steps, by hand, from z ~ N(0, 1) in each coordinate."""
    slope, shift = SLOPE[dynamics.space]
    if dynamics.space == "example":
        curvature, middle, mean, variance = A, MU, shift, slope**2
    else:
        # The gradient by z is s · (-A) (s z + b - MU), and -z of the prior.
        curvature = A * slope**2 + dynamics.has_prior
        middle, mean, variance = A * slope * (MU - shift) / curvature, 0.0, 1.0
    e, noise = dynamics.step_size, dynamics.step_size * dynamics.temperature
    factor = 1 - e * curvature / 2
    for _ in range(steps):
        first, last = (noise, 0) if dynamics.noise_first else (0, noise)
        variance = factor**2 * (variance + first) + last
    return middle + factor**steps * (mean - middle), variance, curvature


def check_moments(values, mean, variance):
    """Checks mean and variance, each within four of its standard errors."""
    values = np.asarray(values, np.float64)
    assert abs(values.mean() - mean) < 4 * np.sqrt(variance / values.size)
    assert abs(values.var() - variance) < 4 * variance * np.sqrt(2 / values.size)


@pytest.mark.parametrize("name", refinement.DYNAMICS)
def test_law_after_each_step(name):
    # At temperature 1, 0.01 is a small step: a larger one tells e from e^2, and the limit is reached.
    dynamics = refinement.get(name, step_size=0.3 if refinement.DYNAMICS[name].temperature == 1 else None)
    slope, shift = SLOPE[dynamics.space]
    for steps in (1, 2, 5, 80):
        samples = refinement.refine(lambda z: slope * z + shift, quadratic, latents(), dynamics, steps=steps)
        mean, variance, curvature = law(dynamics, steps)
        y = samples if dynamics.space == "example" else (samples - shift) / slope
        check_moments(y, mean, variance)
    e, temperature = dynamics.step_size, dynamics.temperature
    if dynamics.noise_first:
        factor = 1 - e * curvature / 2
        stationary = e * temperature * factor**2 / (1 - factor**2)
    else:
        stationary = temperature / (curvature * (1 - e * curvature / 4))
    assert variance == pytest.approx(stationary, rel=1e-4)


def test_temperatures_of_the_released_code():
    # Noise of standard deviation t = 0.005 and a step h = e / 2; for small h a, a variance of t^2 / (2 h a).
    for name, h, expected in (("code_example", 1.0, 1.25e-5), ("code_latent", 0.5, 2.5e-5)):
        form = refinement.get(name)
        assert form.step_size / 2 == h
        assert np.sqrt(form.step_size * form.temperature) == pytest.approx(0.005)
        assert form.temperature == pytest.approx(0.005**2 / (2 * h))
        assert form.temperature == expected
        assert not form.has_prior
    t, a = 0.005, 1e-3
    assert t**2 * (1 - a) ** 2 / (1 - (1 - a) ** 2) == pytest.approx(1.25e-5 / a, rel=2e-3)


def test_gradients_and_examples_are_clipped():
    z = latents(50)
    # The slope 40 is clipped to 1: 0.2 + 1 is beyond the range, and -0.5 + 1 is 0.5 with the noise of one step.
    ramp = lambda x, training: 40.0 * x  # noqa: E731
    high = refinement.refine(lambda z: 0 * z + 0.2, ramp, z, refinement.get("code_example"), steps=1)
    np.testing.assert_array_equal(high, np.ones((50, 2)))
    middle = refinement.refine(lambda z: 0 * z - 0.5, ramp, z, refinement.get("code_example"), steps=1)
    check_moments(middle, 0.5, 0.005**2)
    low = refinement.refine(
        lambda z: 0 * z - 0.2, lambda x, training: -40 * x, z, refinement.get("code_example"), steps=9
    )
    np.testing.assert_array_equal(low, -np.ones((50, 2)))
    # The other forms clip nothing: 0.2 + 40 / 2, with noise of standard deviation 0.005.
    free = refinement.refine(lambda z: z, ramp, z, refinement.get("code_latent"), steps=1)
    check_moments(free - z, 20.0, 0.005**2)


def test_ddls_is_exact_for_linear_players():
    # G(z) = z M + b has the law p_g = N(b, M^T M). With D(x) = x w + c, p_g e^D is N(b + M^T M w, M^T M), and in the
    # space of latents N(M w, I), whatever c is. The step size adds its bias: the variance 1 / (1 - e / 4).
    m, b, w = np.array([[0.8, 0.3], [-0.2, 0.5]]), np.array([1.0, -2.0]), np.array([1.5, -0.7])
    e = 0.2
    z = refinement.refine(
        lambda z: tf.matmul(z, tf.constant(m, tf.float32)) + tf.constant(b, tf.float32),
        lambda x, training: tf.matmul(x, tf.constant(w[:, np.newaxis], tf.float32)) + 7.0,
        latents(),
        refinement.get("ddls", step_size=e),
        steps=100,
    ).numpy()
    variance = 1 / (1 - e / 4)
    whitened = (z - b) @ np.linalg.inv(m)
    for index, mean in enumerate(m @ w):
        check_moments(whitened[:, index], mean, variance)
    error = 4 * variance / np.sqrt(NUM)
    np.testing.assert_allclose(np.cov(whitened.T), variance * np.eye(2), atol=1.5 * error)
    # The exact law of x, but for the bias of 5 % in its covariance.
    np.testing.assert_allclose(z.mean(0), b + m.T @ m @ w, atol=0.04)
    np.testing.assert_allclose(np.cov(z.T), m.T @ m / 0.95, atol=0.04)


@pytest.mark.parametrize("name", refinement.DYNAMICS)
def test_no_step_is_the_generator(name):
    generator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, kernel_initializer="glorot_normal")])
    z = latents(7)
    for steps in (0, tf.constant(0)):
        samples = refinement.refine(generator, quadratic, z, refinement.get(name), steps=steps)
        np.testing.assert_array_equal(samples, generator(z))


@pytest.mark.parametrize("name", refinement.DYNAMICS)
def test_graph_equals_eager_and_tensors_equal_numbers(name):
    z, dynamics = latents(33), refinement.get(name)

    def refined(z, steps, step_size=None):
        return refinement.refine(lambda z: 0.1 * z, quadratic, z, dynamics, steps=steps, step_size=step_size)

    expected = refined(z, 6).numpy()
    assert np.abs(expected - 0.1 * z).min() > 0
    # As an export takes them.
    given = refined(z, tf.constant(6), tf.constant(dynamics.step_size))
    np.testing.assert_array_equal(given, expected)
    compiled = tf.function(refined, autograph=False)
    np.testing.assert_allclose(compiled(z, 6), expected, rtol=1e-5, atol=1e-7)
    by_xla = tf.function(refined, autograph=False, jit_compile=True)
    np.testing.assert_allclose(by_xla(z, 6), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        compiled(z, tf.constant(6), tf.constant(dynamics.step_size)), expected, rtol=1e-5, atol=1e-7
    )
    # The step size is that of the gradient and of the noise.
    other = refinement.refine(
        lambda z: 0.1 * z, quadratic, z, refinement.get(name, step_size=0.5 * dynamics.step_size), steps=6
    )
    np.testing.assert_array_equal(refined(z, 6, 0.5 * dynamics.step_size), other)
    assert np.abs(other - expected).min() > 0


@pytest.mark.parametrize(("name", "size"), [*((name, 2) for name in refinement.DYNAMICS), ("langevin", 600)])
def test_sample_does_not_depend_on_its_batch(name, size):
    z = latents(40)

    def refined(z):
        # Examples of many numbers are drawn by a program of XLA.
        generate = (lambda z: 0.1 * z) if size == 2 else (lambda z: 0.1 * tf.repeat(z, size // 2, axis=1))
        return refinement.refine(generate, quadratic, z, refinement.get(name), steps=5).numpy()

    whole = refined(z)
    for part in (slice(0, 1), slice(3, 20), slice(20, 40)):
        np.testing.assert_array_equal(refined(z[part]), whole[part])
    np.testing.assert_array_equal(refined(z[::-1]), whole[::-1])


@pytest.mark.parametrize("ahead", [1, 4, 7])
def test_noise_that_is_drawn_at_once_is_that_of_each_step(ahead, monkeypatch):
    z = latents(9)
    arguments = (lambda z: 0.1 * z, quadratic, z, refinement.get("langevin"))
    expected = refinement.refine(*arguments, steps=5)
    # One step at once; two, two and one; three and two.
    monkeypatch.setattr(refinement, "_AT_ONCE", ahead)
    np.testing.assert_array_equal(refinement.refine(*arguments, steps=5), expected)
    np.testing.assert_array_equal(refinement.refine(*arguments, steps=tf.constant(5)), expected)


def test_noise_that_is_drawn_at_once_is_bounded(monkeypatch):
    drawn, draw = [], streams.normal_of_keys

    def watched(keys, count, numbers):
        drawn.append((int(numbers[0]), len(numbers)))
        return draw(keys, count, numbers)

    monkeypatch.setattr(streams, "normal_of_keys", watched)
    monkeypatch.setattr(refinement, "_STEPS_AT_ONCE", 6)
    z = latents(3)
    # Parts of one size, for XLA; the last number is not used. A tensor's last part has what is left.
    refined = [
        refinement.refine(lambda z: 0.1 * z, quadratic, z, refinement.get("langevin"), steps=steps)
        for steps in (11, tf.constant(11), 13)
    ]
    assert drawn == [(0, 6), (6, 6), (0, 6), (6, 5), (0, 5), (5, 5), (10, 5)]
    np.testing.assert_array_equal(refined[0], refined[1])


def test_longer_chain_continues_a_shorter_one():
    # Its first steps have the same noise, so that one more step of the mean is the last step without noise.
    z, dynamics = latents(1000), refinement.get("langevin", step_size=0.3)
    before, after = (refinement.refine(lambda z: z, quadratic, z, dynamics, steps=steps).numpy() for steps in (4, 5))
    noise = after - (MU + (1 - 0.3 * A / 2) * (before - MU))
    check_moments(noise, 0.0, 0.3)
    assert abs(np.corrcoef(noise.ravel(), before.ravel())[0, 1]) < 4 / np.sqrt(noise.size)


def test_images_are_refined_by_the_discriminator_outside_training():
    seen = []

    class Watched(keras.layers.Layer):
        def call(self, x, training=None):
            seen.append(training)
            return x

    inputs = keras.Input((4, 4, 3))
    logits = keras.layers.Dense(1, kernel_initializer="ones")(keras.layers.Flatten()(Watched()(inputs)))
    discriminator = keras.Model(inputs, logits)
    seen.clear()
    images = tf.zeros([5, 4, 4, 3])
    samples = refinement.refine(lambda z: images, discriminator, latents(5), refinement.get("langevin"), steps=3)
    assert set(seen) == {False}
    # The slope is 1 everywhere: 3 · 0.01 / 2, and noise of variance 3 · 0.01.
    check_moments(samples, 0.015, 0.03)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"name": "ddsl"}, "unknown dynamics 'ddsl'; did you mean 'ddls'?"),
        ({"name": "ddls", "step_size": 0.0}, "step_size: expected a number above zero, received 0.0."),
        ({"name": "ddls", "temperature": -1.0}, "temperature: expected a number above zero, received -1.0."),
        ({"name": "ddls", "temperature": float("nan")}, "temperature: expected a number above zero, received nan."),
    ],
)
def test_invalid_dynamics_are_refused(arguments, line):
    with pytest.raises(errors.InputError, match="^" + re.escape(line)):
        refinement.get(**arguments)


def test_step_size_and_temperature_replace_those_of_the_form():
    form = refinement.get("ddls", step_size=0.5, temperature=2.0)
    assert (form.step_size, form.temperature, form.has_prior) == (0.5, 2.0, True)
    assert refinement.get("ddls") == refinement.DYNAMICS["ddls"]
