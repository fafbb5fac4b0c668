"""The devices and the threads that a run computes with: for the line at its start, and for `results.json`."""

import collections
import os

import tensorflow as tf

from tfpaths import progress
from tfpaths.runs import distribution, results


def description(strategy: tf.distribute.Strategy) -> str:
    """Returns the kind and the number of this worker's devices, such as `CPU`, `2 × NVIDIA H100 80GB HBM3`, `8 × TPU`.

    Example:
      >>> description(tf.distribute.OneDeviceStrategy("CPU:0"))
      'CPU'
    """
    counts = collections.Counter(_kind(name) for name in distribution.devices(strategy))
    return ", ".join(kind if count == 1 else f"{count} × {kind}" for kind, count in counts.items())


def announce(strategy: tf.distribute.Strategy) -> None:
    """Prints the line at a run's start that says on what it computes.

    Example:
      >>> announce(tf.distribute.OneDeviceStrategy("CPU:0"))
      Computing on CPU: ...
    """
    text = description(strategy)
    if text.endswith("CPU"):
        cores, count = results.cores(), threads()
        text += f": {results.processor()}, {cores} core{'s' * (cores > 1)}, {count} thread{'s' * (count > 1)}"
    workers = distribution.workers(strategy)
    progress.say(f"Computing on {text}{f', on each of {workers} workers' if workers > 1 else ''}")


def threads() -> int:
    """Returns the number of threads that share an operation on the CPU.

    The sums of an operation are added in an order that depends on it, and so do their last digits.

    Example:
      >>> from unittest import mock
      >>> with mock.patch.dict(os.environ, TF_NUM_INTRAOP_THREADS="3"):
      ...     threads()
      3
    """
    chosen = tf.config.threading.get_intra_op_parallelism_threads()
    text = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    # TensorFlow ignores a text that is no number.
    return chosen or (int(text) if text.isdecimal() else 0) or results.cores()


def _kind(name: str) -> str:
    device = tf.DeviceSpec.from_string(name)
    if device.device_type != "GPU":
        return device.device_type
    # Logical GPUs are parts of physical ones; the first that TensorFlow sees has the index 0.
    physical = tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details(physical[min(device.device_index, len(physical) - 1)])
    return details.get("device_name", "GPU")
