"""Discriminators of parallel lines: their training and the gradients that they give."""

import math

import numpy as np
import pytest

from tfpaths.figures.line_discriminators import Discriminators


@pytest.fixture(scope="module")
def networks():
    return Discriminators(3, width=4, seed=0)


def test_gradients_through_a_linear_logit(networks):
    """With all units in their linear part, the logit is a . x + b, and the gradient by c of -log D is -(1 - D) a."""
    a = np.array([0.5, -2.0], np.float32)
    first, second, last = (layer for layer in networks._gan.discriminator.layers if hasattr(layer, "kernel"))
    saved = networks._gan.discriminator.get_weights()
    for layer in (first, second, last):
        layer.kernel.assign(np.zeros(layer.kernel.shape, np.float32))
    first.kernel.assign(np.broadcast_to(np.stack([a, 0 * a, 0 * a, 0 * a], 1), first.kernel.shape))
    first.bias.assign(np.full(first.bias.shape, 100, np.float32))  # LeakyReLU is the identity up there.
    passed = np.zeros((4, 4), np.float32)
    passed[0, 0] = 1
    second.kernel.assign(np.broadcast_to(passed, second.kernel.shape))
    last.kernel.assign(np.broadcast_to(passed[:, :1], last.kernel.shape))
    last.bias.assign(np.full(last.bias.shape, -100.5, np.float32))
    gradients, outputs = networks.gradients(600, "toy")  # not a multiple of what is measured at once
    networks._gan.discriminator.set_weights(saved)
    players = networks._block.players()
    v, s = players["offset"] - players["mean"], players["direction"]
    assert gradients.shape == (3, 600, 2)
    for run in range(3):
        for index, axis in enumerate((v[run], s[run])):
            along = a @ axis / np.linalg.norm(axis)
            np.testing.assert_allclose(gradients[run, :, index], -(1 - outputs[run]) * along, rtol=2e-4, atol=1e-6)
        # D at c, the middle of the samples, by hand; outputs are symmetric about it.
        logit = a @ players["offset"][run] - 0.5
        assert np.median(outputs[run]) == pytest.approx(1 / (1 + math.exp(-logit)), abs=0.1)
    assert outputs.std() > 0.01


def trained(*lengths):
    """Returns the discriminator's weights and the networks after trainings of these lengths, one after the other."""
    networks = Discriminators(2, width=4, seed=1)  # tests share compiled blocks, which begin again
    before = networks._gan.generator.get_weights()
    for length in lengths:
        networks.train(length, "toy")
    for one, other in zip(before, networks._gan.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    return networks._gan.discriminator.get_weights(), networks


def test_training_moves_only_the_discriminator():
    start, _ = trained()
    parts, _ = trained(50, 70)
    whole, networks = trained(120)
    assert networks._gan.step == 120
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any((one != other).any() for one, other in zip(start, whole, strict=True))
    # Parallel lines are separable; 120 updates of four units are enough for most examples.
    assert networks.accuracy(512).mean() > 0.75
