"""Fixtures for the tests of metrics: a model with Inception's interface, a cache for one test, and small examples."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tfpaths import config, data
from tfpaths.metrics import cache, extractors


class Inception(tf.Module):
    """A model with the interface of TF-GAN's Inception: fixed random projections of 75 averages."""

    def __init__(self, logits=1008, features=2048, names=("logits", "pool_3")):
        super().__init__()
        draw = np.random.default_rng(0)
        self.names = names
        self.projections = [tf.Variable(draw.normal(size=(75, n)), dtype=tf.float32) for n in (logits, features)]

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
    def __call__(self, images):
        small = tf.reshape(tf.image.resize(images, (5, 5)), [-1, 75])
        values = [tf.matmul(small, projection) for projection in self.projections]
        # As pool_3 is in the original: with two axes of length one.
        values[1] = values[1][:, tf.newaxis, tf.newaxis, :]
        return dict(zip(self.names, values, strict=True))


@pytest.fixture(scope="session")
def inception():
    """The class of a model with Inception's interface, of any number of outputs."""
    return Inception


@pytest.fixture
def saved(tmp_path):
    """Saves a module as a SavedModel; returns its directory."""

    def save(module, name="model", **options):
        tf.saved_model.save(module, str(tmp_path / name), **options)
        return str(tmp_path / name)

    return save


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A separate cache for one test, which contains the shared classifier."""
    extractors.get("digits", data.of(config.Data(name="color_mnist")), source="embedded")
    directory = pathlib.Path(tmp_path / "cache")
    directory.mkdir()
    for file in cache.directory().glob("classifier-*embedded*"):
        (directory / file.name).write_bytes(file.read_bytes())
    monkeypatch.setenv("TFPATHS_CACHE_DIR", str(directory))
    return directory


@pytest.fixture
def pictures(tmp_path):
    """Writes PNGs of one image each into a directory of a split; returns the directory of all splits."""

    def write(split, images, root="images"):
        for index, image in enumerate(images):
            path = str(tmp_path / root / split / f"{index}.png")
            tf.io.write_file(path, tf.io.encode_png(np.asarray(image).astype(np.uint8)))
        return str(tmp_path / root)

    return write
