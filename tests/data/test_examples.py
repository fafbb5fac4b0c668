"""A split in memory: its batches as a function of (seed, step), and its checksum."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfpaths import errors
from tfpaths.data import color_mnist, digits, stacked_mnist
from tfpaths.data.examples import Examples, in_memory


def positions(size):
    """Examples that are their own positions."""
    return Examples(
        "counting", "train", "made", (), size, np.arange(size), lambda position: tf.cast(position, tf.float32)
    )


def test_every_epoch_has_every_example_once_in_a_new_order():
    batches = np.array(list(positions(10).batches(4, seed=5).take(10).as_numpy_iterator()))
    stream = batches.reshape(4, 10)
    np.testing.assert_array_equal(np.sort(stream, axis=1), np.tile(np.arange(10.0), (4, 1)))
    assert len({tuple(epoch) for epoch in stream}) == 4


def test_batch_larger_than_the_data_is_refused():
    with pytest.raises(errors.InputError, match="from 1 to the 10 examples of counting .*received 11"):
        positions(10).batches(11)


def test_batches_match_version_0_1():
    # Written down from version 0.1: the order of examples is part of every result.
    first = next(positions(10).batches(6, seed=1, start=3).as_numpy_iterator())
    np.testing.assert_array_equal(first, [1.0, 2.0, 4.0, 9.0, 3.0, 0.0])


def test_some_uses_one_fixed_random_order():
    examples = positions(10)
    whole = examples.some(0, 10).numpy()
    np.testing.assert_array_equal(np.sort(whole), np.arange(10.0))
    assert not np.array_equal(whole, np.arange(10.0))
    np.testing.assert_array_equal(examples.some(4, 3), whole[4:7])


class TestInMemory:
    def test_pixels_are_scaled(self):
        examples = in_memory("x", "train", "made", np.array([0, 51, 255], np.uint8).reshape(3, 1, 1, 1), np.zeros(3))
        # 51 / 127.5 = 0.4.
        np.testing.assert_allclose(examples.take([0, 1, 2])[:, 0, 0, 0], [-1.0, -0.6, 1.0], rtol=1e-6)
        assert (examples.size, examples.shape, examples.modes) == (3, (1, 1, 1), None)

    def test_points_are_not_scaled(self):
        points = np.array([[0.5, 7.0], [2.0, -3.0]])
        examples = in_memory("x", "train", "made", points, np.zeros(2), modes=np.ones(1), unread=3)
        assert examples.take([0]).dtype == tf.float32
        np.testing.assert_array_equal(examples.take([1, 0]), points[::-1])
        assert (examples.shape, examples.notes) == ((2,), {"unread": 3})
        np.testing.assert_array_equal(examples.modes, [1.0])

    def test_tensors_are_not_copied(self):
        pixels, points = tf.zeros([3, 4, 4, 3], tf.uint8), tf.zeros([3, 2])
        for values in (pixels, points):
            examples = in_memory("x", "train", "made", values, np.zeros(3))
            assert any(part is values for part in examples.made_of)
            assert examples.take([0]).dtype == tf.float32

    def test_arrays_may_change_afterwards(self):
        values = np.zeros((3, 2), np.float32)
        examples = in_memory("x", "train", "made", values, np.zeros(3))
        values[:] = 1
        np.testing.assert_array_equal(examples.take([0, 1, 2]), np.zeros((3, 2)))

    def test_other_tensors_become_float32(self):
        examples = in_memory("x", "train", "made", tf.constant([[1, 2]]), np.zeros(1))
        assert examples.take([0]).dtype == tf.float32

    def test_first_batch_copies_no_examples(self):
        # The default optimisations copy every captured tensor: a second time the memory of the data set.
        examples = in_memory("x", "train", "made", np.zeros((3, 2)), np.zeros(3))
        assert examples.batches(2).options().experimental_optimization.apply_default_optimizations is False


class TestContent:
    @pytest.fixture
    def pixels(self):
        return np.random.default_rng(0).integers(0, 256, (5000, 4, 4, 1), np.uint8)

    def test_equal_pixels_have_equal_content(self, pixels):
        one = in_memory("one", "train", "made", pixels, np.zeros(5000))
        other = in_memory("other", "test", "elsewhere", pixels.copy(), np.zeros(5000))
        assert one.content == other.content
        assert len(one.content) == 32

    @pytest.mark.parametrize("where", [0, 4095, 4096, 4999])
    def test_content_changes_with_one_pixel(self, pixels, where):
        one = in_memory("x", "train", "made", pixels, np.zeros(5000))
        pixels[where, 0, 0, 0] ^= 1
        assert in_memory("x", "train", "made", pixels, np.zeros(5000)).content != one.content

    def test_content_changes_with_labels_modes_or_shape(self, pixels):
        made = [
            in_memory("x", "train", "made", pixels, np.zeros(5000)),
            in_memory("x", "train", "made", pixels, np.ones(5000)),
            in_memory("x", "train", "made", pixels, np.zeros(5000), modes=np.ones(1)),
            in_memory("x", "train", "made", pixels, np.zeros(5000), modes=np.ones(2) / 2),
            in_memory("x", "train", "made", pixels.reshape(5000, 2, 8, 1), np.zeros(5000)),
        ]
        assert len({examples.content for examples in made}) == len(made)

    @pytest.mark.parametrize("make", [color_mnist.coloured, stacked_mnist.stacked])
    def test_content_changes_with_the_seed_or_split(self, make):
        raw = digits.embedded("test")
        assert make(raw, "test", 0).content == make(raw, "test", 0).content
        assert make(raw, "test", 0).content != make(raw, "test", 1).content
        assert make(raw, "test", 0).content != make(raw, "train", 0).content

    def test_content_changes_with_the_digits(self):
        raw = digits.embedded("test")
        mirrored = dataclasses.replace(raw, images=raw.images[:, :, ::-1])
        one, other = (color_mnist.coloured(made, "test", 0) for made in (raw, mirrored))
        assert one.size == other.size
        assert one.content != other.content

    def test_content_changes_with_the_triples(self):
        raw = digits.embedded("test")
        same = dataclasses.replace(raw, labels=np.zeros_like(raw.labels))
        one, other = (stacked_mnist.stacked(same, "test", seed) for seed in (0, 1))
        np.testing.assert_array_equal(one.labels, other.labels)
        assert one.content != other.content

    def test_content_changes_with_shape_or_recipe(self, pixels):
        def made(shape, recipe):
            return Examples(
                "x", "train", "made", shape, 5000, np.zeros(5000), lambda positions: positions, made_of=(recipe, pixels)
            )

        assert made((4, 4, 1), "a").content == made((4, 4, 1), "a").content
        assert len({made((4, 4, 1), "a").content, made((2, 8, 1), "a").content, made((4, 4, 1), "b").content}) == 3

    def test_without_arrays_all_examples_are_hashed(self):
        def made(last):
            values = tf.constant([0.0] * 4999 + [last])
            return Examples("x", "train", "made", (), 5000, np.zeros(5000), lambda p: tf.gather(values, p))

        assert made(1.0).content == made(1.0).content
        assert made(1.0).content != made(2.0).content

    def test_content_is_computed_once(self):
        calls = []

        def take(chosen):
            calls.append(chosen)
            return tf.cast(chosen, tf.float32)

        examples = Examples("x", "train", "made", (), 10, np.zeros(10), take)
        assert calls == []
        assert examples.content == examples.content
        assert len(calls) == 1
