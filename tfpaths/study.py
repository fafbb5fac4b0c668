"""`run`: a synthetic study, many independent GANs on lines, block after block, from an experiment's value."""

import concurrent.futures
import dataclasses
import functools
import itertools
import json
import math
import os
import pathlib
import signal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfpaths import assembly, callbacks, distribution, losses, progress, results
from tfpaths import config as config_lib
from tfpaths.gan import GAN
from tfpaths.synthetic import ensemble

# A run is near equilibrium where it has closed nine tenths of the squared distance that it began with, and has failed
# where it is not near at its last step. Ours: the distance itself depends on the dimension and on what was drawn, its
# share of the start does not. A run that fails may have been near before; those that never were are counted too.
FAILED_ABOVE = 0.1


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a call of `run` ended.

    Attributes:
      directory: the run directory.
      done: how many runs are finished.
      finished: whether those are all.
      stopped_by: the signal that came on the way, or none; what had begun with the last block is finished all the same.
    """

    directory: results.RunDirectory
    done: int
    finished: bool
    stopped_by: signal.Signals | None


def build(config: config_lib.Experiment, runs: int) -> ensemble.Ensemble:
    """A block of `runs` GANs that the config describes.

    Raises:
      InputError: a name in the config is unknown.
    """
    study, variant = config.study, config.variant
    assert study is not None
    generator, discriminator = ensemble.players(
        runs, study.dimension, study.latents, width=study.width, depth=study.depth
    )
    gan = GAN(
        generator,
        discriminator,
        loss=losses.get(variant.loss),
        penalty=assembly.penalty(variant.penalty),
        discriminator_steps=variant.discriminator_steps,
        weight_clip=variant.weight_clip,
        seed=config.seed,
        runs=runs,
    )
    gan.compile(
        generator_optimizer=assembly.optimizer(variant.generator_optimizer, config.precision),
        discriminator_optimizer=assembly.optimizer(variant.discriminator_optimizer, config.precision),
    )
    return ensemble.Ensemble(gan, batch_size=config.schedule.batch_size, start=study.start)


def run(
    config: config_lib.Experiment,
    workdir: str | pathlib.Path,
    *,
    devices: tf.distribute.Strategy | None = None,
) -> Outcome:
    """Makes a study's runs in a run directory, from the block where it was stopped, and writes what was found.

    A row of `metrics.jsonl` is one run at one logged step: squared_distance, and since the row before it the share of
    steps on which it rose (rises) and by how much in all (climbed). A run that is not finite has null there from then
    on. The rows of a block are written when it is finished. More `study.runs` go on where the others ended.

    Args:
      config: the study.
      workdir: the run directory.
      devices: the strategy over whose devices and workers the runs are spread; none for this machine's cores or GPU.

    Raises:
      InputError: the directory holds another experiment, or this one with another length.
    """
    devices = devices or tf.distribute.get_strategy()
    agreed = functools.partial(distribution.any_worker, strategy=devices)
    if distribution.worker(devices) == 0:
        # Before the lock, which is a file in the directory.
        continued(config, results.RunDirectory(pathlib.Path(workdir)))
    with distribution.directory(workdir, devices) as directory, callbacks.StopOnSignal() as stop:
        config = continued(config, directory)
        study, schedule = config.study, config.schedule
        assert study is not None
        distribution.check_same(json.dumps(config_lib.to_dict(config)), "the study", devices)
        results.write_json(directory.config, config_lib.to_dict(config))
        (kept,) = distribution.from_chief([tf.constant(_keep_finished(directory, schedule.steps))], devices)
        done = int(kept)
        blocks = _blocks(config, study.runs - done, devices)
        stretches = _stretches(schedule.steps, schedule.log_every)
        at_once = sum(block.runs for block in blocks) * distribution.workers(devices)
        rows: list[dict[str, Any]] = []
        firsts = range(done, study.runs, max(at_once, 1))
        work = _work(blocks, firsts, stretches, devices, players=study.players)
        if distribution.worker(devices) == 0:
            work = progress.shown(work, f"{config.name}, part", len(firsts) * len(stretches))
        for first, made in work:
            rows += made
            if made[0]["step"] == schedule.steps:
                # The last block may reach beyond the last run.
                wanted = [row for row in rows if row["run"] < study.runs]
                results.append_rows(directory.metrics, sorted(wanted, key=lambda row: (row["run"], row["step"])))
                rows, done = [], min(first + at_once, study.runs)
            if agreed(stop.received is not None):
                stop.received = stop.received or signal.SIGTERM
                break
        if done >= study.runs and distribution.worker(devices) == 0:
            results.write_json(directory.results, _results(config, directory))
        return Outcome(results.RunDirectory(pathlib.Path(workdir)), done, done >= study.runs, stop.received)


def continued(config: config_lib.Experiment, directory: results.RunDirectory) -> config_lib.Experiment:
    """The config to go on with in a directory, as `RunDirectory.continued`; the length of its runs cannot change.

    Raises:
      InputError: the directory holds something else, or runs of another length.
    """
    config, known = directory.continued(config), directory.stored()
    schedule = config.schedule
    if known is not None and (known.schedule.steps, known.schedule.log_every) != (schedule.steps, schedule.log_every):
        raise config_lib.InputError(
            f"--workdir: {directory.path} holds this with schedule.steps={known.schedule.steps} and "
            f"schedule.log_every={known.schedule.log_every}; expected the same, received {schedule.steps} and "
            f"{schedule.log_every}."
        )
    return config


def _stretches(steps: int, every: int) -> Sequence[int]:
    """The logged steps, 0 and the last among them."""
    return [0, *range(every, steps, every), steps]


def _blocks(config: config_lib.Experiment, runs: int, devices: tf.distribute.Strategy) -> list[ensemble.Ensemble]:
    """Blocks for so many runs that train side by side on this worker: one for each of its devices, or of its cores.

    Small matrices keep one core busy and not two: two programs of 32 runs on two cores take two thirds of the time of
    one of 64. On a GPU one program is what fills it.
    """
    study = config.study
    assert study is not None
    if runs <= 0:
        return []
    places = distribution.devices(devices)
    if len(places) == 1 and "CPU" in places[0]:
        cores, workers = len(os.sched_getaffinity(0)), distribution.workers(devices)
        # As many on every worker, and none for which no run is left.
        (cores,) = distribution.from_chief([tf.constant(cores)], devices)
        wanted = math.ceil(runs / workers / min(study.block, math.ceil(runs / workers / int(cores))))
        places *= min(int(cores), wanted)
    size = min(study.block, math.ceil(runs / distribution.workers(devices) / len(places)))
    blocks = []
    for place in places:
        with tf.device(place):
            blocks.append(build(config, size))
    return blocks


def _work(
    blocks: Sequence[ensemble.Ensemble],
    firsts: Sequence[int],
    stretches: Sequence[int],
    devices: tf.distribute.Strategy,
    *,
    players: bool,
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """(the first run, the rows of one logged step), for each step of the blocks that begin there, on all workers."""
    own = sum(block.runs for block in blocks) * distribution.worker(devices)
    with concurrent.futures.ThreadPoolExecutor(max(len(blocks), 1)) as pool:
        for first in firsts:
            for index, block in enumerate(blocks):
                block.reset(first + own + index * block.runs)
            before = 0
            for step in stretches:
                # TensorFlow gives up Python's lock while a program runs.
                made = list(pool.map(lambda block, steps=step - before: block.advance(steps), blocks))
                values = _joined([dataclasses.asdict(one) for one in made], devices)
                places = _joined([block.players() for block in blocks], devices) if players else {}
                yield (
                    first,
                    [
                        {
                            "step": step,
                            "run": first + run,
                            **_finite({name: value[run] for name, value in values.items()}, step - before),
                            **{name: _listed(value[run]) for name, value in places.items()},
                        }
                        for run in range(len(values["distance"]))
                    ],
                )
                before = step


def _joined(parts: Sequence[Mapping[str, np.ndarray]], devices: tf.distribute.Strategy) -> dict[str, np.ndarray]:
    """What the blocks say of their runs, all blocks of all workers in the order of runs."""
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


def _keep_finished(directory: results.RunDirectory, steps: int) -> int:
    """Drops the rows of runs that a kill cut short; returns how many runs are whole."""
    if not directory.metrics.exists():
        return 0
    rows = results.read_rows(directory.metrics)
    whole = {row["run"] for row in rows if row["step"] == steps}
    done = next(count for count in range(len(whole) + 1) if count not in whole)
    # Always: half a line, or one without its end, is no row, and would spoil the next.
    results.rewrite_rows(directory.metrics, [row for row in rows if row["run"] < done])
    return done


def found(rows: Sequence[Mapping[str, Any]], runs: int) -> dict[str, float]:
    """What the rows of a study say, over its first `runs` runs.

    Distances are over the runs that are finite: mean, its standard error's 95 % interval, and median, at the last step;
    initial_distance_mean is that of the generator before its first step. `failed_share` counts the runs whose distance
    ended above a tenth of their first, or is not finite, and `never_near_share` those in which no logged distance was
    below it. `rises_share` is the mean over finite runs of the share of all steps on which the distance rose,
    `near_rises_share` that over runs that did not fail: the title of the paper.
    """
    ended = ways(rows, runs)
    finite = [way for way in ended if way["final"] is not None]
    near = [way for way in finite if way["near"]]
    values: dict[str, float] = {"runs": len(ended), "runs_not_finite": len(ended) - len(finite)}
    initial = [way["initial"] for way in ended if way["initial"] is not None]
    if initial:
        values["initial_distance_mean"] = float(np.mean(initial))
    values["failed_share"] = 1.0 - len(near) / len(ended)
    values["never_near_share"] = sum(way["arrived"] is None for way in ended) / len(ended)
    if not finite:
        return values
    distances = np.array([way["final"] for way in finite])
    error = 1.96 * distances.std(ddof=1) / len(distances) ** 0.5 if len(distances) > 1 else 0.0
    values |= {
        "distance_mean": float(distances.mean()),
        "distance_mean_low": float(distances.mean() - error),
        "distance_mean_high": float(distances.mean() + error),
        "distance_median": float(np.median(distances)),
        "rises_share": float(np.mean([way["rises"] for way in finite])),
    }
    if near:
        values["near_rises_share"] = float(np.mean([way["rises"] for way in near]))
    return values


def ways(rows: Sequence[Mapping[str, Any]], runs: int) -> list[dict[str, Any]]:
    """How each of the first `runs` runs of a study went, from its rows.

    Of each: `initial` and `final` squared distance; the logged step at which it first was near equilibrium (`arrived`,
    none for never), and whether it ended `near`. Then on which share of the steps the distance `rises`, and by how much
    in all it `climbed` for each unit of net descent to its end: over all steps; and with `_arriving` up to `arrived`
    alone, since what follows is motion about a place and not a way there. A run that is not finite has no `final`, and
    what cannot be said is none.
    """
    found = []
    ordered = sorted((row for row in rows if row["run"] < runs), key=lambda row: (row["run"], row["step"]))
    for run, group in itertools.groupby(ordered, key=lambda row: row["run"]):
        own = list(group)
        initial = own[0]["squared_distance"]
        finite = [row for row in own if row["rises"] is not None]
        arrival = next((n for n, row in enumerate(finite) if row["squared_distance"] <= FAILED_ABOVE * initial), None)
        whole = len(finite) == len(own)
        way = {"run": run, "initial": initial, "final": own[-1]["squared_distance"] if whole else None}
        way["arrived"] = None if arrival is None else finite[arrival]["step"]
        way["near"] = whole and way["final"] <= FAILED_ABOVE * initial
        way |= _ascent(own if whole else [], "") | _ascent(finite[: (arrival or 0) + 1], "_arriving")
        found.append(way)
    return found


def _ascent(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, float | None]:
    """How often and how far the distance rose between the first and the last of one run's rows."""
    if len(rows) < 2:
        return {f"rises{name}": None, f"climbed{name}": None}
    steps = np.diff([row["step"] for row in rows])
    descent = rows[0]["squared_distance"] - rows[-1]["squared_distance"]
    return {
        f"rises{name}": float(np.dot(steps, [row["rises"] for row in rows[1:]]) / steps.sum()),
        # For each unit of what it came down; a run that did not has no such number.
        f"climbed{name}": sum(row["climbed"] for row in rows[1:]) / descent if descent > 0 else None,
    }


def _results(config: config_lib.Experiment, directory: results.RunDirectory) -> dict[str, Any]:
    study = config.study
    assert study is not None
    protocol = {
        "data_source": "drawn",
        "failed_above": FAILED_ABOVE,
        **{name: value for name, value in dataclasses.asdict(study).items() if name != "block"},
    }
    values = found(results.read_rows(directory.metrics), study.runs)
    return results.summary(config, config.schedule.steps, values, protocol)


def farewell(outcome: Outcome, command: str) -> str:
    """The last lines of a study."""
    place = outcome.directory
    if not outcome.finished:
        assert outcome.stopped_by is not None
        return (
            f"Stopped by {outcome.stopped_by.name} after {outcome.done} runs, all kept. The same command goes on:\n"
            f"  {command}"
        )
    known = results.read_results(place.results)
    metrics = {} if known is None else known["metrics"]
    table = [f"  {name:<26}{value:>10.4g}" for name, value in metrics.items()]
    return "\n".join(
        [f"Finished {outcome.done} runs.", *table, f"  rows       {place.metrics}", f"  results    {place.results}"]
    )
