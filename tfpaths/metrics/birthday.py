"""The birthday test: how many samples must be drawn until two of them are duplicates, and what support that implies.

    p = the probability that two samples are duplicates, estimated by the share of such pairs among n samples
    s = sqrt(2 log 2 / p): of so many samples, two are duplicates with probability 1/2
    support = 1 / p = s^2 / (2 log 2)

Arora and Zhang 2017 (arXiv 1706.08224). Of N equally likely examples a batch of s has no duplicate with probability
prod(1 - i / N), about exp(-s^2 / 2 N), which is 1/2 at s = 1.177 sqrt N. The paper says s^2 for the support; here it
is s^2 / 1.386, which gives N. Its authors look at the most similar pairs of a batch and decide by eye. Here two samples
are duplicates if their Euclidean distance is at most a quantile of the distances between real examples: real examples
have about the support 1 / quantile by definition, and a value says how diverse samples are beside them. The most
similar pairs are drawn for the eye.

The distance is that of the values, pixels or coordinates, as in the paper for CelebA: it needs no classifier, and a
pair that is near in it looks alike. Where a few examples are much more frequent than all others, s is too low: with one
example in ten equal and no other duplicates p is 0.01 and s 11.8, and the batch with probability 1/2 has 17.
"""

import math
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

import numpy as np
import scipy.special

from tfpaths import errors, schema
from tfpaths.data import pictures as pictures_lib
from tfpaths.metrics.blocks import BLOCK, drawn
from tfpaths.metrics.context import Context
from tfpaths.metrics.metric import METRICS, Metric, Picture
from tfpaths.metrics.sources import Source

# Examples are drawn, and compared, in blocks of this size: [1,000, 1,000] distances are 8 MB.
_BLOCK = 1_000
# Arora and Zhang look at so many pairs of a batch.
SHOWN = 20
# Between the two images of a pair, and around it; images below _SIDE pixels are enlarged.
_GAP, _MARGIN, _SIDE, _COLUMNS = 2, 8, 56, 5
_LEVEL = 0.95


class Pairs(NamedTuple):
    """The pairs of a set of examples that are near each other.

    Attributes:
      duplicates: The number of other examples within the threshold, of each example, `[num]`.
      nearest: The pairs at the least distances, nearest first, `[shown, 2]`.
      distances: Their distances, `[shown]`.

    Example: `pairs`.
    """

    duplicates: np.ndarray
    nearest: np.ndarray
    distances: np.ndarray


def threshold(real: np.ndarray, quantile: float) -> float:
    """Returns the quantile of the distances of all pairs of real examples: the k-th least, k = quantile · pairs.

    Args:
      real: `[num, values]`.
      quantile: The share of pairs that are at most so far apart, in (0, 1); k is rounded up.

    Example:
      Three points at the distances 1, 2 and 3:

      >>> threshold(np.array([[0.0], [1.0], [3.0]]), 0.5)
      2.0
    """
    squares = np.concatenate([block[block >= 0] for _, _, block in _blocks(real)])
    index = max(math.ceil(quantile * len(squares)), 1) - 1
    return math.sqrt(float(np.partition(squares, index)[index]))


def pairs(samples: np.ndarray, limit: float, shown: int = SHOWN) -> Pairs:
    """Finds the pairs of samples that are at most `limit` apart, and the nearest ones.

    Args:
      samples: `[num, values]`, at least two.
      limit: The threshold.
      shown: The number of nearest pairs.

    Example:
      >>> found = pairs(np.array([[0.0], [5.0], [0.1], [9.0]]), limit=0.5, shown=1)
      >>> found.duplicates.tolist(), found.nearest.tolist(), found.distances.round(3).tolist()
      ([1, 0, 1, 0], [[0, 2]], [0.1])
    """
    duplicates = np.zeros(len(samples), np.int64)
    # The least squares so far: [shown, 3] of (square, row, column).
    least = np.empty([0, 3])
    # Distances of equal examples are zero up to rounding, relative to their values.
    within = limit**2 + 1e-10 * float(np.square(samples).sum(axis=1).max())
    for first, second, block in _blocks(samples):
        is_near = (block >= 0) & (block <= within)
        duplicates[first : first + len(block)] += is_near.sum(axis=1)
        duplicates[second : second + block.shape[1]] += is_near.sum(axis=0)
        values = np.where(block >= 0, block, np.inf).reshape(-1)
        some = np.argpartition(values, min(shown, len(values) - 1))[:shown]
        rows, columns = np.unravel_index(some, block.shape)
        least = np.concatenate([least, np.stack([values[some], first + rows, second + columns], axis=1)])
        least = least[np.argsort(least[:, 0], kind="stable")][:shown]
    least = least[np.isfinite(least[:, 0])]
    return Pairs(duplicates, least[:, 1:].astype(np.int64), np.sqrt(least[:, 0]))


def _blocks(examples: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yields (row, column, squared distances `[rows, columns]`) for all pairs; -1 where a pair is not to be counted."""
    centred = examples - examples.mean(axis=0)
    norms = np.square(centred).sum(axis=1)
    for first in range(0, len(centred), _BLOCK):
        for second in range(first, len(centred), _BLOCK):
            rows, columns = slice(first, first + _BLOCK), slice(second, second + _BLOCK)
            squares = norms[rows, np.newaxis] + norms[columns] - 2 * centred[rows] @ centred[columns].T
            np.maximum(squares, 0, out=squares)
            if first == second:
                squares[np.tril_indices(len(squares))] = -1  # Each pair once, and no example with itself.
            yield first, second, squares


def estimate(duplicates: np.ndarray) -> dict[str, float]:
    """Returns the batch with a duplicate with probability 1/2, its 95 % interval, and the support.

    The number of duplicate pairs is K = sum d_i / 2. Pairs that share a sample are dependent unless all examples are
    equally likely:

        Var K = pairs (2 (n - 2) c + p (1 - p)),    c = P(both x' and x'' are duplicates of x) - p^2, at least 0

    The interval of E K is that of a Poisson number by the gamma distribution, for K / r and times r, r = Var K / K.
    What does not exist is left out: without any duplicate there is only the lower end.

    Args:
      duplicates: d, the number of duplicates of each sample, `[n]`, n of at least 3.

    Example:
      Three of 300 samples are equal, which is 3 of 44,850 pairs:

      >>> found = estimate(np.array([2, 2, 2] + [0] * 297))
      >>> round(found["birthday_support"]), round(found["birthday"])
      (14950, 144)
    """
    num, count = len(duplicates), float(duplicates.sum()) / 2
    every = num * (num - 1) / 2
    share = count / every
    # Of all (x, x', x''), those where both are duplicates of x.
    shared = float((duplicates * (duplicates - 1)).sum()) / (num * (num - 1) * (num - 2))
    variance = every * (2 * (num - 2) * max(shared - share**2, 0.0) + share * (1 - share))
    ratio = variance / count if variance > 0 else 1.0
    tail = (1 - _LEVEL) / 2
    low = ratio * float(scipy.special.gammaincinv(count / ratio, tail)) if count else 0.0
    high = ratio * float(scipy.special.gammaincinv(count / ratio + 1, 1 - tail))
    counts = {"birthday": count, "birthday_low": min(high, every), "birthday_high": low}
    found = {name: math.sqrt(2 * math.log(2) * every / value) for name, value in counts.items() if value > 0}
    return found | ({"birthday_support": every / count} if count else {})


@METRICS.register("birthday")
class Birthday(Metric):
    """The batch of samples that has a duplicate with probability 1/2, and the support that it implies (`estimate`).

    Args:
      birthday_samples: The number of samples, and of real examples for the threshold, at most the split's.
      birthday_quantile: The share of pairs of real examples that count as duplicates.

    Example:
      >>> from tfpaths import config as config_lib
      >>> from tfpaths.metrics import sources
      >>> context = Context(config_lib.Data(name="mog", examples=500), config_lib.Evaluation())
      >>> centre = sources.samples(lambda num, stream: 0.1 * stream.normal([num, 2]), seed=0)
      >>> found = Birthday().compute(context, centre)
      >>> found["birthday_support"] < 1_000  # less diverse than the data
      True
    """

    opt_in = True

    def __init__(
        self,
        *,
        birthday_samples: Annotated[int, schema.expects("a number of at least 3", lambda number: number >= 3)] = 5_000,
        birthday_quantile: Annotated[
            float, schema.expects("a number above 0 and below 1", lambda share: 0 < share < 1)
        ] = 1e-4,
    ):
        self.birthday_samples = birthday_samples
        self.birthday_quantile = birthday_quantile
        self._limit: float | None = None

    def missing(self, context: Context) -> str | None:
        return None if context.data.example.name in ("image", "point") else "has neither images nor points"

    def check(self, context: Context, count: int | None = None) -> None:
        size = min(context.real.size, self.birthday_samples)
        pairs_of_real = size * (size - 1) / 2
        if pairs_of_real * self.birthday_quantile < 1:
            # Rounded up, so that the number can be taken.
            least = math.ceil(1e6 / pairs_of_real) / 1e6
            raise errors.InputError(
                f"evaluation.birthday_quantile: expected at least {least:g}, one of the pairs of "
                f"{size} real {context.data.example.name}s, received {self.birthday_quantile:g}."
            )

    def compute(self, context: Context, source: Source, count: int | None = None) -> dict[str, float]:
        num = source.at_most(min(count or self.birthday_samples, self.birthday_samples))
        if num < 3:
            raise errors.InputError(f"birthday: expected at least 3 samples, received {num}.")
        return estimate(self._pairs(context, source, num).duplicates)

    def pictures(self, context: Context, source: Source) -> dict[str, Picture]:
        """Returns the sheet of the most similar pairs of images; none of points."""
        if context.data.example.name != "image":
            return {}
        num = source.at_most(self.birthday_samples)
        found = self._pairs(context, source, num)
        images = self._drawn(context, source, num)[found.nearest].reshape(-1, 2, *context.data.shape)
        near = sum(found.distances <= self._threshold(context))
        caption = (
            f"The {len(images)} most similar pairs of {num:,} samples, nearest first: distances of "
            f"{found.distances[0]:.3g} to {found.distances[-1]:.3g}. At most {self._threshold(context):.3g}, as of "
            f"{near} of these pairs, counts as a duplicate."
        )
        return {"birthday_pairs": Picture(pictures_lib.png(sheet(context.data.example.stored(images))), caption)}

    def depends_on(self, context: Context) -> tuple[Any, ...]:
        return (BLOCK,)

    def protocol(self, context: Context) -> dict[str, Any]:
        return {
            "birthday_samples": self.birthday_samples,
            "birthday_quantile": self.birthday_quantile,
            "birthday_threshold": self._threshold(context),
        }

    def _threshold(self, context: Context) -> float:
        if self._limit is None:
            num = min(self.birthday_samples, context.real.size)
            parts = [context.real.some(start, min(_BLOCK, num - start)) for start in range(0, num, _BLOCK)]
            self._limit = threshold(_flat(np.concatenate(parts)), self.birthday_quantile)
        return self._limit

    def _pairs(self, context: Context, source: Source, num: int) -> Pairs:
        def found() -> Pairs:
            return pairs(_flat(self._drawn(context, source, num)), self._threshold(context))

        return context.once(source, ("birthday", num), found)

    def _drawn(self, context: Context, source: Source, num: int) -> np.ndarray:
        """Returns the first `num` samples, float32 `[num, *shape]`."""
        return drawn(context, source, num, "examples", np.asarray)


def _flat(examples: np.ndarray) -> np.ndarray:
    return examples.reshape(len(examples), -1).astype(np.float64)


def sheet(images: np.ndarray) -> np.ndarray:
    """Returns a picture with pairs of images in rows of five, uint8 `[height, width, channels]`.

    Args:
      images: uint8 `[pairs, 2, height, width, channels]`.

    Example:
      >>> sheet(np.zeros([6, 2, 64, 64, 3], np.uint8)).shape  # 2 rows of 64 + 8, 5 columns of 64 + 2 + 64 + 8, and 8
      (152, 698, 3)
    """
    factor = max(_SIDE // images.shape[2], 1)
    images = images.repeat(factor, axis=2).repeat(factor, axis=3)
    # White between and around them.
    images = np.pad(images, ((0, 0), (0, 0), (0, 0), (0, _GAP), (0, 0)), constant_values=255)
    both = np.concatenate([images[:, 0], images[:, 1, :, :-_GAP]], axis=2)
    both = np.pad(both, ((0, -len(both) % _COLUMNS), (0, _MARGIN), (0, _MARGIN), (0, 0)), constant_values=255)
    tiled = pictures_lib.tiled(both, _COLUMNS, gap=0)
    return np.pad(tiled, ((_MARGIN, 0), (_MARGIN, 0), (0, 0)), constant_values=255)
