"""A run's config where TensorBoard looks for it: its HParams page lists runs by config beside their last scalars."""

import tensorflow as tf
from tensorboard.plugins.hparams import api

from tfpaths import config as config_lib


def write(writer: tf.summary.SummaryWriter, config: config_lib.Experiment) -> None:
    """Writes each field that is set under its path, such as `variant.penalty.weight`."""
    values = {path: value for path, value in config_lib.flat(config).items() if value is not None}
    with writer.as_default():
        api.hparams(values)
