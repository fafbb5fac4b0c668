"""The contract of all families of networks: shapes, one example's independence, seeds, and serialisation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import FAMILIES

from tfpaths import config, networks


def small(name):
    return config.Networks(name=name, latent_dim=5, **FAMILIES[name][0])


def test_every_family_has_a_row():
    assert set(FAMILIES) == set(networks.NETWORKS)


@pytest.mark.parametrize(
    ("name", "shape"), [(name, shape) for name, (_, shapes) in FAMILIES.items() for shape in shapes]
)
def test_pair_contract(name, shape):
    generator, discriminator = networks.build(small(name), shape)
    latents = tf.random.stateless_normal((3, 5), [0, 1])
    examples = generator(latents)
    assert examples.shape == (3, *shape)
    assert examples.dtype == tf.float32
    if len(shape) == 3:
        assert np.abs(examples).max() <= 1
    assert discriminator(examples).shape == (3, 1)
    # One example's logit depends only on that example, in training too: a gradient penalty needs that.
    alone = discriminator(examples[:1], training=True)
    np.testing.assert_allclose(discriminator(examples, training=True)[:1], alone, rtol=1e-4, atol=1e-6)
    graph = tf.function(lambda z: discriminator(generator(z)))
    np.testing.assert_allclose(graph(latents), discriminator(generator(latents)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_seed_determines_the_weights(name):
    def weights(seed):
        models = networks.build(small(name), FAMILIES[name][1][2], seed=seed)
        return [v.numpy() for model in models for v in model.trainable_variables]

    one, again, other = weights(1), weights(1), weights(2)
    assert all(map(np.array_equal, one, again))
    kernels = [index for index, value in enumerate(one) if value.ndim > 1]
    assert not any(np.array_equal(one[index], other[index]) for index in kernels)
    # No two layers of one shape, and no two players, start alike.
    flat = [one[index].ravel()[:6].tobytes() for index in kernels]
    assert len(set(flat)) == len(flat)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_pair_is_serialisable(name):
    for model in networks.build(small(name), FAMILIES[name][1][0]):
        again = keras.models.model_from_json(model.to_json())
        again.set_weights(model.get_weights())
        inputs = tf.random.stateless_normal((2, *model.input_shape[1:]), [0, 1])
        np.testing.assert_array_equal(again(inputs), model(inputs))


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_outputs_are_float32(name, precision):
    generator, discriminator = networks.build(small(name), FAMILIES[name][1][0], precision=precision)
    assert generator.output.dtype == discriminator.output.dtype == "float32"
    half = {"float32": "float32", "mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}[precision]
    assert {v.dtype for v in generator.trainable_variables} == {"float32"}
    assert discriminator.layers[1].compute_dtype == half
    # The only layer of a linear generator is its last one.
    assert generator.layers[1].compute_dtype == ("float32" if name == "linear" else half)
