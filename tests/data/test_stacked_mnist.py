"""Stacked MNIST: its images, its modes, and the outputs of a classifier."""

import numpy as np
import pytest
import tensorflow as tf

from tfpaths.data import digits
from tfpaths.data.stacked_mnist import StackedMNIST, stacked


@pytest.fixture(scope="module")
def raw():
    return digits.embedded("train")


def test_images_show_three_independent_digits(raw):
    made = stacked(raw, "train", seed=0)
    shown = np.rint((made.take(np.arange(50)).numpy() + 1) * 127.5).astype(np.uint8)
    label_of = {image.tobytes(): label for image, label in zip(raw.images, raw.labels, strict=True)}
    for i in range(50):
        triple = [label_of[np.ascontiguousarray(shown[i, :, :, c]).tobytes()] for c in range(3)]
        assert made.labels[i] == triple[0] * 100 + triple[1] * 10 + triple[2]
    # Independent: of 1,200 draws over 1,000 modes about 1000 (1 - e^-1.2) = 699 are hit, with a spread of about 12.
    assert abs(len(np.unique(made.labels)) - 699) < 60
    hundreds, tens, ones = made.labels // 100, made.labels // 10 % 10, made.labels % 10
    assert np.abs(np.corrcoef([hundreds, tens, ones]) - np.eye(3)).max() < 0.1


def test_probabilities_of_modes(raw):
    share = np.array([(raw.labels == digit).mean() for digit in range(10)])
    modes = stacked(raw, "train", seed=0).modes
    assert modes.shape == (1000,)
    np.testing.assert_allclose(modes[905], share[9] * share[0] * share[5])
    np.testing.assert_allclose(modes.sum(), 1.0)


def test_triples_match_version_0_1(raw):
    assert stacked(raw, "train", seed=4).labels[:12].tolist() == [668, 404, 748, 636, 632, 56, 769, 1, 9, 403, 623, 514]


def test_triples_depend_on_seed_and_split(raw):
    one = stacked(raw, "train", seed=4).labels
    np.testing.assert_array_equal(stacked(raw, "train", seed=4).labels, one)
    assert not np.array_equal(stacked(raw, "train", seed=5).labels, one)
    assert not np.array_equal(stacked(raw, "test", seed=4).labels, one)


def test_class_is_read_channel_by_channel():
    def model(images, training=False):
        # Class k for an image that is bright only in row k.
        rows = tf.reduce_sum((images[..., 0] + 1) / 2, axis=2)[:, :10]
        return 100.0 * rows, rows

    image = -np.ones((1, 28, 28, 3), np.float32)
    for channel, digit in enumerate((9, 0, 5)):
        image[0, digit, :, channel] = 1
    logits, features = StackedMNIST().outputs(model)(tf.constant(image))
    assert logits.shape == (1, 1000)
    assert int(tf.argmax(logits[0])) == 905
    np.testing.assert_allclose(np.exp(logits).sum(), 1.0, rtol=1e-4)
    expected = np.zeros((3, 10))
    expected[[0, 1, 2], [9, 0, 5]] = 28
    np.testing.assert_allclose(tf.reshape(features, [3, 10]), expected)
    assert StackedMNIST().outputs_key == "stacked_mnist"
