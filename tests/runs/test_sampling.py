"""Samples of a run or of its export, as a picture, a folder or an array file."""

import math
import os
import re
import shutil

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from helpers import launch, launch_here, refused

from tfpaths import errors, files
from tfpaths.data import pictures
from tfpaths.runs import exporting, loading, sampling


@pytest.fixture(scope="module")
def run(tiny_run, tmp_path_factory):
    """A run with its export."""
    copy = shutil.copytree(tiny_run, tmp_path_factory.mktemp("sampled") / "run")
    exporting.export(copy)
    return copy


@pytest.fixture(scope="module")
def expected(run):
    return pictures.levels(loading.load(run).gan.sample(7, seed=3).numpy())


def opened(path):
    return np.asarray(PIL.Image.open(path))


def close(images, others):
    """One level apart at most: a batch of another size adds up in another order."""
    return images.shape == others.shape and np.abs(images.astype(int) - others).max() <= 1


@pytest.mark.parametrize("place", ["run", "export"])
def test_every_output_format_has_the_same_images(place, run, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "BATCH", 4)  # 4 + 3
    source = run if place == "run" else run / "export"
    sampling.sample(source, str(tmp_path / "a.npz"), num=7, seed=3)
    arrays = np.load(tmp_path / "a.npz")
    assert set(arrays) == {"images", "latents", "seed", "step"}
    assert (arrays["images"].dtype, arrays["seed"], arrays["step"]) == (np.uint8, 3, 4)
    assert close(arrays["images"], expected)
    np.testing.assert_array_equal(arrays["latents"], loading.load(run).latents(7, seed=3))
    sampling.sample(source, str(tmp_path / "folder"), num=7, seed=3)
    files = sorted(os.listdir(tmp_path / "folder"))
    assert files == [f"image_0000{index}.png" for index in range(7)]
    assert close(np.stack([opened(tmp_path / "folder" / name) for name in files]), expected)
    # Seven images fill three columns and two thirds of a third row.
    sampling.sample(source, str(tmp_path / "grid.png"), num=7, seed=3)
    whole = np.concatenate([arrays["images"], np.zeros((2, 28, 28, 3), np.uint8)])
    np.testing.assert_array_equal(opened(tmp_path / "grid.png"), pictures.tiled(whole, 3))


def test_samples_are_made_and_written_in_batches(run, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "BATCH", 4)
    seen, written = [], []
    generate, png = loading.Trained.generate, pictures.png
    monkeypatch.setattr(loading.Trained, "generate", lambda self, z: seen.append(len(z)) or generate(self, z))
    # When a file is written, no later batch has been made yet.
    monkeypatch.setattr(pictures, "png", lambda image: written.append(len(seen)) or png(image))
    sampling.sample(run, str(tmp_path / "folder"), num=10)
    assert seen == [4, 4, 2]
    assert written == [1, 1, 1, 1, 2, 2, 2, 2, 3, 3]


@pytest.mark.parametrize("place", ["run", "export"])
def test_latents_are_drawn_in_batches(place, run, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "BATCH", 16)
    kind = loading.Trained if place == "run" else sampling.Exported
    asked, latents = [], kind.latents

    def drawn(self, num, seed=0, first=0):
        asked.append((num, first))
        if first >= 64:
            raise KeyboardInterrupt
        return latents(self, num, seed, first)

    monkeypatch.setattr(kind, "latents", drawn)
    source = run if place == "run" else run / "export"
    # All at once, they would need a terabyte.
    with pytest.raises(KeyboardInterrupt):
        sampling.sample(source, str(tmp_path / "many"), num=2_000_000_000)
    assert asked == [(16, first) for first in (0, 16, 32, 48, 64)]
    assert not (tmp_path / "many").exists()


def test_interpolations_are_drawn_in_batches(run, tmp_path, monkeypatch):
    sampling.sample(run, str(tmp_path / "a.npz"), num=40, interpolate=True)
    monkeypatch.setattr(loading, "BATCH", 16)
    sampling.sample(run, str(tmp_path / "b.npz"), num=40, interpolate=True)
    first, second = (np.load(tmp_path / name)["latents"] for name in ("a.npz", "b.npz"))
    np.testing.assert_array_equal(first, second)


def test_interpolation_starts_and_ends_at_samples(run, tmp_path):
    sampling.sample(run, str(tmp_path / "a.npz"), num=16, seed=3, interpolate=True)
    arrays = np.load(tmp_path / "a.npz")
    ends = loading.load(run).latents(4, seed=3)
    np.testing.assert_allclose(arrays["latents"][[0, 7, 8, 15]], ends, atol=1e-6)
    sampling.sample(run, str(tmp_path / "rows.png"), num=16, seed=3, interpolate=True)
    np.testing.assert_array_equal(opened(tmp_path / "rows.png"), pictures.tiled(arrays["images"], 8))
    with pytest.raises(errors.InputError, match="multiple of the 8 samples of a row with --interpolate, received 12"):
        sampling.sample(run, str(tmp_path / "b.npz"), num=12, interpolate=True)


def test_spherical_interpolation():
    # At right angles and of length 2, halfway: both weights are sin(45°) / sin(90°) = 1 / sqrt(2), the length stays 2.
    way = sampling.between(np.array([2.0, 0.0]), np.array([0.0, 2.0]), steps=3)
    np.testing.assert_allclose(way, [[2, 0], [math.sqrt(2), math.sqrt(2)], [0, 2]], atol=1e-6)
    # A third of the way is a third of the angle.
    (_, third, _, _) = sampling.between(np.array([1.0, 0.0]), np.array([0.0, 1.0]), steps=4)
    np.testing.assert_allclose(third, [math.cos(math.pi / 6), math.sin(math.pi / 6)], atol=1e-6)
    # No angle, and a straight one: the line between them.
    np.testing.assert_allclose(sampling.between(np.ones(2), 3 * np.ones(2), steps=3)[1], [2, 2], atol=1e-6)
    np.testing.assert_allclose(sampling.between(np.ones(2), -np.ones(2), steps=3)[1], [0, 0], atol=1e-6)
    assert np.isfinite(sampling.between(np.zeros(2), np.ones(2))).all()


@pytest.mark.parametrize(
    ("out", "num", "line"),
    [
        ("", 4, "--out: expected a .png, a .txt, a .npz or a directory, received none."),
        ("a.jpg", 4, "--out: expected a .png, a .txt, a .npz or a directory, received 'a.jpg'."),
        ("full", 4, "--out: expected a new or an empty directory, received 'full', which is neither."),
        ("full/notes", 4, "--out: expected a new or an empty directory, received 'full/notes', which is neither."),
        ("full/notes/x.png", 4, "--out: expected a path that can be written, received 'full/notes/x.png'."),
        ("a.png", 0, "--num_samples: expected at least 1, received 0."),
        (
            "a.png",
            10_001,
            "--num_samples: expected at most 10000 in one picture, received 10001; a directory or a .npz",
        ),
        ("a.npz", 1_000_001, "--num_samples: expected at most 1000000 in a .npz file, received 1000001; a directory"),
        ("a.txt", 1_000_001, "--num_samples: expected at most 1000000 in a .txt file, received 1000001; a directory"),
    ],
)
def test_invalid_output_is_refused_before_reading(out, num, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes").touch()
    with pytest.raises(errors.InputError, match=re.escape(line)):
        sampling.sample("no_run", out, num=num)
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


@pytest.mark.parametrize("place", ["run", "export"])
def test_a_text_of_images_is_refused(place, run, tmp_path):
    source = run if place == "run" else run / "export"
    with pytest.raises(errors.InputError, match="^--out: expected a .png, a .npz or a directory for images, received"):
        sampling.sample(source, str(tmp_path / "a.txt"), num=3)
    assert list(tmp_path.iterdir()) == []


def test_failed_sampling_leaves_no_partial_folder(run, tmp_path, monkeypatch):
    images = iter([pictures.png(np.zeros((2, 2, 3), np.uint8))] * 3)
    with monkeypatch.context() as patch:
        patch.setattr(pictures, "png", lambda image: next(images))  # the fourth fails
        with pytest.raises(StopIteration):
            sampling.sample(run, str(tmp_path / "folder"), num=10)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "empty.d").mkdir()
    sampling.sample(run, str(tmp_path / "empty.d"), num=2)
    assert len(list((tmp_path / "empty.d").iterdir())) == 2
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "empty.d").stat().st_mode & 0o777 == 0o777 & ~umask


def test_export_that_was_being_replaced_is_sampled(run, tmp_path):
    # As a process leaves it that is killed between the two renames.
    shutil.copy(run / "config.json", tmp_path)
    copy = shutil.copytree(run / "export", tmp_path / ".unfinished" / "export.tfpaths-old")
    sampling.sample(tmp_path / "export", str(tmp_path / "a.npz"), num=2)
    assert not copy.exists()
    assert (tmp_path / "export" / "saved_model.pb").exists()


def test_damaged_export_gives_a_one_line_error(run, tmp_path):
    copy = shutil.copytree(run / "export", tmp_path / "export")
    (copy / "saved_model.pb").write_bytes(b"torn")
    with pytest.raises(errors.InputError, match="expected an export of tfpaths, received .*, which cannot be read"):
        sampling.sample(copy, str(tmp_path / "a.npz"))
    assert not (tmp_path / "a.npz").exists()


# What is wrong -> the tensor of 3 samples, and that of 3 latents.
FOREIGN = {
    "no dimension": (tf.zeros([]), tf.zeros([3, 4])),
    "no images": (tf.zeros([3, 8]), tf.zeros([3, 4])),
    "channels": (tf.zeros([3, 8, 8, 5]), tf.zeros([3, 4])),
    "fewer": (tf.zeros([2, 8, 8, 3]), tf.zeros([3, 4])),
    "fewer latents": (tf.zeros([2, 8, 8, 3]), tf.zeros([2, 4])),
    "texts": (tf.fill([3], "text"), tf.zeros([3, 4])),
    "integers": (tf.zeros([3, 8, 8, 3], tf.int64), tf.zeros([3, 4])),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_samples_of_an_export_are_one_line(name, tmp_path):
    """Its program only computes, and its signatures are those of an export."""
    samples, latents = FOREIGN[name]
    scalars = [tf.TensorSpec([], tf.int32, name) for name in ("num_samples", "seed", "first")]
    z = [tf.TensorSpec([None, 4], tf.float32, "z")]
    signatures = {
        "latents": tf.function(lambda num_samples, seed, first: {"z": latents}, scalars, autograph=False),
        "serving_default": tf.function(lambda z: {"images": samples}, z, autograph=False),
    }
    tf.saved_model.save(tf.Module(), str(tmp_path / "export"), signatures=signatures)
    files.write_json(tmp_path / "export" / "assets" / exporting.METADATA, {"step": 1, "example": "image"})
    with pytest.raises(
        errors.InputError, match=r"expected an export of tfpaths, .* whose samples cannot be written \("
    ):
        sampling.sample(tmp_path / "export", str(tmp_path / "a.png"), num=3)
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_the_command_line_samples(run, expected, tmp_path):
    flags = ["--mode=sample", f"--workdir={run}", "--num_samples=7", "--seed=3", f"--out={tmp_path / 'a.npz'}"]
    done = launch(*flags)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"Written: {tmp_path / 'a.npz'}\n", "")
    assert close(np.load(tmp_path / "a.npz")["images"], expected)


@pytest.mark.parametrize(("mode", "out"), [("sample", "a.png"), ("sample", "a.npz"), ("report", "a.html")])
def test_a_file_is_replaced_only_with_overwrite(mode, out, run, tmp_path):
    (tmp_path / out).write_text("mine")
    flags = [f"--mode={mode}", f"--workdir={run}", f"--out={tmp_path / out}"]
    expected = f"tfpaths: --out: '{tmp_path / out}' exists. To fix this: choose another path, or add --overwrite"
    assert refused(launch_here(*flags)).startswith(expected)
    assert (tmp_path / out).read_text() == "mine"
    done = launch_here(*flags, "--overwrite")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / out).read_bytes() != b"mine"


def test_the_command_line_exports(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    done = launch("--mode=export", f"--workdir={run}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Exported: {run / 'export'}\n")
    # Runs the command that it prints.
    (line,) = re.findall(r"^  sample +(.*)$", done.stdout, re.MULTILINE)
    names = {"tf": tf}
    exec(line, names)
    expected = loading.load(run).sample(64)
    np.testing.assert_allclose(names["model"].sample(num_samples=64, seed=0)["images"], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--mode=export"], "--exp: expected the name of an experiment, received none; --list shows them."),
        (["--mode=export", "--exp=line1_nss"], "--exp: unknown experiment 'line1_nss'; did you mean 'line1_ns'?"),
        (
            ["--mode=export", "--exp=line1_ns", "--steps=3"],
            "--steps works only with --mode=train and --mode=evaluate, not with --mode=export.",
        ),
        (["--mode=sample", "--workdir=a", "--workdir=b"], "--workdir: expected one directory, received 'a, b'."),
        (["--mode=sample", "--workdir="], "--workdir: expected one directory, received ''."),
        (["--mode=sample", "--workdir=a", "--num_samples=0"], "--num_samples: expected an integer from 1 to 2^31 - 1,"),
        (
            ["--mode=sample", "--workdir=a", "--seed=-1"],
            "--seed: expected an integer from 0 to 2^31 - 1, received '-1'",
        ),
        (
            ["--exp=color_mnist_ns", "--out=a.png"],
            "--out works only with --mode=sample and --mode=report, not with --mode=train.",
        ),
        (
            ["--mode=report", "--workdir=a", "--interpolate"],
            "--interpolate works only with --mode=sample, not with --mode=report.",
        ),
    ],
)
def test_flags_the_mode_does_not_use_are_refused(flags, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = launch_here(*flags)
    assert refused(done).startswith(f"tfpaths: {line}")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_of_another_experiment_is_refused(run):
    done = launch_here("--mode=export", "--exp=color_mnist_ns", f"--workdir={run}")
    assert done.returncode == 2
    assert "expected a run of 'color_mnist_ns', received one of 'color_mnist_dragan_ns'" in done.stderr


def test_an_export_of_another_version_is_refused(run, tmp_path, monkeypatch):
    model = tf.saved_model.load(str(run / "export"))
    path = shutil.copytree(run / "export", tmp_path / "export")
    signatures = dict.fromkeys(("latents", "serving_default"), model.signatures["serving_default"])
    tf.saved_model.save(model, str(path), signatures=signatures)
    with pytest.raises(errors.InputError, match="received '.*export', whose signatures are those of another version"):
        sampling.sample(path, str(tmp_path / "a.png"))
