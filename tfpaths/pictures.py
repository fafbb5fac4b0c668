"""Images -> one picture."""

import numpy as np
import tensorflow as tf


def grid(images: np.ndarray, columns: int, *, gap: int = 2) -> np.ndarray:
    """Lays out images row by row, `gap` black pixels apart.

    Args:
      images: `[rows * columns, height, width, channels]` in [-1, 1].
      columns: how many stand side by side.
      gap: pixels between them and around them.

    Returns:
      uint8, `[rows * (height + gap) + gap, columns * (width + gap) + gap, channels]`.

    Raises:
      ValueError: the images do not fill the rows.
    """
    return tiled(levels(np.asarray(images)), columns, gap=gap)


def tiled(pixels: np.ndarray, columns: int, *, gap: int = 2) -> np.ndarray:
    """`grid` of images that are uint8 already."""
    count, height, width, channels = pixels.shape
    if count % columns:
        raise ValueError(f"Expected a multiple of {columns} images, received {count}.")
    pixels = np.pad(pixels, ((0, 0), (gap, 0), (gap, 0), (0, 0)))
    rows = pixels.reshape(count // columns, columns, height + gap, width + gap, channels).transpose(0, 2, 1, 3, 4)
    picture = rows.reshape(count // columns * (height + gap), columns * (width + gap), channels)
    return np.pad(picture, ((0, gap), (0, gap), (0, 0)))


def levels(images: np.ndarray) -> np.ndarray:
    """[-1, 1] -> the nearest of the levels 0 to 255, uint8; what is beyond becomes the last one."""
    return np.clip(np.rint((images + 1.0) * 127.5), 0, 255).astype(np.uint8)


def png(picture: np.ndarray) -> bytes:
    """uint8 `[height, width, 1 or 3]` -> the bytes of a PNG file."""
    return tf.io.encode_png(picture).numpy()
