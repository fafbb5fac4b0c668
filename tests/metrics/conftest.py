"""Fixtures for the tests of metrics: a model with Inception's interface, a cache for one test, and small examples."""

import pathlib

import pytest


@pytest.fixture(scope="session")
def inception():
    """The class of a model with Inception's interface, of any number of outputs."""
    from inception import Inception

    return Inception


@pytest.fixture
def saved(tmp_path):
    """Saves a module as a SavedModel; returns its directory."""
    import tensorflow as tf

    def save(module, name="model", **options):
        tf.saved_model.save(module, str(tmp_path / name), **options)
        return str(tmp_path / name)

    return save


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A separate cache for one test, which contains the shared classifier."""
    from tfpaths import config, data
    from tfpaths.metrics import cache, extractors

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
    import numpy as np
    import tensorflow as tf

    def write(split, images, root="images"):
        for index, image in enumerate(images):
            path = str(tmp_path / root / split / f"{index}.png")
            tf.io.write_file(path, tf.io.encode_png(np.asarray(image).astype(np.uint8)))
        return str(tmp_path / root)

    return write
