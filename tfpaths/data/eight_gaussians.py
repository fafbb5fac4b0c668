"""Eight Gaussians on a circle, a toy of WGAN-GP."""

import numpy as np

from tfpaths.data.dataset import DATA
from tfpaths.data.points import Mixture

_ANGLES = np.arange(8) * np.pi / 4


@DATA.register("eight_gaussians")
class EightGaussians(Mixture):
    """Gaussians of standard deviation 0.02 on a circle of radius 2, on axes and diagonals, divided by 1.414.

    Gulrajani et al. 2017 (arXiv 1704.00028), figure 1; the scaling is that of their code (`gan_toy.py`).

    Example:
      >>> EightGaussians().modes
      8
    """

    centres = 2.0 / 1.414 * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
    deviation = 0.02 / 1.414
