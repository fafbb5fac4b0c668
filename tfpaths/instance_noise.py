"""Instance noise: the discriminator sees each example, real and generated, with Gaussian noise."""

import dataclasses
from typing import Literal

import tensorflow as tf

from tfpaths import noise, numerics
from tfpaths.streams import Stream

Schedule = Literal["constant", "linear", "exponential"]


@dataclasses.dataclass(frozen=True)
class InstanceNoise:
    """x + sigma_k e, e ~ N(0, I), drawn afresh in every evaluation; k is the number of completed steps.

        constant:     sigma_k = scale
        linear:       sigma_k = end + (scale - end) (1 - k / steps)_+
        exponential:  sigma_k = scale (end / scale)^min(k / steps, 1)

    Sønderby et al. 2016 (arXiv 1610.04490); Arjovsky and Bottou 2017 (arXiv 1701.04862), section 3: the noise is on
    generated examples too, and the generator's gradient goes through the noisy examples. Neither paper has a schedule;
    these three are ours. With sigma_k = 0 the discriminator sees the examples, bit for bit.

    Attributes:
      scale: sigma_0, at least zero, in the units of the examples: images are in [-1, 1].
      end: sigma_k from k = steps on; not for `constant`.
      schedule: `constant`, `linear` or `exponential`.
      steps: The steps until `end`; not for `constant`.

    Raises:
      ValueError: A schedule without `steps`, or an exponential one with an end that is zero.

    Example:
      >>> noise = InstanceNoise(scale=0.4, schedule="linear", steps=100)
      >>> [round(float(noise.scale_at(step)), 3) for step in (0, 50, 200)]
      [0.4, 0.2, 0.0]
    """

    scale: float
    end: float = 0.0
    schedule: Schedule = "constant"
    steps: int | None = None

    def __post_init__(self) -> None:
        if self.schedule != "constant" and self.steps is None:
            raise ValueError(f"steps: expected a number of steps with schedule={self.schedule!r}, received None.")
        if self.schedule == "exponential" and not (self.scale > 0 and self.end > 0):
            raise ValueError("scale and end: expected numbers above zero with schedule='exponential'.")

    def scale_at(self, step: int | tf.Tensor) -> float | tf.Tensor:
        """Returns sigma_k after a number of steps: a scalar, in an ensemble also `[runs]`."""
        if self.schedule == "constant":
            return self.scale
        assert self.steps is not None
        share = tf.minimum(tf.cast(step, tf.float32) / self.steps, 1.0)
        if self.schedule == "linear":
            return self.end + (self.scale - self.end) * (1.0 - share)
        return self.scale * tf.pow(self.end / self.scale, share)

    def added_to(self, examples: tf.Tensor, step: int | tf.Tensor, stream: Stream) -> tf.Tensor:
        """Returns the examples with noise, float32.

        Args:
          examples: `[batch, ...]`, in an ensemble `[runs, batch, ...]`.
          step: k.
          stream: The stream of e.

        Example:
          >>> from tfpaths import streams
          >>> bool(tf.reduce_all(InstanceNoise(scale=0.0).added_to(tf.ones([4, 2]), 0, streams.root(0)) == 1.0))
          True
        """
        examples = tf.cast(examples, tf.float32)
        sigma = numerics.of_runs(self.scale_at(step), examples)
        return noise.added(examples, stream, sigma)
