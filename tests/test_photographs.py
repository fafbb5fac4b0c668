"""CIFAR-10, CelebA and folders: each read back from a disk."""

import json

import numpy as np
import PIL.Image
import pytest
import requests
from conftest import CELEBA_SIZES

from tfpaths import config, data, training
from tfpaths.data import prepared


@pytest.mark.parametrize("split", sorted(CELEBA_SIZES))
def test_celeba_is_the_central_square_reduced_to_64(celeba_dir, split):
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


def test_celeba_trains(celeba_dir, tmp_path):
    from tfpaths import experiments

    texts = {f"networks.{part}_filters": "2" for part in ("generator", "discriminator")}
    texts |= {"schedule.steps": "2", "schedule.batch_size": "4", "evaluation.metrics": "none"}
    celeba = config.override(experiments.get("celeba_dragan_ns"), texts)
    assert training.train(celeba, tmp_path, data_dir=str(celeba_dir)).step == 2
    assert json.loads((tmp_path / "results.json").read_text())["protocol"]["data_source"] == "tfds"


def test_cifar10_is_the_subset_or_the_whole(tfds_dir):
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


@pytest.mark.parametrize("name", ["cifar10", "celeba"])
def test_what_cannot_be_fetched_is_one_line_that_says_how_to_get_it(name, tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "reachable", lambda url: False)
    with pytest.raises(
        config.InputError, match=r"its server does not answer\. .*tfds build (celeb_a|cifar10)\)"
    ) as caught:
        data.load(name, data_dir=str(tmp_path))
    assert "\n" not in str(caught.value)
    assert "--data_dir" in str(caught.value)
    monkeypatch.setattr(prepared, "reachable", lambda url: True)

    def download(*args):
        raise requests.HTTPError("quota exceeded\nlater lines")

    monkeypatch.setattr(prepared, "download", download)
    with pytest.raises(config.InputError, match=r"could not download .*quota exceeded.*--data_dir") as caught:
        data.load(name, data_dir=str(tmp_path))
    assert "\n" not in str(caught.value)


def test_only_digits_are_embedded():
    with pytest.raises(config.InputError, match="expected 'auto' or 'tfds' with cifar10"):
        data.load("cifar10", source="embedded")


def test_an_unknown_split_is_refused(celeba_dir):
    with pytest.raises(config.InputError, match="did you mean 'validation'"):
        data.load("celeba", "valid", data_dir=str(celeba_dir))


class TestFolder:
    @pytest.fixture
    def place(self, tmp_path):
        (tmp_path / "b").mkdir()
        rng = np.random.default_rng(0)
        for name, shape in (("a.png", (40, 60, 3)), ("b/c.jpg", (100, 80, 3)), ("b/d.bmp", (28, 28, 3))):
            PIL.Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(tmp_path / name)
        PIL.Image.fromarray(np.full((30, 30), 200, np.uint8)).save(tmp_path / "grey.png")
        PIL.Image.new("RGBA", (30, 30), (255, 0, 0, 255)).save(tmp_path / "red.webp", lossless=True)
        return tmp_path

    def test_every_image_is_read_in_the_order_of_its_path(self, place):
        images = data.load("folder", path=str(place), image_size=28)
        assert (images.size, images.shape, images.source) == (5, (28, 28, 3), "folder")
        pixels = np.rint((images.take(np.arange(5)).numpy() + 1) * 127.5)
        np.testing.assert_array_equal(pixels[2], np.asarray(PIL.Image.open(place / "b" / "d.bmp")))
        np.testing.assert_array_equal(pixels[3], np.full((28, 28, 3), 200))
        np.testing.assert_array_equal(pixels[4], np.broadcast_to([255, 0, 0], (28, 28, 3)))
        assert images.notes == {"unreadable_files": 0}

    def test_the_square_is_the_central_one(self, tmp_path):
        wide = np.zeros((32, 96, 3), np.uint8)
        wide[:, 32:64] = 255
        PIL.Image.fromarray(wide).save(tmp_path / "wide.png")
        images = data.load("folder", path=str(tmp_path), image_size=32)
        np.testing.assert_allclose(images.take(np.array([0])), 1.0)

    def test_a_photograph_is_turned_upright(self, tmp_path):
        image = np.zeros((32, 32, 3), np.uint8)
        image[:16] = 255
        exif = PIL.Image.Exif()
        exif[0x0112] = 3  # upside down
        PIL.Image.fromarray(image).save(tmp_path / "turned.png", exif=exif)
        shown = data.load("folder", path=str(tmp_path), image_size=32).take(np.array([0]))[0]
        np.testing.assert_allclose(shown[16:], 1.0)

    def test_unreadable_files_are_counted_and_named(self, place, caplog):
        (place / "notes.txt").write_text("not an image")
        (place / "b" / "torn.png").write_bytes((place / "a.png").read_bytes()[:200])
        (place / ".DS_Store").write_text("hidden")
        images = data.load("folder", path=str(place), image_size=28)
        assert images.size == 5
        assert images.notes == {"unreadable_files": 2}
        assert "2 of 7 files" in caplog.text
        assert "b/torn.png, notes.txt" in caplog.text

    def test_sub_folders_are_splits(self, place):
        (place / "train").mkdir()
        with pytest.raises(config.InputError, match="which has no file"):
            data.load("folder", path=str(place))
        for split, index in (("train", 3), ("validation", 7)):
            (place / split).mkdir(exist_ok=True)
            PIL.Image.new("RGB", (8, 8), (index, 0, 0)).save(place / split / "a.png")
            images = data.load("folder", split, path=str(place), image_size=28)
            assert images.size == 1
            np.testing.assert_allclose(images.take(np.array([0]))[0, 0, 0, 0], index / 127.5 - 1, atol=1e-6)
        with pytest.raises(config.InputError, match="split of the folder"):
            data.load("folder", "test", path=str(place))

    def test_it_trains_and_the_results_say_what_was_left_out(self, place, tmp_path):
        from tfpaths import experiments

        (place / "notes.txt").write_text("not an image")
        texts = {f"networks.{part}_filters": "2" for part in ("generator", "discriminator")}
        texts |= {"schedule.steps": "1", "schedule.batch_size": "4", "data.path": str(place), "data.image_size": "32"}
        workdir = tmp_path / "run"
        training.train(config.override(experiments.get("folder_dragan_ns"), texts), workdir)
        protocol = json.loads((workdir / "results.json").read_text())["protocol"]
        assert (protocol["data_source"], protocol["unreadable_files"]) == ("folder", 1)

    def test_what_is_no_folder_of_images_is_refused(self, tmp_path):
        with pytest.raises(config.InputError, match="--set data.path=FOLDER"):
            data.load("folder")
        with pytest.raises(config.InputError, match="which is not a folder"):
            data.load("folder", path=str(tmp_path / "none"))
        with pytest.raises(config.InputError, match="which has no file"):
            data.load("folder", path=str(tmp_path))
        (tmp_path / "x.txt").write_text("x")
        with pytest.raises(config.InputError, match="1 files that are none: x.txt"):
            data.load("folder", path=str(tmp_path))
        with pytest.raises(config.InputError, match="split of the folder"):
            data.load("folder", "test", path=str(tmp_path))
