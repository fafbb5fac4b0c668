"""A penalty of your own: the gradient at one fixed point between each real and each generated example.

    python -m tfpaths.launch --import=examples.custom_penalty --exp=color_mnist_ns \
        --set variant.penalty=between --set variant.penalty.share=0.25

A new penalty is a registered subclass with one method, `points`. A keyword-only parameter of its constructor is an
option: a field of the config, with its type, its check and its default.
"""

from typing import Any

import keras
import tensorflow as tf

from tfpaths import penalties
from tfpaths.schema import Share
from tfpaths.streams import Stream


@penalties.PENALTIES.register("between")
@keras.saving.register_keras_serializable("examples")
class BetweenPenalty(penalties.GradientPenalty):
    """weight * E (||grad_p D(p)|| - target)^2 at p = (1 - share) x + share G(z).

    Args:
      share: Where the points lie: 0 is the real example, 1 the generated one.
      **kwargs: Those of `GradientPenalty`: weight, target, one_sided.
    """

    def __init__(self, *, share: Share = 0.5, **kwargs: Any):
        super().__init__(**kwargs)
        self.share = share

    def points(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream, batch_axes: int) -> tf.Tensor:
        return (1.0 - self.share) * real + self.share * fake

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "share": self.share}
