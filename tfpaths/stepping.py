"""The function that `GAN.fit` calls: several steps on every replica, as one compiled program.

It replaces Keras' function, as Keras allows: with several steps per execution and several devices, Keras' own reduces
scalars wrongly or fails. Each reported value is the mean over replicas of the last step.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def train_function(gan: Any) -> Callable:
    """Returns a function of an iterator of batches that makes `steps_per_execution` steps, for a compiled `GAN`.

    Example: `GAN.make_train_function`.
    """
    strategy, count = gan.distribute_strategy, gan.steps_per_execution
    if gan.run_eagerly:

        def eager(iterator):
            for _ in range(count):
                values = _one_step(gan, gan.train_step, strategy, iterator)
            return values

        return eager
    step = tf.function(gan.train_step, jit_compile=True, autograph=False) if gan.jit_compile else gan.train_step

    # An explicit tf.while_loop, because AutoGraph does not convert a Python loop on every supported Python version. A
    # single step uses the loop too: outside it, TensorFlow fuses other operations, and the last bits differ.
    @tf.function(reduce_retracing=True, autograph=False)
    def compiled(iterator):
        start = {name: tf.constant(0.0) for name in gan.reported}
        _, values = tf.while_loop(
            lambda done, _: done < count,
            lambda done, _: (done + 1, _one_step(gan, step, strategy, iterator)),
            (tf.constant(0), start),
            maximum_iterations=count,
        )
        return values

    return compiled


def _one_step(gan: Any, step: Callable, strategy: tf.distribute.Strategy, iterator: Any) -> dict[str, tf.Tensor]:
    values = strategy.run(step, args=tuple(next(iterator) for _ in range(gan.discriminator_steps)))
    return {name: strategy.reduce("MEAN", value, axis=None) for name, value in values.items()}
