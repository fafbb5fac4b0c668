"""`train`: from an experiment's value to a run directory."""

import dataclasses
import functools
import pathlib
import shlex
import signal
import time
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
import tqdm
from absl import logging

from tfpaths import assembly, callbacks, distribution, evaluation, hparams, results
from tfpaths import config as config_lib
from tfpaths.checkpoints import Checkpoints, NotFiniteError
from tfpaths.evaluator import Evaluator
from tfpaths.gan import GAN
from tfpaths.metrics import sources


@dataclasses.dataclass(frozen=True)
class Run:
    """How a call of `train` ended.

    Attributes:
      directory: the run directory.
      start: the step from which it went on; 0 for a new run.
      step: the step that was reached.
      seconds: how long training took, this time.
      stopped_by: the signal that ended it before its last step, or none.
    """

    directory: results.RunDirectory
    start: int
    step: int
    seconds: float
    stopped_by: signal.Signals | None


def train(
    config: config_lib.Experiment,
    workdir: str | pathlib.Path,
    *,
    data_dir: str | None = None,
    strategy: str = "auto",
    tpu: str | None = None,
) -> Run:
    """Trains an experiment in a run directory, from its last checkpoint where there is one, and writes the results.

    Args:
      config: the experiment.
      workdir: the run directory: a new one, or one of this experiment.
      data_dir: prepared TFDS data.
      strategy: a name of `tfpaths.distribution`.
      tpu: the TPU's name or address.

    Raises:
      InputError: something asked for cannot be; nothing was written.
      NotFiniteError: a loss or the penalty became NaN or infinite.
    """
    directory = results.RunDirectory(pathlib.Path(workdir))
    asked, config = config, directory.continued(config)
    schedule, variant = config.schedule, config.variant
    images = assembly.load_data(config.data, data_dir=data_dir)
    if asked.data.source == "auto" and config.data.source == "embedded":
        logging.warning("this run began with the embedded digits and goes on with them.")
    if images.source in config_lib.SOURCES:
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, source=images.source))
    evaluator = Evaluator(config.data, config.evaluation, data_dir=data_dir, lenient=True, known=[images])
    images.batches(schedule.batch_size)  # Refuses a batch larger than the data before anything is written.
    devices = distribution.get(strategy, tpu)
    distribution.check_batch_size(schedule.batch_size, devices)
    with devices.scope():
        try:
            gan = assembly.build(config, images.shape)
        except (tf.errors.ResourceExhaustedError, MemoryError) as error:
            raise config_lib.RunError("the networks of this config do not fit the memory of this machine.") from error

    with directory.locked():
        with callbacks.StopOnSignal() as stop:
            # Another run may have been here since.
            directory.continued(config)
            checkpoints = Checkpoints(directory.checkpoints, gan)
            start = checkpoints.restore()
            _check_start(start, config, directory)
            results.write_json(directory.config, config_lib.to_dict(config))
            results.keep_rows(directory.metrics, start)
            began = time.perf_counter()
            try:
                if start < schedule.steps:
                    first_batch = start * variant.discriminator_steps
                    batches = images.batches(schedule.batch_size, seed=config.seed, start=first_batch)
                    fit(gan, batches, config, directory, checkpoints, [stop], evaluator=evaluator)
                checkpoints.save()
            except NotFiniteError as error:
                kept = f"step {checkpoints.steps[-1]}" if checkpoints.steps else "none"
                raise NotFiniteError(
                    f"{error}. The last good checkpoint: {kept}, in {directory.checkpoints}."
                ) from error
        step = gan.step
        run = Run(
            directory=directory,
            start=start,
            step=step,
            seconds=time.perf_counter() - began,
            stopped_by=stop.received if step < schedule.steps else None,
        )
        if step >= schedule.steps:
            protocol = {"data_source": images.source, "train_examples": images.size, **images.notes}
            protocol["replicas"] = devices.num_replicas_in_sync
            losses = results.last_values(directory.metrics, step, GAN.reported)
            _finish(gan, results.summary(config, step, losses, protocol), directory, evaluator)
        return run


def _finish(gan: GAN, summary: dict[str, Any], directory: results.RunDirectory, evaluator: Evaluator) -> None:
    """Evaluates a run that has reached its last step. What was known of it before stays until that has succeeded."""
    known = results.read_results(directory.results)
    if known is not None and known["step"] == summary["step"] and ("references" in known or not evaluator.metrics):
        return
    if known is None or not evaluator.metrics:
        results.write_json(directory.results, summary)
    if evaluator.metrics:
        try:
            evaluation.write(directory, evaluator, gan, summary)
        except (config_lib.InputError, config_lib.RunError) as error:
            raise type(error)(
                f"{error} The training itself is finished and saved; --mode=evaluate measures it."
            ) from error


def _check_start(start: int, config: config_lib.Experiment, directory: results.RunDirectory) -> None:
    """Whether the run in the directory can go on from step `start` as the config says."""
    schedule, known = config.schedule, directory.stored()
    if start > schedule.steps:
        raise config_lib.InputError(
            f"--steps: expected at least the {start} that {directory.path} has run, received {schedule.steps}."
        )
    if (schedule.steps - start) % schedule.steps_per_execution:
        raise config_lib.InputError(
            f"schedule.steps_per_execution: expected a divisor of the {schedule.steps - start} steps that are left, "
            f"received {schedule.steps_per_execution}."
        )
    # A kill before the first checkpoint leaves rows up to there; more rows than that once had a checkpoint beside them.
    lost = start == 0 and known is not None and directory.begun() > known.schedule.checkpoint_every
    if lost or (start == 0 and directory.results.exists()):
        raise config_lib.InputError(
            f"--workdir: expected a checkpoint beside the rows of {directory.path}, which go to step "
            f"{directory.begun()}; found none. To begin anew, remove the directory."
        )


def farewell(run: Run, command: str) -> str:
    """The last lines of a run: how it ended, where everything is, and how to go on with `command`."""
    place = run.directory
    took = tqdm.tqdm.format_interval(run.seconds)
    if run.stopped_by is not None:
        head = f"Stopped by {run.stopped_by.name} at step {run.step}, and saved. The same command goes on:\n  {command}"
    elif run.start == run.step:
        head = f"Nothing to do: this run is at step {run.step} already. More --steps continue it."
    else:
        head = f"Finished at step {run.step} after {took}."
    pictures = sorted(place.samples.glob("step_*.png"))
    lines = {
        "samples": pictures[-1] if pictures else place.samples,
        "metrics": place.metrics,
        "results": place.results,
        "checkpoint": place.checkpoints / f"step-{run.step}",
        "curves": f"tensorboard --logdir {shlex.quote(str(place.tensorboard))}",
    }
    if run.stopped_by is not None:
        del lines["results"]
    known = results.read_results(place.results)
    table = [] if run.stopped_by is not None or known is None else [evaluation.table(known)]
    return "\n".join([head, *table, *(f"  {name:<11}{value}" for name, value in lines.items())])


def fit(
    gan: GAN,
    batches: tf.data.Dataset,
    config: config_lib.Experiment,
    directory: results.RunDirectory,
    checkpoints: Checkpoints,
    others: Sequence[keras.callbacks.Callback] = (),
    *,
    evaluator: Evaluator | None = None,
) -> None:
    """Trains up to the config's last step, with all that a run writes on the way, and `others` after it.

    With an evaluator, `evaluation.every_metrics` are measured every `evaluation.every` steps.
    """
    schedule, last = config.schedule, config.schedule.steps
    writer = tf.summary.create_file_writer(str(directory.tensorboard))
    hparams.write(writer, config)
    progress = callbacks.Progress(last)
    rows = callbacks.Rows(
        schedule.log_every,
        last,
        path=directory.metrics,
        writer=writer,
        examples_per_step=schedule.batch_size * config.variant.discriminator_steps,
        listeners=(progress.row,),
    )
    grids = callbacks.SampleGrids(
        schedule.sample_every, last, directory=directory.samples, writer=writer, seed=config.seed
    )
    measured = []
    if evaluator is not None and evaluator.every_metrics:
        source = sources.samples(gan.draw, config.evaluation.seed)
        measure = functools.partial(evaluator.measure, source, evaluator.every_metrics, config.evaluation.every_samples)
        measured = [
            callbacks.Evaluations(config.evaluation.every, last, measure=measure, path=directory.metrics, writer=writer)
        ]
    save = callbacks.SaveCheckpoints(schedule.checkpoint_every, last, checkpoints=checkpoints)
    try:
        gan.fit(
            batches,
            steps_per_epoch=last - gan.step,
            verbose=0,
            callbacks=[progress, rows, grids, *measured, save, *others],
        )
    finally:
        progress.close()
        writer.close()
