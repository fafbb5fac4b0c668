"""The convolution of texts and its derivatives: each form against sums over single places, and when each is chosen."""

import numpy as np
import pytest
import tensorflow as tf
from helpers import derivatives

from tfpaths.networks import sliding

BATCH, LENGTH, PLACES, CHANNELS, FILTERS = 2, 6, 5, 3, 7  # All differ, so that swapped axes are detected.
PRECISIONS = [("float32", 1e-5), ("bfloat16", 2e-2)]

TEXTS = np.random.default_rng(0).normal(size=(BATCH, LENGTH, CHANNELS))
MAPS = np.random.default_rng(1).normal(size=(BATCH, LENGTH, FILTERS))
KERNEL = np.random.default_rng(2).normal(size=(PLACES, CHANNELS, FILTERS))


def places():
    """Each place of a map and of the kernel, and the place of the text that they meet in."""
    for place, offset in np.ndindex(LENGTH, PLACES):
        if 0 <= place + offset - 2 < LENGTH:
            yield place, offset, place + offset - 2


def maps_by_places():
    maps = np.zeros_like(MAPS)
    for place, offset, at in places():
        maps[:, place] += TEXTS[:, at] @ KERNEL[offset]
    return maps


def texts_by_places():
    texts = np.zeros_like(TEXTS)
    for place, offset, at in places():
        texts[:, at] += MAPS[:, place] @ KERNEL[offset].T
    return texts


def kernel_by_places():
    kernel = np.zeros_like(KERNEL)
    for place, offset, at in places():
        kernel[offset] += TEXTS[:, at].T @ MAPS[:, place]
    return kernel


def row(texts, kernel):
    return sliding._slid(texts, kernel, None, sliding._ONE_ROW)


def image(texts, kernel):
    return sliding._slid(texts, kernel, None, sliding._ONE_IMAGE)


def row_back(maps, kernel):
    return sliding._slid_back(maps, kernel, sliding._ONE_ROW)


def image_back(maps, kernel):
    return sliding._slid_back(maps, kernel, sliding._ONE_IMAGE)


def kernel_by_operation(texts, maps):
    return sliding._kernel_gradient_by_operation(texts, maps, PLACES)


def kernel_by_products(texts, maps):
    return sliding._kernel_gradient_by_products(texts, maps, PLACES)


def gradient(texts, maps):
    return sliding.kernel_gradient(texts, maps, PLACES)


FORMS = {
    row: ((TEXTS, KERNEL), maps_by_places),
    image: ((TEXTS, KERNEL), maps_by_places),
    row_back: ((MAPS, KERNEL), texts_by_places),
    image_back: ((MAPS, KERNEL), texts_by_places),
    kernel_by_operation: ((TEXTS, MAPS), kernel_by_places),
    kernel_by_products: ((TEXTS, MAPS), kernel_by_places),
}


@pytest.mark.parametrize("length", [LENGTH, None])
@pytest.mark.parametrize(("precision", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_each_form_equals_sums_over_places(form, precision, tolerance, length):
    arguments, by_places = FORMS[form]
    exact = by_places()
    # The batch of a generator is unknown when it is built.
    signature = [tf.TensorSpec([None, length, value.shape[2]] if len(value) == BATCH else value.shape, precision)
                 for value in arguments]  # fmt: skip
    values = [tf.cast(value, precision) for value in arguments]
    for found in (form(*values), tf.function(form, input_signature=signature, autograph=False)(*values)):
        assert (found.dtype, found.shape) == (precision, exact.shape)
        np.testing.assert_allclose(tf.cast(found, "float64"), exact, atol=tolerance * np.abs(exact).max())


@pytest.mark.parametrize("accelerated", [True, False])
@pytest.mark.parametrize(
    ("ours", "operation"),
    [(sliding.slide, row), (sliding.slide_back, row_back), (gradient, kernel_by_operation)],
    ids=lambda function: function.__name__,
)
def test_first_and_second_derivatives_equal_those_of_tensorflow_s_operations(ours, operation, accelerated, monkeypatch):
    monkeypatch.setattr(sliding, "has_accelerator", lambda: accelerated)
    texts, maps, kernel = (tf.constant(0.3 * value, tf.float32) for value in (TEXTS, MAPS, KERNEL))
    arguments = {
        sliding.slide: (texts, kernel),
        sliding.slide_back: (maps, kernel),
        gradient: (texts, maps),
    }
    for found, expected in zip(
        derivatives(ours, *arguments[ours]), derivatives(operation, *arguments[ours]), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("form", [sliding.slide_and_add, sliding.slid])
def test_bias_is_added_to_each_place(form):
    texts, kernel, bias = (tf.constant(value, tf.float32) for value in (TEXTS, KERNEL, np.arange(FILTERS)))
    with tf.GradientTape() as tape:
        tape.watch(bias)
        maps = form(texts, kernel, bias)
        total = tf.reduce_sum(maps * tf.constant(MAPS, tf.float32))
    np.testing.assert_allclose(maps, maps_by_places() + np.arange(FILTERS), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(tape.gradient(total, bias), MAPS.sum(axis=(0, 1)), rtol=1e-4, atol=1e-5)


def convolved_batch(function, *shapes, dtype):
    """The types of TensorFlow's convolutions and products in a function's graph, and the first axis of their input."""
    graph = tf.function(function, autograph=False).get_concrete_function(
        *(tf.TensorSpec(shape, dtype) for shape in shapes)
    ).graph  # fmt: skip
    used = [one for one in graph.get_operations() if "Conv" in one.type or one.type == "MatMul"]
    return {(one.type, one.inputs[-1 if "Backprop" in one.type else 0].shape[0]) for one in used}


TEXT, MAP, PARTS = (9, 8, 3), (9, 8, 4), (5, 3, 4)


@pytest.mark.parametrize(
    ("dtype", "accelerated", "used"),
    [
        ("float32", False, [("Conv2D", 9), ("Conv2DBackpropInput", 1), ("Conv2DBackpropFilter", 9)]),
        ("bfloat16", False, [("Conv2D", 1), ("Conv2DBackpropInput", 1), ("MatMul", 90)]),
        ("bfloat16", True, [("Conv2D", 9), ("Conv2DBackpropInput", 9), ("Conv2DBackpropFilter", 9)]),
    ],
)
def test_the_form_is_chosen_by_precision_and_device(dtype, accelerated, used, monkeypatch):
    monkeypatch.setattr(sliding, "has_accelerator", lambda: accelerated)
    assert convolved_batch(sliding.slide, TEXT, PARTS, dtype=dtype) == {used[0]}
    assert convolved_batch(sliding.slide_back, MAP, PARTS, dtype=dtype) == {used[1]}
    assert convolved_batch(gradient, TEXT, MAP, dtype=dtype) == {used[2]}
