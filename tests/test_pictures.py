import numpy as np
import pytest
import tensorflow as tf

from tfpaths import pictures


def test_a_grid_puts_each_image_where_it_belongs():
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
def test_png_round_trip_and_values_out_of_range(channels):
    picture = pictures.grid(np.random.default_rng(0).uniform(-2, 2, (4, 8, 8, channels)), 2)
    np.testing.assert_array_equal(tf.io.decode_png(pictures.png(picture)), picture)
    assert (picture.min(), picture.max()) == (0, 255)


def test_images_that_do_not_fill_the_rows_are_refused():
    with pytest.raises(ValueError, match="multiple of 3 images, received 4"):
        pictures.grid(np.zeros((4, 2, 2, 1)), 3)
