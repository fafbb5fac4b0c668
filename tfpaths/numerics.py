"""Norms whose gradient is finite at zero, numbers of each run of an ensemble, shapes, and tapes."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

EPSILON = 1e-12


def per_example_norm(x: tf.Tensor, *, batch_axes: int = 1, epsilon: float = EPSILON) -> tf.Tensor:
    """Returns the Euclidean norm of each example: sqrt(sum x^2 + epsilon), over all axes but the first `batch_axes`.

    The derivative at x = 0 is x / sqrt(epsilon) = 0; without epsilon it is NaN. The gradient of a penalty therefore
    stays finite for a dead critic, whose gradient is zero. With epsilon = 1e-12 the norm of a zero vector is 1e-6, and
    a norm of 1 is exact in float32; public code that adds 1e-4 gives 1.00005 for 1.

    Args:
      x: `[batch, ...]`, or `[runs, batch, ...]` with `batch_axes=2`, of any float type. float16 and bfloat16 are cast
        to float32.
      batch_axes: The number of leading axes to keep.
      epsilon: The number added under the root.

    Returns:
      The norms, `[batch]` or `[runs, batch]`.

    Raises:
      ValueError: `x` has fewer axes than `batch_axes`, or an unknown number of axes.

    Example:
      >>> per_example_norm(tf.constant([[3.0, 4.0], [0.0, 1.0]])).numpy().tolist()
      [5.0, 1.0]
    """
    if x.shape.rank is None or x.shape.rank < batch_axes:
        raise ValueError(f"Expected at least {batch_axes} axes, received shape {x.shape}.")
    if x.dtype in (tf.float16, tf.bfloat16):
        x = tf.cast(x, tf.float32)
    return tf.sqrt(tf.reduce_sum(tf.square(x), axis=list(range(batch_axes, x.shape.rank))) + epsilon)


def of_runs(value: float | tf.Tensor, x: tf.Tensor) -> float | tf.Tensor:
    """Returns a number of each run, `[runs]`, as `[runs, 1, ...]` with as many axes as `x`; a scalar is unchanged.

    Args:
      value: A Python number, or a tensor or variable `[]` or `[runs]`.
      x: `[runs, ...]`.

    Example:
      >>> of_runs(tf.constant([1.0, 2.0]), tf.zeros([2, 5, 3])).shape
      TensorShape([2, 1, 1])
      >>> of_runs(10.0, tf.zeros([2, 5, 3]))
      10.0
    """
    if isinstance(value, int | float) or value.shape.rank == 0:
        return value
    return tf.reshape(value, [-1, *[1] * (len(x.shape) - 1)])


def shape_of(x: tf.Tensor) -> list[int | tf.Tensor]:
    """Returns the shape of `x`; an axis is an integer if its size is static, otherwise a tensor.

    Example:
      >>> shape_of(tf.zeros([4, 2]))
      [4, 2]
    """
    return [tf.shape(x)[axis] if size is None else size for axis, size in enumerate(x.shape)]


def per_example_shape(x: tf.Tensor, batch_axes: int = 1) -> list[int | tf.Tensor]:
    """Returns the shape of one number per example that broadcasts against `x`: `[batch, 1, 1, 1]` for images.

    Args:
      x: Examples.
      batch_axes: The number of leading axes that index examples: 1, or 2 in an ensemble.

    Example:
      >>> per_example_shape(tf.zeros([4, 8, 8, 3]))
      [4, 1, 1, 1]
    """
    return [*shape_of(x)[:batch_axes], *[1] * (x.shape.rank - batch_axes)]


@contextlib.contextmanager
def watching(variables: list[keras.Variable]) -> Iterator[tf.GradientTape]:
    """Yields a gradient tape that watches only these variables.

    Example:
      >>> w = keras.Variable(3.0)
      >>> with watching([w]) as tape:
      ...     y = w * w
      >>> float(tape.gradient(y, w.value))
      6.0
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([variable.value for variable in variables])
        yield tape
