"""The penalties between real and generated examples: two-sided and one-sided."""

from typing import Any

import keras
import tensorflow as tf

from tfpaths import numerics
from tfpaths.penalties.penalty import PENALTIES, GradientPenalty
from tfpaths.streams import Stream


def interpolate(real: tf.Tensor, fake: tf.Tensor, stream: Stream, *, batch_axes: int = 1) -> tf.Tensor:
    """Returns a x + (1 - a) G(z), a ~ U[0, 1), one a per example.

    Gulrajani et al. 2017 (arXiv 1704.00028), algorithm 1. Some public code draws a from a normal distribution, or once
    for the whole batch; neither is in the paper.

    Args:
      real: x, `[batch, ...]`, or `[runs, batch, ...]` with `batch_axes=2`.
      fake: G(z), of the same shape.
      stream: The stream that a is drawn from.
      batch_axes: The number of leading axes that index examples: 1, or 2 in an ensemble.

    Returns:
      The points, with the shape of `real`.

    Example:
      >>> from tfpaths import streams
      >>> points = interpolate(tf.zeros([4, 3]), tf.ones([4, 3]), streams.root(0))
      >>> bool(tf.reduce_all((0.0 < points) & (points <= 1.0)))
      True
      >>> bool(tf.reduce_all(points == points[:, :1]))  # one a per example
      True
    """
    # a: [batch, 1, ...], with as many axes as real.
    a = stream.uniform(numerics.per_example_shape(real, batch_axes))
    return a * real + (1.0 - a) * fake


@PENALTIES.register("interpolation")
@keras.saving.register_keras_serializable("tfpaths")
class InterpolationPenalty(GradientPenalty):
    """The penalty between real and generated examples: p = a x + (1 - a) G(z), a ~ U[0, 1) per example.

    Gulrajani et al. 2017 (arXiv 1704.00028), algorithm 1. With the Wasserstein loss it is WGAN-GP, with the
    non-saturating loss GAN-GP (Fedus, Rosca et al. 2017).

    Example:
      >>> critic = lambda x, training: 3.0 * x[:, :1] + 4.0 * x[:, 1:]  # the norm is 5 everywhere
      >>> round(float(InterpolationPenalty()(critic, tf.zeros([8, 2]), tf.ones([8, 2]))), 2)  # 10 (5 - 1)^2
      160.0
    """

    def points(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream, batch_axes: int) -> tf.Tensor:
        return interpolate(real, fake, stream, batch_axes=batch_axes)


@PENALTIES.register("one_sided")
@keras.saving.register_keras_serializable("tfpaths")
class OneSidedPenalty(InterpolationPenalty):
    """weight * E max(0, ||grad_p D(p)||_2 - target)^2 at the points of `InterpolationPenalty`.

    Gradients below the target are not penalised. Gulrajani et al. 2017, section 4, mention it and prefer the two-sided
    penalty; Petzka et al. 2017 (arXiv 1709.08894) argue for the one-sided penalty.

    Example:
      >>> critic = lambda x, training: 0.3 * x[:, :1] + 0.4 * x[:, 1:]  # the norm is 0.5 everywhere
      >>> float(OneSidedPenalty()(critic, tf.zeros([8, 2]), tf.ones([8, 2])))
      0.0
    """

    def __init__(self, *, one_sided: bool = True, **kwargs: Any):
        super().__init__(one_sided=one_sided, **kwargs)
