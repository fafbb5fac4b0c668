"""MS-SSIM among samples: high if they look alike, so that real images' own value is reported beside it.

Wang, Simoncelli and Bovik 2003: at each scale the contrast and structure of two images are compared in a Gaussian
window, the images are then halved, and the product over scales, each to the power of a weight, includes the luminance
at the last. TensorFlow computes it, per channel, and averages over channels.
"""

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tfpaths import errors
from tfpaths.metrics import sources
from tfpaths.metrics.context import Context
from tfpaths.metrics.metric import METRICS, Metric, UnavailableError
from tfpaths.metrics.sources import Source

# Wang et al. 2003, section 3.2: five scales, an 11×11 window of deviation 1.5, images of at least 176 pixels.
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_SIGMA = 1.5
# Ours, for small images: the window's inner 7×7, and as many of the first scales as it fits into.
FILTER_SIZE = 7
# Fedus, Rosca et al. 2017, section 5.3.
BATCHES, BATCH = 5, 64
_IMAGES = BATCHES * BATCH


def weights(side: int) -> tuple[float, ...]:
    """Returns the scales' weights for images of `side` pixels: Wang's, of those scales that fit, scaled to a sum of 1.

    A scale halves the side. 28 and 32 pixels have room for 3 scales, 64 for 4.

    Raises:
      ValueError: Not even one scale fits.

    Example:
      >>> len(weights(28)), len(weights(64))
      (3, 4)
    """
    count = sum(side // 2**scale >= FILTER_SIZE for scale in range(len(_WEIGHTS)))
    if count == 0:
        raise ValueError(f"Expected images of at least {FILTER_SIZE} pixels, received {side}.")
    return tuple(weight / sum(_WEIGHTS[:count]) for weight in _WEIGHTS[:count])


def ms_ssim(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Returns the MS-SSIM of pairs of images, `[batch]`, in [0, 1].

    Args:
      first: `[batch, height, width, channels]` in [-1, 1].
      second: Of the same shape.
    """
    return tf.image.ssim_multiscale(
        # In [0, 1]: the luminance term compares brightness, which has no sign.
        (first + 1) / 2,
        (second + 1) / 2,
        max_val=1.0,
        power_factors=weights(min(first.shape[1:3])),
        filter_size=FILTER_SIZE,
        filter_sigma=_SIGMA,
    )


def mean_over_pairs(images: np.ndarray) -> float:
    """Returns the mean MS-SSIM over all pairs of different images of each batch of 64: 2,016 pairs in a batch.

    Args:
      images: `[batches * 64, height, width, channels]` in [-1, 1].

    Raises:
      ValueError: Their number is no multiple of 64.
    """
    if len(images) == 0 or len(images) % BATCH:
        raise ValueError(f"Expected a multiple of {BATCH} images, received {len(images)}.")
    rows, columns = np.triu_indices(BATCH, k=1)
    values = []
    for start in range(0, len(images), BATCH):
        batch = tf.constant(images[start : start + BATCH])
        # A few hundred pairs at a time stay in the CPU's cache.
        for part in range(0, len(rows), _PAIRS):
            pairs = slice(part, part + _PAIRS)
            values.append(_compiled()(batch, rows[pairs], columns[pairs]))
    return float(np.concatenate(values).mean())


_PAIRS = 252  # 2,016 / 8


@functools.cache
def _compiled():
    @tf.function(reduce_retracing=True, autograph=False)
    def pairs(batch, rows, columns):
        return ms_ssim(tf.gather(batch, rows), tf.gather(batch, columns))

    return pairs


@METRICS.register("ms_ssim")
class MSSSIM(Metric):
    """The mean MS-SSIM of pairs of samples (`ms_ssim`), and that of pairs of real images (`ms_ssim_real`).

    Both are of 5 batches of 64, whatever the number of samples is elsewhere.
    """

    def __init__(self) -> None:
        self._real: float | None = None

    def missing(self, context: Context) -> str | None:
        if context.data.example.name != "image":
            return "has no images"
        if min(context.data.shape[:2]) < FILTER_SIZE:
            return f"has images of fewer than {FILTER_SIZE} pixels"
        return None

    def check(self, context: Context, count: int | None = None) -> None:
        real = context.real
        if real.size < _IMAGES:
            raise UnavailableError(
                f"ms_ssim: expected {_IMAGES} images in the split {real.split} of {real.name}, received {real.size}."
            )

    def compute(self, context: Context, source: Source, count: int | None = None) -> dict[str, float]:
        if source.at_most(_IMAGES) < _IMAGES:
            raise errors.InputError(f"ms_ssim: expected {_IMAGES} images to compare, received {source.size}.")
        value = context.once(source, "ms_ssim", lambda: mean_over_pairs(source.batches(0, _IMAGES)))
        if self._real is None:
            self._real = mean_over_pairs(sources.real(context.real).batches(0, _IMAGES))
        return {"ms_ssim": value, "ms_ssim_real": self._real}

    def protocol(self, context: Context) -> dict[str, Any]:
        scales = len(weights(min(context.data.shape[:2])))
        return {"ms_ssim": f"{BATCHES} batches of {BATCH}, all pairs, {scales} scales"}

    def depends_on(self, context: Context) -> tuple[Any, ...]:
        return BATCHES, BATCH, FILTER_SIZE, _SIGMA, _WEIGHTS
