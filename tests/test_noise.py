"""Noise on examples: its law, its numbers by NumPy, and that they do not depend on where it is drawn."""

import math

import numpy as np
import pytest
import tensorflow as tf
from helpers import assert_independent, assert_standard_normal

from tfpaths import noise, streams

LONG = (16, 16, 3)


def drawn(shape, seed=3, scale=1.0):
    return noise.added(tf.zeros(shape), streams.root(seed), scale).numpy()


def compiled(function):
    return tf.function(function, jit_compile=True, autograph=False)


def test_logarithm_of_all_values():
    u = (np.arange(2**23) + 0.5) * 2.0**-23
    found = compiled(noise.logarithm)(tf.constant(u, tf.float32)).numpy()
    # x is exact. The polynomial's last two operations, the product, log 2 and its product, and the sum are rounded.
    np.testing.assert_allclose(found, np.log(u), rtol=7 * 2.0**-24)


def test_pairs_by_numpy():
    first, second = np.random.default_rng(0).integers(0, 2**32, (2, 100_000), dtype=np.uint32)
    radius = np.sqrt(-2 * np.log(((first >> 9) + 0.5) / 2**23))
    y = math.pi / 2 * (((second >> 11) + 0.5) / 2**21 - 0.5)
    cosine, sine = np.cos(y) * np.where(second & 1, -1, 1), np.sin(y)
    is_exchanged = (second & 2) != 0
    expected = radius * [np.where(is_exchanged, sine, cosine), np.where(is_exchanged, cosine, sine)]
    found = compiled(noise.normal_pairs)(tf.constant(first), tf.constant(second))
    # The errors of radius, series and product, relative to each number.
    np.testing.assert_allclose(found, expected, rtol=12 * 2.0**-24)


def test_the_four_turns_of_an_angle_are_by_hand():
    second = tf.constant([(5 << 11) + low for low in range(4)], tf.uint32)
    x, y = noise.normal_pairs(tf.zeros([4], tf.uint32), second)
    # Mirrored about an axis, an angle y becomes -y: the arcs are as long, and y is symmetric.
    offset = math.pi / 2 * (5.5 / 2**21 - 0.5)
    expected = [offset, -math.pi - offset, math.pi / 2 - offset, offset - math.pi / 2]
    np.testing.assert_allclose(np.arctan2(y, x), expected, rtol=1e-6)


def test_noise_of_images_is_normal_and_independent():
    values = drawn([101, 25, 27, 3]).astype(np.float64)  # odd numbers, of images and in each
    assert_standard_normal(values)
    # The two numbers of a pair are neighbours.
    flat = values.reshape(101, -1)
    assert_independent(flat[:, 0:-1:2], flat[:, 1::2])
    assert_independent(values, drawn(values.shape, seed=4))


@pytest.mark.parametrize("count", [512, 513])
def test_pairs_are_those_of_threefry_with_thirteen_rounds(count):
    key = tf.bitcast(streams.root(3).key, tf.uint32)
    places, numbers = tf.meshgrid(tf.range((count + 1) // 2), tf.range(3))
    words = streams.threefry((key[0], key[1]), *(tf.cast(each, tf.uint32) for each in (places, numbers)), rounds=13)
    expected = np.stack(noise.normal_pairs(*words), axis=2).reshape(3, -1)[:, :count]
    np.testing.assert_allclose(drawn([3, count]), expected, rtol=12 * 2.0**-24)


def test_short_examples_and_ensembles_take_the_numbers_of_normal():
    np.testing.assert_array_equal(drawn([8, 2]), streams.root(3).normal([8, 2]))
    of_runs, shape = streams.root(3, first_run=2), [2, 4, 600]
    np.testing.assert_array_equal(noise.added(tf.zeros(shape), of_runs, 1.0), of_runs.normal(shape))
    part = streams.root(3).from_row(4)
    np.testing.assert_array_equal(noise.added(tf.zeros([4, 600]), part, 1.0), part.normal([4, 600]))


@pytest.mark.parametrize("shape", [(8, 2), (3, *LONG)])
def test_scale(shape):
    unit = drawn(shape)
    np.testing.assert_allclose(drawn(shape, scale=0.25), 0.25 * unit, rtol=1e-6)
    examples = tf.random.stateless_uniform(shape, [1, 2])
    np.testing.assert_array_equal(noise.added(examples, streams.root(3), tf.constant(0.0)), examples)
    # Rounded once or twice: a half of the last digit of the sum, and of the product.
    np.testing.assert_allclose(noise.added(examples, streams.root(3), 0.25), examples + 0.25 * unit, atol=2.0**-22)


@pytest.mark.parametrize("shape", [LONG, (513,)])
def test_last_digits_do_not_depend_on_the_graph(shape):
    examples = tf.random.stateless_uniform([7, *shape], [1, 2])
    expected = noise.added(examples, streams.root(5), 0.3).numpy()

    def constant(x):
        return noise.added(x, streams.root(5), 0.3)

    def computed(x, seed, scale):
        y = noise.added(tf.identity(x) * 1.0, streams.root(seed), scale / 2)
        return y, tf.reduce_sum(y * x)

    of_any_size = [tf.TensorSpec([None, *shape])]
    np.testing.assert_array_equal(tf.function(constant)(examples), expected)
    np.testing.assert_array_equal(tf.function(constant, input_signature=of_any_size)(examples), expected)
    for jit in (False, True):
        of_graph, _ = tf.function(computed, jit_compile=jit)(examples, tf.constant(5), tf.constant(0.6))
        np.testing.assert_array_equal(of_graph, expected)


def test_derivatives():
    x = tf.random.stateless_uniform([3, *LONG], [1, 2])

    @tf.function
    def derivatives():
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = noise.added(x, streams.root(0), 0.5)
                value = tf.reduce_sum(y**3)
            first = inner.gradient(value, x)
        return y, first, outer.gradient(first, x)

    y, first, second = derivatives()
    np.testing.assert_allclose(first, 3 * y**2, rtol=1e-6)
    np.testing.assert_allclose(second, 6 * y, rtol=1e-6)
