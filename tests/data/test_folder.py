"""Directories of images: which files are read, how each becomes a square, and what is refused."""

import json
import warnings

import numpy as np
import PIL.Image
import pytest

from tfpaths import data, errors
from tfpaths.data import image_files


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "b").mkdir()
    rng = np.random.default_rng(0)
    for name, shape in (("a.png", (40, 60, 3)), ("b/c.jpg", (100, 80, 3)), ("b/d.bmp", (28, 28, 3))):
        PIL.Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(tmp_path / name)
    PIL.Image.fromarray(np.full((30, 30), 200, np.uint8)).save(tmp_path / "grey.png")
    PIL.Image.new("RGBA", (30, 30), (255, 0, 0, 255)).save(tmp_path / "red.webp", lossless=True)
    return tmp_path


def test_images_are_read_in_path_order(directory):
    images = data.load("folder", path=str(directory), image_size=28)
    assert (images.size, images.shape, images.source) == (5, (28, 28, 3), "folder")
    pixels = np.rint((images.take(np.arange(5)).numpy() + 1) * 127.5)
    np.testing.assert_array_equal(pixels[2], np.asarray(PIL.Image.open(directory / "b" / "d.bmp")))
    np.testing.assert_array_equal(pixels[3], np.full((28, 28, 3), 200))
    np.testing.assert_array_equal(pixels[4], np.broadcast_to([255, 0, 0], (28, 28, 3)))
    assert images.notes == {"unreadable_files": 0}


def test_path_may_be_a_pathlib_path(directory):
    assert data.load("folder", path=directory, image_size=8).size == 5


def test_images_are_cropped_to_the_central_square(tmp_path):
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, 32:64] = 255
    PIL.Image.fromarray(wide).save(tmp_path / "wide.png")
    images = data.load("folder", path=str(tmp_path), image_size=32)
    np.testing.assert_allclose(images.take(np.array([0])), 1.0)


def test_unreadable_files_are_counted_and_named(directory, caplog):
    (directory / "notes.txt").write_text("not an image")
    (directory / "b" / "torn.png").write_bytes((directory / "a.png").read_bytes()[:200])
    (directory / ".DS_Store").write_text("hidden")
    images = data.load("folder", path=str(directory), image_size=28)
    assert images.size == 5
    assert images.notes == {"unreadable_files": 2}
    assert f"2 of 7 files in {directory} were not read: damaged (1): b/torn.png; not an image (1): " in caplog.text
    assert "notes.txt" in caplog.text


def test_long_lists_of_unreadable_files_are_cut(directory, caplog):
    for index in range(7):
        (directory / f"n{index}.txt").write_text("not an image")
    assert data.load("folder", path=str(directory), image_size=28).size == 5
    assert caplog.messages[-1].endswith("not an image (7): n0.txt, n1.txt, n2.txt, n3.txt, n4.txt, …")


def test_images_after_unreadable_files_keep_their_order(tmp_path):
    # More than are stored at a time, and every third is not an image.
    for index in range(150):
        if index % 3:
            PIL.Image.new("L", (1, 1), index).save(tmp_path / f"{index:03}.png")
        else:
            (tmp_path / f"{index:03}.png").write_text("not an image")
    images = data.load("folder", path=str(tmp_path), image_size=1)
    shown = np.rint((images.take(np.arange(images.size)).numpy()[:, 0, 0, 0] + 1) * 127.5)
    np.testing.assert_array_equal(shown, [index for index in range(150) if index % 3])
    assert images.notes == {"unreadable_files": 50}


@pytest.mark.parametrize("action", ["error", "default"])
def test_warnings_do_not_decide_which_images_are_read(tmp_path, monkeypatch, action):
    PIL.Image.new("L", (40, 40)).save(tmp_path / "large.png")
    PIL.Image.new("L", (50, 50)).save(tmp_path / "huge.png")
    # Pillow warns of more pixels than this, and refuses twice as many.
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 1000)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        images = data.load("folder", path=str(tmp_path), image_size=28)
    assert (images.size, images.notes) == (1, {"unreadable_files": 1})
    assert not [warning for warning in caught if warning.category is PIL.Image.DecompressionBombWarning]


def test_other_warnings_are_shown_while_images_are_read(directory, monkeypatch):
    read = image_files.read

    def warn_and_read(file, size):
        warnings.warn("of another part of the program", stacklevel=1)
        return read(file, size)

    monkeypatch.setattr(image_files, "read", warn_and_read)
    with pytest.warns(UserWarning, match="of another part of the program"):
        assert data.load("folder", path=str(directory), image_size=28).size == 5


def test_files_of_strangers_are_read_or_named(directory, caplog):
    content = (directory / "a.png").read_bytes()
    (directory / "x.png").mkdir()
    (directory / "x.png" / "inside.png").symlink_to(directory / "a.png")
    (directory / "x.png" / "gone.png").symlink_to(directory / "none")
    (directory / "text.png").write_text("text")
    (directory / "empty.jpg").write_bytes(b"")
    (directory / "torn.png").write_bytes(content[: len(content) // 2])
    PIL.Image.new("RGB", (8, 8)).save(directory / "drawing.eps")
    PIL.Image.new("LAB", (8, 8)).save(directory / "lab.tif")
    PIL.Image.new("L", (8, 8)).save(directory / "turned.png", exif=b"Exif\0\0XXXXXXXX")
    images = data.load("folder", path=str(directory), image_size=28)
    assert (images.size, images.notes) == (6, {"unreadable_files": 7})
    assert caplog.messages[-1] == (
        f"7 of 13 files in {directory} were not read: EPS, a format that is not read (1): drawing.eps; "
        "not an image (2): empty.jpg, text.png; colours in LAB (1): lab.tif; damaged (1): torn.png; "
        "damaged EXIF data (1): turned.png; a broken link (1): x.png/gone.png"
    )


def test_linked_directories_are_read(directory, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    PIL.Image.new("RGB", (8, 8), (1, 2, 3)).save(elsewhere / "a.png")
    (directory / "linked").symlink_to(elsewhere)
    (directory / "linked.png").symlink_to(elsewhere / "a.png")
    images = data.load("folder", path=str(directory), image_size=28)
    assert (images.size, images.notes) == (7, {"unreadable_files": 0})


def test_endless_link_is_refused(directory):
    (directory / "b" / "again").symlink_to(directory)
    with pytest.raises(errors.InputError, match=r"data\.path: '.*b/again' leads to .*To fix this: remove the link"):
        data.load("folder", path=str(directory))


def test_subdirectories_are_splits(directory):
    (directory / "train").mkdir()
    with pytest.raises(errors.InputError, match="which has no file"):
        data.load("folder", path=str(directory))
    for split, index in (("train", 3), ("validation", 7)):
        (directory / split).mkdir(exist_ok=True)
        PIL.Image.new("RGB", (8, 8), (index, 0, 0)).save(directory / split / "a.png")
        images = data.load("folder", split, path=str(directory), image_size=28)
        assert images.size == 1
        np.testing.assert_allclose(images.take(np.array([0]))[0, 0, 0, 0], index / 127.5 - 1, atol=1e-6)
    assert data.get("folder")(path=str(directory)).known_splits() == ("train", "validation")
    with pytest.raises(errors.InputError, match="split of the directory"):
        data.load("folder", "test", path=str(directory))


def test_content_changes_with_the_files(directory):
    before = data.load("folder", path=str(directory), image_size=28).content
    assert data.load("folder", path=str(directory), image_size=28).content == before
    PIL.Image.new("RGB", (30, 30), (1, 2, 3)).save(directory / "grey.png")
    assert data.load("folder", path=str(directory), image_size=28).content != before


def test_path_without_images_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="--set data.path=DIRECTORY"):
        data.load("folder")
    with pytest.raises(errors.InputError, match="which is not a directory"):
        data.load("folder", path=str(tmp_path / "none"))
    with pytest.raises(errors.InputError, match="which has no file"):
        data.load("folder", path=str(tmp_path))
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(errors.InputError, match=r"nothing can be read: not an image \(1\): x.txt"):
        data.load("folder", path=str(tmp_path))
    with pytest.raises(errors.InputError, match="split of the directory"):
        data.load("folder", "test", path=str(tmp_path))


def test_training_records_the_unreadable_files(directory, tmp_path):
    from tfpaths import experiments, schema
    from tfpaths.runs import training

    (directory / "notes.txt").write_text("not an image")
    texts = {f"networks.{part}_filters": "2" for part in ("generator", "discriminator")}
    texts |= {"schedule.steps": "1", "schedule.batch_size": "4", "data.path": str(directory), "data.image_size": "32"}
    workdir = tmp_path / "run"
    training.train(schema.override(experiments.get("folder_dragan_ns"), texts), workdir)
    protocol = json.loads((workdir / "results.json").read_text())["protocol"]
    assert (protocol["data_source"], protocol["unreadable_files"]) == ("folder", 1)
