"""The section of a report about sweeps. No TensorFlow."""

from collections.abc import Iterable, Sequence

import numpy as np

from tfpaths.figures import report as figures
from tfpaths.runs.report import tables
from tfpaths.runs.report.runs import Run
from tfpaths.runs.report.section import Section
from tfpaths.runs.report.tables import Row, Table
from tfpaths.sweeps import gallery, listing, plots, successes
from tfpaths.sweeps.trials import Trials, more_is_better


def section(runs: Sequence[Run]) -> Section:
    """Returns the section about sweeps: the picture with its finding, the numbers, and all trials.

    Raises:
      InputError: A `trials.jsonl` is not a file of rows.

    Example: `python -m tfpaths.launch --mode=report --workdir=runs/robustness_line1`.
    """
    sweeps = [Trials.read(run) for run in runs]
    with_trials = [trials for trials in sweeps if trials.ended]
    return Section(
        heading="Sweeps",
        runs=runs,
        pictures=list(figures.pictures(runs)),
        progress={one.run.number: progress(one) for one in sweeps if one.run.results is None or not one.is_whole},
        tables=[
            *(by_experiment(trials) for trials in with_trials),
            *(table for trials in with_trials for table in by_threshold(trials)),
            tables.finals(runs, "The numbers behind the pictures."),
        ],
        listings=[listing.listing(trials) for trials in with_trials],
        boxes=_present(plots.boxes(trials) for trials in with_trials),
        scatters=_present(plots.scatters(trials) for trials in with_trials),
        galleries=[one for trials in with_trials for one in gallery.galleries(trials)],
    )


def progress(trials: Trials) -> str:
    """Returns a sentence about a sweep that is not finished.

    Example:
      >>> import pathlib
      >>> from tfpaths import experiments
      >>> from tfpaths.runs.directory import RunDirectory
      >>> sweep = experiments.get("robustness_color_mnist")
      >>> progress(Trials(Run(1, "a", RunDirectory(pathlib.Path("a")), sweep, [], None), sweep, []))
      '0 of 96 trials have ended.'
    """
    if trials.run.results is None:
        return trials.progress
    return f"{trials.progress} Its results and its picture are those of a smaller number of trials."


def by_experiment(trials: Trials) -> Table:
    """Returns a table of the experiments: how many trials ended and failed, and their main score.

    Example:
      >>> import pathlib
      >>> from tfpaths import experiments
      >>> from tfpaths.runs.directory import RunDirectory
      >>> from tfpaths.sweeps.trials import Trial
      >>> sweep = experiments.get("robustness_color_mnist")
      >>> run = Run(1, "a", RunDirectory(pathlib.Path("a")), sweep, [], None)
      >>> row = {"experiment": "color_mnist_ns", "trial": 3, "status": "finished", "modes_covered": 66}
      >>> trials = Trials(run, sweep, [Trial.of(row, sweep)])
      >>> by_experiment(trials).rows[0].cells
      ['1', '0', '66', '66', '66']
    """
    names = list(
        dict.fromkeys([*(one.name for one in trials.config.experiments), *(trial.experiment for trial in trials.ended)])
    )
    score = trials.main
    rows = []
    for name in names:
        of_one = trials.of(name)
        values = [trial.values[score] for trial in of_one if trials.has_score(trial)] if score else []
        failed = len(of_one) - len(values) if score else sum(trial.failed for trial in of_one)
        cells: list[str | None] = [f"{len(of_one):,}", f"{failed:,}"]
        best, worst = (max, min) if more_is_better(score or "") else (min, max)
        for summary in (best, np.median, worst):
            cells.append(tables.number(float(summary(values))) if values else None)
        rows.append(Row(name, cells))
    what = f" Best, median and worst are those of {tables.words(score)}, which a failed trial lacks." if score else ""
    caption = f"Run {trials.run.number}, {trials.run.name}: the trials that have ended, by experiment.{what}"
    return Table(caption, ["trials", "failed", "best", "median", "worst"], rows, corner="experiment")


def by_threshold(trials: Trials) -> list[Table]:
    """Returns two tables for a sweep with thresholds: the successes of each experiment, and those of each two.

    Example:
      >>> import pathlib
      >>> from tfpaths import experiments
      >>> from tfpaths.runs.directory import RunDirectory
      >>> from tfpaths.sweeps.trials import Trial
      >>> sweep = experiments.get("robustness_color_mnist").replace(thresholds=(5.0,))
      >>> run = Run(1, "a", RunDirectory(pathlib.Path("a")), sweep, [], None)
      >>> row = {"experiment": "color_mnist_ns", "trial": 3, "status": "finished", "classifier_score": 6.0}
      >>> shares, pairs = by_threshold(Trials(run, sweep, [Trial.of(row, sweep)]))
      >>> shares.rows[0].cells[0]
      '1 of 1 (2.5 to 100.0 %)'
    """
    score = successes.score_of(trials.names)
    if not trials.config.thresholds or score is None:
        return []
    rows = [
        {"experiment": one.experiment, "trial": one.number, **({} if one.failed else one.values)}
        for one in trials.ended
        if one.number is not None
    ]
    every, labels = successes.counted(trials.config, rows), successes.labels_of(trials.config)
    of_shares = [
        Row(
            f"above {one.threshold:g}",
            [f"{s.count} of {s.trials} ({100 * s.low:.1f} to {100 * s.high:.1f} %)" for s in one.shares.values()],
        )
        for one in every
    ]
    of_pairs = [
        Row(
            f"above {one.threshold:g}: A = {labels[first]}, B = {labels[second]}",
            [
                *(f"{count:,}" for count in (pair.only_first, pair.only_second, pair.both, pair.neither)),
                *(f"{p:.2g}" for p in (pair.p, one.adjusted[first, second])),
            ],
        )
        for one in every
        for (first, second), pair in one.pairs.items()
    ]
    start = f"Run {trials.run.number}, {trials.run.name}: settings with a {tables.words(score)} above a threshold"
    return [
        Table(f"{start}, with exact 95 % intervals.", list(labels.values()), of_shares, corner="threshold"),
        Table(
            f"{start}, of each two experiments, with McNemar's exact test, and Holm's correction for all rows.",
            ["only A", "only B", "both", "neither", "p", "p (Holm)"],
            of_pairs,
            corner="threshold",
        ),
    ]


def _present(plots_or_none: Iterable[plots.Plots | None]) -> list[plots.Plots]:
    return [one for one in plots_or_none if one is not None]
