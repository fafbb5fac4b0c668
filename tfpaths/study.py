"""`run`: a synthetic study, many independent GANs on lines, block after block, from an experiment's value."""

import dataclasses
import pathlib
import signal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfpaths import assembly, callbacks, losses, progress, results
from tfpaths import config as config_lib
from tfpaths.gan import GAN
from tfpaths.synthetic import ensemble

# A run has failed where it has not closed nine tenths of the squared distance that it began with. Ours: the distance
# itself depends on the dimension and on what was drawn, its share of the start does not.
FAILED_ABOVE = 0.1


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a call of `run` ended.

    Attributes:
      directory: the run directory.
      done: how many runs are finished.
      stopped_by: the signal that ended it before the last block, or none.
    """

    directory: results.RunDirectory
    done: int
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


def run(config: config_lib.Experiment, workdir: str | pathlib.Path) -> Outcome:
    """Makes a study's runs in a run directory, from the block where it was stopped, and writes what was found.

    A row of `metrics.jsonl` is one run at one logged step: squared_distance, and since the row before it the share of
    steps on which it rose (rises) and by how much in all (climbed). A run that is not finite has null there from then
    on. The rows of a block are written when it is finished. More `study.runs` go on where the others ended.

    Raises:
      InputError: the directory holds another experiment, or this one with another length.
    """
    directory = results.RunDirectory(pathlib.Path(workdir))
    config = directory.continued(config)
    study, schedule = config.study, config.schedule
    assert study is not None
    known = directory.stored()
    if known is not None and (known.schedule.steps, known.schedule.log_every) != (schedule.steps, schedule.log_every):
        raise config_lib.InputError(
            f"--workdir: {directory.path} holds this study with schedule.steps={known.schedule.steps} and "
            f"schedule.log_every={known.schedule.log_every}; expected the same, received {schedule.steps} and "
            f"{schedule.log_every}."
        )
    block = build(config, min(study.block, study.runs))
    with directory.locked(), callbacks.StopOnSignal() as stop:
        directory.continued(config)
        results.write_json(directory.config, config_lib.to_dict(config))
        done = _keep_finished(directory, schedule.steps)
        size = block.gan.runs or 1
        stretches = _stretches(schedule.steps, schedule.log_every)
        blocks = range(done, study.runs, size)
        rows: list[dict[str, Any]] = []
        for first, row in progress.shown(
            _work(block, blocks, stretches), f"stretches of {size} runs", len(blocks) * len(stretches)
        ):
            if stop.received is not None:
                break
            rows += row
            if row[0]["step"] == schedule.steps:
                # The last block may reach beyond the last run.
                wanted = [row for row in rows if row["run"] < study.runs]
                results.append_rows(directory.metrics, sorted(wanted, key=lambda row: (row["run"], row["step"])))
                rows, done = [], min(first + size, study.runs)
        if done >= study.runs:
            results.write_json(directory.results, _results(config, directory))
        return Outcome(directory, done, stop.received if done < study.runs else None)


def _stretches(steps: int, every: int) -> Sequence[int]:
    """The logged steps, 0 and the last among them."""
    return [0, *range(every, steps, every), steps]


def _work(
    block: ensemble.Ensemble, blocks: Sequence[int], stretches: Sequence[int]
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """(the block's first run, the rows of one logged step), for each block and step."""
    for first in blocks:
        block.reset(first)
        before = 0
        for step in stretches:
            made = block.advance(step - before)
            yield (
                first,
                [
                    {"step": step, "run": first + index, **_finite(values, step - before)}
                    for index, values in enumerate(zip(made.distance, made.rises, made.climbed, strict=True))
                ],
            )
            before = step


def _finite(values: tuple[float, int, float], steps: int) -> dict[str, float | None]:
    distance, rises, climbed = (float(value) for value in values)
    finite = bool(np.isfinite([distance, climbed]).all())
    return {
        "squared_distance": distance if finite else None,
        "rises": rises / max(steps, 1) if finite else None,
        "climbed": climbed if finite else None,
    }


def _keep_finished(directory: results.RunDirectory, steps: int) -> int:
    """Drops the rows of runs that a kill cut short; returns how many runs are whole."""
    rows = results.read_rows(directory.metrics)
    whole = {row["run"] for row in rows if row["step"] == steps}
    done = next(count for count in range(len(whole) + 1) if count not in whole)
    kept = [row for row in rows if row["run"] < done]
    if len(kept) < len(rows):
        results.rewrite_rows(directory.metrics, kept)
    return done


def found(rows: Sequence[Mapping[str, Any]], runs: int) -> dict[str, float]:
    """What the rows of a study say, over its first `runs` runs.

    Distances are over the runs that are finite: mean, its standard error's 95 % interval, and median, at the last step;
    initial_distance_mean is that of the generator before its first step. `failed_share` counts the runs whose distance
    ended above a tenth of their first, or is not finite. `rises_share` is the mean over finite runs of the share of all
    steps on which the distance rose, `near_rises_share` that over runs that did not fail: the title of the paper.
    """
    last = max(row["step"] for row in rows)
    ends = {row["run"]: row for row in rows if row["step"] == last and row["run"] < runs}
    starts = {row["run"]: row["squared_distance"] for row in rows if row["step"] == 0 and row["run"] < runs}
    finite = sorted(run for run, row in ends.items() if row["squared_distance"] is not None)
    values: dict[str, float] = {"runs": len(ends), "runs_not_finite": len(ends) - len(finite)}
    values["initial_distance_mean"] = float(np.mean(list(starts.values())))
    if not finite:
        return values | {"failed_share": 1.0}
    distances = np.array([ends[run]["squared_distance"] for run in finite])
    error = 1.96 * distances.std(ddof=1) / len(distances) ** 0.5 if len(distances) > 1 else 0.0
    near = [run for run, distance in zip(finite, distances, strict=True) if distance <= FAILED_ABOVE * starts[run]]
    shares = _share_of_rises(rows)
    values |= {
        "distance_mean": float(distances.mean()),
        "distance_mean_low": float(distances.mean() - error),
        "distance_mean_high": float(distances.mean() + error),
        "distance_median": float(np.median(distances)),
        "failed_share": 1.0 - len(near) / len(ends),
        "rises_share": float(np.mean([shares[run] for run in finite])),
    }
    if near:
        values["near_rises_share"] = float(np.mean([shares[run] for run in near]))
    return values


def _share_of_rises(rows: Sequence[Mapping[str, Any]]) -> dict[int, float]:
    """The share of all of a run's steps on which its distance rose, for the runs that stayed finite."""
    counts: dict[int, float] = {}
    for run in {row["run"] for row in rows}:
        own = sorted((row for row in rows if row["run"] == run), key=lambda row: row["step"])
        if all(row["rises"] is not None for row in own):
            steps = np.diff([row["step"] for row in own])
            counts[run] = float(np.dot(steps, [row["rises"] for row in own[1:]]) / own[-1]["step"])
    return counts


def _results(config: config_lib.Experiment, directory: results.RunDirectory) -> dict[str, Any]:
    study = config.study
    assert study is not None
    protocol = {
        "data_source": "drawn",
        "failed_above": FAILED_ABOVE,
        **{name: value for name, value in dataclasses.asdict(study).items() if name != "block"},
    }
    summary = results.summary(config, directory, config.schedule.steps, protocol)
    return {**summary, "metrics": found(results.read_rows(directory.metrics), study.runs)}


def farewell(outcome: Outcome, command: str) -> str:
    """The last lines of a study."""
    place = outcome.directory
    if outcome.stopped_by is not None:
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
