"""Metrics by name: they measure the quality of samples.

A new metric is one file, here or in a user's module: a subclass of `Metric` that is registered in `METRICS`. A metric
reads examples from a `Source` and gets everything else from a `Context`. It does not depend on a GAN.

Example:
  >>> list(METRICS)[:4]
  ['scores', 'ms_ssim', 'modes', 'critic']
"""

from tfpaths.metrics.context import Context
from tfpaths.metrics.metric import METRICS, Metric, UnavailableError, complete
from tfpaths.metrics.sources import Source

# The order of these imports is the order of the results; metrics of other modules follow.
from tfpaths.metrics import scores, ms_ssim, modes, critic  # isort: skip
from tfpaths.metrics import log_density, kde, mmd, assignment, point_modes, mixture_mmd  # isort: skip
from tfpaths.metrics import neural_net_distance, birthday, duality_gap  # isort: skip

__all__ = [
    "METRICS",
    "Context",
    "Metric",
    "Source",
    "UnavailableError",
    "assignment",
    "birthday",
    "complete",
    "critic",
    "duality_gap",
    "kde",
    "log_density",
    "mixture_mmd",
    "mmd",
    "modes",
    "ms_ssim",
    "neural_net_distance",
    "point_modes",
    "scores",
]
