"""`train`: from an experiment's value to a run directory."""

import contextlib
import dataclasses
import functools
import json
import pathlib
import shlex
import signal
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
import tqdm
from absl import logging

from tfpaths import assembly, callbacks, distribution, evaluation, hparams, results
from tfpaths import config as config_lib
from tfpaths.checkpoints import Checkpoints, NotFiniteError, steps_in
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
      worker: the number of this process among those that trained together; only number 0 has written anything.
    """

    directory: results.RunDirectory
    start: int
    step: int
    seconds: float
    stopped_by: signal.Signals | None
    worker: int = 0


def train(
    config: config_lib.Experiment,
    workdir: str | pathlib.Path,
    *,
    data_dir: str | None = None,
    strategy: str = "auto",
    tpu: str | None = None,
    profile: bool = False,
) -> Run:
    """Trains an experiment in a run directory, from its last checkpoint where there is one, and writes the results.

    Args:
      config: the experiment.
      workdir: the run directory: a new one, or one of this experiment.
      data_dir: prepared TFDS data.
      strategy: a name of `tfpaths.distribution`.
      tpu: the TPU's name or address.
      profile: whether ten steps are traced for TensorBoard's profiler.

    Raises:
      InputError: something asked for cannot be; nothing was written.
      NotFiniteError: a loss or the penalty became NaN or infinite, more often than `schedule.restarts`.
      RunError: another worker is gone, or a file cannot be written; the last checkpoint is kept.
    """
    # First of all: a cluster is joined before TensorFlow's first operation.
    devices = distribution.get(strategy, tpu)
    try:
        return _train(config, workdir, data_dir, devices, profile)
    except tf.errors.OpError as error:
        raise _fault(error, results.RunDirectory(pathlib.Path(workdir)), devices) from error


def _train(
    config: config_lib.Experiment,
    workdir: str | pathlib.Path,
    data_dir: str | None,
    devices: tf.distribute.Strategy,
    profile: bool,
) -> Run:
    with contextlib.ExitStack() as stack:
        chief = distribution.worker(devices) == 0
        # All workers do the same; what any but the chief writes goes nowhere.
        path = pathlib.Path(workdir if chief else stack.enter_context(tempfile.TemporaryDirectory()))
        directory = results.RunDirectory(path)
        asked, config = config, directory.continued(config)
        schedule = config.schedule
        images = assembly.load_data(config.data, data_dir=data_dir)
        if asked.data.source == "auto" and config.data.source == "embedded":
            logging.warning("this run began with the embedded digits and goes on with them.")
        if images.source in config_lib.SOURCES:
            config = dataclasses.replace(config, data=dataclasses.replace(config.data, source=images.source))
        evaluator = Evaluator(config.data, config.evaluation, data_dir=data_dir, lenient=True, known=[images])
        images.batches(schedule.batch_size)  # Refuses a batch larger than the data before anything is written.
        distribution.check_batch_size(schedule.batch_size, devices)
        description = json.dumps(config_lib.to_dict(config))
        distribution.check_same(description, "the experiment", devices)
        with devices.scope():
            try:
                gan = assembly.build(config, images.shape)
            except (tf.errors.ResourceExhaustedError, MemoryError) as error:
                raise config_lib.RunError(
                    "the networks of this config do not fit the memory of this machine."
                ) from error
        stack.enter_context(directory.locked())
        with callbacks.StopOnSignal(functools.partial(distribution.any_worker, strategy=devices)) as stop:
            # Another run may have been here since.
            directory.continued(config)
            checkpoints = Checkpoints(directory.checkpoints, gan, description=description, rows=directory.metrics)
            start = _restore(gan, checkpoints, config, directory, devices)
            results.write_json(directory.config, config_lib.to_dict(config))
            others: list[keras.callbacks.Callback] = [stop]
            if profile and chief:
                trace = callbacks.Profile(directory.tensorboard)
                stack.callback(trace.close)
                others.append(trace)
            began = time.perf_counter()
            while start < schedule.steps:
                batches = images.batches(
                    schedule.batch_size, seed=config.seed, start=gan.step * config.variant.discriminator_steps
                )
                try:
                    fit(gan, batches, config, directory, checkpoints, others, evaluator=evaluator, quiet=not chief)
                    checkpoints.save()
                    break
                except NotFiniteError as error:
                    _restart(error, gan, checkpoints, config, directory, devices)
        step = gan.step
        run = Run(
            directory=results.RunDirectory(pathlib.Path(workdir)),
            start=start,
            step=step,
            seconds=time.perf_counter() - began,
            stopped_by=stop.received if step < schedule.steps else None,
            worker=distribution.worker(devices),
        )
        if step >= schedule.steps and chief:
            protocol = {"data_source": images.source, "train_examples": images.size, **images.notes}
            protocol["replicas"] = devices.num_replicas_in_sync
            losses = results.last_values(directory.metrics, step, GAN.reported)
            _finish(gan, results.summary(config, step, losses, protocol), directory, evaluator)
        return run


def _restore(
    gan: GAN,
    checkpoints: Checkpoints,
    config: config_lib.Experiment,
    directory: results.RunDirectory,
    devices: tf.distribute.Strategy,
) -> int:
    """Goes back to the newest checkpoint, the chief's on every worker, and to its rows; returns its step."""
    checkpoints.restore()
    owners = (gan, gan.generator_optimizer, gan.discriminator_optimizer)
    state = [variable.value for owner in owners for variable in owner.variables]
    # The penalty's own seed is the one unsigned number, and nothing in a step draws from it.
    distribution.share([gan.steps, gan.restarts, *(v for v in state if v.dtype != tf.uint32)], devices)
    start = gan.step
    _check_start(start, config, directory)
    if start and checkpoints.rows:
        results.write_bytes(directory.metrics, checkpoints.rows)
    else:
        results.keep_rows(directory.metrics, start)
    return start


def _restart(
    error: NotFiniteError,
    gan: GAN,
    checkpoints: Checkpoints,
    config: config_lib.Experiment,
    directory: results.RunDirectory,
    devices: tf.distribute.Strategy,
) -> None:
    """After a quantity that is not finite: back to the last checkpoint, on other random numbers, if that is allowed."""
    restarts = int(gan.restarts.numpy())
    possible = distribution.any_worker(bool(checkpoints.steps), devices)
    if restarts >= config.schedule.restarts or not possible:
        raise NotFiniteError(f"{error}. The last good checkpoint: {_kept(checkpoints.directory)}.") from error
    start = _restore(gan, checkpoints, config, directory, devices)
    gan.restarts.assign(restarts + 1)
    logging.warning("%s; goes on from step %d on other random numbers (restart %d).", error, start, restarts + 1)


def _fault(
    error: tf.errors.OpError, directory: results.RunDirectory, devices: tf.distribute.Strategy
) -> config_lib.RunError:
    """What ended the program from outside: another worker, where there are several."""
    what = results.reason(error) if distribution.workers(devices) == 1 else "lost contact with another worker"
    if distribution.worker(devices) > 0:
        return config_lib.RunError(f"{what}. The chief has the checkpoints; the same commands go on from there.")
    kept = _kept(directory.checkpoints)
    return config_lib.RunError(f"{what}. The last good checkpoint: {kept}. The same command goes on from there.")


def _kept(directory: pathlib.Path) -> str:
    steps = steps_in(directory)
    return f"step {steps[-1]}, in {directory}" if steps else "none"


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
    if run.worker > 0:
        return f"{head} This is worker {run.worker}; all files are the chief's."
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
    quiet: bool = False,
) -> None:
    """Trains up to the config's last step, with all that a run writes on the way, and `others` after it.

    With an evaluator, `evaluation.every_metrics` are measured every `evaluation.every` steps. A quiet one shows nothing
    and measures nothing: another worker does.
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
        listeners=() if quiet else (progress.row,),
    )
    grids = callbacks.SampleGrids(
        schedule.sample_every, last, directory=directory.samples, writer=writer, seed=config.seed
    )
    measured = []
    if evaluator is not None and evaluator.every_metrics and not quiet:
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
            callbacks=[*([] if quiet else [progress]), rows, grids, *measured, save, *others],
        )
    finally:
        progress.close()
        writer.close()
