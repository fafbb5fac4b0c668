"""tfpaths: "Many Paths to Equilibrium" on Keras 3 and TensorFlow.

The public interface is the public modules: ``from tfpaths import data, losses, networks, penalties`` and
``from tfpaths.gan import GAN``. Importing the package itself loads nothing heavy.
"""

__version__ = "0.1.0"
