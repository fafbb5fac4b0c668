"""Mode coverage: how many modes samples hit, and how unevenly. Metz et al. 2016 (arXiv 1611.02163), section 3.3."""

from typing import Any

import numpy as np

from tfpaths.metrics import extractors
from tfpaths.metrics.context import Context
from tfpaths.metrics.extractors import Extractor
from tfpaths.metrics.metric import METRICS, Metric
from tfpaths.metrics.sources import Source
from tfpaths.schema import PositiveInt


def coverage(modes: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Counts samples per mode.

        modes_covered     the number of modes with at least one sample
        modes_kl          KL(model || data) = sum_k q_k log(q_k / p_k), in nats; 0 where q = p

    Each sample belongs to the mode that a classifier reads in it, with no threshold, as in the paper. Of 1,000 modes
    even real images hit all but a few and have a KL near modes / (2 samples), which is what counting alone costs.

    Args:
      modes: `[samples]`, the mode of each, in 0 .. modes - 1.
      probabilities: `[modes]`, the data's own, all above 0.

    Example:
      >>> coverage(np.array([0, 1, 1, 1]), np.array([0.25, 0.75]))
      {'modes_covered': 2, 'modes_kl': 0.0}
    """
    counts = np.bincount(modes, minlength=len(probabilities))
    hit = counts > 0
    model = counts[hit] / len(modes)
    return {
        "modes_covered": int(hit.sum()),
        "modes_kl": float(np.sum(model * np.log(model / probabilities[hit]))),
    }


@METRICS.register("modes")
class Modes(Metric):
    """Mode coverage, read by the data set's own classifier.

    Args:
      mode_samples: How many samples are read; 26,000 in the paper.
    """

    def __init__(self, *, mode_samples: PositiveInt = 26_000):
        self.mode_samples = mode_samples

    def missing(self, context: Context) -> str | None:
        if context.data.modes is None:
            return "has no modes"
        if context.data.extractor not in extractors.TRAINED_HERE:
            return "has no classifier that reads its modes"
        return None

    def compute(self, context: Context, source: Source, count: int | None = None) -> dict[str, float]:
        probabilities = context.examples("train").modes
        assert probabilities is not None  # `missing` has refused a data set without modes.
        logits, _ = context.outputs(_reader(context), source, source.at_most(count or self.mode_samples))
        return coverage(logits.argmax(axis=1), probabilities)

    def protocol(self, context: Context) -> dict[str, Any]:
        return {"mode_samples": self.mode_samples, "mode_classifier_accuracy": _reader(context).accuracy}

    def depends_on(self, context: Context) -> tuple[Any, ...]:
        return _reader(context).key, context.examples("train").content


def _reader(context: Context) -> Extractor:
    return context.extractor(context.data.extractor)
