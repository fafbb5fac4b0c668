"""Metrics by name: how good samples are.

A new metric is one file, or a user's module: a subclass of `Metric` that is registered in `METRICS`. It reads a
`Source` of examples, and asks a `Context` for everything else; it knows nothing of a GAN.
"""

from tfpaths.metrics.context import Context
from tfpaths.metrics.metric import METRICS, Metric, UnavailableError, complete
from tfpaths.metrics.sources import Source

# These are registered in the order in which they are reported; those of other files follow.
from tfpaths.metrics import scores, ms_ssim, modes, critic  # isort: skip

__all__ = [
    "METRICS",
    "Context",
    "Metric",
    "Source",
    "UnavailableError",
    "complete",
    "critic",
    "modes",
    "ms_ssim",
    "scores",
]
