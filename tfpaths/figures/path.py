"""The path of one run through the plane, with the distance and the Jensen-Shannon divergence by step."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import matplotlib
import matplotlib.figure
import numpy as np

from tfpaths import config as config_lib
from tfpaths import plotting, schema
from tfpaths.figures.figure import Cell, Drawing, RunFigure, percent
from tfpaths.figures.registry import FIGURES
from tfpaths.lines import divergences

Row = Mapping[str, Any]
OneStudy = Annotated[config_lib.Names, schema.expects("the name of one study", lambda names: len(names) == 1)]


@FIGURES.register("path")
class Path(RunFigure):
    """The path of one run of a study, and statistics over all of its runs.

    Args:
      studies: The name of one study.
      **kwargs: The options of `RunFigure`.

    Example:
      >>> Path(studies=("line1_ns",), shown_run=3).needs_players
      True
    """

    def __init__(self, *, studies: OneStudy, **kwargs: Any):
        super().__init__(studies=studies, **kwargs)

    def draw(self, config: config_lib.Figure, cells: Sequence[Cell]) -> Drawing:
        (cell,) = cells
        study = cell.config.lines
        run = self.run_of(cell)
        of_run = [
            {**row, "jensen_shannon": _jensen_shannon(row)}
            for row in cell.rows_of(run)
            if row["squared_distance"] is not None
        ]
        band = quantiles(cell)
        metrics, end = cell.summary(), of_run[-1]
        finding = (
            f"From the {study.start} start {plotting.label(cell.variant)} brings the squared distance from "
            f"{metrics['initial_distance_mean']:.3g} to {metrics.get('distance_median', math.nan):.2g} in "
            f"{cell.config.schedule.steps:,} steps (median of {metrics['runs']:.0f} runs, "
            f"{percent(metrics['failed_share'])} of which fail), while the Jensen-Shannon divergence is log 2 = "
            f"{math.log(2):.3f} at the first step and {end['jensen_shannon']:.3f} at the last. The picture shows run "
            f"{run}, which ends at {end['squared_distance']:.2g}."
        )
        return Drawing([*of_run, *band], plotting.png(picture, of_run, band), metrics, finding)


def quantiles(cell: Cell) -> list[dict[str, float]]:
    """Returns a row for each logged `step`: the `low` (5 %), `median` and `high` (95 %) distance over finite runs.

    Example:
      >>> from tfpaths import experiments
      >>> rows = [{"run": run, "step": 10, "squared_distance": float(run)} for run in range(3)]
      >>> [round(float(row["median"]), 2) for row in quantiles(Cell(experiments.get("line1_ns"), rows))]
      [1.0]
    """
    by_step: dict[int, list[float]] = {}
    for row in cell.rows:
        if row["squared_distance"] is not None and row["run"] < cell.config.study.runs:
            by_step.setdefault(row["step"], []).append(row["squared_distance"])
    return [
        {"step": step, **dict(zip(("low", "median", "high"), np.quantile(values, [0.05, 0.5, 0.95]), strict=True))}
        for step, values in sorted(by_step.items())
    ]


def _jensen_shannon(row: Row) -> float:
    return divergences.jensen_shannon(*(np.array(row[name]) for name in ("mean", "direction", "offset", "directions")))


def picture(rows: Sequence[Row], band: Sequence[Row]) -> matplotlib.figure.Figure:
    """Draws the plane and, beside it, the distance and the divergence by step.

    Args:
      rows: The rows of one run, with data and generator (`players`) and `jensen_shannon`.
      band: The rows of `quantiles`.
    """
    figure = matplotlib.figure.Figure(figsize=(8, 4.2), layout="constrained")
    sides = figure.subplot_mosaic([["plane", "distance"], ["plane", "divergence"]], width_ratios=[1.2, 1])
    _draw_plane(sides["plane"], rows)
    _draw_distance(sides["distance"], rows, band)
    _draw_divergence(sides["divergence"], rows)
    return figure


def _draw_plane(axes: Any, rows: Sequence[Row]) -> None:
    m, s = np.array(rows[0]["mean"]), np.array(rows[0]["direction"])
    plotting.segment(axes, m, s, color=plotting.DATA_COLOR, linewidth=3, label="data")
    y = np.random.default_rng(0).normal(size=60)
    axes.plot(*(m[:, None] + s[:, None] * y), ".", color=plotting.DATA_COLOR, markersize=4)
    shown = _selected(rows)
    shades = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.85, len(shown)))
    dashes = ["-", "--", "-.", ":", (0, (5, 1)), (0, (1, 3))]
    for row, shade, dash in zip(shown, shades, dashes, strict=False):
        c, direction = np.array(row["offset"]), np.array(row["directions"])[:, 0]
        plotting.segment(axes, c, direction, color=shade, linestyle=dash, label=f"G, step {row['step']:,}")
        axes.plot(*(c[:, None] + direction[:, None] * y[:20]), "x", color=shade, markersize=4)
    axes.plot([], [], "x", color=plotting.DATA_COLOR, markersize=4, label="samples")
    offsets = np.transpose([row["offset"] for row in rows])
    axes.plot(*offsets, color=plotting.GENERATED_COLOR, linewidth=0.8, label="path of c")
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(title="Data and generator in the plane", xlabel="first coordinate", ylabel="second coordinate")
    axes.legend(fontsize=7.5, loc="best")


def _selected(rows: Sequence[Row]) -> list[Row]:
    """Returns the first row, the first rows with a half and a tenth of its distance or less, and the last row."""
    first = rows[0]["squared_distance"]
    below = [next((row for row in rows if row["squared_distance"] <= part * first), rows[-1]) for part in (0.5, 0.1)]
    selected = {row["step"]: row for row in (rows[0], *below, rows[-1])}
    return [selected[step] for step in sorted(selected)]


def _draw_distance(axes: Any, rows: Sequence[Row], band: Sequence[Row]) -> None:
    steps = [row["step"] for row in band]
    low, high = ([row[name] for row in band] for name in ("low", "high"))
    axes.fill_between(steps, low, high, color="#cccccc", label="5 to 95 % of all runs")
    median = [row["median"] for row in band]
    axes.plot(steps, median, color=plotting.DATA_COLOR, linestyle="--", label="median of all runs")
    distances = [row["squared_distance"] for row in rows]
    axes.plot([row["step"] for row in rows], distances, color="#000000", label="this run")
    axes.set(yscale="log", title="Squared Fréchet distance", ylabel="d²")
    axes.legend(fontsize=7.5)


def _draw_divergence(axes: Any, rows: Sequence[Row]) -> None:
    steps = [row["step"] for row in rows]
    axes.plot(steps, [row["jensen_shannon"] for row in rows], color="#000000")
    axes.axhline(np.log(2), color=plotting.DATA_COLOR, linestyle=":", linewidth=1)
    axes.annotate("log 2", (steps[-1], np.log(2)), (0, 3), textcoords="offset points", ha="right", fontsize=8)
    axes.set(ylim=(0, 0.85), xlabel="step", ylabel="nats", title="Jensen-Shannon divergence")
