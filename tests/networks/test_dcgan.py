"""DCGAN's networks, beyond the contract of all families in `test_family.py`."""

import numpy as np
import pytest
import tensorflow as tf

from tfpaths import config, errors, networks

SMALL = config.Networks(latent_dim=5, generator_filters=4, discriminator_filters=4)


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
