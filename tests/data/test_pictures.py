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


def dots(content, color=(0x00, 0x72, 0xB2), legend=False):
    """`[num, 2]`: row and column of the pixels of a colour, by default that of the points, outside a legend."""
    found = np.argwhere(np.abs(opened(content) - color).sum(axis=2) < 60)
    is_in_legend = (found[:, 0] < 60) & (found[:, 1] > 400)  # The upper right corner.
    return found[~is_in_legend] if legend else found


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


REAL = np.array([[-1.0, -1.0], [3.0, 1.0]])


def test_axes_are_those_of_the_real_points():
    # The square around (1, 0) whose half side is 0.75 times the width of 4: x from -2 to 4, y from -3 to 3. The second
    # pair of points differs in places that the first ones do not have, and far outside.
    pairs = ([[-1.9, 0.0], [1.0, 2.9]], [[3.9, 0.0], [1.0, -2.9], [50.0, 0.0]])
    one, other = (pictures.scatter(np.array(points), real=REAL) for points in pairs)
    left, top = dots(one, legend=True)[:, 1].min(), dots(one, legend=True)[:, 0].min()
    right, bottom = dots(other, legend=True)[:, 1].max(), dots(other, legend=True)[:, 0].max()
    # All that differs is a point: the axes' lines and numbers are equal.
    assert len(np.argwhere((opened(one) != opened(other)).any(axis=2))) < 400
    middle = dots(pictures.scatter(np.array([[1.0, 0.0]]), real=REAL), legend=True).mean(axis=0)
    np.testing.assert_allclose([(left + right) / 2, (top + bottom) / 2], middle[::-1], atol=3)
    assert right - left == pytest.approx(bottom - top, abs=4)
    # The real points have another colour, E69F00.
    found = dots(one, color=(0xE6, 0x9F, 0x00), legend=True)
    # (3 - (-1)) / (3.9 - (-1.9)) of the distance between the outermost points.
    assert np.ptp(found[:, 1]) == pytest.approx((right - left) * 4 / 5.8, abs=6)


def test_contours_follow_the_logits():
    points = np.zeros((1, 2))
    plain, shown = (pictures.scatter(points, real=REAL, logits=f) for f in (None, lambda x: x[:, 0]))
    rows, columns = np.argwhere((opened(plain) != opened(shown)).any(axis=2)).T
    # D(x) = x1 has vertical contours, at most 12, each a few pixels wide and as high as the axes.
    assert len(set(rows)) > 400
    assert 10 < len(set(columns)) < 80
    assert pictures.scatter(points, real=REAL, logits=lambda x: x[:, :1]) == shown


# NaN everywhere, NaN on one side, and the same everywhere.
@pytest.mark.parametrize("logit_of", [lambda x: x * np.nan, lambda x: np.where(x > 0, x, np.nan), lambda x: 0 * x + 2])
def test_logits_without_contours_are_left_out(logit_of):
    points = np.zeros((1, 2))
    content = pictures.scatter(points, real=REAL, logits=lambda x: logit_of(x[:, 0]))
    assert content == pictures.scatter(points, real=REAL)


@pytest.mark.parametrize("dimensions", [1, 3])
def test_points_of_other_dimensions_have_no_contours(dimensions):
    real = np.pad(REAL, ((0, 0), (0, 1)))[:, :dimensions]
    content = pictures.scatter(np.full((1, dimensions), 0.5), real=real, logits=None)
    # A discriminator of other points cannot be called on points of the plane.
    assert pictures.scatter(np.full((1, dimensions), 0.5), real=real, logits=lambda x: 1 / 0) == content
    assert len(dots(content)) > 0
