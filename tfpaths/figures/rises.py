"""How often and how far the distance rose in runs that end near equilibrium: few of the paths are monotone.

The last row shows the path angle, `tfpaths.lines.path_angle`: whether the game points to the end of a run at all.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.figure
import numpy as np

from tfpaths import config as config_lib
from tfpaths import plotting, schema
from tfpaths.figures.figure import Cell, Dimension, Drawing, Figure, check_equal, percent
from tfpaths.figures.registry import FIGURES
from tfpaths.lines import path_angle

Row = Mapping[str, Any]
_QUANTITIES = ("rises_arriving", "climbed_arriving", "rises", "climbed")
_PERCENTS = (50, 5, 95)
# Parts of the way from the first to the last parameters, and a little further.
_SHARES = tuple(round(0.05 * index, 2) for index in range(25))
_REPORTED = (0.9, 1.1)


@FIGURES.register("rises")
class Rises(Figure):
    """How often and how far the distance rose in the runs that did not fail, for every study.

    Args:
      dimension: The dimension of every study.
      angle_runs: The number of runs of each study whose path angle is measured, at most as many as it has; they are
        trained once more. With 0 there is no row of path angles.
      **kwargs: The options of `Figure`.

    Example:
      >>> Rises(studies=("line1_ns",), dimension=8).dimensions
      (8,)
    """

    def __init__(self, *, dimension: Dimension = 2, angle_runs: schema.Count = 64, **kwargs: Any):
        super().__init__(**kwargs)
        self.dimensions = (dimension,)
        self.angle_runs = angle_runs

    def studies(self, config: config_lib.Figure) -> list[config_lib.Study]:
        studies = super().studies(config)
        check_equal(studies, "study.latents", lambda study: study.study.latents)
        return studies

    def draw(self, config: config_lib.Figure, cells: Sequence[Cell]) -> Drawing:
        rows: list[Row] = [
            {"step": cell.config.schedule.steps, "variant": cell.variant, **path}
            for cell in cells
            for path in cell.paths()
        ]
        near = [row for row in rows if row["near"]]
        metrics: dict[str, float] = {}
        parts = []
        for cell in cells:
            of_variant = [row for row in near if row["variant"] == cell.variant]
            quantiles = {name: _quantiles(of_variant, name) for name in _QUANTITIES}
            metrics[f"{cell.variant}_near_runs"] = float(len(of_variant))
            if of_variant:
                rose = [bool(row["rises_arriving"]) for row in of_variant]
                metrics[f"{cell.variant}_rose_arriving_share"] = sum(rose) / len(rose)
            metrics |= {
                f"{cell.variant}_{name}_{part}": value
                for name, values in quantiles.items()
                for part, value in zip(_PERCENTS, values, strict=True)
                if math.isfinite(value)
            }
            name = f"{plotting.label(cell.variant)}, {cell.config.schedule.steps:,} steps"
            parts.append(f"{name}: {_sentence(quantiles) if of_variant else 'no run ended there'}")
        angles = [row for cell in cells if self.angle_runs for row in self._angles(cell)]
        for cell in cells if angles else ():
            of_share = {row["share"]: row for row in angles if row["variant"] == cell.variant}
            metrics |= {f"{cell.variant}_angle_{share:g}": of_share[share]["median"] for share in _REPORTED}
            parts.append(f"{plotting.label(cell.variant)}: {_angle_sentence(of_share)}")
        finding = (
            "How often and how far the squared distance rose in runs that end near equilibrium, median (5 to 95 % of "
            f"runs). {'. '.join(parts)}."
        )
        return Drawing([dict(row) for row in (*rows, *angles)], plotting.png(picture, near, angles), metrics, finding)

    def _angles(self, cell: Cell) -> list[Row]:
        """Returns the quantiles of the path angle over the first runs of a study, a row for each place on the way."""
        runs = min(self.angle_runs, cell.config.study.runs)
        cosines = path_angle.path_angles(cell.config, runs, _SHARES)
        rows: list[Row] = []
        for share, values in zip(_SHARES, cosines, strict=True):
            finite = values[np.isfinite(values)]
            of_share = np.quantile(finite, [0.05, 0.5, 0.95]) if len(finite) else [math.nan] * 3
            quantiles = dict(zip(("low", "median", "high"), map(float, of_share), strict=True))
            rows.append({"step": cell.config.schedule.steps, "variant": cell.variant, "share": share, **quantiles})
        return rows


def _quantiles(rows: Sequence[Row], name: str) -> list[float]:
    """Returns the quantiles of a quantity over the runs in which it is defined; NaN if there is none."""
    values = [row[name] for row in rows if row[name] is not None]
    quantiles = np.divide(_PERCENTS, 100)
    return np.quantile(values, quantiles).tolist() if values else [math.nan] * len(_PERCENTS)


def _sentence(quantiles: Mapping[str, Sequence[float]]) -> str:
    texts = {}
    for name, values in quantiles.items():
        middle, low, high = (percent(value) if name.startswith("rises") else f"{value:.2g}" for value in values)
        texts[name] = f"{middle} ({low} to {high})"
    return (
        f"on {texts['rises_arriving']} of the steps up to its arrival, climbing {texts['climbed_arriving']} of its net "
        f"descent; on {texts['rises']} of all steps, climbing {texts['climbed']}"
    )


def _angle_sentence(of_share: Mapping[float, Row]) -> str:
    before, behind = (of_share[share]["median"] for share in _REPORTED)
    return f"the cosine of field and way is {before:.2f} at 0.9 of the way to the end, and {behind:.2f} at 1.1"


# The left end of the axis of "how far".
_LEAST_CLIMB = 1e-4


def picture(rows: Sequence[Row], angles: Sequence[Row] = ()) -> matplotlib.figure.Figure:
    """Draws how often the distance rose and how far, up to the arrival and over all steps, and the path angle.

    Args:
      rows: One row for each run that ended near equilibrium, with its `variant` and its `statistics.paths`.
      angles: The rows of the path angle; without them there is no such row.
    """
    figure = matplotlib.figure.Figure(figsize=(8, 9 if angles else 6), layout="constrained")
    top: Any = figure
    if angles:
        parts: Any = figure.subfigures(2, 1, height_ratios=[2, 1])
        top, bottom = parts
        _draw_angles(bottom.subplots(), angles)
    grid = top.subplots(2, 2, sharey=True)
    for variant in dict.fromkeys(row["variant"] for row in rows):
        look = plotting.look(variant)
        of_variant = [row for row in rows if row["variant"] == variant]
        label = f"{look.name} ({len(of_variant)} run{'s' if len(of_variant) != 1 else ''})"
        for axes, name in zip(grid.flat, _QUANTITIES, strict=True):
            values = np.sort([row[name] for row in of_variant if row[name] is not None])
            if name.startswith("climbed"):
                # A run that rose by less than the logarithmic axis shows, or never, is drawn at its left end.
                values = np.maximum(values, _LEAST_CLIMB)
            shares = np.arange(1, len(values) + 1) / max(len(values), 1)
            axes.plot(values, shares, label=label, **look.line)
    for (often, far), when in zip(grid, ("until d² is a tenth of its first", "over all steps"), strict=True):
        often.set(title=f"How often, {when}", xlabel="share of steps on which d² rose", ylabel="share of runs below")
        far.set(title=f"How far, {when}", xlabel="all rises together / net descent of d²", xscale="log")
        far.set_xlim(left=_LEAST_CLIMB)
        often.set_xlim(left=0)
    if rows:
        figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _draw_angles(axes: Any, angles: Sequence[Row]) -> None:
    for variant in dict.fromkeys(row["variant"] for row in angles):
        of_variant = [row for row in angles if row["variant"] == variant]
        shares, low, median, high = ([row[name] for row in of_variant] for name in ("share", "low", "median", "high"))
        look = plotting.look(variant)
        axes.fill_between(shares, low, high, color=look.color, alpha=0.12, linewidth=0)
        axes.plot(shares, median, **look.line)
    axes.axvline(1.0, color=plotting.DATA_COLOR, linewidth=1)
    axes.axhline(0.0, color=plotting.DATA_COLOR, linestyle=":", linewidth=1)
    axes.annotate("the end of the run", (1.0, -0.95), (-4, 0), textcoords="offset points", ha="right", fontsize=8)
    axes.set(
        title="Path angle: does the game point to its end? Median, 5 to 95 % of runs",
        xlabel="part of the straight way from the first to the last parameters",
        ylabel="cosine of field and way",
        ylim=(-1.05, 1.05),
    )
