"""TensorFlow features without a public name. A cluster of two workers is in `tests/runs/test_distribution.py`."""

import tensorflow as tf

from tfpaths.compat import tensorflow as compat


def test_single_process_is_not_multi_worker(two_replicas):
    for strategy in (tf.distribute.get_strategy(), two_replicas):
        assert not compat.is_multi_worker(strategy)
        assert (compat.workers(strategy), compat.worker(strategy)) == (1, 0)
