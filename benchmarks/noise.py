"""Images of noise of any size: what a step costs does not depend on what is in them."""

from benchmarks import peers
from tfpaths import experiments, schema


def experiment(variant, precision="float32"):
    """The image experiment of that variant, whatever its size: the data are noise."""
    return schema.override(experiments.get(f"cifar10_{variant}"), {"precision": precision})


def images(side):
    """A data set of noise in memory, read as any other is; as many images as the peers hold."""
    import numpy as np

    from tfpaths.data.examples import in_memory

    count = peers.BATCH * peers.BATCHES
    pixels = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    return in_memory("noise", "train", "drawn", pixels, np.zeros(count, np.int64))
