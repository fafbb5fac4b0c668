"""What the benchmarks count, against sums by hand; how fast anything is, no test asks."""

import pytest
from helpers import ROOT

from benchmarks import __main__ as tables
from benchmarks import machine, operations, sampling

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


def test_the_discriminators_loss_is_two_passes_of_three_products_but_the_images_own_gradient(counted):
    assert counted["D's loss"] == 2 * (3 * DISCRIMINATOR - CONVOLUTIONS[0])


def test_the_fake_images_are_one_pass_of_the_generator(counted):
    assert counted["fake images for D"] == GENERATOR


def test_the_penalty_is_a_pass_its_gradient_and_the_two_products_of_that_gradients_derivative(counted):
    # Forward, and back to the points; from the slopes' norms forward again, and the weights' gradient of each layer.
    # Nobody asks for the logit, and its slope is the last layer's weights: nothing goes forward through that layer.
    assert counted["penalty"] == 4 * DISCRIMINATOR - 2 * LOGIT


def test_the_generators_loss_goes_through_both_players_and_asks_for_no_gradient_of_the_discriminators_weights(counted):
    through_the_discriminator = 2 * DISCRIMINATOR
    assert counted["G's loss"] == through_the_discriminator + 3 * GENERATOR - PROJECTION


def test_nothing_is_left_over(counted):
    assert set(counted) == {"D's loss", "fake images for D", "penalty", "G's loss"}


def test_an_images_sampling_is_one_pass_of_the_generator():
    assert sampling.operations(32) == 2 * GENERATOR


def test_what_is_not_installed_has_no_version():
    about = machine("numpy", "no_such_package")
    assert about["versions"]["no_such_package"] is None
    assert about["versions"]["numpy"]


def test_every_table_is_a_module_and_another_name_is_refused_with_the_nearest(capsys):
    for name in tables.TABLES:
        assert (ROOT / "benchmarks" / f"{name}.py").exists()
    assert tables.main(["stepz"]) == 2
    assert "unknown table 'stepz'; did you mean 'steps'?" in capsys.readouterr().err
