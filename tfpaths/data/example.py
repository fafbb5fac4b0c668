"""The types of examples, and how samples of each type are shown and stored: images and points.

Texts are in `strings`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
import tensorflow as tf

from tfpaths.data import pictures


@dataclasses.dataclass(frozen=True)
class Scene:
    """What a picture of samples may show beside them.

    Attributes:
      real: Real examples `[num, *shape]`.
      logits: Examples `[num, *shape]` -> the discriminator's logits, `[num, 1]` or `[num]`.

    Example:
      >>> Scene(np.zeros([5, 2]), lambda points: points.sum(axis=1)).real.shape
      (5, 2)
    """

    real: np.ndarray
    logits: Callable[[np.ndarray], np.ndarray]


class ExampleType:
    """A type of examples: how they are shown and stored.

    Every method takes examples as the data set returns them, float32, or as `stored` returns them.

    Attributes:
      name: The type's name: `image`, `point`, `text`.
      suffix: The suffix of the files of `grid` and `single`.
      is_png: Whether those files are PNGs; otherwise they are texts.
      readable: The name of what `read` returns, `uint8` or `string`; None if there is only one form of an example.
      grid_size: The number of samples in a grid during training.
      grid_columns: The number of samples in a row of that grid.

    Example:
      >>> {name: example.grid_size for name, example in TYPES.items()}
      {'image': 64, 'point': 512, 'text': 64}
    """

    name: str
    suffix: str = ".png"
    is_png: bool = True
    readable: str | None = None
    grid_size: int = 64
    grid_columns: int = 8

    @property
    def facts(self) -> Mapping[str, Any]:
        """What an export stores besides the name, as JSON values, so that `of` can show its samples."""
        return {}

    def of(self, facts: Mapping[str, Any]) -> Self:
        """Returns the type with the facts of an export.

        Raises:
          KeyError: A fact is missing.
        """
        del facts
        return self

    def grid(self, samples: np.ndarray, columns: int) -> bytes:
        """Returns the content of a file that shows many samples `[num, *shape]`.

        Args:
          samples: The samples.
          columns: Samples in a row, if the type is shown in rows and columns.
        """
        raise NotImplementedError

    def training_grid(self, samples: np.ndarray, scene: Scene) -> bytes:
        """Returns the content of a file that shows the samples of a run during training; by default, `grid`.

        Args:
          samples: `[grid_size, *shape]`.
          scene: What may be shown beside them.
        """
        del scene
        return self.grid(samples, self.grid_columns)

    def single(self, sample: np.ndarray) -> bytes:
        """Returns the content of a file that shows one sample `[*shape]`."""
        raise NotImplementedError

    def stored(self, samples: np.ndarray) -> np.ndarray:
        """Returns samples `[..., *shape]` as a `.npz` file stores them."""
        raise NotImplementedError

    def read(self, samples: tf.Tensor) -> tf.Tensor:
        """Returns samples `[num, *shape]` in the form that `readable` names; it can be called in a graph."""
        raise NotImplementedError


class Image(ExampleType):
    """An image `[height, width, 1 or 3]` in [-1, 1], stored as uint8 in [0, 255].

    Example:
      >>> IMAGE.stored(np.array([-1.0, 0.0, 1.0, 3.0]))
      array([  0, 128, 255, 255], dtype=uint8)
    """

    name = "image"
    readable = "uint8"

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

    def read(self, samples: tf.Tensor) -> tf.Tensor:
        """Returns images in [-1, 1] as levels in [0, 255], uint8."""
        return tf.cast(tf.clip_by_value(tf.round((samples + 1.0) * 127.5), 0.0, 255.0), tf.uint8)


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

    def training_grid(self, samples: np.ndarray, scene: Scene) -> bytes:
        """Returns a PNG with all points in one plane, over the real points and the contours of the discriminator."""
        return pictures.scatter(self.stored(samples), real=self.stored(scene.real), logits=scene.logits)

    def single(self, sample: np.ndarray) -> bytes:
        return pictures.scatter(self.stored(sample)[np.newaxis])

    def stored(self, samples: np.ndarray) -> np.ndarray:
        return np.asarray(samples, np.float32)


IMAGE, POINT = Image(), Point()
# Name -> type: an export names the type of its samples. `strings` adds texts.
TYPES: dict[str, ExampleType] = {kind.name: kind for kind in (IMAGE, POINT)}
