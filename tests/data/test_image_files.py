"""Which files are found, with links and pipes, and what each kind of image becomes in RGB."""

import os
import pathlib
import struct
import zlib

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from tfpaths import errors
from tfpaths.data import image_files


class TestFind:
    @pytest.fixture
    def directory(self, tmp_path):
        for name in ("b/a.png", "b/.hidden.png", ".git/c.png", "a.png"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("content")
        return tmp_path

    @pytest.fixture
    def elsewhere(self, tmp_path_factory):
        path = tmp_path_factory.mktemp("elsewhere")
        (path / "e.png").write_text("content")
        return path

    def found(self, directory):
        return {str(path.relative_to(directory)): reason for path, reason in image_files.find(directory).items()}

    def test_hidden_files_are_left_out(self, directory):
        assert self.found(directory) == {"a.png": "", "b/a.png": ""}

    def test_order_is_that_of_paths(self, directory):
        # As paths, "b/a.png" is before "b-c.png"; as texts it is after.
        (directory / "b-c.png").write_text("content")
        assert list(self.found(directory)) == ["a.png", "b/a.png", "b-c.png"]

    def test_links_are_followed(self, directory, elsewhere):
        (directory / "b" / "link").symlink_to(elsewhere)
        (directory / "z.png").symlink_to(elsewhere / "e.png")
        # A second way to the same directory, which is not endless.
        (directory / "second").symlink_to(directory / "b")
        expected = ["a.png", "b/a.png", "b/link/e.png", "second/a.png", "second/link/e.png", "z.png"]
        assert self.found(directory) == dict.fromkeys(expected, "")

    def test_broken_links_are_named(self, directory):
        (directory / "gone.png").symlink_to(directory / "none")
        (directory / "self.png").symlink_to(directory / "self.png")
        assert self.found(directory) == {"a.png": "", "b/a.png": "", "gone.png": "a broken link"} | {
            "self.png": "a broken link"
        }

    @pytest.mark.parametrize("target", [".", "b", ".."])
    def test_link_to_a_directory_above_is_refused(self, directory, target):
        (directory / "b" / "loop").symlink_to(directory / target)
        with pytest.raises(errors.InputError) as caught:
            image_files.find(directory)
        resolved = (directory / target).resolve()
        assert str(caught.value) == (
            f"data.path: {str(directory / 'b' / 'loop')!r} leads to a directory that contains it, {str(resolved)!r}, "
            "and would be read without end. To fix this: remove the link."
        )

    def test_links_that_lead_to_each_other_are_refused(self, directory, elsewhere):
        (directory / "b" / "over").symlink_to(elsewhere)
        (elsewhere / "back").symlink_to(directory / "b")
        with pytest.raises(errors.InputError, match="b/over/back' leads to a directory that contains it"):
            image_files.find(directory)

    def test_path_may_be_a_link_itself(self, directory, elsewhere):
        (elsewhere / "root").symlink_to(directory)
        assert self.found(elsewhere / "root") == {"a.png": "", "b/a.png": ""}

    def test_relative_path_is_checked_too(self, directory, monkeypatch):
        (directory / "b" / "up").symlink_to("..")
        monkeypatch.chdir(directory)
        with pytest.raises(errors.InputError, match="'b/up' leads to"):
            image_files.find(pathlib.Path("b"))

    def test_pipes_are_not_opened(self, directory):
        os.mkfifo(directory / "pipe.png")
        assert self.found(directory)["pipe.png"] == "a pipe, socket or device"

    def test_directory_that_cannot_be_opened_is_named(self, directory, monkeypatch):
        scan = os.scandir

        def refuse(path):
            if pathlib.Path(path).name == "b":
                raise PermissionError
            return scan(path)

        monkeypatch.setattr(os, "scandir", refuse)
        assert self.found(directory) == {"a.png": "", "b": "cannot be opened"}


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def save(path, kind):
    """Writes an 8×8 image of one value with Pillow, or by hand where Pillow cannot."""
    level = np.full((8, 8), 25700)  # 25700 = 100 × 257.
    palette = PIL.Image.new("P", (8, 8), 1)
    palette.putpalette([9, 9, 9, 200, 100, 50])
    frames = [PIL.Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    if kind in ("gif", "webp", "apng", "tiff"):
        options = {"lossless": True} if kind == "webp" else {}
        frames[0].save(
            path, {"apng": "PNG"}.get(kind, kind), save_all=True, append_images=frames[1:], duration=50, **options
        )
    elif kind == "grey16_png":
        PIL.Image.fromarray(level.astype(np.uint16)).save(path, "PNG")
    elif kind == "grey16_tiff":
        PIL.Image.fromarray(level.astype(np.uint16)).save(path, "TIFF")
    elif kind == "grey16_tiff_big_endian":
        PIL.Image.frombytes("I;16B", (8, 8), level.astype(">u2").tobytes()).save(path, "TIFF")
    elif kind == "grey16_pgm":
        path.write_bytes(b"P5 8 8 65535\n" + level.astype(">u2").tobytes())
    elif kind == "rgb16_png":
        path.write_bytes(tf.io.encode_png(np.stack([level, 2 * level, 0 * level], -1).astype(np.uint16)).numpy())
    elif kind == "palette":
        palette.save(path, "PNG")
    elif kind == "palette_with_transparent_color":
        palette.save(path, "PNG", transparency=1)
    elif kind == "palette_with_alpha":
        palette.save(path, "PNG", transparency=bytes([0, 51]))
    elif kind == "rgb_with_transparent_color":
        PIL.Image.new("RGB", (8, 8), (1, 2, 3)).save(path, "PNG", transparency=(1, 2, 3))
    elif kind == "cmyk":
        # Full cyan, half black.
        PIL.Image.new("CMYK", (8, 8), (255, 0, 0, 127)).save(path, "JPEG", quality=100)
    else:
        mode, color = {
            "one_bit": ("1", 1),
            "grey": ("L", 77),
            "opaque": ("RGBA", (1, 2, 3, 255)),
            "transparent": ("RGBA", (200, 0, 0, 0)),
            "fifth": ("RGBA", (0, 100, 255, 51)),
            "grey_transparent": ("LA", (100, 0)),
        }[kind]
        PIL.Image.new(mode, (8, 8), color).save(path, "PNG")


class TestRead:
    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            # The first of two frames.
            ("gif", (255, 0, 0)),
            ("webp", (255, 0, 0)),
            ("apng", (255, 0, 0)),
            ("tiff", (255, 0, 0)),
            # v / 257.
            ("grey16_png", (100, 100, 100)),
            ("grey16_tiff", (100, 100, 100)),
            ("grey16_tiff_big_endian", (100, 100, 100)),
            ("grey16_pgm", (100, 100, 100)),
            ("rgb16_png", (100, 200, 0)),
            # (255 - c) (255 - k) / 255.
            ("cmyk", (0, 128, 128)),
            ("one_bit", (255, 255, 255)),
            ("grey", (77, 77, 77)),
            ("palette", (200, 100, 50)),
            # a x + (1 - a) 255; 51 = 255 / 5.
            ("opaque", (1, 2, 3)),
            ("transparent", (255, 255, 255)),
            ("fifth", (204, 224, 255)),
            ("grey_transparent", (255, 255, 255)),
            ("palette_with_transparent_color", (255, 255, 255)),
            ("palette_with_alpha", (244, 224, 214)),
            ("rgb_with_transparent_color", (255, 255, 255)),
        ],
    )
    def test_kinds_of_images(self, tmp_path, kind, expected):
        save(tmp_path / "image", kind)
        pixels = image_files.read(tmp_path / "image", 4)
        assert (pixels.dtype, pixels.shape) == (np.uint8, (4, 4, 3))
        # JPEG is not exact.
        np.testing.assert_allclose(pixels.astype(int), np.broadcast_to(expected, (4, 4, 3)), atol=kind == "cmyk")

    def test_16_bit_levels_are_rounded(self, tmp_path):
        # 128 / 257 is below a half, 129 / 257 above; 65535 = 255 × 257.
        levels = np.array([[0, 128, 129, 257], [65535, 65407, 65406, 32896]] * 2, np.uint16)
        PIL.Image.fromarray(levels).save(tmp_path / "a.png")
        expected = [[0, 0, 1, 1], [255, 255, 254, 128]] * 2
        np.testing.assert_array_equal(image_files.read(tmp_path / "a.png", 4)[..., 0], expected)

    @pytest.mark.parametrize("dtype", [np.float32, np.int32])
    def test_32_bit_images_are_named(self, tmp_path, dtype):
        PIL.Image.fromarray(np.ones((8, 8), dtype)).save(tmp_path / "a.tif")
        assert image_files.read(tmp_path / "a.tif", 4) == "32-bit numbers, whose white is not defined"

    # How the stored picture, dark but for a corner, is turned to be seen: orientation -> (row, column) of the corner.
    @pytest.mark.parametrize(
        ("orientation", "corner"),
        [
            (1, (0, 0)),
            (2, (0, -1)),
            (3, (-1, -1)),
            (4, (-1, 0)),
            (5, (0, 0)),
            (6, (0, -1)),
            (7, (-1, -1)),
            (8, (-1, 0)),
        ],
    )
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_exif_orientation_is_applied(self, tmp_path, dtype, orientation, corner):
        stored = np.zeros((2, 2), dtype)
        stored[0, 0] = np.iinfo(dtype).max
        exif = PIL.Image.Exif()
        exif[0x0112] = orientation
        PIL.Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
        pixels = image_files.read(tmp_path / "a.png", 2)
        assert pixels[corner].tolist() == [255, 255, 255]
        assert pixels.sum() == 3 * 255

    def test_reasons(self, tmp_path):
        (tmp_path / "empty.png").write_bytes(b"")
        assert image_files.read(tmp_path / "empty.png", 4) == "not an image"
        PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 30, 3), np.uint8)).save(tmp_path / "a.png")
        (tmp_path / "torn.png").write_bytes((tmp_path / "a.png").read_bytes()[:300])
        assert image_files.read(tmp_path / "torn.png", 4) == "damaged"

    @pytest.mark.parametrize(
        ("error", "reason"),
        [(PermissionError(), "cannot be opened"), (struct.error("unpack"), "damaged"), (IndexError(), "damaged")],
    )
    def test_any_error_of_pillow_is_a_reason(self, tmp_path, monkeypatch, error, reason):
        def fail(file):
            raise error

        monkeypatch.setattr(PIL.Image, "open", fail)
        assert image_files.read(tmp_path, 4) == reason

    def test_lack_of_memory_is_not_the_files_fault(self, tmp_path, monkeypatch):
        def fail(file):
            raise MemoryError

        monkeypatch.setattr(PIL.Image, "open", fail)
        with pytest.raises(MemoryError):
            image_files.read(tmp_path, 4)

    def test_declared_size_is_refused_before_decoding(self, tmp_path):
        # A PNG of a few bytes that says it has 20,000 × 20,000 pixels.
        header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
        content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
        assert image_files.read(tmp_path / "a.png", 4) == "more than 178,956,970 pixels"
