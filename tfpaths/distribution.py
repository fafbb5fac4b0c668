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

from tfpaths import config, progress, results, startup


def get(name: str, tpu: str | None = None) -> tf.distribute.Strategy:
    """The strategy of that name.

    `auto` is `tpu` where a TPU is named, `multi_worker` where TF_CONFIG is set, `mirrored` where there are several
    GPUs, and else `one_device`: TensorFlow's own placement, on the GPU if there is one. `mirrored` takes all GPUs, or
    without any all logical CPUs.

    Several workers wait for each other here, and TensorFlow allows it only before its first operation.

    Raises:
      InputError: the name is unknown, or what it needs is missing or cannot be reached.
    """
    config.choose("strategy", name, config.STRATEGIES)
    if name == "auto" and tpu:
        name = "tpu"
    if tpu and name != "tpu":
        raise config.InputError(f"--tpu: expected --strategy=tpu with it, received --strategy={name}.")
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
    except Exception as error:  # A cloud's client raises what it likes.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise config.InputError(f"--tpu: expected a TPU that can be reached, received {tpu!r} ({reason}).") from error
    return tf.distribute.TPUStrategy(resolver)


def check_batch_size(batch_size: int, strategy: tf.distribute.Strategy) -> None:
    """The rule for global and per-replica batches: each replica gets an equal share of the global batch.

    Raises:
      InputError: it does not divide.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise config.InputError(f"batch_size: expected a multiple of the {replicas} replicas, received {batch_size}.")


def workers(strategy: tf.distribute.Strategy) -> int:
    """How many processes train together."""
    return strategy.extended._num_workers if _is_multi_worker(strategy) else 1


def worker(strategy: tf.distribute.Strategy) -> int:
    """The number of this process among them; number 0 is the chief, which writes all that is written."""
    return strategy.extended._id_in_cluster if _is_multi_worker(strategy) else 0


def devices(strategy: tf.distribute.Strategy) -> list[str]:
    """The devices of this worker on which something can be placed."""
    if strategy is tf.distribute.get_strategy():
        # TensorFlow's own placement takes the first GPU, or the processor.
        return [(tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU"))[0].name]
    return list(strategy.extended.worker_devices)


def check_same(text: str, what: str, strategy: tf.distribute.Strategy) -> None:
    """Refuses workers that were started with different things.

    Raises:
      InputError: the text of the chief is another one; all workers raise it.
    """
    # Half of a checksum, so that the sum over workers of its difference from the chief's cannot overflow.
    own = tf.constant(zlib.crc32(text.encode()) >> 1, tf.int64)
    (chiefs,) = from_chief([own], strategy)
    if any_worker(bool(chiefs != own), strategy):
        raise config.InputError(f"{what}: expected the same on all {workers(strategy)} workers, received others.")


def any_worker(flag: bool, strategy: tf.distribute.Strategy) -> bool:
    """Whether the flag is set on any worker: the same answer on all of them, which all must ask."""
    if workers(strategy) == 1:
        return flag
    return float(_sum(strategy)([tf.constant(float(flag))])[0]) > 0


def from_chief(values: Iterable[tf.Tensor], strategy: tf.distribute.Strategy) -> list[tf.Tensor]:
    """The chief's tensors, on every worker; all of them must call it, with tensors of the same shapes."""
    values = list(values)
    if workers(strategy) == 1:
        return values
    own = worker(strategy) == 0
    # Zeros, not products with zero: another worker's may be no number.
    return _sum(strategy)([value if own else tf.zeros_like(value) for value in values])


def joined(values: np.ndarray, strategy: tf.distribute.Strategy) -> np.ndarray:
    """The arrays of all workers one after the other, on each of them; all must call it, with as many numbers each."""
    if workers(strategy) == 1:
        return values
    # Each adds its own to zeros. Exact in float32, and a number that is none stays in its place.
    whole = np.zeros((workers(strategy), *values.shape), np.float32)
    whole[worker(strategy)] = values
    (total,) = _sum(strategy)([tf.constant(whole)])
    return total.numpy().reshape(-1, *values.shape[1:])


@contextlib.contextmanager
def directory(workdir: str | pathlib.Path, strategy: tf.distribute.Strategy) -> Iterator[results.RunDirectory]:
    """The run directory, locked, for the chief; for the other workers a place of their own that nobody sees.

    So all workers can do the same, and what is written is the chief's.
    """
    with contextlib.ExitStack() as stack:
        chief = worker(strategy) == 0
        place = workdir if chief else stack.enter_context(tempfile.TemporaryDirectory(prefix="tfpaths-worker-"))
        found = results.RunDirectory(pathlib.Path(place))
        stack.enter_context(found.locked())
        yield found


def share(variables: Iterable[tf.Variable], strategy: tf.distribute.Strategy) -> None:
    """Gives every worker the chief's values: a checkpoint is read by the chief alone."""
    variables = list(variables)
    if workers(strategy) > 1:
        values = from_chief([tf.convert_to_tensor(variable) for variable in variables], strategy)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


@functools.cache
def _sum(strategy: tf.distribute.Strategy):
    """A program that adds up tensors over workers, one replica of each speaking for it."""

    @tf.function(autograph=False)
    def program(values):
        def one():
            context = tf.distribute.get_replica_context()
            first = tf.equal(context.replica_id_in_sync_group % strategy.extended._num_devices_per_worker, 0)
            return [tf.where(first, value, tf.zeros_like(value)) for value in values]

        return [strategy.reduce("SUM", value, axis=None) for value in strategy.run(one)]

    return program


def _is_multi_worker(strategy: tf.distribute.Strategy) -> bool:
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def _multi_worker() -> tf.distribute.Strategy:
    text = os.environ.get("TF_CONFIG")
    try:
        cluster = json.loads(text or "")
        task, jobs = cluster["task"], cluster["cluster"]
        ok = task["index"] in range(len(jobs[task["type"]])) and set(jobs) <= {"chief", "worker"} and jobs["worker"]
    except (ValueError, KeyError, TypeError):
        ok = False
    if not ok:
        raise config.InputError(
            f"TF_CONFIG: expected a cluster with its workers and this one's task in JSON, received {text!r}."
        )
    count = sum(map(len, jobs.values()))
    progress.say(f"{task['type']} {task['index']} waits for all {count} workers of the cluster")
    # What its server has to say of itself is for those who mend it.
    with startup.filtered_stderr():
        level = logging.get_verbosity()
        logging.set_verbosity(logging.ERROR)
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        finally:
            logging.set_verbosity(level)
