"""Two of Keras' layers in the form that a GAN's step is fastest with; what they compute is the same."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("tfpaths")
class LeakyReLU(keras.layers.Layer):
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
            return y, lambda gradient: tf.raw_ops.LeakyReluGrad(
                gradients=gradient, features=sign, alpha=self.negative_slope
            )

        return leaky_relu(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "negative_slope": self.negative_slope}


@keras.saving.register_keras_serializable("tfpaths")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' BatchNormalization, in training as one operation forward and one backward.

    gamma (x - mean) / sqrt(var + epsilon) + beta, with mean and biased variance of the batch, as in Ioffe and Szegedy
    2015 (arXiv 1502.03167), algorithm 1. Keras writes it as five operations on whole maps, in float32 under every
    policy; the fused one reads maps in their own precision and keeps statistics in float32. Maps `[batch, height,
    width, channels]` in training take it; synchronised statistics and sampling go Keras' own way.
    """

    def call(self, inputs, training=None, mask=None):
        fused = training and self.trainable and not (self.synchronized or self.renorm) and mask is None
        if not fused or len(inputs.shape) != 4 or self.axis not in (-1, 3):
            return super().call(inputs, training=training, mask=mask)
        channels = inputs.shape[-1]
        # With a factor of 1 for the newest batch, the moving statistics that it returns are the batch's own.
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma.value if self.scale else tf.ones([channels]),
            offset=self.beta.value if self.center else tf.zeros([channels]),
            mean=tf.zeros([0]),
            variance=tf.zeros([0]),
            epsilon=self.epsilon,
            is_training=True,
        )
        # Its variance is the unbiased one; Keras keeps the biased.
        count = tf.cast(tf.size(inputs) // channels, variance.dtype)
        variance = tf.stop_gradient(variance) * (count - 1.0) / count
        for moving, value in ((self.moving_mean, tf.stop_gradient(mean)), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + value * (1.0 - self.momentum))
        return outputs
