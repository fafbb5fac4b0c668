"""The convolution of DCGAN, with a 4×4 kernel and stride 2, its transpose, and all their derivatives.

Images, maps and kernel make one number that is linear in each of them, sum(maps * halve(images, kernel)). Its
derivatives are the three functions of this file, and the derivatives of each are the other two:

    halve            (images, kernel) -> maps    the convolution
    double           (maps, kernel) -> images    the transposed convolution
    kernel_gradient  (images, maps) -> kernel    the kernel's gradient

Each has several forms, equal up to rounding. An image that is padded by one pixel at each edge can be cut into blocks
of 2×2 pixels. If the pixels of a block are read as channels, the kernel is of 2×2 blocks and the stride is 1, and each
function is a few matrix products. On a CPU, TensorFlow's own operations are slower than that where there are few
channels, where a small map has many channels, and for the kernel's gradient in bfloat16. The limits were measured for
batches of 64 with TensorFlow 2.21 on two cores of an Intel Xeon. On accelerators, images of few channels are made from
blocks too, and everything else uses the operations.
"""

from typing import Any

import tensorflow as tf

from tfpaths.compat.tensorflow import custom_gradient, has_accelerator, in_scope

# On even sides, "SAME" pads one pixel at each edge.
_HALVING: dict[str, Any] = {"strides": [1, 2, 2, 1], "padding": "SAME"}
# The transposed convolution to at most so many channels is made from blocks.
_FEW_CHANNELS = 8
# Images with at least so many channels for each pixel are small: everything is made from products.
_CHANNELS_PER_PIXEL = 3
# In bfloat16, the kernel's gradient is made from products for maps of a shorter side.
_SHORT_SIDE = 16


@custom_gradient
def halve(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Returns the convolution of `images` with `kernel`, stride 2.

    Args:
      images: `[batch, 2 h, 2 w, channels]`.
      kernel: `[4, 4, channels, filters]`.

    Returns:
      Maps `[batch, h, w, filters]`.

    Example:
      >>> halve(tf.ones([1, 2, 2, 1]), tf.ones([4, 4, 1, 1])).numpy().item()  # the sum of the four pixels
      4.0
    """

    @in_scope
    def gradient(maps):
        return double(maps, kernel), kernel_gradient(images, maps)

    by_products = not has_accelerator() and _is_small(images.shape)
    return (_halved_by_products if by_products else _halved_by_operation)(images, kernel), gradient


@custom_gradient
def double(maps: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Returns the transposed convolution of `maps` with `kernel`, stride 2.

    Args:
      maps: `[batch, h, w, filters]`.
      kernel: `[4, 4, channels, filters]`.

    Returns:
      Images `[batch, 2 h, 2 w, channels]`.

    Example:
      >>> double(tf.ones([1, 1, 1, 1]), tf.ones([4, 4, 1, 1]))[0, :, :, 0].numpy().tolist()
      [[1.0, 1.0], [1.0, 1.0]]
    """

    @in_scope
    def gradient(images):
        return halve(images, kernel), kernel_gradient(images, maps)

    return doubled(maps, kernel), gradient


@custom_gradient
def kernel_gradient(images: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
    """Returns the gradient of sum(maps * halve(images, kernel)) with respect to the kernel.

    Args:
      images: `[batch, 2 h, 2 w, channels]`.
      maps: `[batch, h, w, filters]`.

    Returns:
      `[4, 4, channels, filters]`.

    Example:
      >>> kernel_gradient(tf.ones([1, 2, 2, 1]), tf.ones([1, 1, 1, 1]))[:, :, 0, 0].numpy()
      array([[0., 0., 0., 0.],
             [0., 1., 1., 0.],
             [0., 1., 1., 0.],
             [0., 0., 0., 0.]], dtype=float32)
    """

    @in_scope
    def gradient(kernel):
        return double(maps, kernel), halve(images, kernel)

    is_short = maps.dtype == tf.bfloat16 and maps.shape[2] is not None and maps.shape[2] < _SHORT_SIDE
    by_products = not has_accelerator() and (is_short or _is_small(images.shape))
    return (_kernel_gradient_by_products if by_products else _kernel_gradient_by_operation)(images, maps), gradient


def doubled(maps: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Returns `double(maps, kernel)`, with the derivatives that TensorFlow gives the operations, for exports.

    Args:
      maps: `[batch, h, w, filters]`.
      kernel: `[4, 4, channels, filters]`.

    Example:
      >>> doubled(tf.ones([1, 1, 1, 1]), tf.ones([4, 4, 1, 1])).shape
      TensorShape([1, 2, 2, 1])
    """
    if kernel.shape[2] <= _FEW_CHANNELS:
        return _doubled_by_blocks(maps, kernel)
    _, height, width, _ = maps.shape
    sides = (None, None) if None in (height, width) else (2 * height, 2 * width)
    by_products = not has_accelerator() and _is_small((None, *sides, kernel.shape[2]))
    return (_doubled_by_products if by_products else _doubled_by_operation)(maps, kernel)


def biased(images: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Returns `images + bias`, added to whole rows of pixels: on a CPU, TensorFlow adds to few channels slowly.

    Args:
      images: `[batch, height, width, channels]`.
      bias: `[channels]`.

    Example:
      >>> biased(tf.zeros([1, 1, 2, 2]), tf.constant([1.0, 2.0])).numpy().tolist()
      [[[[1.0, 2.0], [1.0, 2.0]]]]
    """
    width = tf.shape(images)[2]
    rows = tf.reshape(images, [-1, width * images.shape[3]]) + tf.tile(bias, [width])
    return tf.reshape(rows, tf.shape(images))


def _halved_by_operation(images, kernel):
    """`halve` as TensorFlow's convolution."""
    return tf.raw_ops.Conv2D(input=images, filter=kernel, **_HALVING)


def _halved_by_products(images, kernel):
    """`halve` as one matrix product."""
    _, height, width, channels = images.shape
    # [batch h w, 16 channels]: the four blocks that a pixel of the map is made of.
    patches = tf.reshape(tf.concat(_shifted(images), axis=-1), [-1, 16 * channels])
    maps = tf.matmul(patches, tf.reshape(_split(kernel), [16 * channels, -1]))
    return tf.reshape(maps, [-1, height // 2, width // 2, kernel.shape[3]])


def _doubled_by_operation(maps, kernel):
    """`double` as TensorFlow's transposed convolution."""
    batch, height, width, _ = tf.unstack(tf.shape(maps))
    sizes = [batch, 2 * height, 2 * width, kernel.shape[2]]
    return tf.raw_ops.Conv2DBackpropInput(input_sizes=sizes, filter=kernel, out_backprop=maps, **_HALVING)


def _doubled_by_blocks(maps, kernel):
    """`double` as TensorFlow's transposed convolution to blocks, which has four times the channels."""
    channels = kernel.shape[2]
    batch, height, width, _ = tf.unstack(tf.shape(maps))
    blocks = tf.raw_ops.Conv2DBackpropInput(
        input_sizes=[batch, height + 1, width + 1, 4 * channels],
        filter=_split(kernel),
        out_backprop=maps,
        strides=[1, 1, 1, 1],
        padding="VALID",
    )
    return _pixels(blocks)


def _doubled_by_products(maps, kernel):
    """`double` as one matrix product, whose results are added where they overlap."""
    _, height, width, filters = maps.shape
    channels = kernel.shape[2]
    products = tf.matmul(
        tf.reshape(maps, [-1, filters]), tf.reshape(_split(kernel), [16 * channels, filters]), transpose_b=True
    )
    split = tf.reshape(products, [-1, height, width, 2, 2, 4 * channels])
    places = [(row, column) for row in (0, 1) for column in (0, 1)]
    shifted = [
        tf.pad(split[:, :, :, row, column], [[0, 0], [row, 1 - row], [column, 1 - column], [0, 0]])
        for row, column in places
    ]
    return _pixels(tf.add_n(shifted))


def _kernel_gradient_by_operation(images, maps):
    """`kernel_gradient` as TensorFlow's operation."""
    shape = [4, 4, images.shape[3], maps.shape[3]]
    return tf.raw_ops.Conv2DBackpropFilter(input=images, filter_sizes=shape, out_backprop=maps, **_HALVING)


def _kernel_gradient_by_products(images, maps):
    """`kernel_gradient` as four matrix products, one for each block of the kernel."""
    channels, filters = images.shape[3], maps.shape[3]
    rows = tf.reshape(maps, [-1, filters])
    products = [
        tf.matmul(tf.reshape(blocks, [-1, 4 * channels]), rows, transpose_a=True) for blocks in _shifted(images)
    ]
    # [block row, block column, row in block, column in block, …] -> [block row, row, block column, column, …].
    split = tf.reshape(tf.stack(products), [2, 2, 2, 2, channels, filters])
    return tf.reshape(tf.transpose(split, [0, 2, 1, 3, 4, 5]), [4, 4, channels, filters])


def _shifted(images):
    """Returns, for each of the 2×2 blocks of a kernel, the blocks of the images that it is multiplied with.

    Each is `[batch, h, w, 4 channels]`.
    """
    blocks = tf.nn.space_to_depth(tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]]), 2)  # [batch, h + 1, w + 1, …]
    all_but_one = (slice(None, -1), slice(1, None))
    return [blocks[:, rows, columns] for rows in all_but_one for columns in all_but_one]


def _pixels(blocks):
    """Returns the images of blocks: `[batch, h + 1, w + 1, 4 channels]` -> `[batch, 2 h, 2 w, channels]`, unpadded.

    It is `tf.nn.depth_to_space`, which is slower on a CPU.
    """
    batch, rows, columns, _ = tf.unstack(tf.shape(blocks))
    channels = blocks.shape[3] // 4
    # [batch, block row, block column, row, (column, channel)] -> [batch, block row, row, block column, …].
    split = tf.reshape(blocks, [batch, rows, columns, 2, 2 * channels])
    images = tf.reshape(tf.transpose(split, [0, 1, 3, 2, 4]), [batch, 2 * rows, 2 * columns, channels])
    return images[:, 1:-1, 1:-1]


def _split(kernel):
    """Returns the kernel of blocks, `[2, 2, 4 channels, filters]`."""
    channels, filters = kernel.shape[2:]
    # [block row, row in block, block column, column in block, …] -> [block row, block column, row, column, …].
    split = tf.transpose(tf.reshape(kernel, [2, 2, 2, 2, channels, filters]), [0, 2, 1, 3, 4, 5])
    return tf.reshape(split, [2, 2, 4 * channels, filters])


def _is_small(shape):
    """Whether images of this shape have many channels for their size."""
    _, height, width, channels = shape
    return None not in (height, width) and channels >= _CHANNELS_PER_PIXEL * height * width
