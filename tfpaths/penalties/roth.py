"""Roth's penalty: instance noise of small variance, integrated analytically."""

from typing import Any

import keras
import tensorflow as tf

from tfpaths import options
from tfpaths.penalties.penalty import PENALTIES, Penalty
from tfpaths.schema import Positive, PositiveInt
from tfpaths.streams import Stream


def roth_penalty(
    real_logits: tf.Tensor,
    fake_logits: tf.Tensor,
    real_norms: tf.Tensor,
    fake_norms: tf.Tensor,
    *,
    weight: float | tf.Tensor = 1.0,
) -> tf.Tensor:
    """Returns weight * E[(1 - sigmoid(D(x)))^2 ||grad D(x)||^2 + sigmoid(D(G(z)))^2 ||grad D(G(z))||^2].

    Args:
      real_logits: D(x), `[batch]`, or `[runs, batch]`.
      fake_logits: D(G(z)), of the same shape.
      real_norms: ||grad D(x)||, of the same shape.
      fake_norms: ||grad D(G(z))||, of the same shape.
      weight: gamma / 2 of Roth et al. 2017; in an ensemble also `[runs]`.

    Returns:
      A scalar; in an ensemble the mean over runs.

    Example:
      >>> even, fives = tf.zeros([3]), tf.fill([3], 5.0)
      >>> float(roth_penalty(even, even, fives, fives))  # 2 (1/2)^2 5^2
      12.5
    """
    # sigmoid(-t) is 1 - sigmoid(t), without cancellation.
    terms = tf.square(tf.sigmoid(-real_logits) * real_norms) + tf.square(tf.sigmoid(fake_logits) * fake_norms)
    return tf.reduce_mean(weight * tf.reduce_mean(terms, axis=-1))  # over runs, over a run's examples


@PENALTIES.register("roth")
@keras.saving.register_keras_serializable("tfpaths")
class RothPenalty(Penalty):
    """weight * E[(1 - s(D(x)))^2 ||grad D(x)||^2 + s(D(G(z)))^2 ||grad D(G(z))||^2], s the sigmoid.

    Roth et al. 2017 (arXiv 1705.09367), equation 19 for the Jensen-Shannon divergence: to first order in gamma, the
    effect of noise N(0, gamma I) on both inputs of the discriminator, with weight = gamma / 2. Their code anneals gamma
    from 2 to a hundredth of it, gamma 0.01^(step / steps): here `decay=0.01` and `decay_steps`. As in their code, the
    factors of the norms are differentiated too.

    Args:
      weight: gamma / 2, above zero.
      decay: The factor of the weight after `decay_steps` steps; the weight decays exponentially, also after them. None
        for a constant weight.
      decay_steps: The steps after which the weight has decayed by `decay`; ours is half of an image run.
      **kwargs: The arguments of `Penalty`.

    Raises:
      InputError: An option is out of its range.

    Example:
      >>> critic = lambda x, training: 3.0 * x[:, :1] + 4.0 * x[:, 1:]  # the norm is 5 everywhere
      >>> round(float(RothPenalty()(critic, tf.zeros([8, 2]), tf.zeros([8, 2]))), 4)  # 2 (1/2)^2 5^2
      12.5
    """

    needs_step = True

    def __init__(
        self,
        *,
        weight: Positive = 1.0,
        decay: Positive | None = None,
        decay_steps: PositiveInt = 10_000,
        **kwargs: Any,
    ):
        super().__init__(weight=weight, **kwargs)
        options.validate(type(self), decay=decay, decay_steps=decay_steps)
        self.decay = decay
        self.decay_steps = decay_steps

    def call(
        self,
        discriminator: keras.Model,
        real: tf.Tensor,
        fake: tf.Tensor,
        stream: Stream | None = None,
        batch_axes: int = 1,
        step: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns the weighted penalty, a float32 scalar.

        Args:
          discriminator: As in `GradientPenalty.call`.
          real: As there.
          fake: As there.
          stream: Unused.
          batch_axes: As there.
          step: The number of completed steps, for the decay; None for zero.
        """
        del stream
        weight = self.weight
        if self.decay is not None and step is not None:
            weight = weight * tf.pow(self.decay, tf.cast(step, tf.float32) / self.decay_steps)
        pairs = [self.slopes(discriminator, tf.cast(examples, tf.float32), batch_axes) for examples in (real, fake)]
        (real_logits, real_norms), (fake_logits, fake_norms) = pairs
        return roth_penalty(real_logits, fake_logits, real_norms, fake_norms, weight=weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "decay": self.decay, "decay_steps": self.decay_steps}
