"""A custom metric: the share of bright pixels in samples, and in real images.

    python -m tfpaths.launch --import=examples.custom_metric --exp=color_mnist_ns --steps=1500 \
        --set evaluation.metrics=lit --set evaluation.lit_above=0.2

A metric is a registered class with one method, `compute`. A keyword-only parameter of its constructor is an option: a
field of `evaluation`. Floor and ceiling, the cache, `results.json` and the report then work without further code.
"""

import tensorflow as tf

from tfpaths import data
from tfpaths.metrics import METRICS, Metric
from tfpaths.metrics.context import Context
from tfpaths.metrics.sources import Source
from tfpaths.schema import Share


@METRICS.register("lit")
class Lit(Metric):
    """The share of pixels whose brightest channel is above a threshold.

    Args:
      lit_above: The threshold; 0 is black, 1 is the brightest level.
    """

    def __init__(self, *, lit_above: Share = 0.5):
        self.lit_above = lit_above

    def missing(self, context: Context) -> str | None:
        return None if context.data.example is data.IMAGE else "has no images"

    def compute(self, context: Context, source: Source, count: int | None = None) -> dict[str, float]:
        num = source.at_most(count or context.evaluation.samples)
        images = tf.concat([source.batches(start, min(250, num - start)) for start in range(0, num, 250)], axis=0)
        real = context.real.some(0, min(num, context.real.size))
        return {"lit": self._share(images), "lit_real": self._share(real)}

    def _share(self, images: tf.Tensor) -> float:
        # [num, height, width], from [-1, 1] to [0, 1].
        brightness = (tf.reduce_max(images, axis=-1) + 1.0) / 2.0
        return float(tf.reduce_mean(tf.cast(brightness > self.lit_above, tf.float32)))
