"""The convolution of DCGAN and its derivatives: each form against sums over single pixels, and when each is chosen."""

import numpy as np
import pytest
import tensorflow as tf
from helpers import derivatives

from tfpaths.networks import halving

BATCH, HEIGHT, WIDTH, CHANNELS, FILTERS = 2, 3, 5, 3, 7  # All differ, so that swapped axes are detected.
PRECISIONS = [("float32", 1e-5), ("bfloat16", 2e-2)]


def drawn(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape)


IMAGES = drawn(BATCH, 2 * HEIGHT, 2 * WIDTH, CHANNELS)
MAPS = drawn(BATCH, HEIGHT, WIDTH, FILTERS)
KERNEL = np.random.default_rng(0).normal(size=(4, 4, CHANNELS, FILTERS))


def places():
    """Each pixel of a map and of the kernel, and the pixel of the image that they meet in."""
    for y, x, i, j in np.ndindex(HEIGHT, WIDTH, 4, 4):
        row, column = 2 * y + i - 1, 2 * x + j - 1
        if 0 <= row < 2 * HEIGHT and 0 <= column < 2 * WIDTH:
            yield y, x, i, j, row, column


def maps_by_pixels():
    maps = np.zeros_like(MAPS)
    for y, x, i, j, row, column in places():
        maps[:, y, x] += IMAGES[:, row, column] @ KERNEL[i, j]
    return maps


def images_by_pixels():
    images = np.zeros_like(IMAGES)
    for y, x, i, j, row, column in places():
        images[:, row, column] += MAPS[:, y, x] @ KERNEL[i, j].T
    return images


def kernel_by_pixels():
    kernel = np.zeros_like(KERNEL)
    for y, x, i, j, row, column in places():
        kernel[i, j] += IMAGES[:, row, column].T @ MAPS[:, y, x]
    return kernel


FORMS = [
    (halving._halved_by_operation, (IMAGES, KERNEL), maps_by_pixels),
    (halving._halved_by_products, (IMAGES, KERNEL), maps_by_pixels),
    (halving._doubled_by_operation, (MAPS, KERNEL), images_by_pixels),
    (halving._doubled_by_blocks, (MAPS, KERNEL), images_by_pixels),
    (halving._doubled_by_products, (MAPS, KERNEL), images_by_pixels),
    (halving._kernel_gradient_by_operation, (IMAGES, MAPS), kernel_by_pixels),
    (halving._kernel_gradient_by_products, (IMAGES, MAPS), kernel_by_pixels),
]


@pytest.mark.parametrize(("precision", "tolerance"), PRECISIONS)
@pytest.mark.parametrize(("form", "arguments", "by_pixels"), FORMS, ids=lambda value: getattr(value, "__name__", ""))
def test_each_form_equals_sums_over_pixels(form, arguments, by_pixels, precision, tolerance):
    exact = by_pixels()
    # The batch of a generator is unknown when it is built.
    signature = [tf.TensorSpec([None, *value.shape[1:]] if len(value) == BATCH else value.shape, precision)
                 for value in arguments]  # fmt: skip
    values = [tf.cast(value, precision) for value in arguments]
    for found in (form(*values), tf.function(form, input_signature=signature, autograph=False)(*values)):
        assert (found.dtype, found.shape) == (precision, exact.shape)
        np.testing.assert_allclose(tf.cast(found, "float64"), exact, atol=tolerance * np.abs(exact).max())


@pytest.mark.parametrize("by_products", [True, False])
@pytest.mark.parametrize(
    ("ours", "operation"),
    [
        (halving.halve, halving._halved_by_operation),
        (halving.double, halving._doubled_by_operation),
        (halving.kernel_gradient, halving._kernel_gradient_by_operation),
    ],
)
def test_first_and_second_derivatives_equal_those_of_tensorflow_s_operations(ours, operation, by_products, monkeypatch):
    monkeypatch.setattr(halving, "_CHANNELS_PER_PIXEL", 0 if by_products else 1000)
    monkeypatch.setattr(halving, "_FEW_CHANNELS", 0)
    images, maps, kernel = (tf.constant(0.3 * value, tf.float32) for value in (IMAGES, MAPS, KERNEL))
    arguments = {
        halving.halve: (images, kernel),
        halving.double: (maps, kernel),
        halving.kernel_gradient: (images, maps),
    }
    for found, expected in zip(
        derivatives(ours, *arguments[ours]), derivatives(operation, *arguments[ours]), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def operations(function, *shapes, dtype=tf.float32):
    """The names of TensorFlow's convolutions and matrix products in a function's graph, sorted."""
    graph = tf.function(function, autograph=False).get_concrete_function(
        *(tf.TensorSpec(shape, dtype) for shape in shapes)
    ).graph  # fmt: skip
    return sorted({one.type for one in graph.get_operations() if "Conv" in one.type or one.type == "MatMul"})


# 192 = 3 × 8 × 8 channels: the smallest number for which images of 8×8 pixels are made from products.
@pytest.mark.parametrize(("channels", "chosen"), [(191, "operation"), (192, "products")])
def test_small_images_of_many_channels_are_made_from_products(channels, chosen):
    images, maps, kernel = (None, 8, 8, channels), (None, 4, 4, 16), (4, 4, channels, 16)
    used = {
        "products": (["MatMul"],) * 3,
        "operation": (["Conv2D"], ["Conv2DBackpropInput"], ["Conv2DBackpropFilter"]),
    }[chosen]
    assert operations(halving.halve, images, kernel) == used[0]
    assert operations(halving.double, maps, kernel) == used[1]
    assert operations(halving.kernel_gradient, images, maps) == used[2]


@pytest.mark.parametrize(
    ("side", "dtype", "used"),
    [
        (16, tf.bfloat16, "MatMul"),
        (32, tf.bfloat16, "Conv2DBackpropFilter"),
        (16, tf.float32, "Conv2DBackpropFilter"),
        (16, tf.float16, "Conv2DBackpropFilter"),
    ],
)
def test_the_kernels_gradient_in_bfloat16_is_made_from_products_for_short_sides(side, dtype, used):
    images, maps = (None, side, side, 3), (None, side // 2, side // 2, 8)
    assert operations(halving.kernel_gradient, images, maps, dtype=dtype) == [used]


def test_accelerators_use_the_operations(monkeypatch):
    monkeypatch.setattr(halving, "has_accelerator", lambda: True)
    images, maps, kernel = (None, 2, 2, 64), (None, 1, 1, 16), (4, 4, 64, 16)
    assert operations(halving.halve, images, kernel) == ["Conv2D"]
    assert operations(halving.double, maps, kernel) == ["Conv2DBackpropInput"]
    assert operations(halving.kernel_gradient, images, maps, dtype=tf.bfloat16) == ["Conv2DBackpropFilter"]


@pytest.mark.parametrize(("channels", "stride"), [(8, 1), (9, 2)])
def test_few_channels_are_made_from_blocks(channels, stride):
    function = tf.function(halving.double, autograph=False).get_concrete_function(
        tf.TensorSpec((None, 8, 8, 16)), tf.TensorSpec((4, 4, channels, 16))
    )
    (operation,) = (one for one in function.graph.get_operations() if one.type == "Conv2DBackpropInput")
    assert list(operation.get_attr("strides")) == [1, stride, stride, 1]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_bias_is_added_to_each_channel(precision):
    images, bias = tf.cast(IMAGES, precision), tf.constant([1.0, 2.0, 3.0], precision)
    unknown = tf.function(
        halving.biased, input_signature=[tf.TensorSpec([None, None, None, 3], precision), tf.TensorSpec([3], precision)]
    )
    for function in (halving.biased, unknown):
        np.testing.assert_array_equal(tf.cast(function(images, bias), "float32"), tf.cast(images + bias, "float32"))


@pytest.mark.parametrize("width", [None, WIDTH])
@pytest.mark.parametrize(("precision", "tolerance"), PRECISIONS)
def test_sides_may_be_unknown(precision, tolerance, width):
    values = [tf.cast(value, precision) for value in (IMAGES, MAPS, KERNEL)]
    maps_spec = tf.TensorSpec([None, None, width, FILTERS], precision)

    @tf.function(input_signature=[maps_spec, tf.TensorSpec(KERNEL.shape, precision)], autograph=False)
    def unknown(maps, kernel):
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            images = halving.double(maps, kernel)
            total = tf.reduce_sum(images * values[0])
        return images, tape.gradient(total, kernel)

    for found, exact in zip(unknown(*values[1:]), (images_by_pixels(), kernel_by_pixels()), strict=True):
        np.testing.assert_allclose(tf.cast(found, "float64"), exact, atol=tolerance * np.abs(exact).max())
