"""The operation counts of the benchmarks, against sums by hand; no test measures speed."""

import numpy as np
import pytest
import tensorflow as tf
from helpers import ROOT

from benchmarks import __main__ as tables
from benchmarks import machine, operations, sampling
from tfpaths import config, experiments, networks, penalties

# Multiplications for one image of 32×32: an output map's places times the weights that lead to each.
CONVOLUTIONS = (16 * 16 * 64 * 4 * 4 * 3, 8 * 8 * 128 * 4 * 4 * 64, 4 * 4 * 256 * 4 * 4 * 128)
LOGIT = 4 * 4 * 256
DISCRIMINATOR = sum(CONVOLUTIONS) + LOGIT
# The generator's convolutions mirror those of the discriminator, and its matrix leads from 64 latents to 4×4×256.
PROJECTION = 64 * 4 * 4 * 256
GENERATOR = sum(CONVOLUTIONS) + PROJECTION


@pytest.fixture(scope="module")
def counted():
    # Two operations for each multiplication, 64 images in a batch.
    return {part: count / 128 for part, count in operations.count("dragan_ns", 32).items() if count}


def test_operations_of_the_discriminator_loss(counted):
    # Two passes (real, fake) of three products each, without the gradient of the images.
    assert counted["D's loss"] == 2 * (3 * DISCRIMINATOR - CONVOLUTIONS[0])


def test_operations_of_the_fake_images(counted):
    assert counted["fake images for D"] == GENERATOR


def test_operations_of_the_penalty(counted):
    # Forward, and back to the points; from the slopes' norms forward again, and the weights' gradient of each layer.
    # The logit is not needed, and its slope is the last layer's weights: nothing goes forward through that layer.
    assert counted["penalty"] == 4 * DISCRIMINATOR - 2 * LOGIT


def test_operations_of_the_generator_loss(counted):
    # Through both players, without the gradient of the discriminator's weights.
    through_the_discriminator = 2 * DISCRIMINATOR
    assert counted["G's loss"] == through_the_discriminator + 3 * GENERATOR - PROJECTION


def test_all_parts_are_counted(counted):
    assert set(counted) == {"D's loss", "fake images for D", "penalty", "G's loss"}


def test_operations_of_sampling():
    assert sampling.operations(32) == 2 * GENERATOR


@pytest.mark.filterwarnings("ignore:CUDA initialization")
class TestTextPeer:
    """PyTorch's networks with our weights: their outputs, losses and gradients are ours."""

    LENGTH, CHARACTERS, WIDTH, BLOCKS, LATENTS, BATCH = 7, 5, 6, 2, 3, 4

    @pytest.fixture(params=[False, True], ids=["Conv1d", "Conv2d"])
    def players(self, request):
        """(our generator and critic, the peer's, whether texts have a row)."""
        pytest.importorskip("torch")
        from benchmarks.peers import torch_text

        value = config.Networks(name="residual_text", latent_dim=self.LATENTS, width=self.WIDTH, blocks=self.BLOCKS)
        ours = networks.build(value, (self.LENGTH, self.CHARACTERS))
        theirs = [
            make(value, self.LENGTH, self.CHARACTERS, rows=request.param)
            for make in (torch_text.generator, torch_text.discriminator)
        ]
        for model, peer in zip(ours, theirs, strict=True):
            self.copy(model, peer)
        return ours, theirs, request.param

    def as_peer(self, array, shape):
        """A weight, or its gradient, in PyTorch's order of axes."""
        if array.ndim == 3:  # [size, inputs, outputs] -> [outputs, inputs, size], or with a row
            return array.transpose(2, 1, 0).reshape(shape)
        if array.ndim == 2 and array.shape[0] == self.LATENTS:  # The outputs are [length, width], and [width, length].
            return array.reshape(-1, self.LENGTH, self.WIDTH).transpose(2, 1, 0).reshape(shape)
        if array.ndim == 2:
            return array.reshape(self.LENGTH, self.WIDTH).T.reshape(shape)
        if array.size == self.LENGTH * self.WIDTH:
            return array.reshape(self.LENGTH, self.WIDTH).T.ravel()
        return array

    def copy(self, model, peer):
        import torch

        random = np.random.default_rng(0)
        model.set_weights([random.normal(size=w.shape, scale=0.5).astype(np.float32) for w in model.get_weights()])
        with torch.no_grad():
            for ours, theirs in zip(model.get_weights(), peer.parameters(), strict=True):
                theirs.copy_(torch.from_numpy(self.as_peer(ours, tuple(theirs.shape)).copy()))

    def texts(self, array, rows):
        """`[batch, length, characters]` as PyTorch has it."""
        import torch

        channels_first = torch.from_numpy(np.ascontiguousarray(array.transpose(0, 2, 1)))
        return channels_first.unsqueeze(2) if rows else channels_first

    def assert_close(self, received, expected):
        """Closer than 1e-4 of the largest value, in float32.

        A sum of at most 4 x 7 x 5 x 6 = 840 products, each rounded by 2^-24, is off by at most 5e-5 of their size;
        twice that for the layers.
        """
        np.testing.assert_allclose(received, expected, rtol=0, atol=1e-4 * np.abs(expected).max())

    def assert_equal_gradients(self, ours, peer):
        for gradient, weight in zip(ours, peer.parameters(), strict=True):
            expected = self.as_peer(np.asarray(gradient), tuple(weight.shape))
            self.assert_close(weight.grad, expected)

    def test_generator_and_its_loss(self, players):
        import torch

        (generator, critic), (peer, judge), rows = players
        latents = np.random.default_rng(1).normal(size=(self.BATCH, self.LATENTS)).astype(np.float32)
        with tf.GradientTape() as tape:
            texts = generator(latents)
            loss = -tf.reduce_mean(critic(texts))
        their_texts = peer(torch.from_numpy(latents))
        theirs = torch_images().losses("wasserstein")[1](judge(their_texts))
        theirs.backward()
        self.assert_close(their_texts.detach(), self.texts(texts.numpy(), rows).numpy())
        self.assert_close(theirs.detach(), loss)
        self.assert_equal_gradients(tape.gradient(loss, generator.trainable_variables), peer)

    def test_loss_of_the_critic_with_its_penalty(self, players):
        (_, critic), (_, judge), rows = players
        variant = experiments.get("text_wgan_gp").variant
        random = np.random.default_rng(2)
        real, fake = (
            random.dirichlet(np.ones(self.CHARACTERS), size=(self.BATCH, self.LENGTH)).astype(np.float32)
            for _ in range(2)
        )
        points = 0.3 * real + 0.7 * fake
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(critic(fake)) - tf.reduce_mean(critic(real))
            loss += penalties.InterpolationPenalty(weight=variant.penalty.weight).at(critic, tf.constant(points))
        d_loss, _ = torch_images().losses(variant.loss.name)
        theirs = d_loss(judge(self.texts(real, rows)), judge(self.texts(fake, rows)))
        theirs = theirs + torch_images().penalty_at(variant, judge, self.texts(points, rows))
        theirs.backward()
        self.assert_close(theirs.detach(), loss)
        self.assert_equal_gradients(tape.gradient(loss, critic.trainable_variables), judge)


def torch_images():
    from benchmarks.peers import torch_images

    return torch_images


def test_missing_package_has_no_version():
    about = machine("numpy", "no_such_package")
    assert about["versions"]["no_such_package"] is None
    assert about["versions"]["numpy"]


def test_tables_are_modules_and_unknown_names_are_refused(capsys):
    for name, *_ in tables.TABLES.values():
        assert (ROOT / "benchmarks" / f"{name}.py").exists()
    assert tables.main(["stepz"]) == 2
    assert "unknown table 'stepz'; did you mean 'steps'?" in capsys.readouterr().err
