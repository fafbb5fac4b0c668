"""A name -> a `tf.distribute.Strategy`."""

import os

import tensorflow as tf

from tfpaths import config


def get(name: str, tpu: str | None = None) -> tf.distribute.Strategy:
    """The strategy of that name.

    `auto` is `tpu` where a TPU is named, `multi_worker` where TF_CONFIG is set, `mirrored` where there are several
    GPUs, and else `one_device`: TensorFlow's own placement, on the GPU if there is one.

    Raises:
      InputError: the name is unknown.
    """
    config.choose("strategy", name, config.STRATEGIES)
    if name == "auto":
        if tpu:
            name = "tpu"
        elif os.environ.get("TF_CONFIG"):
            name = "multi_worker"
        else:
            name = "mirrored" if len(tf.config.list_logical_devices("GPU")) > 1 else "one_device"
    if name == "one_device":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=tpu or "")
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
    return tf.distribute.TPUStrategy(resolver)
