"""A spiral in the plane, a toy of WGAN-GP."""

import math
from collections.abc import Sequence

import tensorflow as tf

from tfpaths.data.dataset import DATA
from tfpaths.data.points import Points
from tfpaths.streams import Stream


@DATA.register("swiss_roll")
class SwissRoll(Points):
    """x = (t (cos t, sin t) + 0.25 e) / 7.5 with t = 3/2 pi (1 + 2 u), u ~ U[0, 1), e ~ N(0, I).

    Gulrajani et al. 2017 (arXiv 1704.00028), figure 1: two coordinates of scikit-learn's Swiss roll with noise 0.25,
    divided by 7.5, as in their code (`gan_toy.py`). The density has no closed form.

    Example:
      >>> bool(tf.reduce_max(tf.norm(SwissRoll(examples=1000).load().take(range(1000)), axis=1)) < 2.2)
      True
    """

    def draw(self, stream: Stream, shape: Sequence[int]) -> tf.Tensor:
        t = 1.5 * math.pi * (1.0 + 2.0 * stream.fold(0).uniform((*shape, 1)))
        noise = stream.fold(1).normal((*shape, 2))
        return (t * tf.concat([tf.cos(t), tf.sin(t)], axis=-1) + 0.25 * noise) / 7.5
