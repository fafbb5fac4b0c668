"""A tensor that is filled batch by batch, so that a large data set is in memory only once."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

# Rows that are converted at a time: with 64×64×3 bytes each, 6 MB.
_CHUNK = 512


class Rows:
    """The rows of one tensor, written in place.

    `np.concatenate`, `np.stack` and `tf.constant` copy: each holds all rows a second time, and `tf.constant` can hold
    an array three times. The first batch determines the shape of a row and the dtype.

    Args:
      capacity: The largest number of rows. Memory is allocated for all of them, but the system provides it only as they
        are written.

    Example:
      >>> rows = Rows(3)
      >>> rows.append(np.array([[1, 2]], np.uint8))
      >>> rows.append(np.array([[3, 4]], np.uint8))
      >>> rows.count, rows.tensor.numpy().tolist()
      (2, [[1, 2], [3, 4]])
    """

    def __init__(self, capacity: int):
        self.capacity = capacity
        self.count = 0
        self._stored: tf.Tensor | None = None

    def append(self, values: np.ndarray | Sequence[np.ndarray]) -> None:
        """Writes the next rows, `[num, *shape]`.

        Raises:
          ValueError: There would be more than `capacity` rows.
        """
        values = np.asarray(values)
        end = self.count + len(values)
        # TensorFlow would begin again with the first row.
        if end > self.capacity:
            raise ValueError(f"expected {self.capacity} examples, found at least {end}")
        # On the CPU, because a data set can be larger than the memory of a GPU.
        with tf.device("CPU"):
            if self._stored is None:
                shape = (self.capacity, *values.shape[1:])
                self._stored = tf.raw_ops.Empty(shape=shape, dtype=values.dtype, init=False)
            # The result has the memory of `x`: only the rows are copied.
            self._stored = tf.raw_ops.InplaceUpdate(x=self._stored, i=tf.range(self.count, end), v=values)
        self.count = end

    @property
    def tensor(self) -> tf.Tensor:
        """The rows that were written, `[count, *shape]`, without a copy.

        Raises:
          ValueError: No batch was written.
        """
        if self._stored is None:
            raise ValueError("found no examples")
        with tf.device("CPU"):
            return self._stored if self.count == self.capacity else self._stored[: self.count]


def copied(values: np.ndarray, dtype: npt.DTypeLike) -> tf.Tensor:
    """Returns an array as a tensor of a dtype: one copy, in pieces, whatever the array's own dtype.

    Example:
      >>> copied(np.array([1.5, 2.5]), np.float32).numpy()
      array([1.5, 2.5], dtype=float32)
    """
    rows = Rows(len(values))
    # At least one piece, so that an empty array has a shape too.
    for start in range(0, max(len(values), 1), _CHUNK):
        rows.append(values[start : start + _CHUNK].astype(dtype, copy=False))
    return rows.tensor


def viewed(tensor: tf.Tensor | np.ndarray) -> np.ndarray:
    """Returns a read-only array that shares the memory of a tensor; `tensor.numpy()` is a copy.

    Example:
      >>> viewed(tf.constant([1, 2])).tolist()
      [1, 2]
    """
    return np.asarray(memoryview(tensor))  # type: ignore[arg-type]
