"""Image files below a directory: which are read, and how each becomes a square of RGB pixels.

The files can come from strangers: no file can start a program, end the reading of the others, or take more than a
limited amount of memory.
"""

import contextlib
import functools
import os
import pathlib
import re
import stat
from typing import IO, TYPE_CHECKING

import numpy as np

from tfpaths import errors
from tfpaths.data import image_modes
from tfpaths.data.budget import Budget

if TYPE_CHECKING:
    import PIL.Image

# The formats of Pillow that are read, with the library that some builds of Pillow lack. Left out are those that start
# another program (EPS), that are rarely maintained, that any file can be (TGA), and ICO, whose header may state another
# size than the image inside. JPEG includes MPO.
_FORMATS = {
    "JPEG": None,
    "PNG": None,
    "GIF": None,
    "WEBP": "webp",
    "BMP": None,
    "TIFF": None,
    "PPM": None,
    "JPEG2000": "jpg_2000",
    "AVIF": "avif",
}

# How files begin, to name what cannot be opened. BMP and PPM begin with two letters, as a text can.
_BEGINNINGS = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "GIF": rb"GIF8[79]a",
    "WEBP": rb"RIFF....WEBP",
    "TIFF": rb"II\*\0|MM\0\*",
    "JPEG2000": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    "AVIF": rb"....ftypavi[fs]",
    "HEIC": rb"....ftyphei[cx]",
    "JPEG XL": rb"\xff\x0a|\0\0\0\x0cJXL ",
    "EPS": rb"%!PS|\xc5\xd0\xd3\xc6",
    "PDF": rb"%PDF",
    "SVG": rb"<svg",
    "PSD": rb"8BPS",
    "ICO": rb"\x00\x00\x01\x00",
    "DDS": rb"DDS ",
    "QOI": rb"qoif",
}
_LONGEST_BEGINNING = 12

# The pixels that are decoded at the same time, over all threads: eight photographs of 12 megapixels. Our own choice.
# Measured for each pixel: 4 bytes for a JPEG, 8 if it is turned, 16 for WebP, 20 for JPEG 2000; 0.4 to 2 GB in sum. An
# image of more, up to Pillow's limit of 179 megapixels, is decoded alone.
_PIXELS = Budget(100_000_000)

# EXIF's orientation -> how the image is turned to be upright.
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


def find(directory: pathlib.Path) -> dict[pathlib.Path, str]:
    """Returns all files below a directory that are not hidden, in the order of the sorted paths.

    A link is what it leads to: links to files and directories are followed, the same on each version of Python.

    Args:
      directory: The directory.

    Returns:
      For each path, why it cannot be read; the empty text if it is a file.

    Raises:
      InputError: A link leads to a directory that contains the link.

    Example:
      >>> pathlib.Path("b").mkdir()
      >>> pathlib.Path("b/x.png").write_text("x") and pathlib.Path("a.png").symlink_to("nowhere")
      >>> {str(path): reason for path, reason in find(pathlib.Path(".")).items()}
      {'a.png': 'a broken link', 'b/x.png': ''}
    """
    found: dict[pathlib.Path, str] = {}
    above = set()
    for parent in directory.resolve().parents:
        with contextlib.suppress(OSError):
            above.add(_identity(parent.stat()))
    # Each directory with the identities of those that contain it.
    pending = [(directory, frozenset(above))]
    while pending:
        current, above_current = pending.pop()
        try:
            identity = _identity(current.stat())
            with os.scandir(current) as entries:
                paths = [current / entry.name for entry in entries if not entry.name.startswith(".")]
        except OSError:
            found[current] = "cannot be opened"
            continue
        if identity in above_current:
            raise errors.InputError(
                f"data.path: {str(current)!r} leads to a directory that contains it, {str(current.resolve())!r}, and "
                "would be read without end. To fix this: remove the link."
            )
        for path in paths:
            try:
                mode = path.stat().st_mode
            except OSError:
                found[path] = "a broken link" if path.is_symlink() else "cannot be opened"
                continue
            if stat.S_ISDIR(mode):
                pending.append((path, above_current | {identity}))
            else:
                # Opening a pipe would wait until something is written to it.
                found[path] = "" if stat.S_ISREG(mode) else "a pipe, socket or device"
    return dict(sorted(found.items()))


def read(file: pathlib.Path, size: int) -> np.ndarray | str:
    """Returns the pixels of an image file, uint8 `[size, size, 3]`, or the reason why it has none.

    The image is turned as its EXIF data says and converted to RGB. Its central square is resized. Of an animation, it
    is the first frame. What is transparent is white. 16-bit levels are scaled to 8 bits. Colour profiles are not
    applied.

    Read are PNG, JPEG, MPO, GIF, WebP, BMP, TIFF, PPM, JPEG 2000 and AVIF, as far as the installed Pillow can. No file
    raises an exception, except a MemoryError if the process has no memory left. Threads that read at the same time wait
    for each other if their images are large. Pillow may warn about a file; if warnings are errors, the file is damaged.

    Args:
      file: The file.
      size: The side of the square, in pixels.

    Example:
      >>> import PIL.Image
      >>> PIL.Image.new("L", (60, 40), 200).save("grey.png")
      >>> read(pathlib.Path("grey.png"), 1).tolist()
      [[[200, 200, 200]]]
      >>> pathlib.Path("notes.txt").write_text("text") and read(pathlib.Path("notes.txt"), 1)
      'not an image'
      >>> pathlib.Path("logo.png").write_text("%!PS-Adobe-3.0 EPSF-3.0") and read(pathlib.Path("logo.png"), 1)
      'EPS, a format that is not read'
    """
    try:
        with file.open("rb") as stream:
            return _read(stream, stream.read(_LONGEST_BEGINNING), size)
    except OSError:
        return "cannot be opened"


def _read(stream: IO[bytes], beginning: bytes, size: int) -> np.ndarray | str:
    """Returns the pixels or the reason, for any content and any error of Pillow's."""
    import PIL.Image

    try:
        # Of a stream, Pillow maps nothing into memory: a mapped file that another process shortens ends this one.
        image = PIL.Image.open(stream, formats=_formats())
        # The header states the size. Closing frees the pixels, before others may use their memory.
        with _PIXELS.reserve(image.width * image.height), contextlib.closing(image):
            return _square(image, size)
    except MemoryError:
        pass
    except PIL.Image.DecompressionBombError:
        return f"more than {2 * (PIL.Image.MAX_IMAGE_PIXELS or 0):,} pixels"
    except PIL.UnidentifiedImageError:
        return _unidentified(beginning)
    except Exception:  # A damaged file can raise any exception of Pillow's many formats.
        return "damaged"
    # A file can ask for any amount of memory, by its size or by damage, and is named. But if there is no memory for an
    # ordinary image of 16 megapixels either, the process is out of memory: it would lose each file that follows, and
    # this line raises the MemoryError. Outside the `except`, because its traceback holds the image.
    np.empty(4 * 16_000_000, np.uint8)
    return "needs more memory than is available"


def _square(image: "PIL.Image.Image", size: int) -> np.ndarray | str:
    """Returns the central square of an opened image, upright and in RGB, or the reason why it is refused."""
    import PIL.Image
    import PIL.ImageOps

    image.load()
    try:
        # A camera stores a photograph as its sensor lies, and how to turn it in the EXIF data. Pillow itself turns a
        # TIFF, while it decodes it.
        turn = None if image.format == "TIFF" else _TURNS.get(image.getexif().get(0x0112, 1))
    except Exception:
        return "damaged EXIF data"
    converted = image_modes.convert(image)
    if isinstance(converted, str):
        return converted
    if turn:
        converted = converted.transpose(PIL.Image.Transpose[turn])
    return np.asarray(PIL.ImageOps.fit(converted, (size, size), PIL.Image.Resampling.LANCZOS).convert("RGB"))


@functools.cache
def _formats() -> tuple[str, ...]:
    """Prepares Pillow, and returns the formats that it can read; `PIL.Image.open` raises a KeyError for any other."""
    import PIL.features
    import PIL.Image

    PIL.Image.init()
    # The C library keeps freed blocks of up to 32 MB, as Pillow's are, for the thread that had them: each thread would
    # hold the memory of its largest image.
    if "PILLOW_BLOCK_SIZE" not in os.environ:
        PIL.Image.core.set_block_size(2**26)
    # Only of formats that this version of Pillow has: it warns of features that it does not know.
    available = [(name, library) for name, library in _FORMATS.items() if name in PIL.Image.OPEN]
    return tuple(name for name, library in available if library is None or PIL.features.check(library))


def _unidentified(beginning: bytes) -> str:
    """Returns why Pillow cannot open a file: what its first bytes say, without any decoder."""
    for name, pattern in _BEGINNINGS.items():
        if re.match(pattern, beginning, re.DOTALL):
            return "damaged" if name in _formats() else f"{name}, a format that is not read"
    return "not an image"


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
