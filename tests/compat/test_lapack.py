"""The linear algebra by NumPy is TensorFlow's, and is used for the scores only."""

import numpy as np
import pytest
import tensorflow as tf

from tfpaths.compat import lapack
from tfpaths.metrics import scores
from tfpaths.tfgan import tfgan


@pytest.fixture
def matrix():
    """A symmetric matrix whose eigenvalues are 3, -2, 1 and 0."""
    vectors, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))
    symmetric = vectors * [3.0, -2.0, 1.0, 0.0] @ vectors.T
    return (symmetric + symmetric.T) / 2


@pytest.fixture
def calls(monkeypatch):
    """The names of NumPy's and TensorFlow's decompositions, in the order of their calls."""
    names = []
    for module, name in ((np.linalg, "eigh"), (tf.linalg, "svd")):
        function = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, f=function, n=name, **k: [names.append(n), f(*a, **k)][1])
    return names


def test_svd_of_a_symmetric_matrix(matrix, calls):
    with lapack.used():
        s, u, v = map(np.asarray, lapack.svd(tf.constant(matrix)))
    assert calls == ["eigh"]
    np.testing.assert_allclose(s, [3.0, 2.0, 1.0, 0.0], atol=1e-14)
    np.testing.assert_allclose(u * s @ v.T, matrix, atol=1e-14)
    for orthogonal in (u, v):
        np.testing.assert_allclose(orthogonal.T @ orthogonal, np.eye(4), atol=1e-14)


@pytest.mark.parametrize("change", [1e-6, np.nan])
def test_svd_of_another_matrix_is_tensorflows(matrix, calls, change):
    matrix[0, 1] += change
    with lapack.used():
        values = lapack.svd(tf.constant(matrix))
    assert calls == ["svd"]
    for value, expected in zip(values, tf.linalg.svd(matrix), strict=True):
        np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("transposed", [{}, {"transpose_a": True}, {"transpose_b": True}])
def test_matmul_is_tensorflows(transposed, in_graph):
    a, b = (tf.constant(np.random.default_rng(seed).normal(size=(3, 3))) for seed in (1, 2))
    function = tf.function(lapack.matmul, autograph=False) if in_graph else lapack.matmul
    with lapack.used():
        value = function(a, b, **transposed)
    np.testing.assert_allclose(value, tf.matmul(a, b, **transposed), rtol=1e-14, atol=1e-15)


def test_covariance_divides_by_the_count():
    with lapack.used():
        # Both features are -1, 0, 1: variance 2 / 3.
        value = lapack.covariance(tf.constant([[0.0, 5.0], [1.0, 6.0], [2.0, 7.0]], tf.float64))
    np.testing.assert_allclose(value, np.full([2, 2], 2 / 3), rtol=1e-14)


def test_float32_and_batches_stay_tensorflows():
    ones = tf.ones([2, 3, 3])
    with lapack.used():
        assert lapack.matmul(ones, ones).dtype == tf.float32
        assert lapack.covariance(ones).shape == (3, 3, 3)
        assert lapack.svd(ones)[0].shape == (2, 3)


def test_tfgan_uses_numpy_for_the_scores_only(calls):
    features = np.random.default_rng(0).normal(size=(2, 20, 3))
    distance = scores.frechet_distance(*features)
    assert calls == 2 * ["eigh"]
    tensor = tf.Variable(features[0])
    with tf.GradientTape() as tape:
        by_tensorflow = tfgan.eval.frechet_classifier_distance_from_activations(tensor, features[1])
    assert calls[2:] == 2 * ["svd"]
    np.testing.assert_allclose(distance, by_tensorflow, rtol=1e-12)
    assert np.abs(tape.gradient(by_tensorflow, tensor)).max() > 0


def test_used_ends_with_an_error():
    with pytest.raises(ZeroDivisionError), lapack.used():
        raise ZeroDivisionError
    a = tf.Variable([[2.0]], dtype=tf.float64)
    with tf.GradientTape() as tape:
        square = lapack.matmul(a, a)
    assert tape.gradient(square, a) == 4.0
