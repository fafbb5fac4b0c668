"""A run's config for TensorBoard: its HParams page lists runs by config beside their last scalars."""

import tensorflow as tf
from tensorboard.plugins.hparams import api

from tfpaths import config as config_lib
from tfpaths import schema


def write(writer: tf.summary.SummaryWriter, config: config_lib.Training) -> None:
    """Writes each field that is set under its path, such as `variant.penalty.weight`; a list as a text with commas."""
    values = {
        path: ",".join(map(str, value)) if isinstance(value, tuple) else value
        for path, value in schema.flat(config).items()
    }
    with writer.as_default():
        api.hparams(values)
