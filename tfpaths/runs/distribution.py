"""`tf.distribute` strategies by name, and the communication between workers."""

import contextlib
import functools
import os
import pathlib
import signal
import tempfile
import threading
import zlib
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf
from absl import logging

from tfpaths import config as config_lib
from tfpaths import errors, files, startup
from tfpaths.compat import tensorflow as compat
from tfpaths.compat.tensorflow import worker, workers
from tfpaths.runs import cluster, meeting
from tfpaths.runs.directory import RunDirectory

__all__ = [
    "any_worker",
    "check_batch_size",
    "check_same",
    "devices",
    "directory",
    "from_chief",
    "get",
    "joined",
    "share",
    "workdir",
    "worker",
    "workers",
]


def get(name: str, tpu: str | None = None, cluster_timeout: int | None = None) -> tf.distribute.Strategy:
    """Returns the strategy of that name.

    `auto` is `tpu` if a TPU is named, `multi_worker` if TF_CONFIG is set, `mirrored` if there are several GPUs, and
    otherwise `one_device`: TensorFlow's default placement, on the GPU if there is one. `mirrored` uses all GPUs, or all
    logical CPUs if there is no GPU.

    For `multi_worker` all workers wait for each other here, which TensorFlow allows only before its first operation.

    Args:
      name: A name in `config.STRATEGIES`.
      tpu: The TPU's name or address.
      cluster_timeout: How many seconds the workers wait for each other; None for `meeting.TIMEOUT`.

    Raises:
      InputError: The name is unknown, TF_CONFIG is invalid, or the TPU is missing or cannot be reached.
      RunError: The port of this worker is in use, or another worker could not be reached in time.

    Example:
      >>> get("one_device").num_replicas_in_sync
      1
    """
    compat.check_process()
    errors.choose("strategy", name, config_lib.STRATEGIES)
    if name == "auto" and tpu:
        name = "tpu"
    if tpu and name != "tpu":
        raise errors.InputError(f"--tpu works only with --strategy=tpu, not with --strategy={name}.")
    if startup.joins_cluster(name):
        return _multi_worker(meeting.TIMEOUT if cluster_timeout is None else cluster_timeout)
    if cluster_timeout is not None:
        raise errors.InputError(
            f"--cluster_timeout works only with --strategy=multi_worker, not with --strategy={name}."
        )
    if name == "auto":
        name = "mirrored" if len(tf.config.list_logical_devices("GPU")) > 1 else "one_device"
    if name == "one_device":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        replicas = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in replicas])
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=tpu or "")
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except Exception as error:  # The cloud's client raises errors of many classes.
        raise errors.InputError(
            f"--tpu: expected a TPU that can be reached, received {tpu!r} ({files.reason(error)})."
        ) from error
    return tf.distribute.TPUStrategy(resolver)


def check_batch_size(batch_size: int, strategy: tf.distribute.Strategy) -> None:
    """Checks that each replica gets an equal share of the global batch.

    Raises:
      InputError: The batch cannot be divided equally.

    Example:
      >>> check_batch_size(64, get("one_device"))
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise errors.InputError(
            f"schedule.batch_size: expected a multiple of the {replicas} replicas, received {batch_size}."
        )


def devices(strategy: tf.distribute.Strategy) -> list[str]:
    """Returns the names of this worker's devices.

    Example:
      >>> len(devices(get("one_device")))
      1
    """
    if strategy is tf.distribute.get_strategy():
        # TensorFlow's default placement uses the first GPU, or the CPU.
        return [(tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU"))[0].name]
    return list(strategy.extended.worker_devices)


def check_same(text: str, what: str, strategy: tf.distribute.Strategy) -> None:
    """Checks that all workers have the same text; all of them must call it.

    Args:
      text: This worker's text.
      what: What it describes, for the message: `"the experiment"`.
      strategy: The strategy.

    Raises:
      InputError: The texts differ; all workers raise it.

    Example:
      >>> check_same("{}", "the experiment", get("one_device"))
    """
    # A checksum of 31 bits, so that no sum over workers can overflow.
    checksum = tf.constant(zlib.crc32(text.encode()) >> 1, tf.int64)
    (of_chief,) = from_chief([checksum], strategy)
    if any_worker(bool(of_chief != checksum), strategy):
        raise errors.InputError(
            f"{what} differs between the workers; use the same flags on all {workers(strategy)} of them."
        )


def any_worker(flag: bool, strategy: tf.distribute.Strategy) -> bool:
    """Returns whether the flag is set on any worker. All workers must call it, and get the same value.

    Example:
      >>> any_worker(True, get("one_device"))
      True
    """
    if workers(strategy) == 1:
        return flag
    return float(_sum(strategy)([tf.constant(float(flag))])[0]) > 0


def from_chief(values: Iterable[tf.Tensor], strategy: tf.distribute.Strategy) -> list[tf.Tensor]:
    """Returns the chief's tensors on every worker. All workers must call it, with tensors of the same shapes.

    Example:
      >>> [int(value) for value in from_chief([tf.constant(3)], get("one_device"))]
      [3]
    """
    values = list(values)
    if workers(strategy) == 1:
        return values
    is_chief = worker(strategy) == 0
    # Zeros, not a product with zero: another worker's value may be NaN.
    parts = [_summable(value if is_chief else tf.zeros_like(value)) for value in values]
    return [tf.cast(total, value.dtype) for total, value in zip(_sum(strategy)(parts), values, strict=True)]


def joined(values: np.ndarray, strategy: tf.distribute.Strategy) -> np.ndarray:
    """Returns the concatenated arrays of all workers on each of them. All must call it, with arrays of equal shapes.

    Args:
      values: float32 `[size, ...]`.
      strategy: The strategy.

    Returns:
      float32 `[workers * size, ...]`.

    Example:
      >>> joined(np.array([1.0, 2.0], np.float32), get("one_device")).tolist()
      [1.0, 2.0]
    """
    if workers(strategy) == 1:
        return values
    # Each worker adds its values to zeros, which is exact in float32, and NaN stays at its position.
    whole = np.zeros((workers(strategy), *values.shape), np.float32)  # [workers, size, ...]
    whole[worker(strategy)] = values
    (total,) = _sum(strategy)([tf.constant(whole)])
    return total.numpy().reshape(-1, *values.shape[1:])


@contextlib.contextmanager
def workdir(path: str | pathlib.Path, strategy: tf.distribute.Strategy) -> Iterator[RunDirectory]:
    """Yields the run directory for the chief, and a temporary one for each other worker.

    All workers can then run the same code, and only the chief's files remain.

    Example:
      >>> with workdir("runs/a", get("one_device")) as run_directory:
      ...     print(run_directory.metrics)
      runs/a/metrics.jsonl
    """
    with contextlib.ExitStack() as stack:
        if worker(strategy) > 0:
            path = stack.enter_context(tempfile.TemporaryDirectory(prefix="tfpaths-worker-"))
        yield RunDirectory(files.path(path))


@contextlib.contextmanager
def directory(path: str | pathlib.Path, strategy: tf.distribute.Strategy) -> Iterator[RunDirectory]:
    """Yields the directory of `workdir`, created and locked.

    Example:
      >>> with directory("runs/b", get("one_device")) as run_directory:
      ...     print(run_directory.path.is_dir())
      True
    """
    with workdir(path, strategy) as run_directory, run_directory.locked():
        yield run_directory


def share(variables: Iterable[tf.Variable], strategy: tf.distribute.Strategy) -> None:
    """Assigns the chief's values to the variables of every worker, since only the chief reads a checkpoint.

    Example:
      >>> share([tf.Variable(1.0)], get("one_device"))
    """
    variables = list(variables)
    if workers(strategy) > 1:
        values = from_chief([tf.convert_to_tensor(variable) for variable in variables], strategy)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def _summable(value: tf.Tensor) -> tf.Tensor:
    """Returns the tensor in a type that collectives can sum; the state of a seed, for example, is unsigned."""
    return value if value.dtype.is_floating else tf.cast(value, tf.int64)


@functools.cache
def _sum(strategy: tf.distribute.Strategy):
    """Returns a program that sums tensors over workers, counting one replica of each worker."""

    @tf.function(autograph=False)
    def program(values):
        def on_replica():
            context = tf.distribute.get_replica_context()
            first = tf.equal(context.replica_id_in_sync_group % compat.devices_per_worker(strategy), 0)
            return [tf.where(first, value, tf.zeros_like(value)) for value in values]

        return [strategy.reduce("SUM", value, axis=None) for value in strategy.run(on_replica)]

    return program


def _multi_worker(timeout: float) -> tf.distribute.Strategy:
    meeting.meet(cluster.read(os.environ.get("TF_CONFIG")), timeout)
    # TensorFlow's server logs lines here that do not help the user.
    with startup.filtered_stderr(), _ended_by_interrupt():
        level = logging.get_verbosity()
        logging.set_verbosity(logging.ERROR)
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        finally:
            logging.set_verbosity(level)


@contextlib.contextmanager
def _ended_by_interrupt() -> Iterator[None]:
    """Lets Ctrl-C end the process: while TensorFlow connects, it holds Python's lock, and no handler would run."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
