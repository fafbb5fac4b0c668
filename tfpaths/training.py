"""`train`: from an experiment's value to a run directory."""

import dataclasses
import importlib.metadata
import pathlib
import platform
import shlex
import signal
import time
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
import tqdm
from absl import logging

from tfpaths import __version__, callbacks, data, distribution, losses, networks, penalties, results
from tfpaths import config as config_lib
from tfpaths.checkpoints import Checkpoints, NotFiniteError
from tfpaths.gan import GAN

_PACKAGES = ("tensorflow", "keras", "tensorflow-gan", "tensorflow-datasets", "numpy")


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
    images = load_data(config.data, data_dir=data_dir)
    if asked.data.source == "auto" and config.data.source == "embedded":
        logging.warning("this run began with the embedded digits and goes on with them.")
    if images.source in config_lib.SOURCES:
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, source=images.source))
    images.batches(schedule.batch_size)  # Refuses a batch larger than the data before anything is written.
    devices = distribution.get(strategy, tpu)
    distribution.check_batch_size(schedule.batch_size, devices)
    with devices.scope():
        try:
            gan = build(config, images.shape)
        except (tf.errors.ResourceExhaustedError, MemoryError) as error:
            raise config_lib.RunError("the networks of this config do not fit the memory of this machine.") from error

    with directory.locked(), callbacks.StopOnSignal() as stop:
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
                fit(gan, batches, config, directory, checkpoints, [stop])
            checkpoints.save()
        except NotFiniteError as error:
            kept = f"step {checkpoints.steps[-1]}" if checkpoints.steps else "none"
            raise NotFiniteError(f"{error}. The last good checkpoint: {kept}, in {directory.checkpoints}.") from error
        step = gan.step
        if step >= schedule.steps:
            results.write_json(
                directory.results, _results(config, directory, step, images, devices.num_replicas_in_sync)
            )
        return Run(
            directory=directory,
            start=start,
            step=step,
            seconds=time.perf_counter() - began,
            stopped_by=stop.received if step < schedule.steps else None,
        )


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
    return "\n".join([head, *(f"  {name:<11}{value}" for name, value in lines.items())])


def load_data(config: config_lib.Data, split: str = "train", *, data_dir: str | None = None) -> data.Images:
    """The data set that a config describes."""
    return data.load(
        config.name,
        split,
        source=config.source,
        data_dir=data_dir,
        seed=config.seed,
        path=config.path,
        image_size=config.image_size,
    )


def build(config: config_lib.Experiment, image_shape: Sequence[int]) -> GAN:
    """The compiled GAN that a config describes. Call it in the scope of the strategy.

    Raises:
      InputError: a name in the config is unknown, or the networks do not fit the images.
    """
    variant = config.variant
    loss = losses.get(variant.loss)
    penalty = None if variant.penalty is None else _penalty(variant.penalty)
    generator, discriminator = networks.build(
        config.networks, image_shape, seed=config.seed, precision=config.precision
    )
    gan = GAN(
        generator,
        discriminator,
        loss=loss,
        penalty=penalty,
        discriminator_steps=variant.discriminator_steps,
        weight_clip=variant.weight_clip,
        seed=config.seed,
    )
    gan.compile(
        generator_optimizer=_optimizer(variant.generator_optimizer, config.precision),
        discriminator_optimizer=_optimizer(variant.discriminator_optimizer, config.precision),
        steps_per_execution=config.schedule.steps_per_execution,
    )
    return gan


def fit(
    gan: GAN,
    batches: tf.data.Dataset,
    config: config_lib.Experiment,
    directory: results.RunDirectory,
    checkpoints: Checkpoints,
    others: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Trains up to the config's last step, with all that a run writes on the way, and `others` after it."""
    schedule, last = config.schedule, config.schedule.steps
    writer = tf.summary.create_file_writer(str(directory.tensorboard))
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
    save = callbacks.SaveCheckpoints(schedule.checkpoint_every, last, checkpoints=checkpoints)
    try:
        gan.fit(
            batches,
            steps_per_epoch=last - gan.step,
            verbose=0,
            callbacks=[progress, rows, grids, save, *others],
        )
    finally:
        progress.close()
        writer.close()


def _penalty(penalty: config_lib.Penalty) -> penalties.GradientPenalty:
    """The layer of a penalty's config: the options that are set are the layer's arguments."""
    layer, options = penalties.get(penalty.name), penalty.options()
    try:
        return layer(**options)
    except (TypeError, ValueError) as error:
        listed = ", ".join(f"{name}={value}" for name, value in options.items())
        raise config_lib.InputError(
            f"variant.penalty: expected options that {penalty.name!r} has, received {listed} ({error})."
        ) from error


def _optimizer(optimizer: config_lib.Optimizer, precision: str) -> keras.optimizers.Optimizer:
    rate = optimizer.learning_rate
    if optimizer.name == "adam":
        made = keras.optimizers.Adam(rate, beta_1=optimizer.beta_1, beta_2=optimizer.beta_2)
    else:
        made = {"rmsprop": keras.optimizers.RMSprop, "sgd": keras.optimizers.SGD}[optimizer.name](rate)
    # float16 has no room for small gradients; bfloat16 has float32's range and needs no help.
    return keras.optimizers.LossScaleOptimizer(made) if precision == "mixed_float16" else made


def _results(
    config: config_lib.Experiment, directory: results.RunDirectory, step: int, images: data.Images, replicas: int
) -> dict[str, Any]:
    last = results.read_rows(directory.metrics)[-1:]
    metrics = {name: value for row in last for name, value in row.items() if name in GAN.reported}
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {
        "experiment": config.name,
        "step": step,
        "seed": config.seed,
        "metrics": metrics,
        "protocol": {
            "data": config.data.name,
            "data_source": images.source,
            "train_examples": images.size,
            **images.notes,
            "batch_size": config.schedule.batch_size,
            "precision": config.precision,
            "replicas": replicas,
        },
        "versions": {"python": platform.python_version(), "tfpaths": __version__, **versions},
    }
