"""Layers and an Adam that make a GAN's step faster than Keras' do.

Each computes the same function as Keras' class of the same settings and weights, up to rounding; the method `as_keras`
of a layer returns Keras' layer. The option `networks.implementation` chooses between them: `fast` or `keras`.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfpaths.compat import keras as compat
from tfpaths.compat.tensorflow import custom_gradient, in_scope
from tfpaths.networks import halving, sliding


@keras.saving.register_keras_serializable("tfpaths")
class FastLeakyReLU(keras.layers.Layer):
    """x where x > 0, negative_slope * x elsewhere; its derivative is computed from its output.

    It has the same values and the same first and second derivatives as `keras.layers.LeakyReLU`. Output and input have
    the same sign, so the output determines the slope. The backward pass then does not need the input: TensorFlow fuses
    the layer into the convolution before it, and stores one feature map less. The slope is piecewise constant, so the
    derivative is linear in the incoming gradient, and a gradient penalty's second backward pass repeats the first.

    Args:
      negative_slope: The slope where x <= 0, above zero.
      **kwargs: The arguments of `keras.layers.Layer`, such as `name`.

    Raises:
      ValueError: `negative_slope` is not above zero.

    Example:
      >>> FastLeakyReLU(0.5)(tf.constant([-1.0, 2.0])).numpy().tolist()
      [-0.5, 2.0]
    """

    def __init__(self, negative_slope: float = 0.2, **kwargs: Any):
        super().__init__(**kwargs)
        # With another slope, the output does not have the sign of the input.
        if not negative_slope > 0:
            raise ValueError(f"negative_slope: expected a number above zero, received {negative_slope}.")
        self.negative_slope = negative_slope
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return _differentiated_by_output(
            inputs,
            lambda x: tf.nn.leaky_relu(x, self.negative_slope),
            lambda outputs, y: tf.raw_ops.LeakyReluGrad(gradients=outputs, features=y, alpha=self.negative_slope),
        )

    def compute_output_shape(self, input_shape):
        return input_shape

    def as_keras(self) -> keras.layers.LeakyReLU:
        """Returns Keras' layer with the same settings."""
        return keras.layers.LeakyReLU.from_config(self.get_config())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "negative_slope": self.negative_slope}


@keras.saving.register_keras_serializable("tfpaths")
class FastReLU(keras.layers.Layer):
    """max(x, 0); its derivative is computed from its output, as that of `FastLeakyReLU`.

    It has the same values and the same first and second derivatives as `keras.layers.ReLU`, and a gradient
    penalty does not propagate zeros through the layers before it.

    Args:
      **kwargs: The arguments of `keras.layers.Layer`, such as `name`.

    Example:
      >>> FastReLU()(tf.constant([-1.0, 2.0])).numpy().tolist()
      [0.0, 2.0]
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return _differentiated_by_output(
            inputs, tf.nn.relu, lambda outputs, y: tf.raw_ops.ReluGrad(gradients=outputs, features=y)
        )

    def compute_output_shape(self, input_shape):
        return input_shape

    def as_keras(self) -> keras.layers.ReLU:
        """Returns Keras' layer."""
        return keras.layers.ReLU.from_config(self.get_config())


def _differentiated_by_output(x: tf.Tensor, function: Callable, derivative: Callable) -> tf.Tensor:
    """Returns function(x), with the gradient derivative(incoming gradient, function(x))."""

    @custom_gradient
    def applied(x):
        y = function(x)
        # TensorFlow's derivative of `derivative` with respect to y is zero. Without stop_gradient, it would propagate
        # these zeros through the whole network.
        sign = tf.stop_gradient(y)
        return y, in_scope(lambda outputs: derivative(outputs, sign))

    return applied(x)


@keras.saving.register_keras_serializable("tfpaths")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' BatchNormalization as one operation in the forward pass and one in the backward pass.

        gamma (x - mean) / sqrt(variance + epsilon) + beta

    In training, mean and variance are those of the batch, the variance biased (Ioffe and Szegedy 2015, arXiv
    1502.03167, algorithm 1); otherwise they are moving averages. Keras computes five operations on whole maps, in
    float32 under every policy. The fused operation reads maps in their own precision and computes statistics in
    float32, and TensorFlow fuses a ReLU that follows into it. It is used for maps `[batch, height, width, channels]`;
    in all other cases, such as synchronised statistics, or directly after a convolution outside training, the layer
    calls Keras' implementation.

    Example:
      >>> maps = tf.reshape([1.0, 3.0], [2, 1, 1, 1])  # mean 2, variance 1
      >>> outputs = FusedBatchNormalization(epsilon=1e-4)(maps, training=True)
      >>> [round(float(value), 2) for value in tf.reshape(outputs, [-1])]
      [-1.0, 1.0]
    """

    def call(self, inputs, training=None, mask=None):
        plain = len(inputs.shape) == 4 and self.axis in (-1, 3) and self.scale and self.center and mask is None
        if not plain or self.synchronized or compat.renormalizes(self):
            return super().call(inputs, training=training, mask=mask)
        batch = bool(training and self.trainable)
        if not batch and _is_convolved(inputs):
            # TensorFlow 2.21 fuses a convolution, this operation and tanh into one that does not exist on CPUs.
            return super().call(inputs, training=training, mask=mask)
        # The operation's default factor for moving averages is 1, so it returns the statistics of the batch.
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
            # [channels]: the operation returns the unbiased variance, but Keras averages the biased one.
            count = tf.cast(tf.size(inputs) // inputs.shape[-1], variance.dtype)
            self._keep(self.moving_mean, mean)
            self._keep(self.moving_variance, variance * (count - 1.0) / count)
        return outputs

    def as_keras(self) -> keras.layers.BatchNormalization:
        """Returns Keras' layer with the same settings."""
        return keras.layers.BatchNormalization.from_config(self.get_config())

    def _keep(self, moving, value):
        moving.assign(moving * self.momentum + tf.stop_gradient(value) * (1.0 - self.momentum))


def _is_convolved(maps: tf.Tensor) -> bool:
    """Whether maps of a graph are the output of a convolution."""
    if not tf.is_symbolic_tensor(maps):
        return False
    operation = maps.op
    while operation.type in ("Identity", "IdentityN", "StopGradient"):
        operation = operation.inputs[0].op
    return operation.type == "Conv2D"


@keras.saving.register_keras_serializable("tfpaths")
class HalvingConv2D(keras.layers.Conv2D):
    """Keras' Conv2D for images with even sides, a 4×4 kernel and stride 2; it computes
    `halving.halve`.

    Its arguments are those of `keras.layers.Conv2D`.

    Raises:
      ValueError: When the layer is built: its settings or the sides of the images are different.

    Example:
      >>> HalvingConv2D(8, 4, strides=2, padding="same")(tf.zeros([1, 32, 32, 3])).shape
      TensorShape([1, 16, 16, 8])
    """

    def build(self, input_shape):
        _require_halving(self)
        if any(side is None or side % 2 for side in input_shape[1:3]):
            raise ValueError(f"Expected images of even sides, received the shape {tuple(input_shape)}.")
        super().build(input_shape)

    def convolution_op(self, inputs, kernel):
        return halving.halve(inputs, tf.convert_to_tensor(kernel))

    def as_keras(self) -> keras.layers.Conv2D:
        """Returns Keras' layer with the same settings."""
        return keras.layers.Conv2D.from_config(self.get_config())


@keras.saving.register_keras_serializable("tfpaths")
class DoublingConv2DTranspose(keras.layers.Conv2DTranspose):
    """Keras' Conv2DTranspose for images, a 4×4 kernel and stride 2; it computes `halving.double`.

    Its arguments are those of `keras.layers.Conv2DTranspose`.

    Raises:
      ValueError: When the layer is built: its settings are different.

    Example:
      >>> DoublingConv2DTranspose(3, 4, strides=2, padding="same")(tf.zeros([1, 16, 16, 8])).shape
      TensorShape([1, 32, 32, 3])
    """

    def build(self, input_shape):
        _require_halving(self)
        super().build(input_shape)

    def call(self, inputs, training=None):
        # Outside training, the layer may be exported, and a SavedModel does not store custom gradients.
        transposed = halving.double if training else halving.doubled
        images = transposed(inputs, tf.convert_to_tensor(self.kernel))
        return self.activation(halving.biased(images, tf.convert_to_tensor(self.bias)) if self.use_bias else images)

    def as_keras(self) -> keras.layers.Conv2DTranspose:
        """Returns Keras' layer with the same settings."""
        return keras.layers.Conv2DTranspose.from_config(self.get_config())


def _require_halving(layer: keras.layers.Layer) -> None:
    """Raises a ValueError if a layer's settings are not those of `halving`."""
    plan = (layer.kernel_size, layer.strides, layer.padding, layer.dilation_rate, layer.data_format)
    if plan != ((4, 4), (2, 2), "same", (1, 1), "channels_last") or getattr(layer, "groups", 1) != 1:
        raise ValueError(f"Expected a 4×4 kernel, strides of 2, padding 'same', channels last, received {plan}.")


@keras.saving.register_keras_serializable("tfpaths")
class SlidingConv1D(keras.layers.Conv1D):
    """Keras' Conv1D for texts with a kernel of an odd length, stride 1 and padding `same`, by `sliding`.

    Its arguments are those of `keras.layers.Conv1D`.

    Raises:
      ValueError: When the layer is built: its settings are different.

    Example:
      >>> SlidingConv1D(8, 5, padding="same")(tf.zeros([1, 32, 3])).shape
      TensorShape([1, 32, 8])
    """

    def build(self, input_shape):
        plan = (self.strides, self.padding, self.dilation_rate, self.data_format, self.groups)
        if self.kernel_size[0] % 2 == 0 or plan != ((1,), "same", (1,), "channels_last", 1):
            raise ValueError(
                "Expected a kernel of an odd length, a stride of 1, padding 'same', channels last, received "
                f"{(self.kernel_size, *plan)}."
            )
        super().build(input_shape)

    def call(self, inputs, training=None):
        kernel = tf.convert_to_tensor(self.kernel)
        bias = tf.convert_to_tensor(self.bias) if self.use_bias else None
        if not training:
            # The layer may be exported, and a SavedModel does not store custom gradients.
            maps = sliding.slid(inputs, kernel, bias)
        elif bias is None:
            maps = sliding.slide(inputs, kernel)
        else:
            maps = sliding.slide_and_add(inputs, kernel, bias)
        return self.activation(maps)

    def as_keras(self) -> keras.layers.Conv1D:
        """Returns Keras' layer with the same settings."""
        return keras.layers.Conv1D.from_config(self.get_config())


@keras.saving.register_keras_serializable("tfpaths")
class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam, up to rounding and with the same variables, with TensorFlow's fused operation for the update.

        m <- m + (g - m) (1 - beta_1)
        v <- v + (g^2 - v) (1 - beta_2)
        w <- w - rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)

    Kingma and Ba 2014 (arXiv 1412.6980), in the form at the end of their section 2, where epsilon is added to the root
    of v without bias correction. With `amsgrad=True`, Keras' update is used. The arguments are those of
    `keras.optimizers.Adam`.

    Example:
      >>> optimizer, w = FusedAdam(0.5), keras.Variable(1.0)
      >>> optimizer.apply([tf.constant(3.0)], [w])  # the first step's size is the learning rate
      >>> round(float(w), 4)
      0.5
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

    Each attribute is a function or a class with the arguments of Keras' class.

    Attributes:
      leaky_relu: As `keras.layers.LeakyReLU`.
      relu: As `keras.layers.ReLU` without arguments.
      batch_normalization: As `keras.layers.BatchNormalization`.
      halving_convolution: As `keras.layers.Conv2D`, for a 4×4 kernel and stride 2 on images with even sides.
      doubling_convolution: As `keras.layers.Conv2DTranspose`, for a 4×4 kernel and stride 2.
      sliding_convolution: As `keras.layers.Conv1D`, for a kernel of an odd length, stride 1 and padding `same`.
      adam: As `keras.optimizers.Adam`.

    Example:
      >>> IMPLEMENTATIONS["fast"].leaky_relu(0.5)(tf.constant([-1.0, 2.0])).numpy().tolist()
      [-0.5, 2.0]
    """

    leaky_relu: Callable[..., keras.layers.Layer]
    relu: Callable[..., keras.layers.Layer]
    batch_normalization: Callable[..., keras.layers.Layer]
    halving_convolution: Callable[..., keras.layers.Layer]
    doubling_convolution: Callable[..., keras.layers.Layer]
    sliding_convolution: Callable[..., keras.layers.Layer]
    adam: Callable[..., keras.optimizers.Optimizer]


# The values of `networks.implementation` -> the layers and the optimiser.
IMPLEMENTATIONS = {
    "fast": Implementation(
        FastLeakyReLU,
        FastReLU,
        FusedBatchNormalization,
        HalvingConv2D,
        DoublingConv2DTranspose,
        SlidingConv1D,
        FusedAdam,
    ),
    "keras": Implementation(
        keras.layers.LeakyReLU,
        keras.layers.ReLU,
        keras.layers.BatchNormalization,
        keras.layers.Conv2D,
        keras.layers.Conv2DTranspose,
        keras.layers.Conv1D,
        keras.optimizers.Adam,
    ),
}
