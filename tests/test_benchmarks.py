"""The operation counts of the benchmarks, against sums by hand; no test measures speed."""

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


def test_missing_package_has_no_version():
    about = machine("numpy", "no_such_package")
    assert about["versions"]["no_such_package"] is None
    assert about["versions"]["numpy"]


def test_tables_are_modules_and_unknown_names_are_refused(capsys):
    for name in tables.TABLES:
        assert (ROOT / "benchmarks" / f"{name}.py").exists()
    assert tables.main(["stepz"]) == 2
    assert "unknown table 'stepz'; did you mean 'steps'?" in capsys.readouterr().err
