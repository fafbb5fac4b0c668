"""The base classes of data sets of points in the plane: drawn from a formula, many with an exact density."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfpaths import streams
from tfpaths.data import examples as examples_lib
from tfpaths.data.dataset import DataSet
from tfpaths.data.example import POINT
from tfpaths.data.examples import Examples
from tfpaths.schema import PositiveInt
from tfpaths.streams import Stream

# A sample is near a mode within this many standard deviations: 98.9 % of a Gaussian in the plane, 1 - exp(-9 / 2).
NEAR = 3.0
# A multiple of the numbers that a CPU computes at a time.
_VECTOR = 64
# A mixture of Gaussians: its weights `[K]`, means `[K, d]` and covariances `[K, d, d]`, float64.
Law = tuple[np.ndarray, np.ndarray, np.ndarray]


class Points(DataSet):
    """Points in the plane, drawn from a formula. A subclass defines `draw`, and `log_density` if it has a closed form.

    Point i of a split is a pure function of (seed, split, i): a larger split begins with the points of a smaller one.

    Args:
      examples: The number of points in each split. A point needs 16 bytes.

    Attributes:
      centres: The centre of each mode, `[modes, 2]`; None if there are no modes.
      deviation: The standard deviation of a mode in each coordinate.

    Example:
      >>> from tfpaths import data
      >>> ring = data.load("ring", examples=1000)
      >>> ring.shape, ring.size
      ((2,), 1000)
    """

    splits = ("train", "validation", "test")
    sources = ("drawn",)
    example = POINT
    shape = (2,)
    networks = "mlp"
    centres: np.ndarray | None = None
    deviation: float = 0.0

    def __init__(self, *, examples: PositiveInt = 100_000):
        self.examples = examples

    @property
    def modes(self) -> int | None:  # type: ignore[override]
        return None if self.centres is None else len(self.centres)

    def draw(self, stream: Stream, shape: Sequence[int]) -> tf.Tensor:
        """Draws points, `[*shape, 2]`, float32.

        Args:
          stream: A stream; that of an ensemble if `shape` begins with the runs.
          shape: The shape before the coordinates.
        """
        raise NotImplementedError

    def log_density(self, points: np.ndarray) -> np.ndarray | None:
        """Returns log p(x), in nats, float64 `[num]`; -inf where p is 0. None if there is no closed form.

        Args:
          points: x, `[num, 2]`.
        """
        del points
        return None

    def law(self) -> Law | None:
        """Returns the exact distribution if it is a mixture of Gaussians that may be singular, or None."""
        return None

    def read(self, split: str, *, source: str, seed: int, data_dir: str | None) -> Examples:
        del source, data_dir
        stream = streams.root(seed).fold(self.splits.index(split))
        # Whole vectors, cut afterwards: TensorFlow rounds the rest of a vector differently.
        points = self.draw(stream, (-(-self.examples // _VECTOR) * _VECTOR,))[: self.examples]
        modes = None if self.centres is None else np.full(len(self.centres), 1 / len(self.centres))
        labels = np.zeros(self.examples, np.int64) if self.centres is None else self.nearest(points.numpy())[0]
        return examples_lib.in_memory(self.name, split, "drawn", points, labels, modes=modes)

    def nearest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the nearest mode of each point, `[num]`, and whether it is within `NEAR` deviations, `[num]`.

        Args:
          points: `[num, 2]`; the data set has modes.

        Example:
          >>> from tfpaths import data
          >>> modes, near = data.get("mog")().nearest(np.array([[4.0, 1.0], [-1.0, 0.0]]))
          >>> modes.tolist(), near.tolist()
          ([1, 0], [True, False])
        """
        assert self.centres is not None
        distances = np.linalg.norm(points[:, np.newaxis].astype(np.float64) - self.centres, axis=-1)  # [num, modes]
        return distances.argmin(axis=1), distances.min(axis=1) <= NEAR * self.deviation


class Mixture(Points):
    """Equally likely Gaussians with one standard deviation: a subclass has `centres` and `deviation`.

        p(x) = mean_k N(x; c_k, s^2 I)

    Example:
      >>> from tfpaths import data
      >>> import math
      >>> mixture = data.get("mog")()
      >>> peak = mixture.log_density(mixture.centres[:1])  # log(1/2 · 1 / (2 pi s^2)), s = 1/2
      >>> round(float(peak[0] - math.log(1 / math.pi)), 6)
      0.0
    """

    def draw(self, stream: Stream, shape: Sequence[int]) -> tf.Tensor:
        assert self.centres is not None
        centres = tf.constant(self.centres, tf.float32)
        chosen = tf.cast(stream.fold(0).uniform(shape) * len(self.centres), tf.int32)
        return tf.gather(centres, chosen) + self.deviation * stream.fold(1).normal((*shape, 2))

    def log_density(self, points: np.ndarray) -> np.ndarray:
        assert self.centres is not None
        squares = np.square(points[:, np.newaxis].astype(np.float64) - self.centres).sum(axis=-1)  # [num, modes]
        variance = self.deviation**2
        exponents = -squares / (2 * variance)
        return np.logaddexp.reduce(exponents, axis=1) - np.log(2 * np.pi * variance * len(self.centres))


def log_normal(x: np.ndarray, mean: np.ndarray | float, deviation: np.ndarray | float) -> np.ndarray:
    """Returns log N(x; mean, deviation^2) of numbers, element by element, float64.

    Example:
      >>> round(float(log_normal(np.zeros(1), 0.0, 1.0)[0]), 4)  # -log(2 pi) / 2
      -0.9189
    """
    scaled = (np.asarray(x, np.float64) - mean) / deviation
    return -0.5 * np.square(scaled) - np.log(deviation) - 0.5 * np.log(2 * np.pi)
