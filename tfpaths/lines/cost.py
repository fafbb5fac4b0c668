"""The cost of a study: its floating-point operations, and an estimate of their time on this machine."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib

# A block's share of the rate of one large matrix product, measured with `benchmarks.ensemble`.
_SHARE_OF_PEAK = 0.42


def operations(config: config_lib.Study) -> int:
    """Returns the floating-point operations of the networks' matrix products, over all runs of a study.

        forward    = 2 batch_size width (dimension + (depth - 1) width + 1)
        operations = forward ((6 + 4 penalties) discriminator_steps + 2) steps runs

    On points the generator is as large as the discriminator: a forward pass for each update, and a backward pass.

    Example:
      >>> config = config_lib.Study(
      ...     name="one", variant=config_lib.Variant(name="ns", loss=config_lib.Loss(name="non_saturating")),
      ...     study=config_lib.Lines(runs=1, dimension=2, width=1, depth=1),
      ...     schedule=config_lib.StudySchedule(steps=1, batch_size=1))
      >>> operations(config)  # 6 for a forward pass, times 6 + 2 passes
      48
    """
    study, variant = config.study, config.variant
    dimension = study.dimension if isinstance(study, config_lib.Lines) else 2
    forward = 2 * config.schedule.batch_size * (study.width * (dimension + (study.depth - 1) * study.width + 1))
    # In forward passes of the discriminator: two forward (1 each) and two backward (2 each). A penalty adds 4: a
    # forward pass (1), its gradient by x (1), and the backward pass through that gradient (2). The forward pass of the
    # penalty needs no backward pass, since LeakyReLU's second derivative is 0. The generator's update is one forward
    # pass and one backward pass to the input.
    update = 6 + 4 * len(variant.penalties)
    passes = update * variant.discriminator_steps + 2
    if not isinstance(study, config_lib.Lines):
        passes += variant.discriminator_steps + 3
    return forward * passes * config.schedule.steps * study.runs


def seconds(studies: Sequence[config_lib.Study], finished: Sequence[int]) -> float:
    """Estimates how many seconds the unfinished runs of studies take on this machine.

    It is the number of their operations over the rate of a large matrix product, measured in each call (about 0.2 s),
    times the share of that rate which a block reaches.

    Args:
      studies: The studies.
      finished: The number of finished runs of each study.

    Example:
      >>> from tfpaths import experiments
      >>> seconds([experiments.get("line1_ns")], finished=[1000])
      0.0
    """
    remaining = sum(
        operations(study) * max(1 - done / study.study.runs, 0.0) for study, done in zip(studies, finished, strict=True)
    )
    return remaining / (_SHARE_OF_PEAK * _product_rate())


def _product_rate() -> float:
    """Measures the rate of one large matrix product, in operations per second."""
    side = 1024
    square = tf.ones([side, side])
    product = tf.function(lambda x: tf.matmul(x, x) / side, autograph=False)
    product(square)
    rates = []
    for _ in range(5):
        start = tf.timestamp()
        product(square).numpy()
        rates.append(2 * side**3 / float(tf.timestamp() - start))
    return float(np.median(rates))
