"""CIFAR-10, read from disk."""

import numpy as np
import pytest

from tfpaths import data
from tfpaths.data import memory, prepared


def test_cifar10_has_32x32_images_and_10_classes(tfds_dir):
    if prepared.find(tfds_dir, "cifar10") is None:
        pytest.skip(f"CIFAR-10 is not prepared in {tfds_dir}")
    images = data.load("cifar10", "test", data_dir=str(tfds_dir))
    assert images.shape == (32, 32, 3)
    assert len(images.labels) == images.size
    assert set(images.labels) == set(range(10))
    # A tenth of the training images is held out.
    sizes = [data.load("cifar10", split, data_dir=str(tfds_dir)).size for split in ("train", "validation")]
    assert sizes[0] == 9 * sizes[1]
    batch = next(images.batches(64).as_numpy_iterator())
    # Photographs use the whole range, unlike digits, which are mostly black.
    assert -1 <= batch.min() < -0.9
    assert 0.9 < batch.max() <= 1
    assert abs(batch.mean()) < 0.3


def test_held_out_images_are_the_last_tenth(monkeypatch):
    pixels = np.arange(20, dtype=np.uint8)[:, None, None, None] * np.ones((32, 32, 3), np.uint8)
    monkeypatch.setattr(prepared, "load", lambda *args: (pixels, {"label": np.arange(20)}))
    assert data.load("cifar10", "train").labels.tolist() == list(range(18))
    validation = data.load("cifar10", "validation")
    np.testing.assert_allclose((validation.take([0, 1])[:, 0, 0, 0] + 1) * 127.5, [18, 19], rtol=1e-5)
    assert data.load("cifar10", "test").size == 20


def test_validation_images_do_not_hold_the_others(monkeypatch):
    pixels = memory.copied(np.zeros((20, 32, 32, 3)), np.uint8)
    monkeypatch.setattr(prepared, "load", lambda *args: (pixels, {"label": np.arange(20)}))
    (stored,) = (part for part in data.load("cifar10", "validation").made_of if not isinstance(part, str))
    assert stored.shape[0] == 2
    assert not np.shares_memory(memory.viewed(stored), memory.viewed(pixels))
