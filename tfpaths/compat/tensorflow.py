"""TensorFlow: what has no public name."""

import tensorflow as tf


def is_multi_worker(strategy: tf.distribute.Strategy) -> bool:
    """Returns whether a strategy is one of several worker processes."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def workers(strategy: tf.distribute.Strategy) -> int:
    """Returns how many processes train together."""
    return strategy.extended._num_workers if is_multi_worker(strategy) else 1


def worker(strategy: tf.distribute.Strategy) -> int:
    """Returns the number of this process among them."""
    return strategy.extended._id_in_cluster if is_multi_worker(strategy) else 0


def devices_per_worker(strategy: tf.distribute.Strategy) -> int:
    """Returns how many replicas a worker of a multi-worker strategy has."""
    return strategy.extended._num_devices_per_worker
