"""The choice of `--precision=auto`: bfloat16 where its matrix product is faster here, by measurement."""

import statistics
import time

import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import progress
from tfpaths.runs import distribution

# A product of two matrices of this size, with about 1e9 products: milliseconds on a CPU.
_SIZE, _TURNS = 1024, 7
# The size on an accelerator, which computes the smaller one in less time than it takes to start it.
_LARGE_SIZE = 8192
# bfloat16 must be faster by this factor: less would not pay for the casts of a step, and noise would decide.
FACTOR = 1.25


def settled(config: config_lib.Training, strategy: tf.distribute.Strategy) -> config_lib.Training:
    """Returns the config with its `precision`, if it is `auto`, as `mixed_bfloat16` or `float32`.

    bfloat16 is chosen if its matrix product is at least 1.25 times as fast as that of float32 on every worker. The
    run's config stores the choice, so that a resumed run keeps it on any device.

    Args:
      config: The experiment.
      strategy: Where it runs; all workers must call this.

    Example:
      >>> from tfpaths import experiments
      >>> settled(experiments.get("color_mnist_ns"), distribution.get("one_device")).precision
      'float32'
    """
    if config.precision != "auto":
        return config
    ratio = speedup(strategy)
    is_slow = distribution.any_worker(ratio < FACTOR, strategy)
    chosen: config_lib.Precision = "float32" if is_slow else "mixed_bfloat16"
    progress.say(f"precision: {chosen}; here the matrix product in bfloat16 is {ratio:.2g} times as fast as in float32")
    return config.replace(precision=chosen)


def speedup(strategy: tf.distribute.Strategy) -> float:
    """Returns how many times as fast a matrix product in bfloat16 is as in float32, on this worker's first device.

    The median of seven turns; each measures both.

    Example:
      >>> speedup(distribution.get("one_device")) > 0
      True
    """
    device = distribution.devices(strategy)[0]
    size = _SIZE if tf.DeviceSpec.from_string(device).device_type == "CPU" else _LARGE_SIZE
    with tf.device(device):
        values = tf.random.stateless_uniform([size, size], [0, 0], -1.0, 1.0)
        pair = [tf.cast(values, dtype) for dtype in (tf.float32, tf.bfloat16)]
        product = tf.function(lambda matrix: tf.matmul(matrix, matrix)[0, 0], autograph=False)
        turns = [[_seconds(product, matrix) for matrix in pair] for _ in range(1 + _TURNS)]
    return statistics.median(single / half for single, half in turns[1:])  # The first turn traces.


def _seconds(product: tf.types.experimental.PolymorphicFunction, matrix: tf.Tensor) -> float:
    start = time.perf_counter()
    product(matrix).numpy()
    return time.perf_counter() - start
