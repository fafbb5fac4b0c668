"""Extractors: reading data sets through a classifier in batches, and valid names."""

import numpy as np
import pytest
import tensorflow as tf

from tfpaths import config, data, errors
from tfpaths.metrics import extractors

COLOR, STACKED = (data.of(config.Data(name=name)) for name in ("color_mnist", "stacked_mnist"))


@pytest.mark.parametrize("data_set", [COLOR, STACKED], ids=str)
@pytest.mark.parametrize("split", ["train", "test"])
def test_modes_of_real_images_match_their_labels(data_set, split):
    extractor = extractors.get("digits", data_set, source="embedded")
    real = data_set.load(split, source="embedded")
    logits, features = extractor.collect(lambda start, num: real.take(np.arange(start, start + num)), 0, 300)
    read, labels = logits.argmax(axis=1), real.labels[:300]
    assert logits.shape == (300, data_set.modes)
    if data_set is COLOR:
        # A colour is on or off, and is never misread.
        np.testing.assert_array_equal(read % 7, labels % 7)
        assert (read // 7 == labels // 7).mean() >= 0.95
    else:
        assert (read == labels).mean() >= 0.95**3
    assert features.shape == (300, extractors.dimensions("digits", data_set)) == (300, 192)
    # They are logarithms of probabilities.
    np.testing.assert_allclose(np.exp(logits.astype(np.float64)).sum(axis=1), 1.0, rtol=1e-4)


def test_features_depend_on_colours():
    extractor = extractors.get("digits", COLOR, source="embedded")
    real = data.load("color_mnist", source="embedded").take(np.arange(50))
    one, other = (extractor.outputs(x)[1] for x in (real, tf.reverse(real, [-1])))
    np.testing.assert_allclose(tf.reshape(other, [50, 3, 64])[:, ::-1], tf.reshape(one, [50, 3, 64]), atol=1e-5)
    assert np.abs(one - other).max() > 0.5


def test_outputs_of_a_black_image_are_finite():
    extractor = extractors.get("digits", COLOR, source="embedded")
    assert all(np.isfinite(value).all() for value in extractor.outputs(-tf.ones((2, 28, 28, 3))))


def test_keys_differ_between_data_sets():
    keys = {extractors.get("digits", data_set, source="embedded").key for data_set in (COLOR, STACKED)}
    assert len(keys) == 2


def test_images_are_read_in_batches():
    received = []

    def batches(start, num):
        received.append((start, num))
        return tf.fill([num, 8, 8, 3], float(start))

    extractor = extractors.Extractor("x", "x", False, None, lambda x: (x[:, 0, 0, :2], x[:, 0, 0]))
    logits, features = extractor.collect(batches, 100, 1237)
    assert max(num for _, num in received) <= 250
    assert [start for start, _ in received] == list(np.cumsum([100, *(num for _, num in received)])[:-1])
    assert (logits.shape, features.shape) == ((1137, 2), (1137, 3))
    np.testing.assert_array_equal(features[:, 0], np.repeat(*np.transpose(received)))


def test_features_that_are_not_finite_are_refused():
    extractor = extractors.Extractor("x", "x", False, None, lambda x: (x, tf.math.log(x)))
    with pytest.raises(errors.RunError, match="the features of images 0 to 2 are not finite"):
        extractor.collect(lambda start, num: -tf.ones((num, 2)), 0, 3)


@pytest.mark.parametrize(
    ("name", "data_name", "line"),
    [
        ("incepton", "celeba", r"evaluation\.extractor: unknown extractor 'incepton'; did you mean 'inception'"),
        ("digits", "cifar10", "expected 'inception' or the directory of a SavedModel for cifar10, received 'digits'"),
        ("cifar10", "stacked_mnist", "for stacked_mnist, received 'cifar10', which reads other images"),
    ],
)
def test_invalid_names_are_refused(name, data_name, line):
    with pytest.raises(errors.InputError, match=line):
        extractors.check(name, data.of(config.Data(name=data_name)))
