"""What becomes of each of Pillow's modes; every row of the table has a value derived by hand."""

import io
import struct
import sys
import types
import zlib

import numpy as np
import PIL.Image
import pytest

from tfpaths.data import image_modes

PALETTE = [9, 9, 9, 0, 100, 255]


def raw(mode, content):
    """Returns an image of one pixel."""
    image = PIL.Image.frombytes(mode, (1, 1), content)
    if mode in ("P", "PA"):
        image.putpalette(PALETTE)
    return image


def level16(mode):
    order = {"I;16": "<", "I;16L": "<", "I;16B": ">", "I;16N": {"little": "<", "big": ">"}[sys.byteorder]}[mode]
    return raw(mode, struct.pack(order + "H", 25700))


def reopened(image, **options):
    content = io.BytesIO()
    image.save(content, **options)
    return PIL.Image.open(content)


def tiff16(tag, value):
    """Returns a 16-bit grey TIFF with another value of a tag."""
    content = io.BytesIO()
    PIL.Image.fromarray(np.full((1, 1), 25700, np.uint16)).save(content, "TIFF")
    # An entry: tag, type (3: 16 bits), number of values, value.
    head = struct.pack("<HHI", tag, 3, 1)
    before, after = content.getvalue().split(head)
    return PIL.Image.open(io.BytesIO(before + head + struct.pack("<H", value) + after[2:]))


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def grey16_with_transparent_level():
    """Returns a PNG of the levels 25700 and 51400, of which the first is transparent."""
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", 2, 1, 16, 0, 0, 0, 0),
        b"tRNS": struct.pack(">H", 25700),
        b"IDAT": zlib.compress(b"\0" + struct.pack(">HH", 25700, 51400)),
        b"IEND": b"",
    }
    return PIL.Image.open(io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*item) for item in chunks.items())))


CONVERTED = {
    "1": (raw("1", b"\x80"), 255),
    "L": (raw("L", b"\x4d"), 77),
    "P": (raw("P", b"\x01"), (0, 100, 255)),
    "RGB": (raw("RGB", bytes([1, 2, 3])), (1, 2, 3)),
    "RGBX": (raw("RGBX", bytes([1, 2, 3, 4])), (1, 2, 3)),
    # Full cyan and half black: (255 - c) (255 - k) / 255.
    "CMYK": (raw("CMYK", bytes([255, 0, 0, 127])), (0, 128, 128)),
    # r = y + 1.402 (cr - 128) = 170.1, g = y - 0.714 (cr - 128) = 64.3, b = y.
    "YCbCr": (raw("YCbCr", bytes([100, 128, 178])), (170, 64, 100)),
    # A hue of 85 / 255 = 1 / 3 is green.
    "HSV": (raw("HSV", bytes([85, 255, 200])), (0, 200, 0)),
    # a x + (1 - a) 255 with a = 51 / 255 = 1 / 5; in the modes with a small a, x is multiplied by a already.
    "RGBA": (raw("RGBA", bytes([0, 100, 255, 51])), (204, 224, 255)),
    "RGBa": (raw("RGBa", bytes([0, 20, 51, 51])), (204, 224, 255)),
    "LA": (raw("LA", bytes([100, 51])), (224, 224, 224)),
    "La": (raw("LA", bytes([100, 51])).convert("La"), (224, 224, 224)),
    "PA": (raw("PA", bytes([1, 51])), (204, 224, 255)),
    # 25700 = 257 × 100.
    "I;16": (level16("I;16"), 100),
    "I;16L": (level16("I;16L"), 100),
    "I;16B": (level16("I;16B"), 100),
    "I;16N": (level16("I;16N"), 100),
}

REFUSED = {
    "I": (raw("I", struct.pack("=i", 25700)), "32-bit numbers, whose white is not defined"),
    "F": (raw("F", struct.pack("=f", 0.5)), "32-bit numbers, whose white is not defined"),
    "LAB": (raw("LAB", bytes([1, 2, 3])), "colours in LAB"),
    # BitsPerSample.
    "I;12": (tiff16(258, 12), "12-bit levels"),
    # PhotometricInterpretation.
    "I;16 inverted": (tiff16(262, 0), "16-bit levels whose white is 0"),
}


def test_every_mode_has_a_value():
    assert set(image_modes.MODES) == set(CONVERTED) | set(REFUSED)


@pytest.mark.parametrize("mode", CONVERTED)
def test_converted(mode):
    image, expected = CONVERTED[mode]
    assert image.mode == mode
    converted = image_modes.convert(image)
    assert converted.mode in ("L", "RGB")
    assert converted.getpixel((0, 0)) == expected


@pytest.mark.parametrize("mode", REFUSED)
def test_refused(mode):
    image, reason = REFUSED[mode]
    assert image_modes.convert(image) == reason


def test_mode_that_is_not_in_the_table_is_refused_by_name():
    image = types.SimpleNamespace(mode="BGR;15", format="BMP", info={})
    assert image_modes.convert(image) == "pixels in Pillow's mode BGR;15"


def test_every_16_bit_level_is_rounded():
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    converted = image_modes.convert(PIL.Image.fromarray(levels))
    # v / 257 is never between two levels, since 257 is odd.
    np.testing.assert_array_equal(np.asarray(converted), np.rint(levels / 257))


@pytest.mark.parametrize("format_name", ["PNG", "PPM"])
def test_32_bit_numbers_of_png_and_pgm_are_16_bit_levels(format_name):
    # Some versions of Pillow open 16-bit PNGs so.
    image = PIL.Image.fromarray(np.full((1, 1), 25700, np.int32))
    image.format = format_name
    assert image_modes.convert(image).getpixel((0, 0)) == 100


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (reopened(raw("1", b"\x80"), format="PNG", transparency=1), [(255, 255, 255)]),
        (reopened(raw("L", b"\x4d"), format="PNG", transparency=77), [(255, 255, 255)]),
        (reopened(raw("L", b"\x4d"), format="PNG", transparency=78), [(77, 77, 77)]),
        (reopened(raw("RGB", bytes([1, 2, 3])), format="PNG", transparency=(1, 2, 3)), [(255, 255, 255)]),
        (reopened(raw("P", b"\x01"), format="PNG", transparency=1), [(255, 255, 255)]),
        # A fifth of (0, 100, 255).
        (reopened(raw("P", b"\x01"), format="PNG", transparency=bytes([0, 51])), [(204, 224, 255)]),
        # 51400 = 257 × 200.
        (grey16_with_transparent_level(), [255, 200]),
    ],
)
def test_transparent_colors_are_white(image, expected):
    converted = image_modes.convert(image)
    assert [converted.getpixel((x, 0)) for x in range(len(expected))] == expected


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_8_bit_images_are_not_copied(mode):
    image = PIL.Image.new(mode, (2, 2))
    assert image_modes.convert(image) is image
