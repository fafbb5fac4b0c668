"""25 Gaussians on a grid, a toy of WGAN-GP."""

import numpy as np

from tfpaths.data.dataset import DATA
from tfpaths.data.points import Mixture

_GRID = np.arange(-2, 3) * 2.0


@DATA.register("twenty_five_gaussians")
class TwentyFiveGaussians(Mixture):
    """Gaussians of standard deviation 0.05 on the grid {-4, -2, 0, 2, 4}^2, divided by 2.828.

    Gulrajani et al. 2017 (arXiv 1704.00028), figure 1; the scaling, and the 100,000 fixed points, are those of their
    code (`gan_toy.py`).

    Example:
      >>> TwentyFiveGaussians().modes
      25
    """

    centres = np.stack(np.meshgrid(_GRID, _GRID, indexing="ij"), axis=-1).reshape(25, 2) / 2.828
    deviation = 0.05 / 2.828
