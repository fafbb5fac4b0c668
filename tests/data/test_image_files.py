"""Which files are found, with links and pipes, what each kind of image becomes in RGB, and that no file does harm."""

import contextlib
import io
import os
import pathlib
import re
import struct
import subprocess
import threading
import warnings
import zlib

import numpy as np
import PIL.features
import PIL.Image
import pytest
import tensorflow as tf

from tfpaths import errors
from tfpaths.data import image_files
from tfpaths.data.budget import Budget


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

    def test_tiff_is_turned_once(self, tmp_path):
        # Pillow turns a TIFF itself. Upright is a row: dark, bright; turned by orientation 6, a column.
        exif = PIL.Image.Exif()
        exif[0x0112] = 6
        PIL.Image.fromarray(np.array([[0, 255], [0, 255]], np.uint8)).save(tmp_path / "a.tif", exif=exif)
        assert image_files.read(tmp_path / "a.tif", 2)[..., 0].tolist() == [[0, 0], [255, 255]]

    def test_reasons(self, tmp_path):
        (tmp_path / "empty.png").write_bytes(b"")
        assert image_files.read(tmp_path / "empty.png", 4) == "not an image"
        PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 30, 3), np.uint8)).save(tmp_path / "a.png")
        for length in (300, 20):
            (tmp_path / "torn.png").write_bytes((tmp_path / "a.png").read_bytes()[:length])
            assert image_files.read(tmp_path / "torn.png", 4) == "damaged"

    def test_path_that_cannot_be_opened_is_named(self, tmp_path):
        (tmp_path / "directory.png").mkdir()
        assert image_files.read(tmp_path / "directory.png", 4) == "cannot be opened"
        assert image_files.read(tmp_path / "gone.png", 4) == "cannot be opened"

    def test_file_that_cannot_be_read_is_named(self, tmp_path, monkeypatch):
        class Stream(io.BytesIO):
            def read(self, *args):
                raise OSError("Input/output error")

        monkeypatch.setattr(pathlib.Path, "open", lambda path, mode: Stream())
        assert image_files.read(tmp_path / "a.png", 4) == "cannot be opened"

    @pytest.mark.parametrize(
        "error",
        [
            struct.error("unpack"),
            IndexError(),
            SyntaxError(),
            RecursionError(),
            OSError(),
            UserWarning(),
            KeyError("x"),
        ],
    )
    def test_any_error_of_pillow_is_a_reason(self, tmp_path, monkeypatch, error):
        def fail(*args, **options):
            raise error

        PIL.Image.new("L", (8, 8)).save(tmp_path / "a.png")
        for owner, name, reason in (
            (PIL.Image, "open", "damaged"),
            (PIL.Image.Image, "getexif", "damaged EXIF data"),
            (PIL.Image.Image, "resize", "damaged"),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(owner, name, fail)
                assert image_files.read(tmp_path / "a.png", 4) == reason
            assert image_files._PIXELS.used == 0

    def test_damaged_exif_is_named(self, tmp_path):
        # Neither "II" nor "MM".
        PIL.Image.new("L", (8, 8)).save(tmp_path / "a.png", exif=b"Exif\0\0XXXXXXXX")
        assert image_files.read(tmp_path / "a.png", 4) == "damaged EXIF data"

    def test_lack_of_memory_is_the_files_fault_only_if_others_could_be_read(self, tmp_path, monkeypatch):
        def fail(*args, **options):
            raise MemoryError

        PIL.Image.new("L", (8, 8)).save(tmp_path / "a.png")
        monkeypatch.setattr(PIL.Image.Image, "resize", fail)
        assert image_files.read(tmp_path / "a.png", 4) == "needs more memory than is available"
        assert image_files._PIXELS.used == 0
        # Not even an ordinary image has memory now.
        monkeypatch.setattr(np, "empty", fail)
        with pytest.raises(MemoryError):
            image_files.read(tmp_path / "a.png", 4)
        assert image_files._PIXELS.used == 0

    def test_declared_size_is_refused_before_decoding(self, tmp_path):
        # A PNG of a few bytes that says it has 20,000 × 20,000 pixels.
        header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
        content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
        assert image_files.read(tmp_path / "a.png", 4) == "more than 178,956,970 pixels"


class TestFormats:
    EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(started) (w) file closefile\n"

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (EPS, "EPS, a format that is not read"),
            (b"8BPS\0\1", "PSD, a format that is not read"),
            (b"%PDF-1.7\n", "PDF, a format that is not read"),
            (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG, a format that is not read"),
            (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC, a format that is not read"),
            (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL, a format that is not read"),
            (b"\0\0\1\0\1\0", "ICO, a format that is not read"),
            (b"\x89PNG\r\n\x1a\nnothing", "damaged"),
            (b"GIF89a", "damaged"),
            (b"text", "not an image"),
            (b"\n", "not an image"),
            (b"\0" * 100, "not an image"),
        ],
    )
    def test_what_is_no_image_is_named_by_its_beginning(self, tmp_path, content, reason):
        (tmp_path / "a.png").write_bytes(content)
        assert image_files.read(tmp_path / "a.png", 4) == reason

    @pytest.mark.parametrize("suffix", ["eps", "png"])
    def test_no_program_is_started(self, tmp_path, monkeypatch, suffix):
        def start(*args, **options):
            raise AssertionError("a program was started")

        for name in ("Popen", "call", "check_call", "run"):
            monkeypatch.setattr(subprocess, name, start)
        PIL.Image.new("RGB", (8, 8)).save(tmp_path / "a", "EPS")
        (tmp_path / "a").rename(tmp_path / f"a.{suffix}")
        assert image_files.read(tmp_path / f"a.{suffix}", 4) == "EPS, a format that is not read"

    @pytest.mark.parametrize("format_name", ["TGA", "PCX", "ICO", "DDS", "SGI"])
    def test_other_formats_of_pillow_are_not_opened(self, tmp_path, monkeypatch, format_name):
        def opened(*args):
            raise AssertionError(f"{format_name} was opened")

        PIL.Image.new("RGB", (16, 16)).save(tmp_path / "a", format_name)
        monkeypatch.setitem(PIL.Image.OPEN, format_name, (opened, None))
        assert image_files.read(tmp_path / "a", 4) in ("not an image", f"{format_name}, a format that is not read")

    @pytest.fixture
    def without_avif(self, monkeypatch, request):
        """Pillow as it is built without AVIF, or before it had AVIF."""
        image_files._formats()
        check = PIL.features.check
        if request.param == "version":
            monkeypatch.delitem(PIL.Image.OPEN, "AVIF", raising=False)
            monkeypatch.setattr(PIL.Image, "init", lambda: False)
        else:
            monkeypatch.setattr(PIL.features, "check", lambda name: name != "avif" and check(name))
        image_files._formats.cache_clear()
        yield
        image_files._formats.cache_clear()

    @pytest.mark.parametrize("without_avif", ["build", "version"], indirect=True)
    def test_format_that_pillow_lacks_is_named(self, tmp_path, without_avif):
        (tmp_path / "a.avif").write_bytes(b"\0\0\0\x20ftypavif\0\0\0\0avifmif1")
        (tmp_path / "a.txt").write_text("text")
        PIL.Image.new("L", (8, 8)).save(tmp_path / "a.png")
        assert image_files.read(tmp_path / "a.avif", 4) == "AVIF, a format that is not read"
        assert image_files.read(tmp_path / "a.txt", 4) == "not an image"
        assert not isinstance(image_files.read(tmp_path / "a.png", 4), str)


class TestMemory:
    @pytest.fixture
    def budget(self, monkeypatch):
        """A budget of 1000 pixels, which records the reservations."""

        class Recorded(Budget):
            def __init__(self, limit):
                super().__init__(limit)
                self.amounts, self.sums = [], []

            @contextlib.contextmanager
            def reserve(self, amount):
                with super().reserve(amount):
                    self.amounts.append(amount)
                    self.sums.append(self.used)
                    yield

        budget = Recorded(1000)
        monkeypatch.setattr(image_files, "_PIXELS", budget)
        return budget

    def test_pixels_are_reserved_before_they_are_decoded_and_freed_before_the_release(
        self, tmp_path, budget, monkeypatch
    ):
        PIL.Image.new("L", (30, 20)).save(tmp_path / "a.png")
        images, used = [], []
        load = PIL.Image.Image.load

        def recorded_load(image):
            if image.size == (30, 20):
                images.append(image)
                used.append(budget.used)
            return load(image)

        monkeypatch.setattr(PIL.Image.Image, "load", recorded_load)
        release = budget._changed.notify_all

        def recorded_release():
            if not budget.used and images:
                # A closed image has no pixels.
                with pytest.raises((ValueError, AttributeError)):
                    images[0].im.getpixel((0, 0))
                images.append("released")
            release()

        monkeypatch.setattr(budget._changed, "notify_all", recorded_release)
        assert not isinstance(image_files.read(tmp_path / "a.png", 4), str)
        assert (budget.amounts, budget.used, images[-1]) == ([30 * 20], 0, "released")
        assert set(used) == {600}

    def read_in_threads(self, directory, count):
        """Returns what `count` threads read, of which each reads every `count`-th file."""
        results = {}

        def read(paths):
            for path in paths:
                results[path.name] = image_files.read(path, 4)

        paths = sorted(directory.iterdir())
        threads = [threading.Thread(target=read, args=(paths[index::count],), daemon=True) for index in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(results) == len(paths)
        return results

    def test_images_within_the_budget_are_decoded_together(self, tmp_path, budget, monkeypatch):
        PIL.Image.new("L", (30, 20)).save(tmp_path / "a.png")
        PIL.Image.new("L", (30, 10)).save(tmp_path / "b.png")
        square, meeting = image_files._square, threading.Barrier(2)

        def met_square(image, size):
            meeting.wait(20)
            return square(image, size)

        monkeypatch.setattr(image_files, "_square", met_square)
        results = self.read_in_threads(tmp_path, 2)
        assert not [result for result in results.values() if isinstance(result, str)]
        assert max(budget.sums) == 600 + 300

    def test_sum_over_all_threads_is_limited(self, tmp_path, budget):
        # 600 + 300 is within 1000, 600 + 600 is not; 2000 is decoded alone.
        for index, size in enumerate([(30, 20), (30, 10), (50, 40)] * 8):
            PIL.Image.new("L", size).save(tmp_path / f"{index:02}.png")
        (tmp_path / "torn.png").write_bytes((tmp_path / "00.png").read_bytes()[:50])
        results = self.read_in_threads(tmp_path, 4)
        assert {name: result for name, result in results.items() if isinstance(result, str)} == {"torn.png": "damaged"}
        assert sorted(set(budget.amounts)) == [300, 600, 2000]
        assert all(total <= 1000 or total == 2000 for total in budget.sums)
        assert budget.used == 0

    def test_large_blocks_return_to_the_system(self):
        # Above 32 MB, the C library does not keep freed memory for a thread.
        image_files._formats()
        assert "PILLOW_BLOCK_SIZE" in os.environ or PIL.Image.core.get_block_size() > 32 * 2**20


REASONS = re.compile(
    "not an image|damaged|damaged EXIF data|cannot be opened|12-bit levels|16-bit levels whose white is 0"
    "|32-bit numbers, whose white is not defined|colours in LAB|needs more memory than is available"
    "|more than 2,000,000 pixels|(HEIC|ICO|AVIF), a format that is not read|pixels in Pillow's mode [^ ]+"
)
# The side of the images, as no other field of a header has it.
SIDE = 43


def examples():
    """Returns an image in each format and kind that this Pillow can write: name -> content."""
    PIL.Image.init()
    rng = np.random.default_rng(0)
    color = PIL.Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8))
    grey16 = PIL.Image.fromarray(rng.integers(0, 65536, (SIDE, SIDE)).astype(np.uint16))
    exif = PIL.Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    kinds = {
        "png": (color, "PNG", {}),
        "png_exif": (color, "PNG", {"exif": exif}),
        "png_16": (grey16, "PNG", {}),
        "png_palette": (color.quantize(16), "PNG", {"transparency": bytes(range(16))}),
        "jpeg": (color, "JPEG", {}),
        "jpeg_exif": (color, "JPEG", {"exif": exif}),
        "jpeg_progressive_cmyk": (color.convert("CMYK"), "JPEG", {"progressive": True}),
        "mpo": (color, "MPO", {"save_all": True, "append_images": [color]}),
        "gif": (color, "GIF", {"save_all": True, "append_images": [color.rotate(90)]}),
        "webp": (color, "WEBP", {"exif": exif}),
        "webp_lossless": (color.convert("RGBA"), "WEBP", {"lossless": True}),
        "bmp": (color, "BMP", {}),
        "tiff": (color, "TIFF", {"exif": exif}),
        "tiff_16": (grey16, "TIFF", {}),
        "tiff_lab": (color.convert("LAB"), "TIFF", {}),
        "tiff_lzw": (color, "TIFF", {"compression": "tiff_lzw"}),
        "tiff_jpeg": (color, "TIFF", {"compression": "jpeg"}),
        "ppm": (color, "PPM", {}),
        "jpeg2000": (color, "JPEG2000", {}),
        "avif": (color, "AVIF", {"speed": 10, "exif": exif}),
    }
    contents = {}
    for name, (image, format_name, options) in kinds.items():
        if format_name in PIL.Image.SAVE and (format_name == "MPO" or format_name in image_files._formats()):
            content = io.BytesIO()
            image.save(content, format_name, **options)
            contents[name] = content.getvalue()
    return contents


EXAMPLES = examples()


def damaged(content, seed):
    """Yields the content cut, with single bytes changed, and with other sizes in the header."""
    count = len(content)
    for length in (0, 1, 3, 8, 12, 16, 21, 30, 60, count // 4, count // 2, count - 20, count - 1):
        yield content[:length]
    rng = np.random.default_rng(seed)
    # Half of them among the first 100 bytes, where the headers are.
    for index in [*rng.integers(0, min(100, count), 20), *rng.integers(0, count, 20)]:
        changed = bytearray(content)
        changed[index] = rng.choice([0, 255, changed[index] ^ 1 << rng.integers(8)])
        yield bytes(changed)
    for kind, size in (("<H", 2), (">H", 2), ("<I", 4), (">I", 4)):
        for side in (0, 1, 50_000, 2 ** (8 * size - 1) - 1, 2 ** (8 * size) - 1):
            yield content.replace(struct.pack(kind, SIDE), struct.pack(kind, side))
    for text in (b"0", b"-1", b"50000", b"9" * 20):
        yield content.replace(b"%d" % SIDE, text)
    for start in (content.find(b"Exif\0\0"), content.find(b"II*\0"), content.find(b"MM\0*")):
        for index in range(start, start + 40, 3) if start >= 0 else ():
            yield content[:index] + b"\xff\xff" + content[index + 2 :]


class TestDamaged:
    @pytest.fixture(autouse=True)
    def limit(self, monkeypatch):
        # A header that says 2 megapixels costs no time.
        monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 1_000_000)

    @pytest.mark.parametrize("action", ["ignore", "error"])
    @pytest.mark.parametrize("name", EXAMPLES)
    def test_damaged_file_is_an_array_or_a_reason(self, tmp_path, name, action):
        results = []
        with warnings.catch_warnings():
            warnings.simplefilter(action)
            for content in damaged(EXAMPLES[name], seed=len(name)):
                (tmp_path / "image.png").write_bytes(content)
                results.append(image_files.read(tmp_path / "image.png", 4))
        for result in results:
            if isinstance(result, str):
                assert REASONS.fullmatch(result), result
            else:
                assert (result.shape, result.dtype) == ((4, 4, 3), np.uint8)
        assert image_files._PIXELS.used == 0
        # Both are there: what cannot be read, and what is only a little different.
        assert {isinstance(result, str) for result in results} == ({True} if name == "tiff_lab" else {True, False})

    @pytest.mark.parametrize("name", EXAMPLES)
    def test_what_is_not_damaged_is_read(self, tmp_path, name):
        (tmp_path / "image").write_bytes(EXAMPLES[name])
        result = image_files.read(tmp_path / "image", 4)
        assert result == "colours in LAB" if name == "tiff_lab" else result.shape == (4, 4, 3)
