"""A name -> a `tf.distribute.Strategy`."""

import json
import os

import tensorflow as tf

from tfpaths import config


def get(name: str, tpu: str | None = None) -> tf.distribute.Strategy:
    """The strategy of that name.

    `auto` is `tpu` where a TPU is named, `multi_worker` where TF_CONFIG is set, `mirrored` where there are several
    GPUs, and else `one_device`: TensorFlow's own placement, on the GPU if there is one.

    Raises:
      InputError: the name is unknown, or what it needs is missing or cannot be reached.
    """
    config.choose("strategy", name, config.STRATEGIES)
    if name == "auto":
        if tpu:
            name = "tpu"
        elif os.environ.get("TF_CONFIG"):
            name = "multi_worker"
        else:
            name = "mirrored" if len(tf.config.list_logical_devices("GPU")) > 1 else "one_device"
    if tpu and name != "tpu":
        raise config.InputError(f"--tpu: expected --strategy=tpu with it, received --strategy={name}.")
    if name == "one_device":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if name == "multi_worker":
        _check_cluster(os.environ.get("TF_CONFIG"))
        return tf.distribute.MultiWorkerMirroredStrategy()
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


def _check_cluster(text: str | None) -> None:
    try:
        cluster = json.loads(text or "")
        ok = isinstance(cluster["cluster"]["worker"], list) and isinstance(cluster["task"]["index"], int)
    except (ValueError, KeyError, TypeError):
        ok = False
    if not ok:
        raise config.InputError(
            f"TF_CONFIG: expected a cluster with its workers and this one's task in JSON, received {text!r}."
        )
