"""Rows of a tensor that are written in place."""

import numpy as np
import pytest
import tensorflow as tf

from tfpaths.data import memory


def address(tensor):
    return memory.viewed(tensor).__array_interface__["data"][0]


class TestRows:
    @pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64])
    def test_rows_follow_each_other(self, dtype):
        values = np.random.default_rng(0).integers(0, 256, (10, 3, 2)).astype(dtype)
        rows = memory.Rows(10)
        for start, end in ((0, 4), (4, 4), (4, 9), (9, 10)):
            rows.append(values[start:end])
            assert rows.count == end
        assert rows.tensor.dtype == dtype
        np.testing.assert_array_equal(rows.tensor, values)

    def test_rows_may_be_a_list(self):
        rows = memory.Rows(2)
        rows.append([np.array([1, 2]), np.array([3, 4])])
        np.testing.assert_array_equal(rows.tensor, [[1, 2], [3, 4]])

    def test_memory_is_allocated_once(self):
        rows = memory.Rows(1000)
        rows.append(np.zeros((400, 64), np.uint8))
        first = address(rows.tensor)
        rows.append(np.zeros((400, 64), np.uint8))
        # 800 of 1,000: the tensor ends before the memory does.
        assert rows.tensor.shape == (800, 64)
        assert address(rows.tensor) == first
        rows.append(np.zeros((200, 64), np.uint8))
        assert address(rows.tensor) == first

    def test_too_many_rows_are_refused(self):
        rows = memory.Rows(3)
        rows.append(np.array([1, 2]))
        with pytest.raises(ValueError, match="expected 3 examples, found at least 4"):
            rows.append(np.array([3, 4]))
        np.testing.assert_array_equal(rows.tensor, [1, 2])

    def test_no_rows_are_refused(self):
        with pytest.raises(ValueError, match="found no examples"):
            _ = memory.Rows(3).tensor

    def test_rows_of_another_shape_are_refused(self):
        rows = memory.Rows(3)
        rows.append(np.zeros((1, 4)))
        with pytest.raises(tf.errors.InvalidArgumentError):
            rows.append(np.zeros((1, 5)))


class TestCopied:
    # Pieces of 512: none, an incomplete one, whole ones, and one more.
    @pytest.mark.parametrize("size", [0, 3, 1024, 1025])
    def test_equals_tensorflow(self, size):
        values = np.random.default_rng(0).normal(size=(size, 2)) * 1e3
        tensor = memory.copied(values, np.float32)
        assert tensor.dtype == tf.float32
        np.testing.assert_array_equal(tensor, values.astype(np.float32))

    def test_strides_are_respected(self):
        values = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)[::-1, :, 0]
        np.testing.assert_array_equal(memory.copied(values, np.uint8), values)

    def test_array_is_not_shared(self):
        values = np.zeros(3, np.uint8)
        tensor = memory.copied(values, np.uint8)
        values[:] = 1
        np.testing.assert_array_equal(tensor, [0, 0, 0])


def test_view_shares_the_memory_and_is_read_only():
    tensor = tf.range(5)
    view = memory.viewed(tensor)
    assert np.shares_memory(view, memory.viewed(tensor))
    assert not view.flags.writeable
    del tensor
    assert view.tolist() == [0, 1, 2, 3, 4]
