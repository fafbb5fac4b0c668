"""What becomes of each of Pillow's modes: 8-bit levels of grey or RGB on white, or the reason why not."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import PIL.Image


def convert(image: "PIL.Image.Image") -> "PIL.Image.Image | str":
    """Returns a decoded image as mode L or RGB, on white where it is transparent, or the reason why it is refused.

    An image that is L or RGB is returned as it is, without a copy. A grey image stays L, because RGB needs four times
    the memory.

    Args:
      image: The image as Pillow opened it.

    Example:
      >>> import PIL.Image
      >>> half = PIL.Image.new("LA", (1, 1), (0, 51))
      >>> convert(half).getpixel((0, 0))
      (204, 204, 204)
      >>> convert(PIL.Image.new("LAB", (1, 1)))
      'colours in LAB'
    """
    mode = _mode(image)
    step = MODES.get(mode, f"pixels in Pillow's mode {mode}")
    return step if isinstance(step, str) else step(image)


def _mode(image: "PIL.Image.Image") -> str:
    """Returns Pillow's mode, or a finer name where the mode alone does not determine what the numbers mean."""
    # In PNG and PGM, 32-bit numbers are 16-bit levels.
    if image.mode == "I" and image.format in ("PNG", "PPM"):
        return "I;16"
    if image.format == "TIFF" and image.mode.startswith("I;16"):
        tags = getattr(image, "tag_v2", {})
        # BitsPerSample; Pillow does not scale 12 bits to 16.
        if tags.get(258) == (12,):
            return "I;12"
        # PhotometricInterpretation: 0 is white. Pillow inverts up to 8 bits alone.
        if tags.get(262) == 0:
            return "I;16 inverted"
    return image.mode


def _grey(image: "PIL.Image.Image") -> "PIL.Image.Image":
    if "transparency" in image.info:
        return _on_white(image)
    return image if image.mode == "L" else image.convert("L")


def _color(image: "PIL.Image.Image") -> "PIL.Image.Image":
    if "transparency" in image.info:
        return _on_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_white(image: "PIL.Image.Image") -> "PIL.Image.Image":
    """Returns `a x + (1 - a) 255`: without a background, the hidden colours of transparent pixels would show."""
    import PIL.Image

    if image.mode == "La":
        # Pillow has no direct conversion.
        image = image.convert("LA")
    layers = image if image.mode == "RGBA" else image.convert("RGBA")
    page = PIL.Image.new("RGB", layers.size, "white")
    page.paste(layers, mask=layers)
    return page


def _scaled(image: "PIL.Image.Image") -> "PIL.Image.Image":
    """Returns the nearest level to `v / 257`, since 65535 = 257 × 255; Pillow's own conversion clips v at 255."""
    import PIL.Image

    levels = np.asarray(image).astype(np.uint16)
    if (transparent := image.info.get("transparency")) is not None:
        levels[levels == transparent] = 65535
    # From 65407 on it is 255, and adding 128 would overflow.
    return PIL.Image.fromarray(((np.minimum(levels, 65407) + 128) // 257).astype(np.uint8))


# Pillow's mode, or `_mode`'s finer name -> the conversion, or why there is none. Any other mode is refused by name.
MODES: dict[str, "Callable[[PIL.Image.Image], PIL.Image.Image] | str"] = {
    "1": _grey,
    "L": _grey,
    "P": _color,
    "RGB": _color,
    "RGBX": _color,
    "CMYK": _color,
    "YCbCr": _color,
    "HSV": _color,
    "RGBA": _on_white,
    "RGBa": _on_white,
    "LA": _on_white,
    "La": _on_white,
    "PA": _on_white,
    "I;16": _scaled,
    "I;16L": _scaled,
    "I;16B": _scaled,
    "I;16N": _scaled,
    "I;12": "12-bit levels",
    "I;16 inverted": "16-bit levels whose white is 0",
    "I": "32-bit numbers, whose white is not defined",
    "F": "32-bit numbers, whose white is not defined",
    "LAB": "colours in LAB",
}
