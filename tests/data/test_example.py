"""The types of examples: how each shows and stores samples."""

import io

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from tfpaths.data import pictures
from tfpaths.data.example import IMAGE, POINT, TYPES, ExampleType, Scene

SAMPLES = {
    "image": np.random.default_rng(0).uniform(-1.1, 1.1, (5, 8, 8, 3)).astype(np.float32),
    "point": np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32),
    "text": np.random.default_rng(0).dirichlet(np.ones(3), size=(5, 8)).astype(np.float32),
}


@pytest.mark.parametrize("name", sorted(TYPES))
def test_stored_samples_give_the_same_grid(name):
    kind, samples = TYPES[name].of({"alphabet": "abc"}), SAMPLES[name]
    stored = kind.stored(samples)
    # A text is stored as a string.
    assert stored.shape == (samples.shape[:1] if name == "text" else samples.shape)
    # A sampler may hold what is stored, which is smaller.
    assert kind.grid(stored, 2) == kind.grid(samples, 2)
    assert kind.single(stored[0]) == kind.single(samples[0])
    assert kind.is_png == (kind.suffix == ".png")
    for content in (kind.grid(samples, 2), kind.single(samples[0])) if kind.is_png else ():
        assert PIL.Image.open(io.BytesIO(content)).format == "PNG"


@pytest.mark.parametrize("name", sorted(TYPES))
def test_an_export_describes_the_type(name):
    facts = {"alphabet": "abc"} if name == "text" else {}
    kind = TYPES[name].of({**facts, "step": 3})
    assert (type(kind), kind.facts) == (type(TYPES[name]), facts)
    if kind.readable is not None:
        read = kind.read(tf.constant(SAMPLES[name])).numpy()
        np.testing.assert_array_equal(read.astype("U8") if name == "text" else read, kind.stored(SAMPLES[name]))


def test_images_are_stored_as_uint8():
    stored = IMAGE.stored(np.array([[-1.0, -0.2], [1.0, 7.0]], np.float32))
    assert stored.dtype == np.uint8
    # (-0.2 + 1) * 127.5 = 102.
    np.testing.assert_array_equal(stored, [[0, 102], [255, 255]])


def test_points_are_stored_unchanged():
    stored = POINT.stored([[0.5, 7.0]])
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, [[0.5, 7.0]])


def test_incomplete_image_grid_is_filled_with_black():
    samples = SAMPLES["image"]
    opened = np.asarray(PIL.Image.open(io.BytesIO(IMAGE.grid(samples, 3))))
    whole = np.concatenate([samples, -np.ones((1, 8, 8, 3))])
    np.testing.assert_array_equal(opened, pictures.grid(whole, 3))


def test_full_image_grid_matches_pictures_grid():
    assert IMAGE.grid(SAMPLES["image"][:4], 2) == pictures.png(pictures.grid(SAMPLES["image"][:4], 2))
    np.testing.assert_array_equal(
        np.asarray(PIL.Image.open(io.BytesIO(IMAGE.single(SAMPLES["image"][0])))), pictures.levels(SAMPLES["image"][0])
    )


def test_point_grid_draws_all_points():
    two, one = POINT.grid(np.array([[0.5, 0.5], [-0.5, 0.5]]), 8), POINT.grid(np.array([[0.5, 0.5]]), 8)
    assert two != one
    assert POINT.single(np.array([0.5, 0.5])) == one


def test_training_grid_is_the_grid_by_default():
    class Numbers(ExampleType):
        name, suffix, grid_columns = "number", ".txt", 3

        def grid(self, samples, columns):
            return f"{samples.sum()} in {columns}".encode()

    scene = Scene(np.ones((2, 2)), lambda x: 1 / 0)
    assert Numbers().training_grid(np.ones(4), scene) == b"4.0 in 3"
    assert IMAGE.training_grid(SAMPLES["image"], scene) == IMAGE.grid(SAMPLES["image"], IMAGE.grid_columns)


def test_training_grid_of_points_shows_the_scene():
    real = np.array([[-1.0, -1.0], [3.0, 1.0]])
    expected = pictures.scatter(SAMPLES["point"], real=real, logits=lambda x: x[:, 0])
    assert POINT.training_grid(SAMPLES["point"], Scene(real, lambda x: x[:, 0])) == expected
