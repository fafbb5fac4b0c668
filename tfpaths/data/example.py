"""The types of examples, images and points, and how samples of each type are shown and stored."""

import numpy as np

from tfpaths.data import pictures


class ExampleType:
    """A type of examples: how they are shown and stored.

    Every method takes examples as the data set returns them, float32, or as `stored` returns them.

    Attributes:
      name: The type's name: `image`, `point`.
      suffix: The suffix of the files of `grid` and `single`.
      is_png: Whether those files are PNGs, which TensorBoard can show.
      grid_size: The number of samples in a grid during training.
      grid_columns: The number of samples in a row of that grid.

    Example:
      >>> {name: example.grid_size for name, example in TYPES.items()}
      {'image': 64, 'point': 512}
    """

    name: str
    suffix: str = ".png"
    is_png: bool = True
    grid_size: int = 64
    grid_columns: int = 8

    def grid(self, samples: np.ndarray, columns: int) -> bytes:
        """Returns the content of a file that shows many samples `[num, *shape]`.

        Args:
          samples: The samples.
          columns: Samples in a row, if the type is shown in rows and columns.
        """
        raise NotImplementedError

    def single(self, sample: np.ndarray) -> bytes:
        """Returns the content of a file that shows one sample `[*shape]`."""
        raise NotImplementedError

    def stored(self, samples: np.ndarray) -> np.ndarray:
        """Returns samples `[..., *shape]` as a `.npz` file stores them."""
        raise NotImplementedError


class Image(ExampleType):
    """An image `[height, width, 1 or 3]` in [-1, 1], stored as uint8 in [0, 255].

    Example:
      >>> IMAGE.stored(np.array([-1.0, 0.0, 1.0, 3.0]))
      array([  0, 128, 255, 255], dtype=uint8)
    """

    name = "image"

    def grid(self, samples: np.ndarray, columns: int) -> bytes:
        """Returns a PNG with rows of `columns` images; an incomplete last row is filled with black."""
        images = self.stored(samples)
        images = np.pad(images, ((0, -len(images) % columns), (0, 0), (0, 0), (0, 0)))
        return pictures.png(pictures.tiled(images, columns))

    def single(self, sample: np.ndarray) -> bytes:
        return pictures.png(self.stored(sample))

    def stored(self, samples: np.ndarray) -> np.ndarray:
        samples = np.asarray(samples)
        return samples if samples.dtype == np.uint8 else pictures.levels(samples)


class Point(ExampleType):
    """A point `[dimensions]`, stored as float32; its first two coordinates are drawn.

    Example:
      >>> POINT.stored(np.array([[1, 2]]))
      array([[1., 2.]], dtype=float32)
    """

    name = "point"
    grid_size = 512

    def grid(self, samples: np.ndarray, columns: int) -> bytes:
        """Returns a PNG with all points in one plane; `columns` has no effect."""
        return pictures.scatter(self.stored(samples))

    def single(self, sample: np.ndarray) -> bytes:
        return pictures.scatter(self.stored(sample)[np.newaxis])

    def stored(self, samples: np.ndarray) -> np.ndarray:
        return np.asarray(samples, np.float32)


IMAGE, POINT = Image(), Point()
# Name -> type: an export names the type of its samples.
TYPES: dict[str, ExampleType] = {kind.name: kind for kind in (IMAGE, POINT)}
