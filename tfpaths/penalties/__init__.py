"""Gradient penalties by name: where the discriminator's gradient is taken, and how its norm is penalised.

    penalty = weight * E (||grad_p D(p)||_2 - target)^2

A penalty is a Keras layer without weights, called as `penalty(discriminator, real, fake)`. Each is a file of this
package, and a user's module can register one too: `examples/custom_penalty.py`.

Example:
  >>> get("interpolation")().weight
  10.0
"""

from tfpaths.penalties.dragan import DRAGANPenalty, Noise, perturb
from tfpaths.penalties.interpolation import InterpolationPenalty, OneSidedPenalty, interpolate
from tfpaths.penalties.penalty import PENALTIES, GradientPenalty, Penalty, gradient_penalty, warn_of_batch_norm
from tfpaths.penalties.roth import RothPenalty, roth_penalty
from tfpaths.penalties.zero_centered import R1Penalty, R2Penalty

__all__ = [
    "PENALTIES",
    "DRAGANPenalty",
    "GradientPenalty",
    "InterpolationPenalty",
    "Noise",
    "OneSidedPenalty",
    "Penalty",
    "R1Penalty",
    "R2Penalty",
    "RothPenalty",
    "get",
    "gradient_penalty",
    "interpolate",
    "perturb",
    "roth_penalty",
    "warn_of_batch_norm",
]


def get(name: str) -> type[Penalty]:
    """Returns the class of penalties registered as `name`: `interpolation`, `dragan`, `one_sided`, `r1`, `r2`, ….

    Raises:
      InputError: No penalty has this name; the message suggests the nearest one.

    Example:
      >>> get("r1")().weight
      5.0
    """
    return PENALTIES.lookup(name)
