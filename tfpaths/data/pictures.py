"""Draws samples: images in a grid, points in a plane."""

import numpy as np
import tensorflow as tf


def grid(images: np.ndarray, columns: int, *, gap: int = 2) -> np.ndarray:
    """Lays out images row by row, `gap` black pixels apart.

    Args:
      images: `[rows * columns, height, width, channels]` in [-1, 1].
      columns: How many are side by side.
      gap: Pixels between and around them.

    Returns:
      uint8 `[rows * (height + gap) + gap, columns * (width + gap) + gap, channels]`.

    Raises:
      ValueError: The images do not fill the rows.
    """
    return tiled(levels(np.asarray(images)), columns, gap=gap)


def tiled(pixels: np.ndarray, columns: int, *, gap: int = 2) -> np.ndarray:
    """Does what `grid` does, with images that are uint8 already."""
    count, height, width, channels = pixels.shape
    if count % columns:
        raise ValueError(f"Expected a multiple of {columns} images, received {count}.")
    pixels = np.pad(pixels, ((0, 0), (gap, 0), (gap, 0), (0, 0)))
    rows = pixels.reshape(count // columns, columns, height + gap, width + gap, channels).transpose(0, 2, 1, 3, 4)
    picture = rows.reshape(count // columns * (height + gap), columns * (width + gap), channels)
    return np.pad(picture, ((0, gap), (0, gap), (0, 0)))


def levels(images: np.ndarray) -> np.ndarray:
    """Maps [-1, 1] to the nearest of the levels 0 to 255, uint8; values outside are clipped."""
    return np.clip(np.rint((images + 1.0) * 127.5), 0, 255).astype(np.uint8)


def png(picture: np.ndarray) -> bytes:
    """Returns the content of a PNG file of a picture, uint8 `[height, width, 1 or 3]`."""
    return tf.io.encode_png(picture).numpy()


def scatter(points: np.ndarray, *, width: int = 512) -> bytes:
    """Draws the first two coordinates of points `[num, dimensions]`; a single coordinate is drawn on the first axis.

    Points that are not finite are left out. The axes reach to a power of two, at least 1, so that they rarely change
    from one drawing to the next; the outermost hundredth of the points may be outside.

    Returns:
      The content of a square PNG file of `width` pixels.
    """
    import matplotlib.figure

    from tfpaths import plotting

    plane = np.pad(points, ((0, 0), (0, 1)))[:, :2]
    plane = plane[np.isfinite(plane).all(axis=1)]
    reach = float(np.quantile(np.abs(plane).max(axis=1), 0.99)) if len(plane) else 1.0
    limit = 2.0 ** np.ceil(np.log2(max(reach, 1.0)))

    def draw() -> matplotlib.figure.Figure:
        figure = matplotlib.figure.Figure(figsize=(4, 4), layout="constrained")
        axes = figure.subplots()
        axes.plot(*plane.T, ".", color="#0072B2", markersize=3)
        # A point on the edge is shown whole.
        axes.set(xlim=(-1.05 * limit, 1.05 * limit), ylim=(-1.05 * limit, 1.05 * limit), aspect="equal")
        return figure

    return plotting.png(draw, width=width)
