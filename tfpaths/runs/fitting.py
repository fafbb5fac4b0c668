"""`fit` trains a GAN with the callbacks that write a run's files."""

import functools
from collections.abc import Sequence

import keras
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import data
from tfpaths.gan import GAN
from tfpaths.metrics.evaluator import Evaluator
from tfpaths.runs import callbacks, evaluation, events, hparams
from tfpaths.runs.checkpoints import Checkpoints
from tfpaths.runs.directory import RunDirectory


def fit(
    gan: GAN,
    batches: tf.data.Dataset,
    config: config_lib.Training,
    directory: RunDirectory,
    saved: Checkpoints,
    others: Sequence[keras.callbacks.Callback] = (),
    *,
    evaluator: Evaluator | None = None,
    quiet: bool = False,
) -> None:
    """Trains up to the config's last step, and writes rows, sample grids, scores and checkpoints.

    Events for TensorBoard of later steps than the GAN's, which an interrupted run has written, are removed.

    Args:
      gan: The compiled game.
      batches: Real batches, beginning with that of the next step.
      config: The experiment.
      directory: The run directory.
      saved: The run's checkpoints.
      others: Further callbacks, called last.
      evaluator: Computes `evaluation.every_metrics` every `evaluation.every` steps; None for no evaluation.
      quiet: Whether to show no progress and to evaluate nothing, as on every worker but the chief.
    """
    schedule, last = config.schedule, config.schedule.steps
    events.keep_events(directory.tensorboard, gan.step)
    # TensorFlow would make it with permissions that the umask only reduces: never writable for the group.
    directory.tensorboard.mkdir(parents=True, exist_ok=True)
    writer = tf.summary.create_file_writer(str(directory.tensorboard))
    hparams.write(writer, config)
    progress = callbacks.Progress(last)
    written = [
        callbacks.Rows(
            schedule.log_every,
            last,
            path=directory.metrics,
            writer=writer,
            examples_per_step=schedule.batch_size * config.variant.discriminator_steps,
            listeners=() if quiet else (progress.row,),
        ),
        callbacks.SampleGrids(
            schedule.sample_every,
            last,
            example=data.of(config.data).example,
            directory=directory.samples,
            writer=writer,
            seed=config.seed,
        ),
    ]
    if evaluator is not None and evaluator.every_metrics and not quiet:
        source = evaluation.source(gan, config.evaluation.seed)
        measure = functools.partial(evaluator.measure, source, evaluator.every_metrics, config.evaluation.every_samples)
        written.append(
            callbacks.Evaluations(config.evaluation.every, last, measure=measure, path=directory.metrics, writer=writer)
        )
    save = callbacks.SaveCheckpoints(schedule.checkpoint_every, last, checkpoints=saved)
    try:
        gan.fit(
            batches,
            steps_per_epoch=last - gan.step,
            verbose=0,
            callbacks=[*([] if quiet else [progress]), *written, save, *others],
        )
    finally:
        progress.close()
        writer.close()
