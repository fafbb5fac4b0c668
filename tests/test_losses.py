"""Every loss against NumPy in float64: values and gradients, over logits from -100 to 100."""

import numpy as np
import pytest
import tensorflow as tf
from helpers import registered
from scipy.special import expit

from tfpaths import errors, losses

LOGITS = np.concatenate([np.linspace(-100, 100, 81), [-1e-3, 0.25, 1e-3, 0.75]])


def softplus(t):
    return np.logaddexp(0.0, t)


# name -> the discriminator's two terms and the generator's, and their derivatives, per logit, from the papers.
ORACLES = {
    "minimax": (
        (lambda r: softplus(-r), lambda r: -expit(-r)),
        (softplus, expit),
        (lambda f: -softplus(f), lambda f: -expit(f)),
    ),
    "non_saturating": (
        (lambda r: softplus(-r), lambda r: -expit(-r)),
        (softplus, expit),
        (lambda f: softplus(-f), lambda f: -expit(-f)),
    ),
    "wasserstein": (
        (lambda r: -r, lambda r: -np.ones_like(r)),
        (lambda f: f, np.ones_like),
        (lambda f: -f, lambda f: -np.ones_like(f)),
    ),
    "least_squares": (
        (lambda r: (r - 1) ** 2 / 2, lambda r: r - 1),
        (lambda f: f**2 / 2, lambda f: f),
        (lambda f: (f - 1) ** 2 / 2, lambda f: f - 1),
    ),
    "hinge": (
        (lambda r: np.maximum(0, 1 - r), lambda r: -(r < 1).astype(float)),
        (lambda f: np.maximum(0, 1 + f), lambda f: (f > -1).astype(float)),
        (lambda f: -f, lambda f: -np.ones_like(f)),
    ),
}


# The losses that compare a generated logit with a real one: both terms, of the difference by which real is ahead.
RELATIVE = {"relativistic": (lambda ahead: softplus(-ahead), lambda ahead: softplus(ahead))}


# The losses that weight the generated examples of a batch against each other.
WEIGHTED = {"kl_wasserstein"}


def test_every_loss_has_an_oracle():
    assert {*ORACLES, *RELATIVE, *WEIGHTED} == set(losses.LOSSES)
    assert {name for name in losses.LOSSES if losses.get(name).is_relative} == set(RELATIVE)


@pytest.mark.parametrize("name", RELATIVE)
def test_relative_losses(name):
    discriminator_term, generator_term = RELATIVE[name]
    pair, rng = losses.get(name), np.random.default_rng(0)
    real, fake = rng.normal(scale=20.0, size=(2, 50, 1)).astype(np.float32)
    ahead = real.astype(np.float64) - fake
    for dtype, tolerance in ((tf.float32, 1e-6), (tf.bfloat16, 2e-2)):
        logits = tf.cast(real, dtype), tf.cast(fake, dtype)
        np.testing.assert_allclose(pair.discriminator(*logits), discriminator_term(ahead).mean(), rtol=tolerance)
        np.testing.assert_allclose(pair.generator(*logits), generator_term(ahead).mean(), rtol=tolerance)
        assert pair.generator(*logits).dtype == tf.float32


FAKE = np.array([0.3, -1.0, 0.7, 0.1])


def ratio(logits, temperature=1.0):
    """The weights of KL-WGAN in float64."""
    e = np.exp((logits - logits.max()) / temperature)
    return e / e.mean()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 5.0])
@pytest.mark.parametrize("hinge", [False, True])
def test_kl_wasserstein(temperature, hinge):
    pair = losses.get("kl_wasserstein", temperature=temperature, hinge=hinge)
    real, r = np.array([0.2, 1.5, -0.4, 0.0]), ratio(FAKE, temperature)
    for shape in ((-1,), (-1, 1)):
        logits = tf.constant(real.reshape(shape), tf.float32), tf.constant(FAKE.reshape(shape), tf.float32)
        expected = np.mean(r * FAKE) - real.mean()
        if hinge:
            expected = np.maximum(0, 1 + r * FAKE).mean() + np.maximum(0, 1 - real).mean()
        np.testing.assert_allclose(pair.discriminator(*logits), expected, rtol=1e-5)
        np.testing.assert_allclose(pair.generator(logits[1]), -np.mean(r * FAKE), rtol=1e-5)
    assert pair.needs_lipschitz


def test_the_generators_gradient_of_kl_wasserstein():
    def slope(**options):
        fake = tf.constant(FAKE, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(fake)
            loss = losses.get("kl_wasserstein", **options).generator(fake)
        return tape.gradient(loss, fake).numpy() * len(FAKE)

    r = ratio(FAKE)
    np.testing.assert_allclose(slope(), -r, rtol=1e-5)
    # The authors' code: the sign flips where D < E r D - 1, here for the second example only.
    authors = -r * (1 + FAKE - np.mean(r * FAKE))
    np.testing.assert_allclose(slope(detach=False), authors, rtol=1e-4)
    assert (authors > 0).tolist() == [False, True, False, False]


def test_a_constant_changes_kl_wasserstein_only_with_the_hinge():
    for hinge, same in ((False, True), (True, False)):
        pair = losses.get("kl_wasserstein", hinge=hinge)
        values = [pair.discriminator(FAKE[::-1] / 2 + shift, FAKE + shift) for shift in (0.0, 3.0)]
        assert np.isclose(*values, rtol=1e-5, atol=1e-6) == same


def test_limits_of_the_temperature():
    real, fake = tf.fill([4], 0.5), tf.constant(FAKE, tf.float32)
    hot, cold = (losses.get("kl_wasserstein", temperature=temperature) for temperature in (1e6, 1e-3))
    np.testing.assert_allclose(
        hot.discriminator(real, fake), losses.get("wasserstein").discriminator(real, fake), atol=1e-5
    )
    np.testing.assert_allclose(cold.generator(fake), -FAKE.max(), rtol=1e-5)
    # Large logits do not overflow.
    assert np.isfinite(float(losses.get("kl_wasserstein").generator(tf.constant([1e4, -1e4]))))


def test_the_ratio_of_an_ensemble_is_that_of_each_run():
    logits = np.stack([FAKE, 3 * FAKE + 1])[:, :, None].astype(np.float32)  # [runs, batch, 1]
    r = losses.density_ratio(tf.constant(logits)).numpy()
    for run, values in enumerate(logits[:, :, 0].astype(np.float64)):
        np.testing.assert_allclose(r[run, :, 0], ratio(values), rtol=1e-5)


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("per_replica", [False, True])
def test_the_ratio_under_two_replicas(detach, per_replica, two_replicas):
    batch = np.concatenate([FAKE, FAKE + 2.0]).astype(np.float32)
    pair = losses.get("kl_wasserstein", detach=detach, per_replica=per_replica)

    @tf.function(autograph=False)
    def slopes():
        def on_replica():
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            fake = tf.reshape(tf.constant(batch), [2, 4])[replica]
            with tf.GradientTape() as tape:
                tape.watch(fake)
                loss = pair.generator(fake) / 2  # its share of the mean over replicas
            return loss, tape.gradient(loss, fake)

        return two_replicas.run(on_replica)

    loss, slope = (two_replicas.experimental_local_results(value) for value in slopes())
    # One device: the joined batch, or the mean over two batches.
    parts = [batch[:4], batch[4:]] if per_replica else [batch]
    fakes = [tf.constant(part) for part in parts]
    with tf.GradientTape() as tape:
        tape.watch(fakes)
        whole = tf.add_n([pair.generator(fake) for fake in fakes]) / len(fakes)
    np.testing.assert_allclose(sum(map(float, loss)), float(whole), rtol=1e-5)
    np.testing.assert_allclose(np.concatenate(slope), np.concatenate(tape.gradient(whole, fakes)), rtol=1e-4, atol=1e-6)


def test_a_loss_with_options():
    def scaled(*, scale: float = 1.0):
        return losses.Loss(lambda real, fake: scale * tf.reduce_mean(fake - real), lambda fake: -tf.reduce_mean(fake))

    with registered(losses.LOSSES, "scaled", scaled):
        pair = losses.get("scaled", scale=3.0)
        assert (pair.name, pair.options) == ("scaled", {"scale": 3.0})
        np.testing.assert_allclose(pair.discriminator(tf.constant([1.0]), tf.constant([2.0])), 3.0)


@pytest.mark.parametrize("name", ORACLES)
def test_values_and_gradients(name):
    (real_term, real_slope), (fake_term, fake_slope), (generator_term, generator_slope) = ORACLES[name]
    pair = losses.get(name)
    real, fake = tf.constant(LOGITS, tf.float32), tf.constant(LOGITS[::-1].copy(), tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        discriminator, generator = pair.discriminator(real, fake), pair.generator(fake)
    n, r, f = len(LOGITS), LOGITS, LOGITS[::-1]
    np.testing.assert_allclose(discriminator, np.mean(real_term(r)) + np.mean(fake_term(f)), rtol=1e-6)
    np.testing.assert_allclose(generator, np.mean(generator_term(f)), rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(discriminator, real) * n, real_slope(r), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(tape.gradient(discriminator, fake) * n, fake_slope(f), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(tape.gradient(generator, fake) * n, generator_slope(f), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float64])
@pytest.mark.parametrize("name", ORACLES)
def test_logits_of_any_type_are_averaged_in_float32(name, dtype):
    # 1,000 logits of 8: their sum of squares, 64,000, and a running sum in bfloat16, would both be wrong.
    pair, eight = losses.get(name), tf.fill([1000], tf.constant(8.0, dtype))
    (real_term, _), (fake_term, _), (generator_term, _) = ORACLES[name]
    discriminator, generator = pair.discriminator(eight, -eight), pair.generator(eight)
    assert discriminator.dtype == generator.dtype == tf.float32
    np.testing.assert_allclose(discriminator, real_term(np.float64(8)) + fake_term(np.float64(-8)), rtol=1e-5)
    np.testing.assert_allclose(generator, generator_term(np.float64(8)), rtol=1e-5)


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("logit", [-100.0, -20.0, 0.0, 20.0, 100.0])
def test_single_logit_is_accurate(name, logit):
    # No other logit can hide a lost digit: minimax at -20 is -2e-9, which a constant added and taken away loses.
    generator_term = ORACLES[name][2][0]
    value = losses.get(name).generator(tf.constant([logit]))
    np.testing.assert_allclose(value, generator_term(np.float64(logit)), rtol=1e-6, atol=1e-38)


@pytest.mark.parametrize("name", ORACLES)
def test_the_shape_of_the_logits_does_not_matter(name):
    pair, rng = losses.get(name), np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 12)).astype(np.float32)
    column = pair.discriminator(real[:, None], fake[:, None])
    assert column.shape == ()
    np.testing.assert_allclose(column, pair.discriminator(real, fake), rtol=1e-6)
    np.testing.assert_allclose(pair.generator(fake.reshape(3, 4)), pair.generator(fake), rtol=1e-6)


@pytest.mark.parametrize("name", ORACLES)
def test_eager_equals_graph_without_collections(name):
    pair, real, fake = losses.get(name), tf.constant([[0.3], [-2.0]]), tf.constant([[1.5], [0.1]])

    @tf.function
    def both(real, fake):
        return pair.discriminator(real, fake), pair.generator(fake)

    np.testing.assert_allclose(both(real, fake), (pair.discriminator(real, fake), pair.generator(fake)), rtol=1e-6)
    graph = both.get_concrete_function(real, fake).graph
    assert not graph.get_collection(tf.compat.v1.GraphKeys.LOSSES)


def test_unknown_loss_suggests_the_nearest():
    with pytest.raises(errors.InputError, match="did you mean 'non_saturating'"):
        losses.get("nonsaturating")
