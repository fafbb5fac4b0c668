"""Handwritten digits: MNIST, the embedded digits, and which of them is loaded."""

import numpy as np
import pytest
import requests
import tensorflow as tf

from tfpaths import errors
from tfpaths.data import digits


def test_embedded_digits_match_scikit_learn():
    train, test = digits.embedded("train"), digits.embedded("test")
    assert (train.images.shape, test.images.shape) == ((1200, 28, 28), (360, 28, 28))
    assert digits.load("validation", source="embedded").images.shape == (237, 28, 28)
    assert set(train.labels) == set(test.labels) == set(range(10))
    # MNIST's margin of 4 pixels is empty.
    assert train.images[:, :4].max() == train.images[:, :, -4:].max() == 0
    # Enlarging keeps the ink: each of the 64 pixels becomes 2.5 x 2.5, up to the spline's overshoot.
    import sklearn.datasets

    ink = sklearn.datasets.load_digits().images[:1200].sum(axis=(1, 2)) * 2.5**2 * 255 / 16
    np.testing.assert_allclose(train.images.sum(axis=(1, 2)), ink, rtol=0.06)


@pytest.mark.parametrize(
    ("splits", "size", "counts", "mean", "deviation"),
    [
        (["train", "validation"], 60_000, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949], 0.1307, 0.3081),
        (["test"], 10_000, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009], 0.1325, 0.3105),
    ],
)
def test_mnist_has_the_known_statistics(tfds_dir, splits, size, counts, mean, deviation):
    parts = [digits.load(split, data_dir=str(tfds_dir)) for split in splits]
    assert [len(part.images) for part in parts[1:]] == [10_000] * (len(splits) - 1)
    images, labels = (np.concatenate([getattr(part, field) for part in parts]) for field in ("images", "labels"))
    raw = digits.Digits(images, labels, parts[0].source)
    assert raw.source == "tfds"
    assert raw.images.shape == (size, 28, 28)
    # The counts of the digits and the moments of the pixels are the commonly published ones.
    assert np.bincount(raw.labels).tolist() == counts
    np.testing.assert_allclose(raw.images.mean() / 255, mean, atol=5e-5)
    np.testing.assert_allclose(raw.images.std() / 255, deviation, atol=5e-5)
    # A label belongs to its image: the mean image of a class classifies four of five, as it is known to.
    means = np.stack([raw.images[raw.labels == k].mean(axis=0) for k in range(10)]).reshape(10, -1)
    flat = raw.images[:2000].reshape(2000, -1).astype(np.float64)
    distances = (means**2).sum(axis=1) - 2 * flat @ means.T
    assert (distances.argmin(axis=1) == raw.labels[:2000]).mean() > 0.75


class TestWithoutNetwork:
    @pytest.fixture(autouse=True)
    def no_answer(self, monkeypatch, tmp_path):
        def refuse(*args, **kwargs):
            raise requests.ConnectionError("no route")

        monkeypatch.setattr(requests, "head", refuse)
        monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))

    def test_auto_uses_the_embedded_digits_with_one_warning(self, caplog):
        assert digits.load().source == "embedded"
        (record,) = caplog.records
        assert record.levelname == "WARNING"
        assert "embedded digits" in record.getMessage()
        assert "--data_dir" in record.getMessage()

    def test_tfds_without_network_error_says_how_to_fix_it(self):
        with pytest.raises(errors.InputError, match=r"does not answer\. To fix this: .*--data_dir.*--source=embedded"):
            digits.load(source="tfds")


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(errors.InputError, match="split of digits 'tran'; did you mean 'train'"):
        digits.load("tran")
    with pytest.raises(errors.InputError, match="source of digits 'embeded'; did you mean 'embedded'"):
        digits.load(source="embeded")


def test_channels_are_classified_separately():
    # The "model" gives each image's mean as logits and features: channel c of image b has the mean 10 b + c.
    def model(images, training=False):
        mean = tf.reduce_mean(images, axis=[1, 2])
        return tf.tile(mean, [1, 10]), mean

    images = tf.broadcast_to(tf.constant([[0.0, 1.0, 2.0], [10.0, 11.0, 12.0]])[:, None, None, :], [2, 28, 28, 3])
    logits, features = digits.by_channel(model, images)
    assert logits.shape == (2, 3, 10)
    np.testing.assert_array_equal(logits[:, :, 0], [[0, 1, 2], [10, 11, 12]])
    np.testing.assert_array_equal(features, [[0, 1, 2], [10, 11, 12]])
