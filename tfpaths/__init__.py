"""tfpaths: "Many Paths to Equilibrium" on Keras 3 and TensorFlow.

The public interface is the public modules: ``from tfpaths import data, losses, networks, penalties`` and
``from tfpaths.gan import GAN``; and ``tfpaths.load("runs/…")``. Importing the package itself loads nothing heavy.
"""

import importlib

__version__ = "0.1.0"


def load(path):
    """Loads a trained run: an object with `gan`, `config`, `step` and `sample(num, seed=0)`; see `tfpaths.loading`.

    Args:
      path: the run directory.

    Raises:
      InputError: the directory is not that of a trained run on images.
    """
    # By name, and now: the package is what every module of it imports first, and this is the moment for TensorFlow.
    importlib.import_module("tfpaths.startup").import_tensorflow()
    return importlib.import_module("tfpaths.loading").load(path)
