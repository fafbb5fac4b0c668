"""Norms whose gradient at zero is defined, not NaN."""

import tensorflow as tf

EPSILON = 1e-12


def per_example_norm(x: tf.Tensor, *, batch_axes: int = 1, epsilon: float = EPSILON) -> tf.Tensor:
    """Returns the Euclidean norm of each example: sqrt(sum x^2 + epsilon), over all axes but the first `batch_axes`.

    The derivative at x = 0 is x / sqrt(epsilon) = 0, where that of a plain square root is NaN: a dead critic, whose
    gradient is zero, then gives a finite penalty. With epsilon = 1e-12 the norm of a zero vector is 1e-6 and a norm of
    1 is exact in float32; public code that adds 1e-4 gives 1.00005 for 1.

    Args:
      x: `[batch, ...]`, or `[runs, batch, ...]` with `batch_axes=2`; any float type; computed in float32 or higher.
      batch_axes: How many leading axes to keep.
      epsilon: What is added under the root.

    Returns:
      The norms, of the shape of the first `batch_axes` axes.

    Raises:
      ValueError: `x` has fewer axes than `batch_axes`.
    """
    if x.shape.rank is None or x.shape.rank < batch_axes:
        raise ValueError(f"Expected at least {batch_axes} axes, received shape {x.shape}.")
    if x.dtype in (tf.float16, tf.bfloat16):
        x = tf.cast(x, tf.float32)
    return tf.sqrt(tf.reduce_sum(tf.square(x), axis=list(range(batch_axes, x.shape.rank))) + epsilon)
