"""Optimistic optimisers: the updates in NumPy, the roots of the linear game, and WGAN's linear example."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import linear

from tfpaths import losses
from tfpaths.games.simultaneous import Simultaneous
from tfpaths.networks import ensembles, fast
from tfpaths.networks.optimistic import Optimistic, OptimisticAdam
from tfpaths.optimizers import OPTIMIZERS

GRADIENTS = np.random.default_rng(0).normal(size=(6, 3, 2)).astype(np.float32)  # [steps, runs, 2]
RATE, BETA_1, BETA_2 = 0.1, 0.5, 0.9


def descended(gradients, rate):
    """w <- w - 2 rate g_t + rate g_(t-1), from w = 0."""
    w, previous = np.zeros_like(gradients[0]), np.zeros_like(gradients[0])
    for g in gradients:
        w, previous = w - 2 * rate * g + rate * previous, g
    return w


def adam_descended(gradients, rate, beta_1, beta_2):
    """Algorithm 1 of Daskalakis et al. with the epsilon of Keras, from w = 0."""
    w = m = v = previous = np.zeros_like(gradients[0])
    for t, g in enumerate(gradients, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        # The root of v / (1 - beta_2^t), with epsilon in the same proportion.
        step = rate * m / (1 - beta_1**t) / ((np.sqrt(v) + 1e-7) / np.sqrt(1 - beta_2**t))
        w, previous = w - 2 * step + previous, step
    return w


OPTIMISTIC = {
    "optimistic": (lambda: Optimistic(RATE), lambda g: descended(g, RATE)),
    "optimistic_adam": (
        lambda: OptimisticAdam(RATE, beta_1=BETA_1, beta_2=BETA_2),
        lambda g: adam_descended(g, RATE, BETA_1, BETA_2),
    ),
    "without momentum": (
        lambda: OptimisticAdam(RATE, beta_1=0.0, beta_2=0.0),
        lambda g: adam_descended(g, RATE, 0.0, 0.0),
    ),
}


def apply(optimizer, w, gradients, *, jit=False):
    step = tf.function(lambda g: optimizer.apply([g], [w]), jit_compile=jit)
    for g in gradients:
        step(tf.constant(g))
    return w.numpy()


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("name", OPTIMISTIC)
def test_updates_are_numpys(name, jit):
    make, expected = OPTIMISTIC[name]
    optimizer, w = make(), keras.Variable(np.zeros((3, 2), np.float32))
    optimizer.build([w])
    found = apply(optimizer, w, GRADIENTS, jit=jit)
    np.testing.assert_allclose(found, expected(GRADIENTS.astype(np.float64)), rtol=1e-4, atol=1e-6)
    # Twice Adam's step is another update, from the second step on.
    plain, other = keras.optimizers.Adam(2 * RATE, beta_1=BETA_1, beta_2=BETA_2), keras.Variable(np.zeros((3, 2)))
    plain.build([other])
    assert not np.allclose(apply(plain, other, GRADIENTS), found, rtol=0.05)


@pytest.mark.parametrize("name", OPTIMISTIC)
def test_stored_state_continues_exactly(name):
    make, _ = OPTIMISTIC[name]
    optimizer, w = make(), keras.Variable(np.zeros((3, 2), np.float32))
    optimizer.build([w])
    apply(optimizer, w, GRADIENTS[:3])
    restored = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(restored) is type(optimizer)
    assert restored.get_config() == optimizer.get_config()
    copy = keras.Variable(w.numpy())
    restored.build([copy])
    for one, other in zip(restored.variables, optimizer.variables, strict=True):
        one.assign(other)
    np.testing.assert_array_equal(apply(restored, copy, GRADIENTS[3:]), apply(optimizer, w, GRADIENTS[3:]))


def test_runs_have_their_own_options():
    columns = {"learning_rate": [0.1, 0.01, 0.5], "beta_1": [0.0, 0.5, 0.9], "beta_2": [0.9, 0.99, 0.5]}
    variables = {name: tf.Variable(values) for name, values in columns.items()}
    optimizer, w = OptimisticAdam(7.0), keras.Variable(np.zeros((3, 2), np.float32))
    optimizer.build([w])
    ensembles.with_values_of_runs(optimizer, variables)
    found = apply(optimizer, w, GRADIENTS)
    plain, other = Optimistic(7.0), keras.Variable(np.zeros((3, 2), np.float32))
    plain.build([other])
    ensembles.with_values_of_runs(plain, {"learning_rate": variables["learning_rate"]})
    found_plain = apply(plain, other, GRADIENTS)
    for run, options in enumerate(zip(*columns.values(), strict=True)):
        of_run = GRADIENTS[:, run].astype(np.float64)
        np.testing.assert_allclose(found[run], adam_descended(of_run, *options), rtol=5e-4, atol=1e-6)
        np.testing.assert_allclose(found_plain[run], descended(of_run, options[0]), rtol=1e-4, atol=1e-6)
    assert (optimizer.beta_1, float(optimizer.learning_rate)) == (0.9, 7.0)


def test_amsgrad_is_refused():
    with pytest.raises(ValueError, match="amsgrad: expected False"):
        OptimisticAdam(amsgrad=True)


@pytest.mark.parametrize("name", ["optimistic", "optimistic_adam"])
def test_two_replicas_equal_one_device(name, two_replicas):
    def trained(strategy):
        with strategy.scope():
            w = keras.Variable(np.zeros(2, np.float32))
            optimizer = OPTIMIZERS[name](RATE, fast.IMPLEMENTATIONS["fast"])
            optimizer.build([w])
        # Keras sums the gradients of all replicas.
        share = 1 / strategy.num_replicas_in_sync

        @tf.function
        def step(g):
            strategy.run(lambda: optimizer.apply([share * g], [w]))

        for g in GRADIENTS[:, 0]:
            step(tf.constant(g))
        return w.numpy()

    np.testing.assert_allclose(trained(two_replicas), trained(tf.distribute.get_strategy()), rtol=1e-5)


def roots(eigenvalue, rate):
    """The factors of mu^2 - (1 + 2 h lambda) mu + h lambda = 0."""
    return np.roots([1, -(1 + 2 * rate * eigenvalue), rate * eigenvalue])


@pytest.mark.parametrize(("product", "stable"), [(0.1, True), (0.57, True), (0.585, False)])
def test_roots_bound_the_rate(product, stable):
    # A rotation with eigenvalues ±i: all roots are inside the unit circle for h < 1 / sqrt(3) = 0.577.
    expected = np.abs(roots(1j, product)).max()
    assert (expected < 1) == stable
    assert abs(1 + 1j * product) > 1  # gradient descent
    optimizer, w = Optimistic(product), keras.Variable(np.array([1.0, 0.0], np.float32))
    optimizer.build([w])
    turn = tf.constant([[0.0, -1.0], [1.0, 0.0]])
    norms = [1.0]
    for _ in range(400):
        optimizer.apply([tf.linalg.matvec(turn, w.value)], [w])
        norms.append(float(tf.norm(w.value)))
    # A weighted mean of many steps: with the second root the first ones differ.
    assert (norms[400] / norms[300]) ** 0.01 == pytest.approx(expected, rel=1e-3)


V = np.array([3.0, 4.0], np.float32)


class Shift(keras.layers.Layer):
    """G(z) = z + theta."""

    def build(self, input_shape):
        self.theta = self.add_weight(shape=(2,), initializer=keras.initializers.Constant(1.7))

    def call(self, z):
        return z + self.theta


class Exact(Simultaneous):
    """z and x have mean exactly 0 and V: the game of Daskalakis et al., section 3, without sampling."""

    def latents(self, num, stream):
        return tf.zeros([1, 2])


def distance_after(name, steps, rate=0.1):
    """The distance of (w, theta) from (0, V) after some steps: D(x) = w · x, from w = 1.4, theta = 1.7."""
    generator = keras.Sequential([keras.Input((2,)), Shift()])
    gan = Exact(generator, linear([1.4, 1.4]), loss=losses.get("wasserstein"))
    made = {
        f"{player}_optimizer": OPTIMIZERS[name](rate, fast.IMPLEMENTATIONS["fast"])
        for player in ("generator", "discriminator")
    }
    gan.compile(**made)
    step = tf.function(lambda: gan.train_step(tf.constant(V[np.newaxis])))
    for _ in range(steps):
        step()
    return float(
        np.hypot(np.linalg.norm(gan.discriminator.get_weights()[0]), np.linalg.norm(gan.generator.get_weights()[0] - V))
    )


def test_linear_wgan_converges_with_optimism_only():
    start = np.hypot(1.4 * np.sqrt(2), np.hypot(1.3, 2.3))
    assert distance_after("sgd", 100) == pytest.approx(start * np.hypot(1, 0.1) ** 100, rel=1e-3)
    # The larger root decides: |mu| = 0.99503.
    factor = np.abs(roots(1j, 0.1)).max()
    found = [distance_after("optimistic", steps) for steps in (500, 1_000)]
    assert found[1] < 0.03
    assert (found[1] / found[0]) ** (1 / 500) == pytest.approx(factor, rel=1e-4)
