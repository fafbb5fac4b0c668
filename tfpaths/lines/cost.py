"""What a study costs: its operations, and about how long they take here."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib

# What a block reaches of the rate of one large matrix product, measured with `benchmarks.ensemble`.
_SHARE_OF_PEAK = 0.42


def operations(config: config_lib.Study) -> int:
    """Returns the floating-point operations of a study's matrix products."""
    study, variant = config.study, config.variant
    once = 2 * config.schedule.batch_size * (study.width * (study.dimension + (study.depth - 1) * study.width + 1))
    # Passes through the discriminator. Two forward, and two backward that cost two each; a penalty adds a forward pass,
    # its gradient, and the way back through the gradient, for two: through the forward pass nothing comes back, since
    # no derivative sees the slopes. The generator's update is one forward and one backward to the input.
    update = 6 + 4 * len(variant.penalties)
    return once * (update * variant.discriminator_steps + 2) * config.schedule.steps * study.runs


def seconds(studies: Sequence[config_lib.Study], finished: Sequence[int]) -> float:
    """Estimates how long studies take here: their products, at the rate that this machine makes them right now.

    Args:
      studies: The studies.
      finished: How many runs of each are finished already.
    """
    left = sum(
        operations(study) * max(1 - done / study.study.runs, 0.0) for study, done in zip(studies, finished, strict=True)
    )
    return left / (_SHARE_OF_PEAK * _product_rate())


def _product_rate() -> float:
    """Measures the rate of one large matrix product, in operations per second."""
    side = 1024
    square = tf.ones([side, side])
    product = tf.function(lambda x: tf.matmul(x, x) / side, autograph=False)
    product(square)
    rates = []
    for _ in range(5):
        began = tf.timestamp()
        product(square).numpy()
        rates.append(2 * side**3 / float(tf.timestamp() - began))
    return float(np.median(rates))
