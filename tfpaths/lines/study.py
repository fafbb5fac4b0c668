"""`run` trains a study, many independent GANs on lines, block after block."""

import concurrent.futures
import dataclasses
import functools
import json
import math
import pathlib
import signal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import errors, files, games, options, progress, schema
from tfpaths.compat import keras as compat
from tfpaths.lines import ensemble, hyperparameters, points, statistics
from tfpaths.networks import spectral
from tfpaths.runs import devices as devices_lib
from tfpaths.runs import distribution, faults, results
from tfpaths.runs import rows as rows_lib
from tfpaths.runs.build import arguments, compiled_with, complete_variant
from tfpaths.runs.directory import RunDirectory
from tfpaths.runs.results import cores
from tfpaths.runs.signals import StopOnSignal

_Config = TypeVar("_Config", config_lib.Study, config_lib.Figure)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a call of `run` ended.

    Attributes:
      directory: The run directory.
      done: The number of finished runs.
      finished: Whether all runs are finished.
      stopped_by: The signal that arrived, or None. If it arrived in the last block, the study may be finished.
    """

    directory: RunDirectory
    done: int
    finished: bool
    stopped_by: signal.Signals | None

    def message(self, command: str) -> str:
        """Returns the summary for a terminal; `command` is the command that resumes the study."""
        if not self.finished:
            assert self.stopped_by is not None
            return (
                f"Stopped by {self.stopped_by.name} after {self.done} runs, which are kept. The same command "
                f"continues:\n  {command}"
            )
        stored = results.read_results(self.directory.results)
        metrics = {} if stored is None else stored["metrics"]
        table = [f"  {name:<26}{value:>10.4g}" for name, value in metrics.items()]
        paths = {"rows": self.directory.metrics, "results": self.directory.results}
        lines = [f"  {name:<11}{path}" for name, path in paths.items()]
        return "\n".join([f"Finished {self.done} runs.", *table, *lines])


def build(config: config_lib.Study, runs: int) -> ensemble.Ensemble:
    """Returns a block of `runs` GANs that the config describes.

    Raises:
      InputError: A name or an option in the config is invalid.

    Example:
      >>> from tfpaths import experiments
      >>> block = build(experiments.get("line1_ns"), runs=4)
      >>> block.reset(first_run=0)
      >>> block.distance().shape
      TensorShape([4])
    """
    config = complete(config)
    study, variant = config.study, config.variant
    game = games.GAMES[variant.game.name]
    layers: dict[str, Any] = {"width": study.width, "depth": study.depth, "activation": study.activation}
    with compat.own_settings():
        if isinstance(study, config_lib.Lines):
            generator, discriminator = ensemble.players(runs, study.dimension, study.latents, **layers)
        else:
            generator, discriminator = points.players(runs, study.latents, **layers)
        if variant.spectral_normalization:
            discriminator = spectral.normalized(discriminator)
        gan = game(generator, discriminator, runs=runs, seed=config.seed, **arguments(variant))
        gan.compile(**compiled_with(variant, implementation="keras"))
        settings = hyperparameters.Hyperparameters(config, runs)
        settings.apply(gan)
    batch_size = config.schedule.batch_size
    if isinstance(study, config_lib.Lines):
        return ensemble.LineEnsemble(gan, settings, batch_size=batch_size, start=study.start)
    return points.PointEnsemble(gan, settings, batch_size=batch_size, data=points.data_of(study.data))


def complete(config: config_lib.Study) -> config_lib.Study:
    """Returns a study with all options filled in and checked.

    Raises:
      InputError: A name is unknown, or an option or a setting is invalid.

    Example:
      >>> from tfpaths import experiments
      >>> complete(experiments.get("line1_ns")).variant.generator_optimizer.options["beta_1"]
      0.5
    """
    config = config.replace(variant=complete_variant(config.variant, config.schedule.steps))
    if isinstance(config.study, config_lib.Points):
        data_set = points.data_of(config.study.data)
        data_set.check_source(config.study.data.source, "study.data")
        data = options.completed(config.study.data, type(data_set), "study.data")
        config = config.replace(study=config.study.replace(data=data))
    hyperparameters.check(config)
    return config


def run(
    config: config_lib.Study,
    workdir: str | pathlib.Path,
    *,
    devices: tf.distribute.Strategy | None = None,
    announces: bool = True,
) -> Outcome:
    """Trains a study's runs in a run directory, or resumes after the last finished block, and writes the statistics.

    A row of `metrics.jsonl` is one run at one logged step: squared_distance and, since the previous row, the share of
    steps on which it rose (rises) and the sum of those rises (climbed). They are null from the step on at which a run
    is not finite. The rows of a block are written when it is finished. A larger `study.runs` adds runs.

    Args:
      config: The study.
      workdir: The run directory.
      devices: The strategy over whose devices and workers the runs are spread; None for this machine's cores or GPU.
      announces: Whether the first line says on what it computes.

    Raises:
      InputError: The config is invalid, or the directory holds another experiment, or this one with another length.
      RunError: The study cannot continue; the message gives the cause.

    Example: `python -m tfpaths.launch --exp=line1_ns --set study.runs=64`.
    """
    devices = devices or tf.distribute.get_strategy()
    config = complete(config)
    if distribution.worker(devices) == 0:
        # Checked before the lock, since the lock creates a file in the directory.
        continued(config, RunDirectory(files.path(workdir)))
    with (
        faults.explained(devices, lambda: "The rows of the finished runs are saved."),
        distribution.directory(workdir, devices) as directory,
        StopOnSignal() as stop,
    ):
        config = continued(config, directory)
        distribution.check_same(json.dumps(schema.to_dict(config)), "the study", devices)
        directory.write_config(config)
        done = _train(config, directory, devices, stop, announces)
        finished = done >= config.study.runs
        if finished and distribution.worker(devices) == 0:
            files.write_json(directory.results, _results(config, directory, devices))
        return Outcome(RunDirectory(files.path(workdir)), done, finished, stop.received)


def continued(config: _Config, directory: RunDirectory) -> _Config:
    """Returns the config to run with in a directory, as `RunDirectory.continued`; the length of runs cannot change.

    Args:
      config: A complete study, or a figure, whose schedule is that of its studies.
      directory: The run directory.

    Raises:
      InputError: The directory holds another experiment, or runs of another length.

    Example:
      >>> from tfpaths import experiments
      >>> continued(experiments.get("line1_ns"), RunDirectory(pathlib.Path("new"))).name
      'line1_ns'
    """
    config, stored = cast(_Config, directory.continued(config)), directory.stored()
    if not isinstance(stored, config_lib.Study | config_lib.Figure):
        return config
    if stored.schedule is None or config.schedule is None:
        return config
    old, new = ((schedule.steps, schedule.log_every) for schedule in (stored.schedule, config.schedule))
    if old != new:
        raise errors.InputError(
            f"--workdir: {directory.path} holds this experiment with schedule.steps={old[0]} and "
            f"schedule.log_every={old[1]}; expected the same, received {new[0]} and {new[1]}."
        )
    if isinstance(stored, config_lib.Study) and isinstance(config, config_lib.Study):
        for index, (before, after) in enumerate(zip(stored.settings, config.settings, strict=True)):
            runs = min(len(before.values), len(after.values))
            if before.values[:runs] != after.values[:runs]:
                raise errors.InputError(
                    f"settings.{index}.values: expected those of the runs in {directory.path}, and more of them for "
                    f"more runs, received other values of {after.path}."
                )
    return config


def _train(
    config: config_lib.Study,
    directory: RunDirectory,
    devices: tf.distribute.Strategy,
    stop: StopOnSignal,
    announces: bool,
) -> int:
    """Trains the unfinished runs and writes their rows; returns the number of finished runs."""
    study, schedule = config.study, config.schedule
    agreed = functools.partial(distribution.any_worker, strategy=devices)
    (finished,) = distribution.from_chief([tf.constant(_keep_finished(directory, schedule.steps))], devices)
    done = int(finished)
    if announces and done < study.runs and distribution.worker(devices) == 0:
        devices_lib.announce(devices)
    blocks = _blocks(config, study.runs - done, devices)
    logged_steps = [0, *range(schedule.log_every, schedule.steps, schedule.log_every), schedule.steps]
    at_once = sum(block.runs for block in blocks) * distribution.workers(devices)
    firsts = range(done, study.runs, max(at_once, 1))
    players = isinstance(study, config_lib.Lines) and study.players
    parts = _parts(blocks, firsts, logged_steps, devices, players=players)
    if distribution.worker(devices) == 0:
        parts = progress.shown(parts, f"{config.name}, part", len(firsts) * len(logged_steps))
    rows: list[rows_lib.Row] = []
    for first, of_step in parts:
        rows += of_step
        if of_step[0]["step"] == schedule.steps:
            # The last blocks may have more runs than are wanted.
            wanted = [row for row in rows if row["run"] < study.runs]
            rows_lib.append_rows(directory.metrics, sorted(wanted, key=lambda row: (row["run"], row["step"])))
            rows, done = [], min(first + at_once, study.runs)
        if agreed(stop.received is not None):
            stop.received = stop.received or signal.SIGTERM
            break
    return done


def _keep_finished(directory: RunDirectory, steps: int) -> int:
    """Drops the rows of unfinished runs; returns how many are finished: the runs 0, 1, … without a gap."""
    if not directory.metrics.exists():
        return 0
    rows = rows_lib.read_rows(directory.metrics)
    whole = {row["run"] for row in rows if row["step"] == steps}
    done = next(count for count in range(len(whole) + 1) if count not in whole)
    # Always rewritten: an incomplete last line would damage the next one.
    rows_lib.rewrite_rows(directory.metrics, [row for row in rows if row["run"] < done])
    return done


def _blocks(config: config_lib.Study, runs: int, devices: tf.distribute.Strategy) -> list[ensemble.Ensemble]:
    """Returns the blocks that train side by side on this worker, one for each device or core, for `runs` runs in all.

    A program of small matrices uses one core well and two badly: two programs of 32 runs on two cores take two thirds
    of the time of one program of 64 runs. One program is enough for a GPU.
    """
    study = config.study
    if runs <= 0:
        return []
    names = distribution.devices(devices)
    if len(names) == 1 and "CPU" in names[0]:
        workers = distribution.workers(devices)
        # The same number on every worker, and no block without runs.
        (of_chief,) = distribution.from_chief([tf.constant(cores())], devices)
        count = int(of_chief)
        wanted = math.ceil(runs / workers / min(study.block, math.ceil(runs / workers / count)))
        names *= min(count, wanted)
    size = min(study.block, math.ceil(runs / distribution.workers(devices) / len(names)))
    blocks = []
    for name in names:
        with tf.device(name):
            blocks.append(build(config, size))
    return blocks


def _parts(
    blocks: Sequence[ensemble.Ensemble],
    firsts: Sequence[int],
    logged_steps: Sequence[int],
    devices: tf.distribute.Strategy,
    *,
    players: bool,
) -> Iterator[tuple[int, list[rows_lib.Row]]]:
    """Yields (first run, rows of one logged step) for each logged step of the blocks that start at that run."""
    offset = sum(block.runs for block in blocks) * distribution.worker(devices)
    with concurrent.futures.ThreadPoolExecutor(max(len(blocks), 1)) as pool:
        for first in firsts:
            for index, block in enumerate(blocks):
                block.reset(first + offset + index * block.runs)
            before = 0
            for step in logged_steps:
                # Threads are enough: TensorFlow releases Python's global lock while a program runs.
                parts = list(pool.map(lambda block, steps=step - before: block.advance(steps), blocks))
                measured = ("distance", "rises", "climbed")
                values = _joined([{name: getattr(part, name) for name in measured} for part in parts], devices)
                # [runs of all workers], as each of the values.
                others = _joined([part.others for part in parts], devices)
                positions = _joined([block.players() for block in blocks], devices) if players else {}
                yield (
                    first,
                    [
                        {
                            "step": step,
                            "run": first + run,
                            **_finite({name: value[run] for name, value in values.items()}, step - before),
                            **{name: _listed(value[run]) for name, value in others.items()},
                            **{name: _listed(value[run]) for name, value in positions.items()},
                        }
                        for run in range(len(values["distance"]))
                    ],
                )
                before = step


def _joined(parts: Sequence[Mapping[str, np.ndarray]], devices: tf.distribute.Strategy) -> dict[str, np.ndarray]:
    """Concatenates the arrays of all blocks of all workers, in the order of runs."""
    return {name: distribution.joined(np.concatenate([part[name] for part in parts]), devices) for name in parts[0]}


def _listed(values: np.ndarray) -> list | None:
    return values.tolist() if np.isfinite(values).all() else None


def _finite(values: Mapping[str, np.ndarray], steps: int) -> dict[str, float | None]:
    distance, rises, climbed = (float(values[name]) for name in ("distance", "rises", "climbed"))
    finite = bool(np.isfinite([distance, climbed]).all())
    return {
        "squared_distance": distance if finite else None,
        "rises": rises / max(steps, 1) if finite else None,
        "climbed": climbed if finite else None,
    }


def protocol_of(runs: config_lib.Block, schedule: config_lib.StudySchedule) -> dict[str, Any]:
    """Returns the protocol of a study or of a figure of studies: what its numbers depend on besides the variant.

    Example:
      >>> protocol_of(config_lib.Runs(), config_lib.StudySchedule(batch_size=32))["batch_size"]
      32
    """
    data = runs.data if isinstance(runs, config_lib.Points) else config_lib.Data(name="line")
    shape = {name: value for name, value in data.options.items() if name != "examples"}
    return {
        "data": data.name,
        **shape,
        "data_source": "drawn",
        "batch_size": schedule.batch_size,
        "precision": "float32",
        "failed_above": statistics.FAILED_ABOVE,
        **{name: value for name, value in schema.to_dict(runs).items() if name not in ("block", "data", "problem")},
    }


def _results(config: config_lib.Study, directory: RunDirectory, devices: tf.distribute.Strategy) -> dict[str, Any]:
    protocol = protocol_of(config.study, config.schedule)
    values = statistics.summary(rows_lib.read_rows(directory.metrics), config.study.runs)
    device = devices_lib.description(devices)
    return results.summary(config, config.schedule.steps, values, protocol, device=device)
