"""The layers and the Adam that a GAN's step is fastest with, and the one switch back to Keras' own.

Each is Keras' function with Keras' settings and weights, up to rounding, and `as_keras` returns Keras' layer. The
switch is `networks.implementation`: `fast` or `keras`.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfpaths.compat import keras as compat

# Halving and doubling as DCGAN does: kernels of 4×4, strides of 2, as many pixels beyond each edge.
_HALVING: dict[str, Any] = {"strides": [1, 2, 2, 1], "padding": "SAME"}


def _derivative(function: Callable) -> Callable:
    """Gives what a derivative computes the name of its layer, as TensorFlow does: a trace shows whose time it is."""
    scope = tf.get_current_name_scope()

    @functools.wraps(function)
    def named(*outputs):
        with tf.name_scope(f"gradient_tape/{scope}/"):
            return function(*outputs)

    return named


@keras.saving.register_keras_serializable("tfpaths")
class FastLeakyReLU(keras.layers.Layer):
    """x where x > 0, negative_slope * x elsewhere; its derivatives are written in terms of what it returns.

    The same function and the same first and second derivatives as `keras.layers.LeakyReLU`. Output and input have one
    sign, so that the slope can be read off the output: the input is then nobody's but this layer's, TensorFlow fuses
    the layer into the convolution before it, and one map less is kept for the way back. The slope is piecewise
    constant: the derivative is linear in the gradient that comes in, and the second backward pass of a gradient penalty
    is the first one again.
    """

    def __init__(self, negative_slope: float = 0.2, **kwargs: Any):
        super().__init__(**kwargs)
        # Otherwise the output's sign says nothing of the input's.
        if not negative_slope > 0:
            raise ValueError(f"negative_slope: expected a number above zero, received {negative_slope}.")
        self.negative_slope = negative_slope
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        @tf.custom_gradient
        def leaky_relu(x):
            y = tf.nn.leaky_relu(x, self.negative_slope)
            # TensorFlow sends zeros back to the features, and a whole pass through the network with them.
            sign = tf.stop_gradient(y)

            @_derivative
            def gradient(outputs):
                return tf.raw_ops.LeakyReluGrad(gradients=outputs, features=sign, alpha=self.negative_slope)

            return y, gradient

        return leaky_relu(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape

    def as_keras(self) -> keras.layers.LeakyReLU:
        """Returns Keras' own layer of the same function."""
        return keras.layers.LeakyReLU.from_config(self.get_config())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "negative_slope": self.negative_slope}


@keras.saving.register_keras_serializable("tfpaths")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' BatchNormalization, as one operation forward and one backward.

    gamma (x - mean) / sqrt(var + epsilon) + beta; in training with mean and biased variance of the batch, as in Ioffe
    and Szegedy 2015 (arXiv 1502.03167), algorithm 1, otherwise with their moving averages. Keras writes it as five
    operations on whole maps, in float32 under every policy; the fused one reads maps in their own precision, keeps
    statistics in float32, and takes the ReLU that follows along. Maps `[batch, height, width, channels]` go this way;
    synchronised statistics and whatever else Keras' layer can do go its own.
    """

    def call(self, inputs, training=None, mask=None):
        plain = len(inputs.shape) == 4 and self.axis in (-1, 3) and self.scale and self.center and mask is None
        if not plain or self.synchronized or compat.renormalizes(self):
            return super().call(inputs, training=training, mask=mask)
        batch = bool(training and self.trainable)
        # With a factor of 1 for the newest batch, as is the default, what it returns as moving is the batch's own.
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma.value,
            offset=self.beta.value,
            mean=tf.zeros([0]) if batch else self.moving_mean.value,
            variance=tf.zeros([0]) if batch else self.moving_variance.value,
            epsilon=self.epsilon,
            is_training=batch,
        )
        if batch:
            # Its variance is the unbiased one, Keras keeps the biased.
            count = tf.cast(tf.size(inputs) // inputs.shape[-1], variance.dtype)
            self._keep(self.moving_mean, mean)
            self._keep(self.moving_variance, variance * (count - 1.0) / count)
        return outputs

    def as_keras(self) -> keras.layers.BatchNormalization:
        """Returns Keras' own layer of the same function."""
        return keras.layers.BatchNormalization.from_config(self.get_config())

    def _keep(self, moving, value):
        moving.assign(moving * self.momentum + tf.stop_gradient(value) * (1.0 - self.momentum))


@keras.saving.register_keras_serializable("tfpaths")
class HalvingConv2D(keras.layers.Conv2D):
    """Keras' Conv2D on images of even sides, for a 4×4 kernel and stride 2; its derivative by the image is `double`."""

    def build(self, input_shape):
        _require_halving(self)
        if any(side is None or side % 2 for side in input_shape[1:3]):
            raise ValueError(f"Expected images of even sides, received the shape {tuple(input_shape)}.")
        super().build(input_shape)

    def convolution_op(self, inputs, kernel):
        return halve(inputs, tf.convert_to_tensor(kernel))

    def as_keras(self) -> keras.layers.Conv2D:
        """Returns Keras' own layer of the same function."""
        return keras.layers.Conv2D.from_config(self.get_config())


@keras.saving.register_keras_serializable("tfpaths")
class DoublingConv2DTranspose(keras.layers.Conv2DTranspose):
    """Keras' Conv2DTranspose to images, for a 4×4 kernel and stride 2: `double`."""

    def build(self, input_shape):
        _require_halving(self)
        super().build(input_shape)

    def call(self, inputs, training=None):
        # What is sampled may be exported, and a SavedModel does not keep custom gradients.
        transposed = double if training else by_blocks
        images = transposed(inputs, tf.convert_to_tensor(self.kernel))
        return self.activation(images + self.bias if self.use_bias else images)

    def as_keras(self) -> keras.layers.Conv2DTranspose:
        """Returns Keras' own layer of the same function."""
        return keras.layers.Conv2DTranspose.from_config(self.get_config())


def _require_halving(layer: keras.layers.Layer) -> None:
    plan = (layer.kernel_size, layer.strides, layer.padding, layer.dilation_rate, layer.data_format)
    if plan != ((4, 4), (2, 2), "same", (1, 1), "channels_last") or getattr(layer, "groups", 1) != 1:
        raise ValueError(f"Expected a 4×4 kernel, strides of 2, padding 'same', channels last, received {plan}.")


def by_blocks(maps: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The transposed convolution: `[batch, h, w, filters]`, `[4, 4, channels, filters]` -> images.

    Images are `[batch, 2 h, 2 w, channels]`.

    Where an image, one pixel larger on all sides, is cut into blocks of 2×2 and a block's pixels are taken for
    channels, the convolution is one of a 2×2 kernel and stride 1. Its transpose then ends in four times as many
    channels: TensorFlow's on a processor is slow where they are as few as an image's.
    """
    channels, filters = kernel.shape[2:]
    batch, height, width, _ = tf.unstack(tf.shape(maps))
    # Rows and columns of the kernel: which block, and where in it.
    split = tf.transpose(tf.reshape(kernel, [2, 2, 2, 2, channels, filters]), [0, 2, 1, 3, 4, 5])
    blocks = tf.raw_ops.Conv2DBackpropInput(
        input_sizes=[batch, height + 1, width + 1, 4 * channels],
        filter=tf.reshape(split, [2, 2, 4 * channels, filters]),
        out_backprop=maps,
        strides=[1, 1, 1, 1],
        padding="VALID",
    )
    return tf.nn.depth_to_space(blocks, 2)[:, 1:-1, 1:-1]


@tf.custom_gradient
def double(maps: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`by_blocks`, whose derivative by the maps is `halve`."""

    @_derivative
    def gradient(images):
        return halve(images, kernel), _kernel_gradient(images, kernel, maps)

    return by_blocks(maps, kernel), gradient


@tf.custom_gradient
def halve(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The convolution: `[batch, 2 h, 2 w, channels]`, `[4, 4, channels, filters]` -> `[batch, h, w, filters]`.

    Its derivative by the images is `double`.
    """

    @_derivative
    def gradient(maps):
        return double(maps, kernel), _kernel_gradient(images, kernel, maps)

    return tf.raw_ops.Conv2D(input=images, filter=kernel, **_HALVING), gradient


def _kernel_gradient(images, kernel, maps):
    return tf.raw_ops.Conv2DBackpropFilter(input=images, filter_sizes=kernel.shape, out_backprop=maps, **_HALVING)


@keras.saving.register_keras_serializable("tfpaths")
class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam up to rounding, with the same variables; TensorFlow's fused operation makes the update.

        m <- m + (g - m) (1 - beta_1)
        v <- v + (g^2 - v) (1 - beta_2)
        w <- w - rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)

    Kingma and Ba 2014 (arXiv 1412.6980), in the form at the end of its section 2, whose epsilon is added to the
    uncorrected root. AMSGrad goes Keras' own way.
    """

    def update_step(self, gradient, variable, learning_rate):
        if self.amsgrad:
            return super().update_step(gradient, variable, learning_rate)
        first, second = compat.adam_moments(self, variable)
        step = tf.cast(self.iterations.value + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=first.value.handle,
            v=second.value.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, variable.dtype), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, variable.dtype), step),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, variable.dtype),
        )
        return None


@dataclasses.dataclass(frozen=True)
class Implementation:
    """The layers and the optimiser that networks are built from.

    Attributes:
      leaky_relu: `(negative_slope, dtype=…)`.
      batch_normalization: Keras' arguments.
      halving_convolution: Keras' Conv2D for a 4×4 kernel and stride 2 on images of even sides.
      doubling_convolution: Keras' Conv2DTranspose for a 4×4 kernel and stride 2.
      adam: Keras' arguments.
    """

    leaky_relu: Callable[..., keras.layers.Layer]
    batch_normalization: Callable[..., keras.layers.Layer]
    halving_convolution: Callable[..., keras.layers.Layer]
    doubling_convolution: Callable[..., keras.layers.Layer]
    adam: Callable[..., keras.optimizers.Optimizer]


# What `networks.implementation` names.
IMPLEMENTATIONS = {
    "fast": Implementation(FastLeakyReLU, FusedBatchNormalization, HalvingConv2D, DoublingConv2DTranspose, FusedAdam),
    "keras": Implementation(
        keras.layers.LeakyReLU,
        keras.layers.BatchNormalization,
        keras.layers.Conv2D,
        keras.layers.Conv2DTranspose,
        keras.optimizers.Adam,
    ),
}
