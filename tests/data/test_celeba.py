"""CelebA, read from synthetic portraits that TFDS prepared on disk."""

import json

import numpy as np
import pytest
from helpers import CELEBA_SIZES

from tfpaths import data, errors
from tfpaths.data import memory, prepared


@pytest.mark.parametrize("split", sorted(CELEBA_SIZES))
def test_central_square_is_reduced_to_64(celeba_dir, split):
    images = data.load("celeba", split, data_dir=str(celeba_dir))
    assert (images.shape, images.size, images.source) == ((64, 64, 3), CELEBA_SIZES[split], "tfds")
    batch = images.take(np.arange(images.size)).numpy()
    assert batch.dtype == np.float32
    pixels = (batch + 1) * 127.5
    # The frame is white. Inside the crop nothing is brighter than the ramp's end, but for the outermost pixels, into
    # which JPEG lets the frame bleed.
    inner = pixels[:, 4:-4, 4:-4]
    assert inner.max() < 120 + max(CELEBA_SIZES.values()) + 4
    # Each pixel is the mean of 2.5 rows of the ramp, so the picture is a ramp again, row by row, whatever the column.
    rows = np.linspace(0, 120, 160).reshape(32, 5).mean(axis=1)
    first = pixels[np.argmin(inner.mean(axis=(1, 2, 3)))]
    np.testing.assert_allclose(first.reshape(32, 2, 64, 3)[2:-2, :, 4:-4].mean(axis=(1, 2, 3)), rows[2:-2], atol=2.0)


def test_images_are_not_copied(monkeypatch):
    pixels = memory.copied(np.zeros((3, 64, 64, 3)), np.uint8)
    monkeypatch.setattr(prepared, "load", lambda *args: (pixels, {}))
    assert any(part is pixels for part in data.load("celeba").made_of)


def test_unknown_split_is_refused(celeba_dir):
    with pytest.raises(errors.InputError, match="did you mean 'validation'"):
        data.load("celeba", "valid", data_dir=str(celeba_dir))


def test_celeba_trains(celeba_dir, tmp_path):
    from tfpaths import experiments, schema
    from tfpaths.runs import training

    texts = {f"networks.{part}_filters": "2" for part in ("generator", "discriminator")}
    texts |= {"schedule.steps": "2", "schedule.batch_size": "4", "evaluation.metrics": "none"}
    celeba = schema.override(experiments.get("celeba_dragan_ns"), texts)
    assert training.train(celeba, tmp_path, data_dir=str(celeba_dir)).step == 2
    assert json.loads((tmp_path / "results.json").read_text())["protocol"]["data_source"] == "tfds"
