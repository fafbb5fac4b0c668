"""A run's config for TensorBoard, whose HParams page lists the runs by config with their last scalars."""

import tensorflow as tf
from tensorboard.plugins.hparams import api

from tfpaths import config as config_lib
from tfpaths import schema


def write(writer: tf.summary.SummaryWriter, config: config_lib.Training) -> None:
    """Writes each field that is set under its path, such as `variant.penalty.weight`; a list as comma-separated text.

    Args:
      writer: The summary writer of the run.
      config: The config of the run.
    """
    values = {
        path: ",".join(map(str, value)) if isinstance(value, tuple) else value
        for path, value in schema.flat(config).items()
    }
    with writer.as_default():
        api.hparams(values)
