"""Color MNIST: its images, its modes, and the outputs of a classifier."""

import numpy as np
import pytest
import tensorflow as tf

from tfpaths.data import color_mnist, digits
from tfpaths.data.color_mnist import COLOURS, SHARPNESS, ColorMNIST, coloured


@pytest.fixture(scope="module")
def raw():
    return digits.embedded("train")


def test_all_seven_colours_show_the_digit(raw):
    made = coloured(raw, "train", seed=0)
    shown = np.rint((made.take(np.arange(200)).numpy() + 1) * 127.5)
    colours = np.array([shown[i].reshape(-1, 3).max(axis=0) > 0 for i in range(200)])
    # Black is excluded, all seven others occur, and a channel that is on shows the digit itself.
    assert {tuple(map(int, c)) for c in colours} == {tuple(c) for c in COLOURS.tolist()}
    for i in range(200):
        for channel in range(3):
            expected = raw.images[i] if colours[i, channel] else 0 * raw.images[i]
            np.testing.assert_array_equal(shown[i, :, :, channel], expected)
    np.testing.assert_array_equal(COLOURS[made.labels[:200] % 7], colours)
    np.testing.assert_array_equal(made.labels // 7, raw.labels)
    assert len(np.unique(made.labels)) == 70


def test_probabilities_of_modes(raw):
    share = np.array([(raw.labels == digit).mean() for digit in range(10)])
    modes = coloured(raw, "train", seed=0).modes
    assert modes.shape == (70,)
    np.testing.assert_allclose(modes[7 * 3 + 4], share[3] / 7)
    np.testing.assert_allclose(modes.sum(), 1.0)


def test_colours_depend_only_on_seed_split_and_position(raw):
    half = digits.Digits(raw.images[:700], raw.labels[:700], raw.source)
    whole = coloured(raw, "train", seed=4)
    np.testing.assert_array_equal(coloured(half, "train", seed=4).labels, whole.labels[:700])
    assert not np.array_equal(coloured(raw, "train", seed=5).labels, whole.labels)
    assert not np.array_equal(coloured(raw, "test", seed=4).labels, whole.labels)


def test_colours_match_version_0_1(raw):
    assert coloured(raw, "train", seed=4).labels[:12].tolist() == [5, 13, 20, 24, 34, 41, 48, 49, 59, 67, 1, 9]


def blocks(images, training=False):
    """A simple classifier: class k for an image that is bright only in row k."""
    rows = tf.reduce_sum((images[..., 0] + 1) / 2, axis=2)[:, :10]
    return 100.0 * rows, rows


def striped(row, colour):
    """An image with one row in one colour, black elsewhere."""
    image = np.zeros((28, 28, 3), np.float32)
    image[row] = COLOURS[colour]
    return 2 * image - 1


class TestOutputs:
    @pytest.mark.parametrize("colour", range(7))
    @pytest.mark.parametrize("digit", [0, 4, 9])
    def test_class_is_7_digit_plus_colour(self, digit, colour):
        logits, features = ColorMNIST().outputs(blocks)(tf.constant([striped(digit, colour)]))
        assert logits.shape == (1, 70)
        assert int(tf.argmax(logits[0])) == 7 * digit + colour
        np.testing.assert_allclose(np.exp(logits).sum(), 1.0, rtol=1e-4)
        # Channel after channel, the ten rows of each: row `digit` is bright where the channel is on.
        expected = np.zeros((3, 10))
        expected[:, digit] = 28 * COLOURS[colour]
        np.testing.assert_allclose(tf.reshape(features, [3, 10]), expected)

    def test_colour_probabilities_by_hand(self):
        # The green channel has a quarter of the brightness of red: r = (1, 1/4, 0). With s = sigmoid(20 (r - 1/2)) the
        # colours have the probabilities s_r (1 - s_g) (1 - s_b) and so on, black left out.
        image = np.zeros((28, 28, 3), np.float32)
        image[3] = [1.0, 0.25, 0.0]
        logits, _ = ColorMNIST().outputs(blocks)(tf.constant([2 * image - 1]))
        on = 1 / (1 + np.exp(-SHARPNESS * (np.array([1.0, 0.25, 0.0]) - 0.5)))
        expected = np.prod(np.where(COLOURS == 1, on, 1 - on), axis=1)
        np.testing.assert_allclose(np.exp(logits[0, 21:28]), expected / expected.sum(), rtol=1e-3)

    def test_black_image_gives_finite_outputs(self):
        logits, features = ColorMNIST().outputs(blocks)(-tf.ones((2, 28, 28, 3)))
        assert np.isfinite(logits).all()
        assert np.isfinite(features).all()

    def test_key_includes_the_sharpness(self, monkeypatch):
        assert ColorMNIST().outputs_key == "color_mnist-20.0"
        monkeypatch.setattr(color_mnist, "SHARPNESS", 5.0)
        assert ColorMNIST().outputs_key == "color_mnist-5.0"
