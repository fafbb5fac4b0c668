"""Games on points whose runs are trained in one program: weights, examples, and one step by hand."""

import numpy as np
import pytest

from tfpaths import config, experiments, streams
from tfpaths.data.ring import Ring
from tfpaths.data.square import Square
from tfpaths.figures import toys
from tfpaths.networks.ensembles import EnsembleDense


def linear(rate=0.5, **changes):
    """Returns a variant whose critic moves by plain gradient descent on E D(x~) - E D(x)."""
    optimizer = config.Optimizer(name="sgd", learning_rate=rate)
    players = {"generator_optimizer": optimizer, "discriminator_optimizer": optimizer}
    return config.Variant(name="mine", loss="wasserstein", **players, **{"weight_clip": 100.0, **changes})


def made(groups, variant=None, **changes):
    settings = {"copies": 2, "width": 4, "depth": 0, "batch_size": 16, "seed": 0}
    return toys.Toys(variant or linear(), groups, **{**settings, **changes})


def kernels(model):
    return [layer.kernel.numpy() for layer in model.layers if isinstance(layer, EnsembleDense)]


def test_initial_weights_are_those_of_the_papers_code():
    model = toys.network(3, 2, width=200, depth=2, name="critic")
    toys.start(model, streams.root(0, first_run=0), copies=3)
    first, second, last = kernels(model)
    # He's limits are sqrt(6 / inputs), Glorot's sqrt(6 / (inputs + outputs)); a uniform variable has limit / sqrt(3).
    for kernel, limit in ((first, 3**0.5), (second, 0.03**0.5), (last, (6 / 201) ** 0.5)):
        assert np.abs(kernel).max() <= limit
        assert kernel.std() == pytest.approx(limit / 3**0.5, rel=0.05)
    assert all((layer.bias.numpy() == 0).all() for layer in model.layers if isinstance(layer, EnsembleDense))


def test_copies_have_the_same_weights_in_each_group_and_in_fewer_copies():
    whole = made([Ring(), Square()], copies=3, depth=1)
    fewer = made([Ring()], copies=2, depth=1)
    for model, other in zip(whole.gan.networks.values(), fewer.gan.networks.values(), strict=True):
        for kernel, part in zip(kernels(model), kernels(other), strict=True):
            np.testing.assert_array_equal(kernel[:3], kernel[3:])
            np.testing.assert_array_equal(kernel[:2], part)
            assert (kernel[0] != kernel[1]).all()


def test_examples_are_those_of_each_groups_data():
    both = made([Ring(), Square(), Ring()])
    real = both.real(50, both.stream(0)).numpy()
    assert real.shape == (6, 50, 2)
    np.testing.assert_allclose(np.linalg.norm(real[:2], axis=-1), 5, atol=1)
    assert np.abs(real[2:4]).max() < 3.0001
    np.testing.assert_array_equal(real[:2], real[4:])
    assert (real[0] != real[1]).all()
    noise = both.noise(50, both.stream(0)).numpy()
    np.testing.assert_array_equal(noise[:2], noise[2:4])


def test_one_update_against_the_fixed_generator():
    """D(x) = w x + b: the gradient of E D(x + e) - E D(x) by w is the mean of e, and 0 by b."""
    game = made([Ring(), Square()])
    (before,) = kernels(game.gan.discriminator)
    generator = game.gan.generator.get_weights()
    game.oppose(1, "toy")
    (after,) = kernels(game.gan.discriminator)
    noise = game.noise(16, game.stream(0).fold(toys._NOISE)).numpy()
    np.testing.assert_allclose(after[..., 0], before[..., 0] - 0.5 * noise.mean(axis=1), atol=1e-6)
    assert (game.gan.discriminator.layers[-1].bias.numpy() == 0).all()
    assert all((one == other).all() for one, other in zip(generator, game.gan.generator.get_weights(), strict=True))
    assert game.gan.step == 1


def test_one_step_of_the_game():
    """D(x) = w x and G(z) = A z: w moves by rate (E x - E G(z)), then A by rate E z w^T."""
    game = made([Ring()])
    (w,), (a,) = kernels(game.gan.discriminator), kernels(game.gan.generator)
    stream = game.stream(0)
    real = game.real(16, stream.fold(toys._DATA).fold(0)).numpy()
    # In `GAN.train_step`, below the step and the replica: update 0 is the critic's, update 1 the generator's.
    z, other = (game.gan.latents(16, stream.fold(0, update, 0)).numpy() for update in (0, 1))
    game.play(1, "toy")
    moved = w[..., 0] + 0.5 * (real - z @ a).mean(axis=1)
    np.testing.assert_allclose(kernels(game.gan.discriminator)[0][..., 0], moved, atol=1e-5)
    expected = a + 0.5 * other.mean(axis=1)[:, :, np.newaxis] * moved[:, np.newaxis]
    np.testing.assert_allclose(kernels(game.gan.generator)[0], expected, atol=1e-5)


@pytest.mark.parametrize("method", ["oppose", "play"])
def test_training_in_parts_is_the_same(method):
    whole, parts = (made([Ring()], depth=1) for _ in range(2))
    getattr(whole, method)(5, "toy")
    for steps in (2, 3):
        getattr(parts, method)(steps, "toy")
    for name, model in whole.gan.networks.items():
        for one, other in zip(model.get_weights(), parts.gan.networks[name].get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_each_group_has_its_clip():
    variant = experiments.get("swiss_roll_wgan").variant
    game = made([Ring(), Ring()], variant, depth=1, clips=[0.1, 0.001])
    game.play(1, "toy")
    for kernel in kernels(game.gan.discriminator):
        assert np.abs(kernel[:2]).max() == pytest.approx(0.1)
        assert np.abs(kernel[2:]).max() == pytest.approx(0.001)
