"""TensorFlow: the private names that tfpaths uses, and what works around its faults."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def apply_gradients(optimizer: Any, gradients: Sequence[tf.Tensor | None], variables: Sequence[Any]) -> None:
    """Applies gradients with a Keras optimiser, once all of them are computed; use it for every update of a player.

    Without this, TensorFlow 2.21 can update a variable before all passes of the same step have read it. Its graph
    optimiser drops an edge "read before update" where a longer path leads from the read to the update. Keras sends all
    gradients through one `IdentityN`, so that such a path leads over the gradient of any other variable; then the graph
    optimiser takes the `IdentityN` apart, and the path is gone too. A bias of the discriminator has no gradient of the
    penalty: its update, which waits for the gradient of the loss only, could overtake the discriminator's pass for the
    penalty. The edges from all gradients to each update stay.

    Args:
      optimizer: A Keras optimiser.
      gradients: The gradient of each variable; None for a variable on which the objective does not depend.
      variables: The variables.

    Example:
      >>> import keras
      >>> w = keras.Variable(1.0)
      >>> apply_gradients(keras.optimizers.SGD(0.5), [tf.constant(3.0)], [w])
      >>> float(w)
      -0.5
    """
    with tf.control_dependencies([gradient for gradient in gradients if gradient is not None]):
        optimizer.apply(gradients, variables)


def is_multi_worker(strategy: tf.distribute.Strategy) -> bool:
    """Returns whether a strategy trains with several worker processes.

    Example:
      >>> is_multi_worker(tf.distribute.get_strategy())
      False
    """
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def workers(strategy: tf.distribute.Strategy) -> int:
    """Returns the number of worker processes.

    Example:
      >>> workers(tf.distribute.get_strategy())
      1
    """
    return strategy.extended._num_workers if is_multi_worker(strategy) else 1


def worker(strategy: tf.distribute.Strategy) -> int:
    """Returns the index of this worker process, from 0 to `workers(strategy) - 1`.

    Example:
      >>> worker(tf.distribute.get_strategy())
      0
    """
    return strategy.extended._id_in_cluster if is_multi_worker(strategy) else 0


def devices_per_worker(strategy: tf.distribute.Strategy) -> int:
    """Returns the number of replicas of each worker process, for a multi-worker strategy."""
    return strategy.extended._num_devices_per_worker
