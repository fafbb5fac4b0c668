"""A name -> a `tf.distribute.Strategy`, and what several workers must agree on."""

import contextlib
import functools
import json
import os
import pathlib
import tempfile
import zlib
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf
from absl import logging

from tfpaths import config as config_lib
from tfpaths import errors, files, progress, startup
from tfpaths.compat import tensorflow as compat
from tfpaths.compat.tensorflow import worker, workers
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


def get(name: str, tpu: str | None = None) -> tf.distribute.Strategy:
    """Returns the strategy of that name.

    `auto` is `tpu` if a TPU is named, `multi_worker` if TF_CONFIG is set, `mirrored` if there are several GPUs, and
    otherwise `one_device`: TensorFlow's own placement, on the GPU if there is one. `mirrored` takes all GPUs, or all
    logical CPUs if there is no GPU.

    Several workers wait for each other here, which TensorFlow allows only before its first operation.

    Raises:
      InputError: The name is unknown, or what it needs is missing or cannot be reached.
    """
    errors.choose("strategy", name, config_lib.STRATEGIES)
    if name == "auto" and tpu:
        name = "tpu"
    if tpu and name != "tpu":
        raise errors.InputError(f"--tpu works only with --strategy=tpu, not with --strategy={name}.")
    if startup.joins_cluster(name):
        return _multi_worker()
    if name == "auto":
        name = "mirrored" if len(tf.config.list_logical_devices("GPU")) > 1 else "one_device"
    if name == "one_device":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in found])
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=tpu or "")
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except Exception as error:  # A cloud's client raises errors of many classes.
        raise errors.InputError(
            f"--tpu: expected a TPU that can be reached, received {tpu!r} ({files.reason(error)})."
        ) from error
    return tf.distribute.TPUStrategy(resolver)


def check_batch_size(batch_size: int, strategy: tf.distribute.Strategy) -> None:
    """Checks that each replica gets an equal share of the global batch.

    Raises:
      InputError: The batch cannot be divided equally.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise errors.InputError(
            f"schedule.batch_size: expected a multiple of the {replicas} replicas, received {batch_size}."
        )


def devices(strategy: tf.distribute.Strategy) -> list[str]:
    """Returns the devices of this worker."""
    if strategy is tf.distribute.get_strategy():
        # TensorFlow's own placement takes the first GPU, or the CPU.
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
    """
    # Half of a checksum, so that the sum over workers of its difference from the chief's cannot overflow.
    checksum = tf.constant(zlib.crc32(text.encode()) >> 1, tf.int64)
    (of_chief,) = from_chief([checksum], strategy)
    if any_worker(bool(of_chief != checksum), strategy):
        raise errors.InputError(
            f"{what} differs between the workers; use the same flags on all {workers(strategy)} of them."
        )


def any_worker(flag: bool, strategy: tf.distribute.Strategy) -> bool:
    """Returns whether the flag is set on any worker: the same on all of them, and all of them must call it."""
    if workers(strategy) == 1:
        return flag
    return float(_sum(strategy)([tf.constant(float(flag))])[0]) > 0


def from_chief(values: Iterable[tf.Tensor], strategy: tf.distribute.Strategy) -> list[tf.Tensor]:
    """Returns the chief's tensors on every worker; all of them must call it, with tensors of the same shapes."""
    values = list(values)
    if workers(strategy) == 1:
        return values
    is_chief = worker(strategy) == 0
    # Zeros, not products with zero: another worker's value may be NaN.
    parts = [_summable(value if is_chief else tf.zeros_like(value)) for value in values]
    return [tf.cast(total, value.dtype) for total, value in zip(_sum(strategy)(parts), values, strict=True)]


def joined(values: np.ndarray, strategy: tf.distribute.Strategy) -> np.ndarray:
    """Returns the arrays of all workers, one after the other, on each of them; all must call it, with equal shapes."""
    if workers(strategy) == 1:
        return values
    # Each worker adds its values to zeros, which is exact in float32, and NaN stays at its position.
    whole = np.zeros((workers(strategy), *values.shape), np.float32)
    whole[worker(strategy)] = values
    (total,) = _sum(strategy)([tf.constant(whole)])
    return total.numpy().reshape(-1, *values.shape[1:])


@contextlib.contextmanager
def workdir(path: str | pathlib.Path, strategy: tf.distribute.Strategy) -> Iterator[RunDirectory]:
    """Yields the run directory for the chief, and a temporary one for each other worker.

    So all workers do the same, and what remains is what the chief writes.
    """
    with contextlib.ExitStack() as stack:
        if worker(strategy) > 0:
            path = stack.enter_context(tempfile.TemporaryDirectory(prefix="tfpaths-worker-"))
        yield RunDirectory(pathlib.Path(path))


@contextlib.contextmanager
def directory(path: str | pathlib.Path, strategy: tf.distribute.Strategy) -> Iterator[RunDirectory]:
    """Yields what `workdir` yields, locked."""
    with workdir(path, strategy) as run_directory, run_directory.locked():
        yield run_directory


def share(variables: Iterable[tf.Variable], strategy: tf.distribute.Strategy) -> None:
    """Assigns the chief's values to the variables of every worker: only the chief reads a checkpoint."""
    variables = list(variables)
    if workers(strategy) > 1:
        values = from_chief([tf.convert_to_tensor(variable) for variable in variables], strategy)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def _summable(value: tf.Tensor) -> tf.Tensor:
    """The tensor in a type that collectives add up: the state of a seed, for one, is unsigned."""
    return value if value.dtype.is_floating else tf.cast(value, tf.int64)


@functools.cache
def _sum(strategy: tf.distribute.Strategy):
    """A program that adds up tensors over workers, each counted on one of its replicas only."""

    @tf.function(autograph=False)
    def program(values):
        def on_replica():
            context = tf.distribute.get_replica_context()
            first = tf.equal(context.replica_id_in_sync_group % compat.devices_per_worker(strategy), 0)
            return [tf.where(first, value, tf.zeros_like(value)) for value in values]

        return [strategy.reduce("SUM", value, axis=None) for value in strategy.run(on_replica)]

    return program


def _multi_worker() -> tf.distribute.Strategy:
    text = os.environ.get("TF_CONFIG")
    try:
        cluster = json.loads(text or "")
        task, jobs = cluster["task"], cluster["cluster"]
        ok = task["index"] in range(len(jobs[task["type"]])) and set(jobs) <= {"chief", "worker"} and jobs["worker"]
    except (ValueError, KeyError, TypeError):
        ok = False
    if not ok:
        raise errors.InputError(
            f"TF_CONFIG: expected JSON with a cluster's workers and the task of this one, received {text!r}."
        )
    count = sum(map(len, jobs.values()))
    progress.say(f"{task['type']} {task['index']} waits for all {count} workers of the cluster")
    # What TensorFlow's server logs here is of no use to the user.
    with startup.filtered_stderr():
        level = logging.get_verbosity()
        logging.set_verbosity(logging.ERROR)
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        finally:
            logging.set_verbosity(level)
