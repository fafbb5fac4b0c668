"""The convolution of texts, with a kernel of an odd length and stride 1, its transpose, and all their derivatives.

Texts, maps and kernel make one number that is linear in each of them, sum(maps * slide(texts, kernel)). Its
derivatives are the three functions of this file, and the derivatives of each are the other two:

    slide            (texts, kernel) -> maps     the convolution
    slide_back       (maps, kernel) -> texts     the transposed convolution
    kernel_gradient  (texts, maps) -> kernel     the kernel's gradient

Each has several forms, equal up to rounding. A batch of texts `[batch, length, channels]` can be read as a batch of
images of one row, as TensorFlow's and Keras' `conv1d` do, or as one image with a text in each row. On a CPU, the second
is faster for the transposed convolution, and in bfloat16 for the convolution, where the kernel's gradient is faster as
one matrix product for each place of the kernel. Measured for batches of 64 texts of 32 characters and 128 to 512
channels with TensorFlow 2.21 on an Intel Xeon. Accelerators use images of one row.
"""

from typing import Any

import tensorflow as tf

from tfpaths.compat.tensorflow import custom_gradient, has_accelerator, in_scope

_SLIDING: dict[str, Any] = {"strides": [1, 1, 1, 1], "padding": "SAME"}
# The axis that is added to texts: a text is an image of one row, or a row of one image.
_ONE_ROW, _ONE_IMAGE = 1, 0


@custom_gradient
def slide(texts: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Returns the convolution of `texts` with `kernel`, zero-padded to the same length.

        maps[t] = sum over i of texts[t + i - places // 2] @ kernel[i]

    Args:
      texts: `[batch, length, channels]`.
      kernel: `[places, channels, filters]`, where `places` is odd.

    Returns:
      Maps `[batch, length, filters]`.

    Example:
      >>> slide(tf.ones([1, 4, 1]), tf.ones([3, 1, 1]))[0, :, 0].numpy().tolist()
      [2.0, 3.0, 3.0, 2.0]
    """

    @in_scope
    def gradient(maps):
        return slide_back(maps, kernel), kernel_gradient(texts, maps, kernel.shape[0])

    return slid(texts, kernel), gradient


@custom_gradient
def slide_and_add(texts: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Returns `slide(texts, kernel) + bias`, which TensorFlow fuses into one operation.

    Args:
      texts: `[batch, length, channels]`.
      kernel: `[places, channels, filters]`, where `places` is odd.
      bias: `[filters]`.

    Returns:
      Maps `[batch, length, filters]`.

    Example:
      >>> slide_and_add(tf.ones([1, 4, 1]), tf.ones([3, 1, 1]), tf.ones([1]))[0, :, 0].numpy().tolist()
      [3.0, 4.0, 4.0, 3.0]
    """

    @in_scope
    def gradient(maps):
        return slide_back(maps, kernel), kernel_gradient(texts, maps, kernel.shape[0]), tf.reduce_sum(maps, [0, 1])

    return slid(texts, kernel, bias), gradient


@custom_gradient
def slide_back(maps: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Returns the transposed convolution of `maps` with `kernel`: the gradient of sum(maps * slide(texts, kernel)).

    Args:
      maps: `[batch, length, filters]`.
      kernel: `[places, channels, filters]`, where `places` is odd.

    Returns:
      Texts `[batch, length, channels]`.

    Example:
      >>> slide_back(tf.ones([1, 4, 1]), tf.ones([3, 1, 1]))[0, :, 0].numpy().tolist()
      [2.0, 3.0, 3.0, 2.0]
    """

    @in_scope
    def gradient(texts):
        return slide(texts, kernel), kernel_gradient(texts, maps, kernel.shape[0])

    return _slid_back(maps, kernel, _ONE_ROW if has_accelerator() else _ONE_IMAGE), gradient


def kernel_gradient(texts: tf.Tensor, maps: tf.Tensor, places: int) -> tf.Tensor:
    """Returns the gradient of sum(maps * slide(texts, kernel)) with respect to the kernel.

    Args:
      texts: `[batch, length, channels]`.
      maps: `[batch, length, filters]`.
      places: The length of the kernel, odd.

    Returns:
      `[places, channels, filters]`.

    Example:
      >>> kernel_gradient(tf.ones([1, 4, 1]), tf.ones([1, 4, 1]), 3)[:, 0, 0].numpy().tolist()
      [3.0, 4.0, 3.0]
    """

    @custom_gradient
    def differentiable(texts, maps):
        @in_scope
        def gradient(kernel):
            return slide_back(maps, kernel), slide(texts, kernel)

        by_products = texts.dtype == tf.bfloat16 and not has_accelerator()
        form = _kernel_gradient_by_products if by_products else _kernel_gradient_by_operation
        return form(texts, maps, places), gradient

    return differentiable(texts, maps)


def slid(texts: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor | None = None) -> tf.Tensor:
    """Returns `slide(texts, kernel)`, with the derivatives that TensorFlow gives the operations, for exports.

    Args:
      texts: `[batch, length, channels]`.
      kernel: `[places, channels, filters]`, where `places` is odd.
      bias: `[filters]`, which is added; None adds nothing.

    Example:
      >>> slid(tf.ones([2, 4, 3]), tf.ones([5, 3, 6])).shape
      TensorShape([2, 4, 6])
    """
    is_faster_as_one = texts.dtype == tf.bfloat16 and not has_accelerator()
    return _slid(texts, kernel, bias, _ONE_IMAGE if is_faster_as_one else _ONE_ROW)


def _slid(texts, kernel, bias, axis):
    """`slide` as TensorFlow's convolution of the images that texts become with another axis."""
    images = tf.expand_dims(texts, axis)
    maps = tf.raw_ops.Conv2D(input=images, filter=tf.expand_dims(kernel, 0), **_SLIDING)
    return tf.squeeze(maps if bias is None else tf.raw_ops.BiasAdd(value=maps, bias=bias), axis)


def _slid_back(maps, kernel, axis):
    """`slide_back` as TensorFlow's transposed convolution, as `_slid`."""
    images = tf.expand_dims(maps, axis)
    sizes = tf.concat([tf.shape(images)[:3], [kernel.shape[1]]], 0)
    texts = tf.raw_ops.Conv2DBackpropInput(
        input_sizes=sizes, filter=tf.expand_dims(kernel, 0), out_backprop=images, **_SLIDING
    )
    return tf.ensure_shape(tf.squeeze(texts, axis), [*maps.shape[:2], kernel.shape[1]])


def _kernel_gradient_by_operation(texts, maps, places):
    """`kernel_gradient` as TensorFlow's operation on images of one row."""
    kernel = tf.raw_ops.Conv2DBackpropFilter(
        input=tf.expand_dims(texts, _ONE_ROW),
        filter_sizes=[1, places, texts.shape[2], maps.shape[2]],
        out_backprop=tf.expand_dims(maps, _ONE_ROW),
        **_SLIDING,
    )
    return tf.squeeze(kernel, 0)


def _kernel_gradient_by_products(texts, maps, places):
    """`kernel_gradient` as one matrix product for each place of the kernel."""
    channels, filters = texts.shape[2], maps.shape[2]
    edge = places // 2
    # Zeros before the first text and after each: a row that is shifted by at most `edge` is of the same text, or zero.
    separated = tf.pad(texts, [[0, 0], [0, edge], [0, 0]])  # [batch, length + edge, channels]
    rows = tf.pad(tf.reshape(separated, [-1, channels]), [[edge, edge], [0, 0]])
    others = tf.reshape(tf.pad(maps, [[0, 0], [0, edge], [0, 0]]), [-1, filters])
    count = tf.shape(others)[0]
    return tf.stack([tf.matmul(rows[place : place + count], others, transpose_a=True) for place in range(places)])
