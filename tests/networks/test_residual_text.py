"""The residual networks of texts, beyond the contract of all families in `test_family.py`."""

import numpy as np
import pytest
import scipy.signal

from tfpaths import config, errors, networks


def pair(shape=(9, 5), **options):
    return networks.build(
        config.Networks(name="residual_text", latent_dim=40, **{"width": 6, "blocks": 2} | options), shape
    )


def convolved(x, kernel, bias):
    """`[length, inputs]` -> `[length, filters]`, by SciPy: zeros outside, kernels as they are (correlation)."""
    columns = [
        sum(scipy.signal.correlate(x[:, i], kernel[:, i, o], mode="same", method="direct") for i in range(x.shape[1]))
        for o in range(kernel.shape[2])
    ]
    return np.stack(columns, axis=-1) + bias


def blocks_of(x, weights):
    """x + 0.3 f(x), twice for the two blocks, with weights that are taken from the front."""
    for _ in range(2):
        y = x
        for _ in range(2):
            y = convolved(np.maximum(y, 0.0), weights.pop(0), weights.pop(0))
        x = x + 0.3 * y
    return x


def with_biases(model):
    """The weights in order, after the biases were made other than zero, so that they show."""
    weights = [
        value if value.ndim > 1 else np.linspace(-0.1, 0.1, value.size, dtype=np.float32)
        for value in model.get_weights()
    ]
    model.set_weights(weights)
    return weights


def test_discriminator_equals_numpy():
    _, discriminator = pair()
    weights = with_biases(discriminator)
    text = np.random.default_rng(0).dirichlet(np.ones(5), size=9).astype(np.float32)
    x = blocks_of(convolved(text, weights.pop(0), weights.pop(0)), weights)
    kernel, bias = weights
    np.testing.assert_allclose(discriminator(text[None])[0], x.reshape(-1) @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_generator_equals_numpy():
    generator, _ = pair()
    weights = with_biases(generator)
    z = np.random.default_rng(0).normal(size=40).astype(np.float32)
    x = blocks_of((z @ weights.pop(0) + weights.pop(0)).reshape(9, 6), weights)
    logits = convolved(x, *weights)
    expected = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(generator(z[None])[0], expected, rtol=1e-4, atol=1e-6)


def test_initial_weights_have_the_variances_of_the_authors_code():
    for model in pair((32, 60), width=50, blocks=1):
        values = [value for value in model.get_weights() if value.ndim > 1 or np.any(value)]
        assert all(value.ndim > 1 for value in values)  # Biases are zero.
        for value in values:
            places = np.prod(value.shape[:-2], dtype=int) if value.ndim == 3 else 1
            fans = places * value.shape[-2] + places * value.shape[-1]
            variance = (4 if value.ndim == 3 else 2) / fans
            # Of U(-l, l): l^2 = 3 variance, and the mean square's standard error is 0.9 variance / sqrt(n).
            assert np.abs(value).max() <= (3 * variance) ** 0.5 < 1.1 * np.abs(value).max()
            np.testing.assert_allclose(np.mean(value**2), variance, rtol=4.5 / value.size**0.5)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_probabilities_sum_to_one(precision):
    options = config.Networks(name="residual_text", latent_dim=4, width=4, blocks=1)
    generator, _ = networks.build(options, (8, 30), precision=precision)
    texts = generator(np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)).numpy()
    np.testing.assert_allclose(texts.sum(axis=-1), 1.0, atol=1e-6)
    assert texts.min() > 0


def test_size_is_an_option_and_the_codes_is_the_default():
    family = networks.get("residual_text")()
    assert (family.width, family.blocks) == (512, 5)
    _, discriminator = pair(width=3, blocks=4)
    shapes = [value.shape for value in discriminator.get_weights() if value.ndim == 3]
    assert shapes == [(1, 5, 3), *[(5, 3, 3)] * 8]


@pytest.mark.parametrize("shape", [(28, 28, 3), (2,)])
def test_examples_with_other_axes_are_refused(shape):
    message = "^networks.name: 'residual_text' makes texts, of a length and characters; the examples are .*To fix"
    with pytest.raises(errors.InputError, match=message):
        pair(shape)
