"""A custom penalty: on the gradient at a fixed point between each pair of a real and a generated example.

    python -m tfpaths.launch --import=examples.custom_penalty --exp=color_mnist_ns \
        --set variant.penalty=between --set variant.penalty.share=0.25

A penalty is a registered subclass with one method, `points`. A keyword-only parameter of its constructor is an option:
a field of the config, with this type, range and default.
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
      share: The position of the points: 0 is at the real example, 1 at the generated one.
      **kwargs: Arguments of `GradientPenalty`: weight, target, one_sided.
    """

    def __init__(self, *, share: Share = 0.5, **kwargs: Any):
        super().__init__(**kwargs)
        self.share = share

    def points(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream, batch_axes: int) -> tf.Tensor:
        return (1.0 - self.share) * real + self.share * fake

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "share": self.share}
