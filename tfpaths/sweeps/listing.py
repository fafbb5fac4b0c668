"""The table of a sweep's trials in a report. No TensorFlow."""

import pathlib
from collections.abc import Sequence
from typing import Any

from tfpaths.runs.report import grids, tables
from tfpaths.runs.report.tables import Cell, Listing
from tfpaths.sweeps.trials import Trial, Trials, more_is_better, short_names

# The most rows of the table, the most columns of measured values, and the most characters of a reason: with more, a
# browser takes seconds to sort.
MOST_ROWS, MOST_VALUES, MOST_CHARACTERS = 500, 30, 300


def listing(trials: Trials) -> Listing:
    """Returns the table of a sweep's trials: the best of each experiment, if there are more than `MOST_ROWS`.

    Example:
      >>> from tfpaths import experiments
      >>> from tfpaths.runs.directory import RunDirectory
      >>> from tfpaths.runs.report.runs import Run
      >>> sweep = experiments.get("robustness_color_mnist")
      >>> run = Run(1, "a", RunDirectory(pathlib.Path("a")), sweep, [], None)
      >>> row = {"experiment": "color_mnist_ns", "trial": 3, "status": "finished", "modes_covered": 66}
      >>> trials = Trials(run, sweep, [Trial.of(row, sweep)])
      >>> [cell.text for cell in listing(trials).rows[0]][:3]
      ['3', 'color_mnist_ns', 'finished']
    """
    shown, caption = selection(trials)
    columns = fields(trials)
    names = trials.names[:MOST_VALUES]
    has_failed = any(trial.failed for trial in shown)
    links = [_links(trials, trial) for trial in shown]
    has_grids = any(grid is not None for _, grid in links)
    headings = [("trial", ""), ("experiment", ""), ("status", "")]
    headings += [("why", "")] if has_failed else []
    headings += [("samples", "the step of the last grid")] if has_grids else []
    headings += [(name, " = ".join(paths)) for name, paths in columns.items()]
    headings += [(tables.words(name), name) for name in names]
    rows = []
    for trial, (directory, grid) in zip(shown, links, strict=True):
        row = [
            Cell("–" if trial.number is None else str(trial.number), trial.number, directory),
            Cell(trial.experiment),
            Cell("failed" if trial.failed else "finished"),
        ]
        row += [Cell(cut(trial.why))] if has_failed else []
        if has_grids:
            row.append(Cell("") if grid is None else Cell(f"step {grid[0]:,}", grid[0], grid[1]))
        row += [
            _cell(next((trial.fields[path] for path in paths if path in trial.fields), None))
            for paths in columns.values()
        ]
        row += [Cell.of(trial.values.get(name)) for name in names]
        rows.append(row)
    return Listing(f"Run {trials.run.number}, {trials.run.name}: {caption}", headings, rows)


def selection(trials: Trials) -> tuple[Sequence[Trial], str]:
    """Returns the trials that are shown, and which they are in words.

    Example: see `listing`, which puts the words into its caption.
    """
    if len(trials.ended) <= MOST_ROWS:
        return trials.ended, f"all {len(trials.ended):,} trials that have ended."
    names = list(dict.fromkeys(trial.experiment for trial in trials.ended))[:MOST_ROWS]
    most = MOST_ROWS // len(names)
    shown = [trial for name in names for trial in sorted(trials.of(name), key=trials.better)[:most]]
    which = "first"
    if trials.main is not None:
        which = f"with the {'largest' if more_is_better(trials.main) else 'smallest'} {tables.words(trials.main)}"
    each = f"{most:,} of each experiment {which}" if len(names) > 1 else f"those {which}"
    return shown, f"{len(shown):,} of {len(trials.ended):,} trials, {each}; all are in trials.jsonl."


def fields(trials: Trials) -> dict[str, tuple[str, ...]]:
    """Returns the columns of the swept fields: name -> paths, several if their values are always the same.

    Example:
      >>> from tfpaths import experiments
      >>> from tfpaths.runs.directory import RunDirectory
      >>> from tfpaths.runs.report.runs import Run
      >>> sweep = experiments.get("robustness_color_mnist")
      >>> run = Run(1, "a", RunDirectory(pathlib.Path("a")), sweep, [], None)
      >>> row = {"experiment": "color_mnist_ns", "trial": 3, "status": "finished", "modes_covered": 66}
      >>> trials = Trials(run, sweep, [Trial.of(row, sweep)])
      >>> list(fields(trials))
      ['generator_optimizer.learning_rate', 'discriminator_optimizer.learning_rate', 'weight', ...]
    """
    columns: list[list[str]] = []
    for axis in trials.config.space:
        of_axis: list[list[str]] = []
        for path in axis.paths:
            same = next((column for column in of_axis if _are_equal(trials, column[0], path)), None)
            if same is None:
                of_axis.append([path])
            else:
                same.append(path)
        columns += of_axis
    # Fields with the same value, such as the rates of both players, are called by what their names have in common.
    ends = {tuple(column): column[0].split(".")[-1] for column in columns}
    alike = {key: end for key, end in ends.items() if len(key) > 1 and all(path.endswith(f".{end}") for path in key)}
    alike = {key: end for key, end in alike.items() if list(ends.values()).count(end) == 1}
    taken = [
        *(heading for heading in ("trial", "experiment", "status", "why", "samples")),
        *trials.names,
        *alike.values(),
    ]
    short = short_names([column[0] for column in columns if tuple(column) not in alike], taken)
    return {alike.get(tuple(column)) or short[column[0]]: tuple(column) for column in columns}


def _are_equal(trials: Trials, first: str, second: str) -> bool:
    """Returns whether two fields have the same value in every trial that has one of them."""
    has_one = [trial.fields for trial in trials.ended if first in trial.fields or second in trial.fields]
    return bool(has_one) and all(
        first in fields and second in fields and fields[first] == fields[second] for fields in has_one
    )


def cut(text: str) -> str:
    """Returns the beginning of a long text.

    Example:
      >>> cut("NaN in step 7."), len(cut("?" * 1000))
      ('NaN in step 7.', 300)
    """
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 2] + " …"


def _cell(value: Any) -> Cell:
    cell = Cell.of(value)
    return Cell(cut(cell.text), cell.value)


def _links(trials: Trials, trial: Trial) -> tuple[pathlib.Path | None, tuple[int, pathlib.Path] | None]:
    """Returns the run directory of a trial, and the step and the file of its last grid, where there are any."""
    directory = trials.directory(trial)
    found = {} if directory is None else grids.paths(directory / "samples")
    return directory, max(found.items(), default=None)
