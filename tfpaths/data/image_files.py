"""Image files below a directory: which are read, and how each becomes a square of RGB pixels."""

import contextlib
import os
import pathlib
import stat
from typing import TYPE_CHECKING

import numpy as np

from tfpaths import errors

if TYPE_CHECKING:
    import PIL.Image


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
    """
    import PIL.Image
    import PIL.ImageOps

    try:
        with PIL.Image.open(file) as image:
            # A camera stores a photograph as its sensor lies, and how to turn it in the EXIF data.
            upright = _eight_bits(PIL.ImageOps.exif_transpose(image), image.format)
            if upright.mode in ("I", "F"):
                return "32-bit numbers, whose white is not defined"
            return np.asarray(PIL.ImageOps.fit(_rgb(upright), (size, size), PIL.Image.Resampling.LANCZOS))
    except MemoryError:
        raise
    except PIL.Image.DecompressionBombError:
        return f"more than {2 * (PIL.Image.MAX_IMAGE_PIXELS or 0):,} pixels"
    except PIL.UnidentifiedImageError:
        return "not an image"
    except PermissionError:
        return "cannot be opened"
    except Exception:  # A damaged file can raise any exception of Pillow's many formats.
        return "damaged"


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _eight_bits(image: "PIL.Image.Image", format_name: str | None) -> "PIL.Image.Image":
    """Returns an image of 16-bit grey levels with 8 bits; any other image as it is.

    Pillow's own conversion clips at 255, so that the image becomes white.
    """
    import PIL.Image

    # In PNG and PGM, 32-bit numbers are 16-bit levels.
    if not (image.mode.startswith("I;16") or (image.mode == "I" and format_name in ("PNG", "PPM"))):
        return image
    # The nearest level to v / 257, since 65535 = 257 × 255.
    return PIL.Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8))


def _rgb(image: "PIL.Image.Image") -> "PIL.Image.Image":
    """Returns an image in RGB; what is transparent is white, as on a page."""
    import PIL.Image

    if image.mode not in ("RGBA", "RGBa", "LA", "La", "PA") and "transparency" not in image.info:
        return image.convert("RGB")
    # Without a background, the hidden colours of the transparent pixels would show.
    layers = image.convert("RGBA")
    page = PIL.Image.new("RGB", layers.size, "white")
    page.paste(layers, mask=layers.getchannel("A"))
    return page
