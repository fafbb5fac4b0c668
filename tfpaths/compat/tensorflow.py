"""TensorFlow: the private names that tfpaths uses, and the functions that need them."""

import tensorflow as tf


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
