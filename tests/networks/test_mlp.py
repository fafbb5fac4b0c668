"""The multilayer perceptrons, beyond the contract of all families in `test_family.py`."""

import numpy as np
import pytest

from tfpaths import config, errors, networks
from tfpaths.networks import fast


def pair(shape=(7,), **options):
    return networks.build(config.Networks(name="mlp", latent_dim=40, **{"width": 50, "depth": 2} | options), shape)


def kernels(model):
    """`[inputs, units]` of each layer, after a check that all biases are zero."""
    weights = [variable.numpy() for variable in model.trainable_variables]
    assert not any(np.any(bias) for bias in weights[1::2])
    return weights[::2]


# The variance of U(-l, l) is l^2 / 3.
LIMITS = {
    # He et al. 2015: the square root of 6 / inputs; the last layer's is Glorot's, of 6 / (inputs + outputs).
    "he": [lambda n, _: (6 / n) ** 0.5, lambda n, _: (6 / n) ** 0.5, lambda n, m: (6 / (n + m)) ** 0.5],
    "pytorch": [lambda n, _: n**-0.5] * 3,
}


@pytest.mark.parametrize("initial", LIMITS)
def test_initial_weights(initial):
    for model in pair(initial=initial):
        found = kernels(model)
        for kernel, limit_of in zip(found, LIMITS[initial], strict=True):
            limit = limit_of(*kernel.shape)
            assert 0.9 * limit < np.abs(kernel).max() <= limit
            # The standard error of the mean square of U(-1, 1) is 0.3 / sqrt(n): here five of them.
            np.testing.assert_allclose(np.mean((kernel / limit) ** 2), 1 / 3, atol=1.5 / kernel.size**0.5)
            assert abs(np.mean(kernel / limit)) < 3 / kernel.size**0.5


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.2])
def test_outputs_equal_numpy(slope):
    x = hidden = np.random.default_rng(0).normal(size=(16, 7)).astype(np.float32)
    _, discriminator = pair(negative_slope=slope)
    *inner, last = kernels(discriminator)
    for kernel in inner:
        hidden = hidden @ kernel
        hidden = np.where(hidden > 0, hidden, slope * hidden)
    np.testing.assert_allclose(discriminator(x), hidden @ last, rtol=1e-4, atol=1e-5)


def test_width_and_depth_are_options():
    for model, (inputs, outputs) in zip(pair(width=6, depth=3), ((40, 7), (7, 1)), strict=True):
        assert [kernel.shape for kernel in kernels(model)] == [(inputs, 6), (6, 6), (6, 6), (6, outputs)]


def test_keras_implementation_has_kerass_own_layers():
    for implementation, expected in (("fast", True), ("keras", False)):
        _, discriminator = pair(negative_slope=0.2, implementation=implementation)
        assert any(isinstance(layer, fast.FastLeakyReLU) for layer in discriminator.layers) == expected


@pytest.mark.parametrize("shape", [(28, 28, 3), ()])
def test_examples_with_other_axes_are_refused(shape):
    message = "^networks.name: 'mlp' makes flat examples, such as points; the examples are .*To fix this: [^\n]*$"
    with pytest.raises(errors.InputError, match=message):
        pair(shape)
