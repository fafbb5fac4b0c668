"""A custom loss: one-sided label smoothing (Salimans et al. 2016, arXiv 1606.03498, section 3.4).

    python -m tfpaths.launch --import=examples.custom_loss --exp=color_mnist_ns \
        --set variant.loss=smoothed --set variant.loss.smoothing=0.2

Real examples have the label 1 - smoothing instead of 1. A keyword-only parameter of the function is an option of the
loss: a field of the config, with this type, range and default.
"""

import tensorflow as tf

from tfpaths import losses
from tfpaths.schema import Share


@losses.LOSSES.register("smoothed")
def smoothed(*, smoothing: Share = 0.1) -> losses.Loss:
    """Returns E [softplus(-D(x)) + smoothing D(x)] + E softplus(D(G(z))), and the non-saturating generator's loss."""

    def discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
        plain = losses.minimax_discriminator_loss(real_logits, fake_logits)
        # -(1 - s) log sigmoid(D) - s log(1 - sigmoid(D)) = softplus(-D) + s D.
        return plain + smoothing * tf.reduce_mean(tf.cast(real_logits, tf.float32))

    return losses.Loss(discriminator, losses.non_saturating_generator_loss)
