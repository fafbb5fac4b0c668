"""The base class of metrics of texts, and the samples that they share."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfpaths.data.examples import Examples
from tfpaths.data.strings import Texts
from tfpaths.metrics import blocks
from tfpaths.metrics.context import Context
from tfpaths.metrics.metric import Metric
from tfpaths.metrics.sources import Source


def drawn(context: Context, source: Source, num: int) -> np.ndarray:
    """Returns the likeliest characters of the first `num` samples, as places in the alphabet, `[num, length]` uint8.

    Within one state of the source they are drawn once, for all metrics.

    Args:
      context: The services of the evaluation.
      source: The examples to measure.
      num: Their number, at most the source's size.

    Raises:
      RunError: A probability is NaN or infinite.

    Example:
      >>> import tensorflow as tf
      >>> from tfpaths import config as config_lib
      >>> from tfpaths.metrics import sources
      >>> context = Context(config_lib.Data(name="markov"), config_lib.Evaluation())
      >>> constant = sources.samples(lambda num, stream: tf.one_hot(tf.ones([num, 32], tf.int32), 8), seed=0)
      >>> drawn(context, constant, 1500)[:, :3].max(axis=0).tolist()
      [1, 1, 1]
    """
    return blocks.drawn(context, source, num, "texts", _places)


def _places(probabilities: np.ndarray) -> np.ndarray:
    return probabilities.argmax(axis=-1).astype(np.uint8)


class TextMetric(Metric):
    """A metric of texts: a subclass defines `compute`, with `samples` and `real` for the texts.

    `evaluation.samples` samples, or `evaluation.every_samples` during training, are compared with all texts of the
    split.

    Example:
      >>> from tfpaths import config as config_lib
      >>> TextMetric().missing(Context(config_lib.Data(name="mog"), config_lib.Evaluation()))
      'has no texts'
    """

    _real: tuple[Examples, np.ndarray] | None = None

    def missing(self, context: Context) -> str | None:
        return None if context.data.example.name == "text" else "has no texts"

    def samples(self, context: Context, source: Source, count: int | None = None) -> np.ndarray:
        """Returns the places of the samples' characters, `[num, length]`; arguments and errors as in `compute`."""
        return drawn(context, source, source.at_most(count or context.evaluation.samples))

    def real(self, context: Context) -> np.ndarray:
        """Returns the places of the characters of all texts of the split, `[size, length]`."""
        real = context.real
        # The same for every source, and in a training for every evaluation.
        if self._real is None or self._real[0] is not real:
            starts = range(0, real.size, blocks.BLOCK)
            parts = [real.take(tf.range(start, min(start + blocks.BLOCK, real.size))) for start in starts]
            self._real = real, np.concatenate([_places(part.numpy()) for part in parts])
        return self._real[1]

    def protocol(self, context: Context) -> dict[str, Any]:
        return {"text_samples": context.evaluation.samples, "real_texts": context.real.size}

    def depends_on(self, context: Context) -> tuple[Any, ...]:
        return blocks.BLOCK, context.evaluation.samples


def alphabet(context: Context) -> str:
    """Returns the characters of the data set.

    Example:
      >>> from tfpaths import config as config_lib
      >>> alphabet(Context(config_lib.Data(name="markov"), config_lib.Evaluation()))
      'abcdefgh'
    """
    return str(context.data.example.facts["alphabet"])


def law(context: Context, n: int) -> np.ndarray | None:
    """Returns the data set's exact law of n adjacent characters, `[characters] * n`, or None if it is unknown.

    Example:
      >>> from tfpaths import config as config_lib
      >>> law(Context(config_lib.Data(name="markov"), config_lib.Evaluation()), 2).shape
      (8, 8)
    """
    return context.data.law(n) if isinstance(context.data, Texts) else None


def has_words(context: Context) -> bool:
    """Returns whether the texts of the data set have words.

    Example:
      >>> from tfpaths import config as config_lib
      >>> has_words(Context(config_lib.Data(name="markov"), config_lib.Evaluation()))
      False
    """
    return isinstance(context.data, Texts) and context.data.has_words
