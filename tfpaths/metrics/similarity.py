"""MS-SSIM among samples: high where they look alike, so that real images' own value belongs beside it.

Wang, Simoncelli and Bovik 2003: at each scale the contrast and structure of two images are compared in a Gaussian
window, the images are then halved, and the product over scales, each to the power of a weight, includes the luminance
at the last. TensorFlow computes it, per channel, and averages over channels.
"""

import functools

import numpy as np
import tensorflow as tf

# Wang et al. 2003, section 3.2: five scales, an 11×11 window of deviation 1.5, images of at least 176 pixels.
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_SIGMA = 1.5
# Ours, for small images: the window's inner 7×7, and as many of the first scales as it fits into.
FILTER_SIZE = 7
# Fedus, Rosca et al. 2017, section 5.3.
BATCHES, BATCH = 5, 64
# Everything that a value depends on beside the images.
PROTOCOL = (BATCHES, BATCH, FILTER_SIZE, _SIGMA, _WEIGHTS)


def weights(side: int) -> tuple[float, ...]:
    """The scales' weights for images of `side` pixels: Wang's, of those scales that fit, brought to a sum of 1.

    A scale halves the side. 28 and 32 pixels have room for 3 scales, 64 for 4.

    Raises:
      ValueError: not even one scale fits.
    """
    count = sum(side // 2**scale >= FILTER_SIZE for scale in range(len(_WEIGHTS)))
    if count == 0:
        raise ValueError(f"Expected images of at least {FILTER_SIZE} pixels, received {side}.")
    return tuple(weight / sum(_WEIGHTS[:count]) for weight in _WEIGHTS[:count])


def ms_ssim(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """MS-SSIM of pairs of images, `[batch]`, in [0, 1].

    Args:
      first: `[batch, height, width, channels]` in [-1, 1].
      second: the same.
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
    """The mean MS-SSIM over all pairs of different images of each batch of 64: 2,016 pairs to a batch.

    Args:
      images: `[batches * 64, height, width, channels]` in [-1, 1].

    Raises:
      ValueError: they do not fill batches.
    """
    if len(images) == 0 or len(images) % BATCH:
        raise ValueError(f"Expected a multiple of {BATCH} images, received {len(images)}.")
    rows, columns = np.triu_indices(BATCH, k=1)
    values = []
    for start in range(0, len(images), BATCH):
        batch = tf.constant(images[start : start + BATCH])
        # A few hundred pairs at a time stay in the processor's cache.
        for part in range(0, len(rows), _PAIRS):
            pairs = slice(part, part + _PAIRS)
            values.append(_compiled()(batch, rows[pairs], columns[pairs]))
    return float(np.concatenate(values).mean())


_PAIRS = 252  # 2,016 / 8


@functools.cache
def _compiled():
    @tf.function(reduce_retracing=True)
    def pairs(batch, rows, columns):
        return ms_ssim(tf.gather(batch, rows), tf.gather(batch, columns))

    return pairs
