"""MS-SSIM between samples: a high value means that they look alike. The value of real images is reported with it.

    MS-SSIM = l_M^w_M prod_j (c_j s_j)^w_j        Wang, Simoncelli and Bovik 2003

At each scale j the contrast c and structure s of two images are compared in a Gaussian window, and the images are then
halved. The luminance l is compared at the last scale M only. TensorFlow computes it per channel and averages over the
channels.
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

# Wang et al. 2003, section 3.2: five scales, an 11×11 window of standard deviation 1.5, images of at least 176 pixels.
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_SIGMA = 1.5
# Not from the paper, for small images: the inner 7×7 of the window, and only the scales that are at least as large.
FILTER_SIZE = 7
# The number of batches, and of images in each: Fedus, Rosca et al. 2017, section 5.3.
BATCHES, BATCH = 5, 64
_IMAGES = BATCHES * BATCH


def weights(side: int) -> tuple[float, ...]:
    """Returns the weights of the scales for images of `side` pixels.

    Each scale halves the side. The weights are Wang's, of the scales whose side is at least the window's 7 pixels,
    divided by their sum. Images of 28 and 32 pixels have 3 scales, those of 64 have 4.

    Args:
      side: The shorter side of the images, in pixels.

    Raises:
      ValueError: `side` is smaller than the window.

    Example:
      >>> len(weights(28)), len(weights(64))
      (3, 4)
      >>> round(sum(weights(28)), 4)
      1.0
    """
    count = sum(side // 2**scale >= FILTER_SIZE for scale in range(len(_WEIGHTS)))
    if count == 0:
        raise ValueError(f"Expected images of at least {FILTER_SIZE} pixels, received {side}.")
    return tuple(weight / sum(_WEIGHTS[:count]) for weight in _WEIGHTS[:count])


def ms_ssim(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Returns the MS-SSIM of pairs of images, `[batch]`, in [0, 1]; it is 1 for equal images.

    Args:
      first: `[batch, height, width, channels]` in [-1, 1].
      second: The other images, of the same shape.

    Example:
      >>> images = tf.random.stateless_uniform([2, 28, 28, 1], [0, 0], -1.0, 1.0)
      >>> np.round(ms_ssim(images, images), 4).tolist()
      [1.0, 1.0]
    """
    return tf.image.ssim_multiscale(
        # [-1, 1] -> [0, 1]: the luminance term needs a brightness that is not negative.
        (first + 1) / 2,
        (second + 1) / 2,
        max_val=1.0,
        power_factors=weights(min(first.shape[1:3])),
        filter_size=FILTER_SIZE,
        filter_sigma=_SIGMA,
    )


def mean_over_pairs(images: np.ndarray) -> float:
    """Returns the mean MS-SSIM over all pairs of different images within each batch of 64.

    A batch has 64 · 63 / 2 = 2,016 pairs. Images of different batches are not compared.

    Args:
      images: `[batches * 64, height, width, channels]` in [-1, 1].

    Raises:
      ValueError: There are no images, or their number is not a multiple of 64.

    Example:
      >>> round(mean_over_pairs(np.zeros([64, 28, 28, 3], np.float32)), 4)
      1.0
    """
    if len(images) == 0 or len(images) % BATCH:
        raise ValueError(f"Expected a multiple of {BATCH} images, received {len(images)}.")
    rows, columns = np.triu_indices(BATCH, k=1)  # [2016] each
    values = []
    for start in range(0, len(images), BATCH):
        batch = tf.constant(images[start : start + BATCH])
        # A few hundred pairs at a time stay in the CPU's cache.
        for part in range(0, len(rows), _PAIRS):
            pairs = slice(part, part + _PAIRS)
            values.append(_compiled()(batch, rows[pairs], columns[pairs]))
    return float(np.mean(values))


# Pairs in one call: 2,016 / 8.
_PAIRS = 252


@functools.cache
def _compiled():
    # One trace for each size of image: the number of scales depends on it.
    @tf.function(autograph=False)
    def mean(batch, rows, columns):
        # The pairs become channels of one image, since MS-SSIM averages over the channels. TensorFlow's convolution of
        # many channels is ten times as fast as that of many images.
        batch = tf.transpose(batch, [1, 2, 0, 3])  # [height, width, 64, channels]
        height, width = batch.shape[:2]
        first, second = (
            tf.reshape(tf.gather(batch, index, axis=2), [1, height, width, -1]) for index in (rows, columns)
        )
        return ms_ssim(first, second)[0]

    return mean


@METRICS.register("ms_ssim")
class MSSSIM(Metric):
    """The mean MS-SSIM between samples (`ms_ssim`), and between real images (`ms_ssim_real`).

    Both use 5 batches of 64 images; `evaluation.samples` has no effect.

    Example:
      >>> from tfpaths import config as config_lib
      >>> MSSSIM().protocol(Context(config_lib.Data(name="color_mnist"), config_lib.Evaluation()))
      {'ms_ssim': '5 batches of 64, all pairs, 3 scales'}
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
