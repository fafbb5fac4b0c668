"""Mode coverage: the number of modes among the samples, and the KL divergence of their frequencies from the data's.

Metz et al. 2016 (arXiv 1611.02163), section 3.3.
"""

from typing import Any

import numpy as np

from tfpaths.metrics import extractors
from tfpaths.metrics.context import Context
from tfpaths.metrics.extractors import Extractor
from tfpaths.metrics.metric import METRICS, Metric
from tfpaths.metrics.sources import Source
from tfpaths.schema import PositiveInt


def coverage(modes: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Returns the number of modes that samples cover, and the KL divergence between the samples' modes and the data's.

        modes_covered     the number of modes with at least one sample
        modes_kl          KL(model || data) = sum_k q_k log(q_k / p_k), in nats; 0 if q = p

    Here q_k is the share of samples in mode k, and p_k the data's probability of it. A sample's mode is the most likely
    class of a classifier, without a threshold, as in the paper. Sampling alone makes the KL positive: real images
    have about modes / (2 samples), and miss a few of 1,000 modes.

    Args:
      modes: `[samples]`, the mode of each sample, an integer in 0 .. modes - 1.
      probabilities: `[modes]`, the probability of each mode under the data, all above 0.

    Example:
      >>> coverage(np.array([0, 1, 1, 1]), np.array([0.25, 0.75]))
      {'modes_covered': 2, 'modes_kl': 0.0}
    """
    counts = np.bincount(modes, minlength=len(probabilities))  # [modes]
    # q log q is 0 for an empty mode, where log(0) is not finite.
    hit = counts > 0
    model = counts[hit] / len(modes)
    return {
        "modes_covered": int(hit.sum()),
        "modes_kl": float(np.sum(model * np.log(model / probabilities[hit]))),
    }


@METRICS.register("modes")
class Modes(Metric):
    """Mode coverage of samples, for data sets with modes and a classifier of them.

    Args:
      mode_samples: The number of samples; 26,000 in the paper.

    Example:
      >>> from tfpaths import config as config_lib
      >>> Modes().missing(Context(config_lib.Data(name="cifar10"), config_lib.Evaluation()))
      'has no modes'
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
        assert probabilities is not None  # `missing` rejects data sets without modes.
        logits, _ = context.outputs(_reader(context), source, source.at_most(count or self.mode_samples))
        return coverage(logits.argmax(axis=1), probabilities)

    def protocol(self, context: Context) -> dict[str, Any]:
        return {"mode_samples": self.mode_samples, "mode_classifier_accuracy": _reader(context).accuracy}

    def depends_on(self, context: Context) -> tuple[Any, ...]:
        return _reader(context).key, context.examples("train").content


def _reader(context: Context) -> Extractor:
    """Returns the classifier of the data set's modes, whatever `evaluation.extractor` is."""
    return context.extractor(context.data.extractor)
