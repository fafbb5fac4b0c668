"""The base class of metrics of points, and the samples that they share."""

from typing import Any

import numpy as np

from tfpaths.data.points import Points
from tfpaths.metrics import blocks
from tfpaths.metrics.context import Context
from tfpaths.metrics.metric import Metric
from tfpaths.metrics.sources import Source


def drawn(context: Context, source: Source, num: int) -> np.ndarray:
    """Returns the first `num` examples of a source, `[num, dimensions]`, float64.

    Within one state of the source they are drawn once, for all metrics.

    Args:
      context: The services of the evaluation.
      source: The examples to measure.
      num: Their number, at most the source's size.

    Raises:
      RunError: A coordinate is NaN or infinite.

    Example:
      >>> from tfpaths import config as config_lib
      >>> from tfpaths.metrics import sources
      >>> context = Context(config_lib.Data(name="mog"), config_lib.Evaluation())
      >>> normal = sources.samples(lambda num, stream: stream.normal([num, 2]), seed=0)
      >>> points = drawn(context, normal, 1500)
      >>> points.shape, bool((drawn(context, normal, 10) == points[:10]).all())
      ((1500, 2), True)
    """
    return blocks.drawn(context, source, num, "points", lambda block: block.astype(np.float64))


class PointMetric(Metric):
    """A metric of points: a subclass defines `compute`, with `compared` for the samples and the real points.

    Both have the same number: `evaluation.samples`, or `evaluation.every_samples` during training, or as many as the
    split and the source have.

    Example:
      >>> from tfpaths import config as config_lib
      >>> PointMetric().missing(Context(config_lib.Data(name="cifar10"), config_lib.Evaluation()))
      'has no points'
    """

    def missing(self, context: Context) -> str | None:
        return None if context.data.example.name == "point" else "has no points"

    def compared(self, context: Context, source: Source, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Returns as many samples as real points, each `[num, dimensions]`, float64.

        Args:
          context: The services of the evaluation.
          source: The examples to measure.
          count: As in `compute`.

        Raises:
          RunError: As `drawn`.
        """
        num = min(source.at_most(count or context.evaluation.samples), context.real.size)
        return drawn(context, source, num), np.asarray(context.real.some(0, num), np.float64)

    def protocol(self, context: Context) -> dict[str, Any]:
        return {"point_samples": min(context.evaluation.samples, context.real.size)}

    def depends_on(self, context: Context) -> tuple[Any, ...]:
        return blocks.BLOCK, context.evaluation.samples


def formula(context: Context) -> Points | None:
    """Returns the data set if it is drawn from a formula, which knows its density or its modes; otherwise None.

    Example:
      >>> from tfpaths import config as config_lib
      >>> formula(Context(config_lib.Data(name="mog"), config_lib.Evaluation())).modes
      2
    """
    return context.data if isinstance(context.data, Points) else None
