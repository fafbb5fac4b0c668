"""Pictures of samples: images in a grid, points in a plane."""

import numpy as np
import tensorflow as tf


def grid(images: np.ndarray, columns: int, *, gap: int = 2) -> np.ndarray:
    """Returns a picture of images in rows, with `gap` black pixels between and around them.

    Args:
      images: `[rows * columns, height, width, channels]` in [-1, 1].
      columns: The number of images in a row.
      gap: The width of the gaps, in pixels.

    Returns:
      uint8 `[rows * (height + gap) + gap, columns * (width + gap) + gap, channels]`.

    Raises:
      ValueError: The last row is incomplete.

    Example:
      >>> grid(np.zeros([6, 28, 28, 3]), columns=3).shape
      (62, 92, 3)
    """
    return tiled(levels(np.asarray(images)), columns, gap=gap)


def tiled(pixels: np.ndarray, columns: int, *, gap: int = 2) -> np.ndarray:
    """Returns what `grid` returns, for images that are uint8 already.

    Example:
      >>> tiled(np.full([1, 1, 1, 1], 255, np.uint8), 1, gap=1)[..., 0].tolist()
      [[0, 0, 0], [0, 255, 0], [0, 0, 0]]
    """
    count, height, width, channels = pixels.shape
    if count % columns:
        raise ValueError(f"Expected a multiple of {columns} images, received {count}.")
    # Each image with the gaps above and on its left; those below and on the right of all are added at the end.
    pixels = np.pad(pixels, ((0, 0), (gap, 0), (gap, 0), (0, 0)))
    # [rows, height + gap, columns, width + gap, channels]
    rows = pixels.reshape(count // columns, columns, height + gap, width + gap, channels).transpose(0, 2, 1, 3, 4)
    picture = rows.reshape(count // columns * (height + gap), columns * (width + gap), channels)
    return np.pad(picture, ((0, gap), (0, gap), (0, 0)))


def levels(images: np.ndarray) -> np.ndarray:
    """Maps values in [-1, 1] to the nearest level from 0 to 255, uint8; values outside are clipped.

    Example:
      >>> levels(np.array([-1.0, 0.0, 1.0, 3.0])).tolist()
      [0, 128, 255, 255]
    """
    return np.clip(np.rint((images + 1.0) * 127.5), 0, 255).astype(np.uint8)


def png(picture: np.ndarray) -> bytes:
    """Returns the content of a PNG file with a picture, uint8 `[height, width, 1 or 3]`.

    Example:
      >>> tf.io.decode_png(png(np.zeros([62, 92, 3], np.uint8))).shape
      TensorShape([62, 92, 3])
    """
    return tf.io.encode_png(picture).numpy()


def scatter(points: np.ndarray, *, width: int = 512) -> bytes:
    """Draws the first two coordinates of points; a single coordinate is drawn on the first axis.

    Points that are not finite are left out. The axes end at a power of two, at least 1, so that they rarely change
    from one drawing to the next. The outermost hundredth of the points may be outside.

    Args:
      points: `[num, dimensions]`.
      width: The side of the picture, in pixels.

    Returns:
      The content of a square PNG file.

    Example:
      >>> tf.io.decode_png(scatter(np.zeros([10, 2]), width=128), channels=3).shape
      TensorShape([128, 128, 3])
    """
    import matplotlib.figure

    from tfpaths import plotting

    plane = np.pad(points, ((0, 0), (0, 1)))[:, :2]  # [num, 2]
    plane = plane[np.isfinite(plane).all(axis=1)]
    reach = float(np.quantile(np.abs(plane).max(axis=1), 0.99)) if len(plane) else 1.0
    limit = 2.0 ** np.ceil(np.log2(max(reach, 1.0)))

    def draw() -> matplotlib.figure.Figure:
        figure = matplotlib.figure.Figure(figsize=(4, 4), layout="constrained")
        axes = figure.subplots()
        axes.plot(*plane.T, ".", color="#0072B2", markersize=3)
        # The margin shows points at the limit completely.
        axes.set(xlim=(-1.05 * limit, 1.05 * limit), ylim=(-1.05 * limit, 1.05 * limit), aspect="equal")
        return figure

    return plotting.png(draw, width=width)
