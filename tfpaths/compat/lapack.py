"""TF-GAN's linear algebra in float64, by NumPy: its BLAS and LAPACK use all instructions of the CPU.

TensorFlow's packages are compiled for old CPUs, and its products in float64 use their instructions only. TF-GAN takes
square roots of matrices from singular value decompositions. At 2,048 features, its Fréchet distance then takes four
times as long as with NumPy. Within `used`, TF-GAN computes with these functions; elsewhere, with TensorFlow's, which
have derivatives.
"""

import contextlib
import contextvars
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

# A product of BLAS uses all cores: two at a time would take longer.
_one_at_a_time = threading.Lock()
_is_used = contextvars.ContextVar("_is_used", default=False)


@contextlib.contextmanager
def used() -> Iterator[None]:
    """Within the `with` block, TF-GAN's float64 linear algebra is NumPy's, and has no derivatives.

    Example:
      >>> with used():
      ...     print(matmul(tf.constant([[2.0]], tf.float64), tf.constant([[3.0]], tf.float64)))
      tf.Tensor([[6.]], shape=(1, 1), dtype=float64)
    """
    token = _is_used.set(True)
    try:
        yield
    finally:
        _is_used.reset(token)


def matmul(a: tf.Tensor, b: tf.Tensor, transpose_a: bool = False, transpose_b: bool = False, **kwargs: Any) -> Any:
    """Returns `tf.matmul(a, b, transpose_a, transpose_b, **kwargs)`."""
    if kwargs or not _is_used.get() or not a.dtype == b.dtype == tf.float64 or not a.shape.rank == b.shape.rank == 2:
        return tf.matmul(a, b, transpose_a, transpose_b, **kwargs)
    return _call(lambda a, b: (a.T if transpose_a else a) @ (b.T if transpose_b else b), a, b)


def covariance(sample: tf.Tensor, **kwargs: Any) -> Any:
    """Returns `tfp.stats.covariance(sample, **kwargs)`, the covariance divided by n, of `[n, features]`."""
    if kwargs or not _is_used.get() or sample.dtype != tf.float64 or sample.shape.rank != 2:
        import tensorflow_probability as tfp  # Here, since its import warns: see `tfpaths.compat.tfgan`.

        return tfp.stats.covariance(sample, **kwargs)

    def compute(sample):
        centred = sample - sample.mean(axis=0)
        return centred.T @ centred / len(sample)

    return _call(compute, sample)


def svd(tensor: tf.Tensor, **kwargs: Any) -> Any:
    """Returns `tf.linalg.svd(tensor, **kwargs)`; that of a symmetric matrix comes from its eigenvalues."""
    if kwargs or not _is_used.get() or not tf.executing_eagerly() or not _is_symmetric(matrix := np.asarray(tensor)):
        return tf.linalg.svd(tensor, **kwargs)
    values, vectors = np.linalg.eigh(matrix)
    # A = V w V^T = (V sign(w)) |w| V^T, with the largest |w| first.
    order = np.argsort(-np.abs(values), kind="stable")
    values, vectors = values[order], vectors[:, order]
    return tuple(map(tf.constant, (np.abs(values), vectors * np.where(values < 0, -1.0, 1.0), vectors)))


def _call(function: Callable[..., np.ndarray], *tensors: tf.Tensor) -> tf.Tensor:
    """Returns a function of float64 matrices, now or when the graph runs; its value is a matrix."""
    if tf.executing_eagerly():
        return tf.constant(function(*map(np.asarray, tensors)))

    def alone(*arrays: np.ndarray) -> np.ndarray:
        with _one_at_a_time:
            return function(*arrays)

    value = tf.numpy_function(alone, tensors, tf.float64, stateful=False)
    value.set_shape([None, None])
    return value


def _is_symmetric(matrix: np.ndarray) -> bool:
    """Returns whether a float64 matrix is finite, and symmetric up to the rounding of a product of matrices."""
    if matrix.dtype != np.float64 or matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        return False
    bound = 1e-12 * np.abs(matrix).max()
    return bool(np.isfinite(bound) and np.abs(matrix - matrix.T).max() <= bound)
