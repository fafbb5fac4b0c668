import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpaths import config, errors, networks
from tfpaths.networks import dcgan

SMALL = config.Networks(latent_dim=5, generator_filters=4, discriminator_filters=4)
SHAPES = [(side, side, channels) for side in dcgan.SIZES for channels in (1, 3)]


@pytest.mark.parametrize("name", sorted(networks.NETWORKS))
@pytest.mark.parametrize("shape", SHAPES)
def test_pair_contract(name, shape):
    generator, discriminator = networks.build(SMALL.replace(name=name), shape)
    latents = tf.random.stateless_normal((3, 5), [0, 1])
    images = generator(latents)
    assert images.shape == (3, *shape)
    assert images.dtype == tf.float32
    assert np.abs(images).max() <= 1
    assert discriminator(images).shape == (3, 1)
    # One example's logit depends only on that example, in training too: a gradient penalty needs that.
    alone = discriminator(images[:1], training=True)
    np.testing.assert_allclose(discriminator(images, training=True)[:1], alone, rtol=1e-4, atol=1e-6)
    graph = tf.function(lambda z: discriminator(generator(z)))
    np.testing.assert_allclose(graph(latents), discriminator(generator(latents)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", sorted(networks.NETWORKS))
def test_seed_determines_the_weights(name):
    def weights(seed):
        models = networks.build(SMALL.replace(name=name), (28, 28, 3), seed=seed)
        return [v.numpy() for model in models for v in model.trainable_variables]

    one, again, other = weights(1), weights(1), weights(2)
    assert all(map(np.array_equal, one, again))
    kernels = [index for index, value in enumerate(one) if value.ndim > 1]
    assert not any(np.array_equal(one[index], other[index]) for index in kernels)
    # No two layers of one shape, and no two players, start alike.
    flat = [one[index].ravel()[:16].tobytes() for index in kernels]
    assert len(set(flat)) == len(flat)


@pytest.mark.parametrize("name", sorted(networks.NETWORKS))
def test_a_pair_is_serialisable(name):
    for model in networks.build(SMALL.replace(name=name), (28, 28, 1)):
        again = keras.models.model_from_json(model.to_json())
        again.set_weights(model.get_weights())
        inputs = tf.random.stateless_normal((2, *model.input_shape[1:]), [0, 1])
        np.testing.assert_array_equal(again(inputs), model(inputs))


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_outputs_are_float32(precision):
    generator, discriminator = networks.build(SMALL, (32, 32, 3), precision=precision)
    assert generator.output.dtype == discriminator.output.dtype == "float32"
    half = {"float32": "float32", "mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}[precision]
    assert {v.dtype for v in generator.trainable_variables} == {"float32"}
    assert generator.layers[1].compute_dtype == discriminator.layers[1].compute_dtype == half


def test_keras_implementation_gives_the_same_outputs():
    generator, discriminator = networks.build(SMALL.replace(implementation="keras"), (28, 28, 3))
    for model in (generator, discriminator):
        assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}
    fast_models = networks.build(SMALL, (28, 28, 3))
    latents = tf.random.stateless_normal((3, 5), [0, 1])
    for plain, fast_model in zip((generator, discriminator), fast_models, strict=True):
        fast_model.set_weights(plain.get_weights())
    np.testing.assert_allclose(fast_models[0](latents), generator(latents), atol=1e-5)
    images = generator(latents)
    np.testing.assert_allclose(fast_models[1](images), discriminator(images), atol=1e-5)


def test_feature_map_widths():
    # From the largest map to the 4×4 one, in units of its channels.
    for side, wanted in {16: [1, 2], 28: [1, 2], 32: [1, 2, 4], 64: [1, 2, 4, 8], 256: [1, 2, 4, 8, 8, 8]}.items():
        generator, discriminator = networks.build(SMALL, (side, side, 3))
        maps = [layer.output.shape[1:] for layer in discriminator.layers if "conv" in layer.name]
        assert maps == [(side // 2**n, side // 2**n, 4 * width) for n, width in enumerate(wanted, 1)]
        maps = [layer.output.shape[1:] for layer in generator.layers if "re_lu" in layer.name]
        assert maps == [(side // 2**n, side // 2**n, 4 * width) for n, width in reversed([*enumerate(wanted, 1)])]


@pytest.mark.parametrize("shape", [(30, 30, 3), (28, 32, 3)])
def test_unsupported_sizes_are_refused(shape):
    with pytest.raises(
        errors.InputError,
        match="networks.name: 'dcgan' makes square images of 16, 28, 32, 64, 128, 256 pixels; the examples are",
    ):
        networks.build(SMALL, shape)
