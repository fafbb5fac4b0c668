"""`train` trains an experiment in a run directory, from its last checkpoint if there is one."""

import contextlib
import dataclasses
import functools
import json
import pathlib
import time
from collections.abc import Sequence
from typing import Any, cast

import keras
import tensorflow as tf
from absl import logging

from tfpaths import config as config_lib
from tfpaths import data, errors, files, metrics, schema
from tfpaths.gan import GAN
from tfpaths.metrics.evaluator import Evaluator
from tfpaths.runs import (
    build,
    checkpoints,
    distribution,
    evaluation,
    faults,
    fitting,
    identity,
    loading,
    precision,
    profiling,
    results,
    rows,
)
from tfpaths.runs import devices as devices_lib
from tfpaths.runs.checkpoints import Checkpoints, NotFiniteError
from tfpaths.runs.directory import RunDirectory
from tfpaths.runs.outcome import Run
from tfpaths.runs.signals import StopOnSignal


def train(
    config: config_lib.Training,
    workdir: str | pathlib.Path,
    *,
    data_dir: str | None = None,
    strategy: str = "auto",
    tpu: str | None = None,
    cluster_timeout: int | None = None,
    profile: bool = False,
) -> Run:
    """Trains an experiment in a run directory, from its last checkpoint if there is one, and writes the results.

    Args:
      config: The experiment.
      workdir: The run directory: a new one, or one of this experiment.
      data_dir: The directory of prepared TFDS data.
      strategy: A name in `config.STRATEGIES`.
      tpu: The TPU's name or address.
      cluster_timeout: How many seconds the workers of `multi_worker` wait for each other; None for 300.
      profile: Whether ten steps are traced for TensorBoard's profiler.

    Raises:
      InputError: The input is invalid; nothing was written.
      NotFiniteError: A reported quantity or a variable became NaN or infinite, more often than `schedule.restarts`.
      RunError: Another worker is missing or lost, or a file cannot be written; the last checkpoint remains.
      FinalError: The same call would fail again: an operation of the user's code, or too little memory.

    Example: see `tfpaths.train`.
    """
    # Before anything else, since a cluster must be joined before TensorFlow's first operation.
    devices = distribution.get(strategy, tpu, cluster_timeout)
    given = RunDirectory(files.path(workdir))
    with (
        faults.explained(devices, lambda: checkpoints.last_good(given.checkpoints)),
        distribution.workdir(workdir, devices) as directory,
    ):
        run = _train(config, directory, data_dir, devices, profile)
    return dataclasses.replace(run, directory=given)


def _train(
    config: config_lib.Training,
    directory: RunDirectory,
    data_dir: str | None,
    devices: tf.distribute.Strategy,
    profile: bool,
) -> Run:
    # The stored config has the metrics' options too, so that loading it does not import the metrics.
    config = build.complete(config).replace(evaluation=metrics.complete(config.evaluation))
    training = _prepared(config, directory, data_dir, devices)
    steps, worker = training.config.schedule.steps, distribution.worker(devices)
    with directory.locked(), contextlib.ExitStack() as stack:
        with StopOnSignal(functools.partial(distribution.any_worker, strategy=devices)) as stop:
            # Another run may have been here since the first check.
            directory.continued(training.config)
            start = training.restore()
            is_wanted = start >= steps and _same_evaluation(directory.stored(), training.config)
            if start < steps:
                directory.write_config(training.config)
            others: list[keras.callbacks.Callback] = [stop]
            if profile and worker == 0:
                trace = profiling.Profile(directory.tensorboard)
                stack.callback(trace.close)
                others.append(trace)
            began = time.perf_counter()
            if start < steps:
                if worker == 0:
                    devices_lib.announce(devices)
                    training.warn_of_other_conditions()
                training.fit(others)
            seconds = time.perf_counter() - began
        step, is_measured = training.gan.step, False
        if step >= steps and worker == 0:
            is_measured = training.finish(is_wanted)
            # That of a finished run says what its results are: it is written when they are.
            directory.write_config(training.config)
        stopped_by = stop.received if step < steps else None
        return Run(directory, start, step, seconds, stopped_by, worker, is_measured)


def _prepared(
    config: config_lib.Training, directory: RunDirectory, data_dir: str | None, devices: tf.distribute.Strategy
) -> "_Training":
    """Checks all that a complete config asks for, reads the data and builds the game; writes nothing."""
    received, config = config, cast(config_lib.Training, directory.continued(config))
    config = precision.settled(config, devices)
    data_set = data.of(config.data)
    examples = data_set.load("train", source=config.data.source, seed=config.data.seed, data_dir=data_dir)
    if received.data.source == "auto" and config.data.source not in ("auto", *data_set.sources[:1]):
        logging.warning("this run began with data.source=%s and continues with it.", config.data.source)
    if examples.source in data_set.sources:
        config = config.replace(data=config.data.replace(source=examples.source))
    evaluator = Evaluator(config.data, config.evaluation, data_dir=data_dir, lenient=True, splits=[examples])
    examples.batches(config.schedule.batch_size)  # Refuses a batch that is larger than the data.
    distribution.check_batch_size(config.schedule.batch_size, devices)
    distribution.check_same(json.dumps(schema.to_dict(config)), "the experiment", devices)
    with devices.scope():
        gan = build.build(config, examples.shape)
    is_new = not checkpoints.steps_in(directory.checkpoints)
    # The chief's weights are shared with all workers when the run begins.
    if is_new and config.networks.weights_of is not None and distribution.worker(devices) == 0:
        loading.start_from(gan, config.networks.weights_of)
    description = identity.describe(config, gan, devices)
    saved = Checkpoints(directory.checkpoints, gan, description=description, rows=directory.metrics)
    return _Training(config, directory, devices, examples, evaluator, gan, saved)


@dataclasses.dataclass(frozen=True)
class _Training:
    """The objects of one call of `train` on one worker."""

    config: config_lib.Training
    directory: RunDirectory
    devices: tf.distribute.Strategy
    examples: data.Examples
    evaluator: Evaluator
    gan: GAN
    checkpoints: Checkpoints

    def restore(self) -> int:
        """Restores the chief's newest checkpoint on every worker, and the rows of that step; returns the step."""
        self.checkpoints.restore()
        distribution.share([variable for _, variable in checkpoints.variables(self.gan)], self.devices)
        start = self.gan.step
        _check_start(start, self.config, self.directory)
        if start and self.checkpoints.rows:
            files.write_bytes(self.directory.metrics, self.checkpoints.rows)
        else:
            rows.keep_rows(self.directory.metrics, start)
        return start

    def warn_of_other_conditions(self) -> None:
        """Warns if the restored checkpoint is from a run on another device, with other threads or other versions."""
        changes = identity.changes(self.checkpoints.restored, self.checkpoints.description)
        if changes:
            logging.warning(
                "the checkpoint was written under other conditions (%s): the run continues, but perhaps not bit for "
                "bit as without the interruption.",
                changes,
            )

    def fit(self, others: Sequence[keras.callbacks.Callback]) -> None:
        """Trains up to the last step, or until a callback stops it, and saves a checkpoint."""
        config, is_chief = self.config, distribution.worker(self.devices) == 0
        while True:
            try:
                fitting.fit(
                    self.gan,
                    self.examples,
                    config,
                    self.directory,
                    self.checkpoints,
                    others,
                    evaluator=self.evaluator,
                    quiet=not is_chief,
                )
                self.checkpoints.save()
                return
            except NotFiniteError as error:
                self._restart(error)

    def _restart(self, error: NotFiniteError) -> None:
        """Restores the last checkpoint and changes the random numbers, or raises `error` if no restart is left."""
        restarts = int(self.gan.restarts.numpy())
        possible = distribution.any_worker(bool(self.checkpoints.steps), self.devices)
        if restarts >= self.config.schedule.restarts or not possible:
            raise NotFiniteError(f"{error}. {checkpoints.last_good(self.checkpoints.directory)}") from error
        start = self.restore()
        self.gan.restarts.assign(restarts + 1)
        logging.warning(
            "%s; continues from step %d with other random numbers (restart %d).", error, start, restarts + 1
        )

    def finish(self, is_wanted: bool) -> bool:
        """Evaluates the run at its last step and writes the results; previous results stay until that succeeds.

        Args:
          is_wanted: Whether results of this step, if there are any, are those that the config asks for.

        Returns:
          Whether scores were measured.
        """
        step, path, evaluator = self.gan.step, self.directory.results, self.evaluator
        stored = results.read_results(path)
        # The results of an evaluation that was interrupted have no references.
        is_whole = not evaluator.metrics or (is_wanted and stored is not None and "references" in stored)
        if stored is not None and stored["step"] == step and is_whole:
            return False
        reported = rows.last_values(self.directory.metrics, step, tuple(self.gan.reported))
        device = devices_lib.description(self.devices)
        summary = results.summary(self.config, step, reported, self._protocol(), device=device)
        if stored is None or not evaluator.metrics:
            files.write_json(path, summary)
        if not evaluator.metrics:
            return False
        try:
            evaluation.write(self.directory, evaluator, self.gan, summary)
        except (errors.InputError, errors.RunError) as error:
            raise type(error)(
                f"{error} The training itself is finished and saved; --mode=evaluate measures it."
            ) from error
        return True

    def _protocol(self) -> dict[str, Any]:
        """Returns what the numbers of the run depend on besides its variant and networks."""
        config, examples = self.config, self.examples
        return {
            "data": config.data.name,
            "data_version": data.of(config.data).version,
            "data_source": examples.source,
            "batch_size": config.schedule.batch_size,
            "precision": config.precision,
            "train_examples": examples.size,
            "replicas": self.devices.num_replicas_in_sync,
            **examples.notes,
        }


def _check_start(start: int, config: config_lib.Training, directory: RunDirectory) -> None:
    """Checks that the run in the directory can continue from step `start` as the config says."""
    schedule, stored = config.schedule, directory.stored()
    if start > schedule.steps:
        raise errors.InputError(
            f"--steps: expected at least the {start} that {directory.path} has run, received {schedule.steps}."
        )
    if (schedule.steps - start) % schedule.steps_per_execution:
        raise errors.InputError(
            f"schedule.steps_per_execution: expected a divisor of the {schedule.steps - start} steps that are left, "
            f"received {schedule.steps_per_execution}."
        )
    # A run that is killed before its first checkpoint has rows up to that step only. Later rows mean that there was a
    # checkpoint, and that it is lost.
    is_lost = isinstance(stored, config_lib.Training) and directory.begun() > _first_checkpoint(stored.schedule)
    if start == 0 and (is_lost or directory.results.exists()):
        raise errors.InputError(
            f"--workdir: expected a checkpoint beside the rows of {directory.path}, which go to step "
            f"{directory.begun()}; found none. To start again from step 0, remove the directory."
        )


def _first_checkpoint(schedule: config_lib.Schedule) -> int:
    """Returns the step of a new run's first checkpoint: of the first execution that reaches `checkpoint_every`."""
    executions = -(-schedule.checkpoint_every // schedule.steps_per_execution)
    return executions * schedule.steps_per_execution


def _same_evaluation(stored: config_lib.Experiment | None, config: config_lib.Training) -> bool:
    """Returns whether two configs measure the same at the end; `every…` is about measurements during training."""
    if not isinstance(stored, config_lib.Training):
        return False
    differences = schema.differences(stored.evaluation, config.evaluation)
    return all(path.startswith("every") for path in differences)
