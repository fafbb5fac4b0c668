"""The first samples of a source, drawn in blocks, once for all metrics."""

import functools
from collections.abc import Callable

import numpy as np

from tfpaths import errors
from tfpaths.metrics.context import Context
from tfpaths.metrics.sources import Source

# Samples are drawn in blocks of this size, so that sample i is the same whatever their number is.
BLOCK = 1_000


def drawn(
    context: Context, source: Source, num: int, what: str, convert: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Returns the first `num` examples of a source, converted, `[num, ...]`.

    Within one state of the source, each block is drawn and converted once for each `what`.

    Args:
      context: The services of the evaluation.
      source: The examples to measure.
      num: Their number, at most the source's size.
      what: What `convert` returns: metrics with the same `what` share the samples.
      convert: A block of examples `[size, ...]` -> what is kept of it, `[size, ...]`.

    Raises:
      RunError: A value is NaN or infinite.

    Example:
      >>> from tfpaths import config as config_lib
      >>> from tfpaths.metrics import sources
      >>> context = Context(config_lib.Data(name="mog"), config_lib.Evaluation())
      >>> normal = sources.samples(lambda num, stream: stream.normal([num, 2]), seed=0)
      >>> drawn(context, normal, 1500, "first coordinate", lambda block: block[:, 0]).shape
      (1500,)
    """

    def block(start: int) -> np.ndarray:
        size = source.at_most(start + BLOCK) - start
        examples = np.asarray(source.batches(start, size))
        if not np.isfinite(examples).all():
            raise errors.RunError(f"the samples {start} to {start + size - 1} are not finite.")
        return convert(examples)

    starts = range(0, num, BLOCK)
    blocks = [context.once(source, (what, start), functools.partial(block, start)) for start in starts]
    return np.concatenate(blocks)[:num]
