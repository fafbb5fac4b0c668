"""`fit` trains a GAN with the callbacks that write a run's files."""

import functools
from collections.abc import Sequence

import keras
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import data
from tfpaths.data import Examples
from tfpaths.gan import GAN
from tfpaths.metrics.evaluator import Evaluator
from tfpaths.runs import callbacks, evaluation, events, hparams
from tfpaths.runs.checkpoints import Checkpoints
from tfpaths.runs.directory import RunDirectory


def fit(
    gan: GAN,
    examples: Examples,
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
      examples: The examples to train on.
      config: The experiment.
      directory: The run directory.
      saved: The run's checkpoints.
      others: Further callbacks, called last.
      evaluator: Computes `evaluation.every_metrics` every `evaluation.every` steps; None for no evaluation.
      quiet: Whether to show no progress and to evaluate nothing, as on every worker but the chief.
    """
    start = gan.step * config.variant.discriminator_steps
    batches = examples.batches(config.schedule.batch_size, seed=config.seed, start=start)
    schedule, last = config.schedule, config.schedule.steps
    example = data.of(config.data).example
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
            example=example,
            directory=directory.samples,
            writer=writer,
            seed=config.seed,
            real=examples.some(0, min(example.grid_size, examples.size)).numpy(),
        ),
    ]
    if evaluator is not None and evaluator.every_metrics and not quiet:
        source = evaluation.source(gan, config.evaluation.seed, config.evaluation.refine)
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
