"""What has no public name in TensorFlow. A cluster of two workers is in `tests/runs/test_distribution.py`."""

import tensorflow as tf

from tfpaths.compat import tensorflow as compat


def test_one_process(two_replicas):
    for strategy in (tf.distribute.get_strategy(), two_replicas):
        assert not compat.is_multi_worker(strategy)
        assert (compat.workers(strategy), compat.worker(strategy)) == (1, 0)
