"""Spectral normalisation against NumPy's singular values and derived steps, and through GANs, runs and exports."""

import re
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import FAMILIES, assert_same_state, constant_generator, linear, state

import tfpaths
from tfpaths import config, errors, experiments, networks, penalties, schema, streams
from tfpaths.data import pictures
from tfpaths.gan import GAN
from tfpaths.networks import ensembles, fast, spectral
from tfpaths.runs import training

# Layers with the shape of their inputs, and the kernel as matrices [groups, inputs, units].
LAYERS = {
    "dense": (lambda: keras.layers.Dense(4), (2, 5), (1, 5, 4)),
    "convolution": (lambda: keras.layers.Conv2D(3, 4, 2, "same"), (2, 8, 8, 2), (1, 32, 3)),
    "fast convolution": (lambda: fast.HalvingConv2D(3, 4, 2, "same"), (2, 8, 8, 2), (1, 32, 3)),
    "ensemble": (lambda: ensembles.EnsembleDense(4), (3, 2, 5), (3, 5, 4)),
}


def built(name, **options):
    """A normalised layer with a kernel and a bias from N(0, 1)."""
    make, shape, _ = LAYERS[name]
    layer = spectral.SpectralNormalization(make(), seed=3, **options)
    layer.build(shape)
    for index, weight in enumerate(layer.layer.weights):
        weight.assign(np.random.default_rng(index).normal(size=weight.shape))
    return layer


def inputs_of(name):
    return tf.random.stateless_normal(LAYERS[name][1], [0, 1])


def power_iterations(matrix, u, count):
    """(sigma, u) of `[inputs, units]` after `count` iterations, in float64."""
    for _ in range(count):
        v = matrix @ u / np.linalg.norm(matrix @ u)
        u = v @ matrix / np.linalg.norm(v @ matrix)
    return v @ matrix @ u, u


@pytest.mark.parametrize("count", [1, 3, 200])
@pytest.mark.parametrize("name", LAYERS)
def test_sigma_equals_numpy(name, count):
    layer, shape = built(name, power_iterations=count), LAYERS[name][2]
    kernel, start = layer.kernel.numpy(), layer.vector_u.numpy()
    np.testing.assert_allclose(np.linalg.norm(start, axis=-1), 1.0, rtol=1e-6)
    normalized, u = (value.numpy() for value in layer.normalized())
    for matrix, scaled, u_start, u_next in zip(
        *(a.reshape(shape) for a in (kernel, normalized)), start, u, strict=True
    ):
        sigma, expected = power_iterations(matrix.astype(np.float64), u_start[0], count)
        np.testing.assert_allclose(scaled, matrix / sigma, rtol=1e-5)
        np.testing.assert_allclose(u_next[0], expected, rtol=1e-4, atol=1e-6)
        if count == 200:
            np.testing.assert_allclose(sigma, np.linalg.svd(matrix)[1][0], rtol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_layer_computes_with_the_normalised_kernel(name):
    layer, x = built(name), inputs_of(name)
    plain = layer.as_keras()
    plain.build(x.shape)
    plain.set_weights(layer.keras_weights())
    assert type(plain) is {"fast convolution": keras.layers.Conv2D}.get(name, type(layer.layer))
    np.testing.assert_allclose(layer(x), plain(x), rtol=1e-5, atol=1e-6)
    plain.kernel.assign(layer.kernel)
    assert not np.allclose(layer(x), plain(x), rtol=1e-2)


def test_calls_change_u_in_training_only_and_the_kernel_never():
    layer, x = built("dense"), inputs_of("dense")
    kernel, start = layer.kernel.numpy(), layer.vector_u.numpy()
    following = layer.normalized()[1].numpy()
    outputs = layer(x)
    np.testing.assert_array_equal(layer.vector_u, start)
    # A call in training uses the same sigma, and the calls after it the next one.
    np.testing.assert_array_equal(layer(x, training=True), outputs)
    np.testing.assert_array_equal(layer.vector_u, following)
    assert np.abs(layer(x) - outputs).max() > 1e-4
    np.testing.assert_array_equal(layer.kernel, kernel)
    # The documented difference: Keras' own layer overwrites the kernel.
    own = keras.layers.SpectralNormalization(keras.layers.Dense(4))
    own.build(x.shape)
    own.kernel.assign(kernel)
    own(x, training=True)
    assert np.abs(own.kernel - kernel).max() > 0.1


def test_one_step_equals_the_derivation():
    # D(x) = x · w / |w| with w = (3, 4), and G(z) = (b, b). The derivative of D(x) by w is (x - D(x) w / |w|) / |w|.
    w, b, rate = np.array([3.0, 4.0]), 0.5, 0.1
    real = np.array([[1.0, 2.0], [-2.0, 0.5]])
    critic = spectral.normalized(linear(w))
    gan = GAN(constant_generator(b, 2), critic, loss="wasserstein")
    gan.compile(generator_optimizer=keras.optimizers.SGD(rate), discriminator_optimizer=keras.optimizers.SGD(rate))
    np.testing.assert_allclose(critic(real)[:, 0], real @ w / 5, rtol=1e-6)

    def slope(x):
        return (x - (x @ w / 5) * w / 5) / 5

    gan.train_step(tf.constant(real, tf.float32))
    # The loss is D(b, b) - mean D(x).
    moved = w - rate * (slope(np.array([b, b])) - np.mean([slope(x) for x in real], axis=0))
    np.testing.assert_allclose(critic.trainable_variables[0].numpy()[:, 0], moved, rtol=1e-6)
    # The generator minimises -D(b, b), by the kernel that has just moved.
    (offset,) = gan.generator.trainable_variables
    np.testing.assert_allclose(offset.numpy(), b + rate * moved.sum() / np.linalg.norm(moved), rtol=1e-6)


def test_penalty_gradient_equals_finite_differences():
    # D(x) = tanh(x A / sigma_A) b / sigma_b, and R1 is 5 E |grad D|^2. The derivative of sigma by u is zero at the
    # singular vector, so that sigma may be exact in the differences.
    critic = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(3, "tanh", use_bias=False), keras.layers.Dense(1, use_bias=False)]
    )
    critic = spectral.normalized(critic)
    kernels = [np.random.default_rng(index).normal(size=shape) for index, shape in enumerate([(2, 3), (3, 1)])]
    for variable, kernel in zip(critic.trainable_variables, kernels, strict=True):
        variable.assign(kernel)
    x = np.random.default_rng(2).normal(size=(4, 2))
    for _ in range(50):
        critic(x, training=True)

    def penalty(first, second):
        first, second = (kernel / np.linalg.svd(kernel)[1][0] for kernel in (first, second))
        gradients = (second[:, 0] * (1 - np.tanh(x @ first) ** 2)) @ first.T  # [4, 2]
        return 5 * np.mean(np.sum(gradients**2, axis=1))

    with tf.GradientTape() as tape:
        value = penalties.R1Penalty()(critic, tf.constant(x, tf.float32), tf.constant(x, tf.float32))
    np.testing.assert_allclose(value, penalty(*kernels), rtol=1e-5)
    slopes = tape.gradient(value, [variable.value for variable in critic.trainable_variables])
    for index, slope in enumerate(slopes):
        expected = np.zeros_like(kernels[index])
        for entry in np.ndindex(expected.shape):
            step = [np.zeros_like(kernel) for kernel in kernels]
            step[index][entry] = 1e-5
            both = (penalty(*(kernel + sign * s for kernel, s in zip(kernels, step, strict=True))) for sign in (1, -1))
            expected[entry] = np.subtract(*both) / 2e-5
        np.testing.assert_allclose(slope, expected, rtol=1e-3, atol=1e-5)
        assert np.abs(expected).max() > 0.1


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_scale_of_the_kernel_does_not_matter(scale):
    layer = built("dense")
    expected = layer.normalized()
    layer.kernel.assign(scale * layer.kernel)
    for value, other in zip(layer.normalized(), expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-5)


def test_kernel_of_zeros_is_finite_and_can_be_trained():
    layer, x = built("dense"), inputs_of("dense")
    kernel, start = layer.kernel.numpy(), layer.vector_u.numpy()
    layer.kernel.assign(tf.zeros_like(kernel))
    with tf.GradientTape() as tape:
        outputs = layer(x, training=True)
    np.testing.assert_array_equal(outputs, np.broadcast_to(layer.layer.bias, (2, 4)))
    assert np.isfinite(tape.gradient(outputs, layer.kernel.value)).all()
    np.testing.assert_array_equal(layer.vector_u, start)
    layer.kernel.assign(kernel)
    assert np.linalg.norm(layer.normalized()[0], 2) < 2


def test_kernels_are_normalised_in_float32():
    layer, other = built("dense"), built("dense")
    half = spectral.SpectralNormalization(keras.layers.Dense(4, dtype="mixed_bfloat16"), seed=3)
    half.build((2, 5))
    half.layer.set_weights(layer.layer.get_weights())
    outputs = half(tf.cast(inputs_of("dense"), tf.bfloat16), training=True)
    assert outputs.dtype == tf.bfloat16
    layer(inputs_of("dense"), training=True)
    np.testing.assert_array_equal(half.vector_u, layer.vector_u)
    for value, expected in zip(half.normalized(), layer.normalized(), strict=True):
        assert value.dtype == tf.float32
        np.testing.assert_array_equal(value, expected)
    # bfloat16 has 8 bits, a sum of five products.
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), other(inputs_of("dense")), atol=0.05)


class TestNormalized:
    """Models of normalised layers."""

    @staticmethod
    def model():
        layers = [keras.layers.Dense(3, name="hidden"), keras.layers.LeakyReLU(), keras.layers.Dense(3, name="last")]
        return keras.Sequential([keras.Input((2,)), *layers])

    def test_weights_and_names_are_kept(self):
        model = self.model()
        made = spectral.normalized(model)
        assert [layer.name for layer in made.layers] == [layer.name for layer in model.layers]
        for variable, other in zip(made.trainable_variables, model.trainable_variables, strict=True):
            np.testing.assert_array_equal(variable, other)
        # The copy has its own variables.
        made.trainable_variables[0].assign_add(tf.ones([2, 3]))
        assert np.abs(made.trainable_variables[0] - model.trainable_variables[0]).min() > 0.5

    def test_seed_determines_u(self):
        def vectors(seed):
            return [u.numpy() for u in spectral.normalized(self.model(), seed=seed).non_trainable_variables]

        one, again, other = vectors(1), vectors(1), vectors(2)
        assert len(one) == 2
        assert all(map(np.array_equal, one, again))
        assert not any(map(np.array_equal, one, other))
        assert not np.array_equal(*one)

    def test_serialisation(self, tmp_path):
        model, x = spectral.normalized(self.model(), seed=5), tf.ones([2, 2])
        model(x, training=True)
        model.save(tmp_path / "model.keras")
        again = keras.models.model_from_json(model.to_json())
        assert [layer.seed for layer in again.layers[::2]] == [layer.seed for layer in model.layers[::2]]
        again.set_weights(model.get_weights())
        for one in (again, keras.models.load_model(tmp_path / "model.keras")):
            for variable, expected in zip(one.variables, model.variables, strict=True):
                np.testing.assert_array_equal(variable, expected)
            np.testing.assert_array_equal(one(x), model(x))

    def test_layers_inside_a_layer_are_refused(self):
        outer = keras.Sequential([keras.Input((2,)), keras.Sequential([keras.layers.Dense(2)], name="inner")])
        message = "variant.spectral_normalization: the layer 'inner' of the discriminator has layers inside"
        with pytest.raises(errors.InputError, match=message):
            spectral.normalized(outer)

    @pytest.mark.parametrize("name", FAMILIES)
    def test_family_differs_in_the_discriminator_alone(self, name):
        options, (shape, *_) = FAMILIES[name]
        family = networks.family(config.Networks(name=name, **options))
        made = spectral.Normalized(family)
        generators, discriminators = (
            [getattr(one, part)(shape, seed=4) for one in (made, family)] for part in ("generator", "discriminator")
        )
        for one, other in (generators, discriminators):
            assert [layer.name for layer in one.layers[1:]] != []
            for variable, expected in zip(one.trainable_variables, other.trainable_variables, strict=True):
                np.testing.assert_array_equal(variable, expected)
        assert not [one for one in generators[0].layers if isinstance(one, spectral.SpectralNormalization)]
        for layer, plain in zip(*(one.layers for one in discriminators), strict=True):
            assert isinstance(layer, spectral.SpectralNormalization) == hasattr(plain, "kernel")


def test_reset_draws_the_weights_without_normalisation_and_each_runs_own_u():
    def drawn(runs, first_run, normalised=True):
        model = ensembles.mlp(runs, 2, width=4, depth=1)
        model = spectral.normalized(model) if normalised else model
        ensembles.reset(model, streams.root(0, first_run=first_run))
        return [v.numpy() for v in model.trainable_variables], [v.numpy() for v in model.non_trainable_variables]

    kernels, vectors = drawn(4, 7)
    for value, expected in zip(kernels, drawn(4, 7, normalised=False)[0], strict=True):
        np.testing.assert_array_equal(value, expected)
    for values, alone in zip((kernels, vectors), drawn(1, 9), strict=True):
        for value, expected in zip(values, alone, strict=True):
            np.testing.assert_array_equal(value[2], expected[0])
    np.testing.assert_allclose(np.linalg.norm(vectors[0], axis=-1), 1.0, rtol=1e-6)
    assert len({u.tobytes() for u in vectors[0]}) == 4


def trained(batches, **compiled):
    """The parameters and the vectors u after a step on each batch; without `compiled`, steps run eagerly."""
    start = [keras.initializers.GlorotUniform(seed=seed) for seed in (1, 2)]
    hidden = keras.layers.Dense(3, "softplus", kernel_initializer=start[0])
    critic = keras.Sequential([keras.Input((2,)), hidden, keras.layers.Dense(1, kernel_initializer=start[1])])
    # The generator ignores its latents, and R1 draws nothing: replicas can be compared with one device.
    critic = spectral.normalized(critic)
    gan = GAN(constant_generator(0.5, 2), critic, loss="hinge", penalty=penalties.R1Penalty())
    gan.compile(
        generator_optimizer=keras.optimizers.SGD(0.1), discriminator_optimizer=keras.optimizers.SGD(0.1), **compiled
    )
    if compiled:
        gan.fit(tf.data.Dataset.from_tensor_slices(batches), verbose=0)
    else:
        for batch in batches:
            gan.train_step(tf.constant(batch))
    return [variable.numpy() for variable in (*gan.generator.variables, *gan.discriminator.variables)]


def test_compiled_steps_and_replicas_equal_eager_steps(two_replicas):
    batches = np.random.default_rng(0).normal(size=(4, 6, 2)).astype(np.float32)
    expected = trained(batches)
    made = [trained(batches, steps_per_execution=count) for count in (1, 4)]
    for one, other in zip(*made, strict=True):
        np.testing.assert_array_equal(one, other)
    made.append(trained(batches, jit_compile=True))
    with two_replicas.scope():
        made.append(trained(batches, steps_per_execution=2))
    for values in made:
        for value, wanted in zip(values, expected, strict=True):
            np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-6)
    # The halves of the batches alone give something else, so that the comparison of replicas can fail.
    assert not np.allclose(trained(batches[:, :3])[1], expected[1], rtol=1e-3)


def toy(**texts):
    small = {
        "schedule__steps": "4",
        "schedule__batch_size": "8",
        "schedule__checkpoint_every": "2",
        "schedule__sample_every": "4",
        "networks__width": "6",
        "data__examples": "64",
        "variant__discriminator_steps": "2",
        "evaluation__metrics": "none",
    }
    values = {path.replace("__", "."): text for path, text in (small | texts).items()}
    return schema.override(experiments.get("ring_kl_wgan"), values)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of four steps, two in an execution; its grids are not drawn."""
    with pytest.MonkeyPatch.context() as patch:
        blank = pictures.png(np.zeros((1, 1, 3), np.uint8))
        patch.setattr(pictures, "scatter", lambda *_, **__: blank)
        path = tmp_path_factory.mktemp("runs")
        training.train(toy(schedule__steps_per_execution="2"), path / "whole")
        training.train(toy(schedule__steps="2"), path / "resumed")
        training.train(toy(), path / "resumed")
    return path / "whole"


def test_resumed_run_equals_a_run_without_a_stop(run):
    assert_same_state(run, run.parent / "resumed")
    # Two hidden layers and the last one.
    assert len([name for name in state(run) if "vector_u" in name]) == 3


def test_export_has_kerass_own_layers_and_the_same_outputs(run):
    export = tfpaths.export(run)
    critic = tfpaths.load(run).gan.discriminator
    with zipfile.ZipFile(export / "discriminator.keras") as archive:
        modules = re.findall(r'"module": "(.*?)"', archive.read("config.json").decode())
    assert {module.split(".")[0] for module in modules} == {"keras"}
    exported = keras.models.load_model(export / "discriminator.keras", safe_mode=True)
    assert "SpectralNormalization" not in {type(layer).__name__ for layer in exported.layers}
    x = tf.random.stateless_normal([16, 2], [0, 1])
    np.testing.assert_allclose(exported(x), critic(x), rtol=1e-5, atol=1e-6)
    # Their kernels differ.
    assert np.abs(exported.layers[1].kernel - critic.layers[1].kernel).max() > 0.01
