"""Noise images of any size: the time of a step does not depend on the images' content."""

from benchmarks import peers
from tfpaths import experiments, schema


def experiment(variant, precision="float32"):
    """Returns an image experiment with that variant; its data set is not used."""
    return schema.override(experiments.get(f"cifar10_{variant}"), {"precision": precision})


def images(side):
    """Returns a data set of noise in memory, with as many images as the peers have."""
    import numpy as np

    from tfpaths.data.examples import in_memory

    count = peers.BATCH * peers.BATCHES
    pixels = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    return in_memory("noise", "train", "drawn", pixels, np.zeros(count, np.int64))
