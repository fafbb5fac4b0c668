"""The last sample grids of a sweep's trials in a report. No TensorFlow."""

from collections.abc import Iterator

from tfpaths.runs.report import grids, tables
from tfpaths.runs.report.grids import Gallery
from tfpaths.sweeps import listing
from tfpaths.sweeps.trials import Trial, Trials

# The most grids of one sweep in a report.
MOST_GRIDS = 48


def galleries(trials: Trials) -> Iterator[Gallery]:
    """Yields the last grids of each experiment, the best trial first: all, or half of them the best, half the worst.

    Trials that do not differ for their experiment have one run directory, and are one grid.

    Example:
      >>> import pathlib
      >>> from tfpaths import experiments
      >>> from tfpaths.runs.directory import RunDirectory
      >>> from tfpaths.runs.report.runs import Run
      >>> sweep = experiments.get("robustness_color_mnist")
      >>> list(galleries(Trials(Run(1, "a", RunDirectory(pathlib.Path("a")), sweep, [], None), sweep, [])))
      []
    """
    names = list(dict.fromkeys(trial.experiment for trial in trials.ended))
    with_grids = {name: list(_with_grid(trials, name)) for name in names}
    with_grids = {name: found for name, found in with_grids.items() if found}
    if not with_grids:
        return
    is_all = sum(map(len, with_grids.values())) <= MOST_GRIDS
    half = max(MOST_GRIDS // (2 * len(with_grids)), 1)
    order = "" if trials.main is None else f", ordered by {tables.words(trials.main)}, the best first"
    for name, found in list(with_grids.items())[:MOST_GRIDS]:
        found = sorted(found, key=trials.better)
        which = f"{len(found):,} runs"
        if not is_all and len(found) > 2 * half:
            which = f"the {half} best and the {half} worst of {len(found):,} runs"
            found = found[:half] + found[-half:]
        shown = [_small(trials, trial) for trial in found]
        yield Gallery(f"Run {trials.run.number}, {name}: {which}{order}", [one for one in shown if one is not None])


def _with_grid(trials: Trials, experiment: str) -> Iterator[Trial]:
    """Yields the first trial of each run directory that has a grid."""
    seen: set[str] = set()
    for trial in trials.of(experiment):
        if trial.job not in seen and _last(trials, trial):
            seen.add(trial.job)
            yield trial


def _last(trials: Trials, trial: Trial) -> tuple | None:
    """Returns the step and the file of a trial's last grid."""
    directory = trials.directory(trial)
    return None if directory is None else max(grids.paths(directory / "samples").items(), default=None)


def _small(trials: Trials, trial: Trial) -> grids.Small | None:
    last = _last(trials, trial)
    assert last is not None
    parts = ["trial" if trial.number is None else f"trial {trial.number}"]
    value = trial.values.get(trials.main or "")
    if trial.failed:
        parts[0] += " (failed)"
    elif trials.main is not None and value is not None:
        parts.append(f"{tables.words(trials.main)} {tables.number(value)}")
    for name, paths in listing.fields(trials).items():
        if paths[0] in trial.fields:
            parts.append(f"{name} {tables.Cell.of(trial.fields[paths[0]]).text}")
    return grids.small(last[1], last[0], listing.cut(", ".join(parts)))
