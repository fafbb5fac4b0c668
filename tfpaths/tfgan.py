"""`from tfpaths.tfgan import tfgan`: TF-GAN, importable on current TensorFlow. See `tfpaths.compat.tfgan`."""

from tfpaths.compat.tfgan import tfgan

__all__ = ["tfgan"]
