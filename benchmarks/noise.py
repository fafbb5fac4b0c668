"""Images of noise of any size: what a step costs does not depend on what is in them."""

from benchmarks import peers
from tfpaths import config, experiments


def experiment(variant, precision="float32"):
    """The image experiment of that variant, whatever its size: the data are noise."""
    return config.override(experiments.get(f"cifar10_{variant}"), {"precision": precision})


def images(side):
    """A data set of noise in memory, read as any other is; as many images as the peers hold."""
    import numpy as np
    import tensorflow as tf

    from tfpaths.data.images import Images, scaled

    count = peers.BATCH * peers.BATCHES
    pixels = tf.constant(np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8))
    take = lambda position: scaled(tf.gather(pixels, position))  # noqa: E731
    return Images("noise", "train", "drawn", (side, side, 3), count, np.zeros(count, np.int64), take)
