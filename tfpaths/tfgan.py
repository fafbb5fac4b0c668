"""TF-GAN, importable on current TensorFlow: `from tfpaths.tfgan import tfgan`. See `tfpaths.compat.tfgan`.

Example:
  >>> tfgan.__name__
  'tensorflow_gan'
"""

from tfpaths.compat.tfgan import tfgan

__all__ = ["tfgan"]
