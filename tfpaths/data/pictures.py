"""Pictures of samples: images in a grid, points in a plane."""

from collections.abc import Callable

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


def scatter(
    points: np.ndarray,
    *,
    real: np.ndarray | None = None,
    logits: Callable[[np.ndarray], np.ndarray] | None = None,
    width: int = 512,
) -> bytes:
    """Draws the first two coordinates of points; a single coordinate is drawn on the first axis.

    Points that are not finite are left out. With real points, the axes are theirs, so that pictures of a run can be
    compared: the square that contains them, and a quarter more on each side. Otherwise the axes end at a power of two,
    at least 1, and the outermost hundredth of the points may be outside.

    Args:
      points: `[num, dimensions]`.
      real: Real points, drawn below them, `[num, dimensions]`.
      logits: Points `[num, 2]` -> the discriminator's logits, `[num, 1]` or `[num]`; their contours are drawn below all
        points, if the points have two dimensions.
      width: The side of the picture, in pixels.

    Returns:
      The content of a square PNG file.

    Example:
      >>> tf.io.decode_png(scatter(np.zeros([10, 2]), width=128), channels=3).shape
      TensorShape([128, 128, 3])
    """
    import matplotlib.figure

    from tfpaths import plotting

    plane = _in_plane(points)
    if real is None:
        reach = float(np.quantile(np.abs(plane).max(axis=1), 0.99)) if len(plane) else 1.0
        centre, limit = np.zeros(2), 1.05 * 2.0 ** np.ceil(np.log2(max(reach, 1.0)))
    else:
        low, high = _in_plane(real).min(axis=0), _in_plane(real).max(axis=0)
        centre, limit = (low + high) / 2, 0.75 * max(float((high - low).max()), 1e-3)
    x, y = (np.linspace(middle - limit, middle + limit, _CONTOUR_POINTS) for middle in centre)

    def draw() -> matplotlib.figure.Figure:
        figure = matplotlib.figure.Figure(figsize=(4, 4), layout="constrained")
        axes = figure.subplots()
        if logits is not None and points.shape[1] == 2:
            grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(np.float32)
            heights = np.asarray(logits(grid)).reshape(len(y), len(x))
            if np.isfinite(heights).all() and np.ptp(heights) > 0:
                axes.contour(x, y, heights, levels=12, cmap="Greys", alpha=0.7, linewidths=0.7)
        if real is not None:
            axes.plot(*_in_plane(real).T, ".", color="#E69F00", markersize=3, label="data")
        axes.plot(*plane.T, ".", color="#0072B2", markersize=3, label="samples")
        if real is not None:
            axes.legend(loc="upper right", fontsize=7, markerscale=2, handletextpad=0.2, borderaxespad=0.2)
        axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]), aspect="equal")
        return figure

    return plotting.png(draw, width=width)


# The discriminator is evaluated at so many points along each axis.
_CONTOUR_POINTS = 96


def _in_plane(points: np.ndarray) -> np.ndarray:
    """Returns the first two coordinates of the finite points, `[num, 2]`."""
    plane = np.pad(points, ((0, 0), (0, 1)))[:, :2]
    return plane[np.isfinite(plane).all(axis=1)]
