"""The zero-centred penalties R1 and R2: at the real and at the generated examples."""

from typing import Any

import keras
import tensorflow as tf

from tfpaths.penalties.penalty import PENALTIES, GradientPenalty
from tfpaths.schema import NonNegative, Positive
from tfpaths.streams import Stream


@PENALTIES.register("r1")
@keras.saving.register_keras_serializable("tfpaths")
class R1Penalty(GradientPenalty):
    """weight * E ||grad_x D(x)||_2^2 at the real examples, p = x: a zero-centred penalty.

    Mescheder et al. 2018 (arXiv 1801.04406), equation 9. Their factor is gamma / 2 with gamma = 10, so the default
    weight is 5.

    Example:
      >>> critic = lambda x, training: 3.0 * x[:, :1] + 4.0 * x[:, 1:]  # the norm is 5 everywhere
      >>> round(float(R1Penalty()(critic, tf.zeros([8, 2]), tf.ones([8, 2]))), 2)  # 5 * 5^2
      125.0
    """

    def __init__(self, *, weight: Positive = 5.0, target: NonNegative = 0.0, **kwargs: Any):
        super().__init__(weight=weight, target=target, **kwargs)

    def points(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream, batch_axes: int) -> tf.Tensor:
        del fake, stream, batch_axes
        return real


@PENALTIES.register("r2")
@keras.saving.register_keras_serializable("tfpaths")
class R2Penalty(R1Penalty):
    """weight * E ||grad_p D(p)||_2^2 at the generated examples, p = G(z): a zero-centred penalty.

    Mescheder et al. 2018 (arXiv 1801.04406), section 4.1; Huang et al. 2025 (arXiv 2501.05441) use it together with R1.
    As for R1, their factor is gamma / 2.

    Example:
      >>> critic = lambda x, training: 3.0 * x[:, :1] + 4.0 * x[:, 1:]  # the norm is 5 everywhere
      >>> round(float(R2Penalty()(critic, tf.zeros([8, 2]), tf.ones([8, 2]))), 2)  # 5 * 5^2
      125.0
    """

    def points(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream, batch_axes: int) -> tf.Tensor:
        del real, stream, batch_axes
        return fake
