"""Grids of images and drawings of points, read back pixel by pixel."""

import io

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from tfpaths.data import pictures


def test_grid_places_each_image():
    # Image k is constant; its grey value names it.
    greys = np.linspace(-1, 1, 6)
    images = np.broadcast_to(greys[:, None, None, None], (6, 4, 5, 3))
    picture = pictures.grid(images, 3, gap=2)
    assert picture.shape == (2 * 6 + 2, 3 * 7 + 2, 3)
    for k, grey in enumerate(greys):
        row, column = divmod(k, 3)
        cell = picture[2 + row * 6 : 6 + row * 6, 2 + column * 7 : 7 + column * 7]
        np.testing.assert_array_equal(cell, np.full((4, 5, 3), np.rint((grey + 1) * 127.5)))
    assert picture[:2].max() == picture[:, -2:].max() == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_png_round_trip_clips_values_out_of_range(channels):
    picture = pictures.grid(np.random.default_rng(0).uniform(-2, 2, (4, 8, 8, channels)), 2)
    np.testing.assert_array_equal(tf.io.decode_png(pictures.png(picture)), picture)
    assert (picture.min(), picture.max()) == (0, 255)


def test_incomplete_rows_are_refused():
    with pytest.raises(ValueError, match="multiple of 3 images, received 4"):
        pictures.grid(np.zeros((4, 2, 2, 1)), 3)


def opened(content):
    return np.asarray(PIL.Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def dots(content):
    """`[num, 2]`: row and column of the pixels of the points' colour, 0072B2."""
    return np.argwhere(np.abs(opened(content) - [0x00, 0x72, 0xB2]).sum(axis=2) < 60)


def test_scatter_draws_points_at_their_coordinates():
    right, left = dots(pictures.scatter(np.array([[1.0, 0.0]]))), dots(pictures.scatter(np.array([[-1.0, 0.0]])))
    up = dots(pictures.scatter(np.array([[0.0, 1.0]])))
    middle = dots(pictures.scatter(np.array([[0.0, 0.0]])))
    assert min(len(found) for found in (right, left, up, middle)) > 0
    assert right[:, 1].mean() - middle[:, 1].mean() == pytest.approx(middle[:, 1].mean() - left[:, 1].mean(), abs=3)
    assert right[:, 1].mean() - middle[:, 1].mean() == pytest.approx(middle[:, 0].mean() - up[:, 0].mean(), abs=3)
    assert right[:, 1].mean() - middle[:, 1].mean() > 100


def test_scatter_is_square_with_fixed_axes():
    content = pictures.scatter(np.zeros((1, 2)))
    assert opened(content).shape == (512, 512, 3)
    # Both reach beyond 2, so both have axes to 4; a third coordinate is not drawn.
    one, other = (opened(pictures.scatter(np.array([[0.0, 0.0, 9.0], [reach, 0.0, 9.0]]))) for reach in (2.1, 3.9))
    differing = np.argwhere((one != other).any(axis=2))
    assert len(differing) < 200  # The moved point alone.


def test_scatter_skips_points_that_are_not_finite():
    points = np.array([[0.5, 0.5], [np.nan, 0.0], [0.0, np.inf]])
    assert pictures.scatter(points) == pictures.scatter(points[:1])
    assert len(dots(pictures.scatter(points[1:]))) == 0


def test_scatter_draws_one_coordinate_on_the_axis():
    assert pictures.scatter(np.array([[0.5]])) == pictures.scatter(np.array([[0.5, 0.0]]))
