"""What a sweep of training runs shows: the scores of each experiment over its settings. No TensorFlow."""

import pathlib
from collections.abc import Sequence
from typing import Any

import matplotlib.figure
import numpy as np

from tfpaths import config as config_lib
from tfpaths import plotting
from tfpaths.runs.report import tables
from tfpaths.sweeps import successes
from tfpaths.sweeps.drawn import Drawn, Row

# What every training reports about its last step; the other numbers of a trial are scores of its samples.
_LOSSES = ("discriminator_loss", "generator_loss", "penalty")
_RESERVED = ("step", "trial", "experiment", "job", "status", "why")
# The ends of names that say something about a score: its error, or its value for real examples.
_ABOUT_SCORES = ("_error", "_real")


def score_names(config: config_lib.Sweep, rows: Sequence[Row]) -> list[str]:
    """Returns the names of the scores in the rows; the losses of the last step if there are no scores.

    A score's error, and its value for real examples, are not scores themselves.

    Example:
      >>> from tfpaths import experiments
      >>> row = {"step": 1, "trial": 0, "penalty": 0.5, "frechet_classifier_distance": 3.0}
      >>> score_names(experiments.get("robustness_color_mnist"), [row])
      ['frechet_classifier_distance']
    """
    paths = {path for axis in config.space for path in axis.paths}
    found = dict.fromkeys(name for row in rows for name in row if name not in _RESERVED and name not in paths)
    return [name for name in found if name not in _LOSSES and not name.endswith(_ABOUT_SCORES)] or list(found)


def drawn(config: config_lib.Sweep, rows: Sequence[Row], directory: pathlib.Path) -> Drawn:
    """Returns what a finished sweep of training runs shows.

    Args:
      config: The complete sweep.
      rows: The rows of `trials.jsonl`.
      directory: The sweep's directory.

    Example:
      >>> from tfpaths import experiments
      >>> common = {"step": 3000, "trial": 0, "experiment": "color_mnist_ns", "status": "finished"}
      >>> rows = [{**common, "modes": modes} for modes in (10, 30, 60)]
      >>> drawn(experiments.get("robustness_color_mnist"), rows, pathlib.Path()).metrics["color_mnist_ns_modes_median"]
      30.0
    """
    del directory
    names = score_names(config, rows)
    metrics: dict[str, float] = {}
    made: list[dict[str, Any]] = []
    for experiment in config.experiments:
        of_one = [row for row in rows if row["experiment"] == experiment.name]
        metrics[f"{experiment.name}_trials"] = len(of_one)
        metrics[f"{experiment.name}_failed_share"] = _failed(of_one) / max(len(of_one), 1)
        for name in names:
            values = values_of(of_one, name)
            if not values:
                continue
            quartiles = [float(value) for value in np.quantile(values, [0.0, 0.25, 0.5, 0.75, 1.0])]
            row = dict(zip(("min", "low_quarter", "median", "high_quarter", "max"), quartiles, strict=True))
            made.append({"step": experiment.schedule.steps, "experiment": experiment.name, "score": name, **row})
            metrics |= {f"{experiment.name}_{name}_{what}": value for what, value in row.items()}
    finding = _finding(config, rows, names)
    if config.thresholds:
        every = successes.counted(config, rows)
        made += successes.rows_of(config, every)
        metrics |= successes.metrics_of(every)
        finding = f"{finding}\n{successes.finding(config, rows, every)}"
    return Drawn(plotting.png(picture, config, rows, names, width=1500), made, metrics, finding)


def values_of(rows: Sequence[Row], name: str) -> list[float]:
    """Returns a score of the trials that have it.

    Example:
      >>> values_of([{"modes": 3}, {"modes": None}, {}], "modes")
      [3.0]
    """
    return [float(row[name]) for row in rows if row.get(name) is not None]


def _failed(rows: Sequence[Row]) -> int:
    return sum(row["status"] == "failed" for row in rows)


def _finding(config: config_lib.Sweep, rows: Sequence[Row], names: Sequence[str]) -> str:
    parts = []
    for experiment in config.experiments:
        of_one = [row for row in rows if row["experiment"] == experiment.name]
        scores = [
            f"{tables.words(name)} {np.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"
            for name in names
            if (values := values_of(of_one, name))
        ]
        failed = _failed(of_one)
        why = f"{failed} of {len(of_one)} failed" if failed else f"{len(of_one)} settings, none failed"
        parts.append(f"{plotting.label(experiment.variant.name)} ({experiment.name}): {why}; {', '.join(scores)}")
    return f"Median over the settings (least to largest). {'. '.join(parts)}."


def picture(config: config_lib.Sweep, rows: Sequence[Row], names: Sequence[str]) -> matplotlib.figure.Figure:
    """Draws a box plot of each score, one box for each experiment, with a point for each setting.

    Args:
      config: The sweep.
      rows: The rows of `trials.jsonl`.
      names: The scores.

    Example: see `drawn`.
    """
    columns = min(len(names), 3) or 1
    lines = -(-max(len(names), 1) // columns)
    figure = matplotlib.figure.Figure(figsize=(4.0 * columns, 3.0 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    random = np.random.default_rng(0)
    for axes, name in zip(grid, names, strict=False):
        of_each = [
            values_of([row for row in rows if row["experiment"] == one.name], name) for one in config.experiments
        ]
        axes.boxplot(of_each, whis=(0, 100), widths=0.6, medianprops={"color": plotting.GENERATED_COLOR})
        for place, values in enumerate(of_each, start=1):
            # Points beside each other, so that equal values can be seen.
            axes.plot(
                place + random.uniform(-0.15, 0.15, len(values)), values, ".", color=plotting.DATA_COLOR, alpha=0.6
            )
        labels = [plotting.label(one.variant.name) for one in config.experiments]
        axes.set_xticks(range(1, len(labels) + 1), labels, rotation=20)
        axes.set_title(tables.words(name))
    for axes in grid[len(names) :]:
        axes.set_axis_off()
    return figure
