"""The networks of any depth, beyond the contract in `test_family.py`: layers, activations, second derivatives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpaths import config, errors, networks, penalties
from tfpaths.networks import deep_dcgan

SMALL = {"generator_filters": 2, "discriminator_filters": 2}


def family(**options):
    return deep_dcgan.DeepDCGAN(latent_dim=5, **SMALL | options)


def kernels(model):
    return [layer.kernel.shape for layer in model.layers if hasattr(layer, "kernel")]


def test_depth_counts_the_layers_with_a_kernel():
    # 16 pixels: maps of sides 4 and 8, so that 3 layers are a DCGAN. Of 2 further layers each map has one, of 3 the
    # smaller map has two.
    generator = family(generator_depth=6).generator((16, 16, 3))
    assert kernels(generator) == [(5, 64), (3, 3, 4, 4), (3, 3, 4, 4), (4, 4, 2, 4), (3, 3, 2, 2), (4, 4, 3, 2)]
    discriminator = family(discriminator_depth=5).discriminator((16, 16, 3))
    assert kernels(discriminator) == [(4, 4, 3, 2), (3, 3, 2, 2), (4, 4, 2, 4), (3, 3, 4, 4), (64, 1)]


def test_least_depth_has_the_maps_of_dcgan():
    shallow = family(generator_depth=4, discriminator_depth=4)
    dcgan = networks.get("dcgan")(latent_dim=5, **SMALL)
    for part in ("generator", "discriminator"):
        assert kernels(getattr(shallow, part)((32, 32, 3))) == kernels(getattr(dcgan, part)((32, 32, 3)))


def second_moments(model, kinds):
    """Returns E y^2 of a model's layers for normal inputs, each with its standard error.

    With He's weights, of variance 2 / fan-in, it is 2 where y has all its inputs: inside of the border. The mean of y^2
    over a map is averaged over independent inputs, and over weights.
    """
    random, found = np.random.default_rng(0), []
    for layer in (layer for layer in model.layers if isinstance(layer, kinds)):
        x = random.normal(size=(200, *layer.input.shape[1:])).astype(np.float32)
        y = layer(tf.constant(x)).numpy().astype(np.float64)
        y = y[:, 1:-1, 1:-1] if y.ndim == 4 else y
        of_inputs = (y**2).mean(axis=tuple(range(1, y.ndim)))
        # w^2 of uniform weights has the variance 4/5 of its squared mean.
        of_weights = np.sqrt(0.8 / np.prod(layer.kernel.shape))
        error = np.hypot(of_inputs.std(ddof=1) / np.sqrt(200), of_inputs.mean() * of_weights)
        found.append((of_inputs.mean(), error))
    return found


def test_he_weights_keep_the_second_moment():
    options = {"generator_filters": 16, "discriminator_filters": 16, "generator_batch_norm": False}
    options |= {"generator_depth": 8, "discriminator_depth": 8}
    generator, discriminator = family(**options).generator((32, 32, 3)), family(**options).discriminator((32, 32, 3))
    doubling = second_moments(generator, keras.layers.Conv2DTranspose)[:-1]  # The last one is Glorot's.
    others = second_moments(generator, keras.layers.Conv2D)
    halving = second_moments(discriminator, keras.layers.Conv2D)
    assert (len(doubling), len(others), len(halving)) == (2, 4, 7)
    for moment, error in (*doubling, *others, *halving):
        assert abs(moment - 2) < 5 * error
        assert error < 0.1  # Half of it, as with Keras' own fan-in, is far from 2.


# Of each activation: its value at x, in NumPy.
ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "softplus": lambda x: np.log1p(np.exp(2 * x + 2)) / 2 - 1,
    "tanh": np.tanh,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_equals_numpy(name):
    x = keras.Input((1,))
    model = keras.Model(x, family()._activated(x, "none", name))
    points = np.linspace(-4, 4, 9, dtype=np.float32)[:, None]
    np.testing.assert_allclose(model(points), ACTIVATIONS[name](points), rtol=1e-5, atol=1e-6)


def test_layer_normalisation_has_the_statistics_of_one_example():
    x = keras.Input((4, 4, 3))
    model = keras.Model(x, family()._activated(x, "layer", "relu"))
    scale, offset = np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.0, -0.5])
    model.set_weights([scale, offset])
    maps = np.random.default_rng(0).normal(2.0, 3.0, size=(2, 4, 4, 3)).astype(np.float32)
    mean, variance = (f(maps, axis=(1, 2, 3), keepdims=True) for f in (np.mean, np.var))
    expected = np.maximum((maps - mean) / np.sqrt(variance + 1e-3) * scale + offset, 0)
    np.testing.assert_allclose(model(maps), expected, rtol=1e-4, atol=1e-5)


def test_what_is_normalised():
    def norms(model):
        kinds = (keras.layers.BatchNormalization, keras.layers.GroupNormalization)
        return [next(kind for kind in kinds if isinstance(one, kind)) for one in model.layers if isinstance(one, kinds)]

    options = {"generator_depth": 5, "discriminator_depth": 5}
    # All 4 layers before the image; of the 4 convolutions all but the first.
    assert norms(family(**options).generator((32, 32, 3))) == [keras.layers.BatchNormalization] * 4
    assert norms(family(**options, generator_batch_norm=False).generator((32, 32, 3))) == []
    assert norms(family(**options).discriminator((32, 32, 3))) == []
    for name, kind in (("layer", keras.layers.GroupNormalization), ("batch", keras.layers.BatchNormalization)):
        made = family(**options, discriminator_normalized=True, discriminator_normalization=name)
        assert norms(made.discriminator((32, 32, 3))) == [kind] * 3


# Of the smooth activations: with a kink the derivative of a gradient is that between the jumps only.
@pytest.mark.parametrize("activation", ["softplus", "tanh"])
def test_penalty_gradient_equals_a_difference(activation):
    # R1 is 5 E |grad D|^2; its derivative by a kernel needs the second derivatives of every layer.
    discriminator = family(
        discriminator_depth=4, discriminator_activation=activation, discriminator_normalized=True
    ).discriminator((16, 16, 1), seed=3)
    real = tf.random.stateless_normal((4, 16, 16, 1), [0, 1])
    kernel = discriminator.trainable_variables[0]

    def value():
        return penalties.R1Penalty()(discriminator, real, real)

    with tf.GradientTape() as tape:
        penalty = value()
    slope = tape.gradient(penalty, kernel.value)
    direction = slope / tf.norm(slope)
    start, step, ends = kernel.numpy(), 1e-3, []
    for sign in (1, -1):
        kernel.assign(start + sign * step * direction)
        ends.append(float(value()))
    np.testing.assert_allclose((ends[0] - ends[1]) / (2 * step), tf.norm(slope), rtol=0.02)
    assert tf.norm(slope) > 1e-3


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        ({"generator_depth": 3}, (32, 32, 3), "networks.generator_depth: expected at least 4 layers .* received 3"),
        ({"discriminator_depth": 6}, (256, 256, 1), "networks.discriminator_depth: expected at least 7 layers"),
        ({}, (2,), "networks.name: 'deep_dcgan' makes square images of 16, .*; the examples are 2"),
    ],
)
def test_invalid_input(options, shape, message):
    with pytest.raises(errors.InputError, match=message):
        networks.build(config.Networks(name="deep_dcgan", **SMALL | options), shape)
