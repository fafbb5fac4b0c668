"""A mixture of two Gaussians, a toy of KL-WGAN."""

import numpy as np

from tfpaths.data.dataset import DATA
from tfpaths.data.points import Mixture


@DATA.register("mog")
class MoG(Mixture):
    """Two Gaussians of standard deviation 0.5 at (-4, 0) and (4, 0).

    Song and Ermon 2020 (arXiv 1910.09779), as in their code (`synthetic/datasets.py`).

    Example:
      >>> MoG().centres.tolist()
      [[-4.0, 0.0], [4.0, 0.0]]
    """

    centres = np.array([[-4.0, 0.0], [4.0, 0.0]])
    deviation = 0.5
