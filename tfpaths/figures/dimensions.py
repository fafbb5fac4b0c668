"""The final distance and the share of failed runs against the dimension."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import matplotlib.axes
import matplotlib.figure
import numpy as np

from tfpaths import config as config_lib
from tfpaths import plotting, schema
from tfpaths.figures.figure import Cell, Dimension, Drawing, Figure, percent
from tfpaths.figures.registry import FIGURES

Row = Mapping[str, Any]
_DimensionList = Annotated[
    tuple[Dimension, ...],
    schema.expects("numbers of at least 2, each once", lambda sizes: 0 < len(sizes) == len(set(sizes))),
]
# The statistics of each study in `results.json`.
_METRICS = ("distance_mean", "distance_median", "failed_share", "never_near_share", "runs_not_finite")


@FIGURES.register("dimensions")
class Dimensions(Figure):
    """The final distance and the share of failed runs of every study in every dimension.

    Args:
      dimensions: The dimensions.
      **kwargs: The options of `Figure`.

    Example:
      >>> Dimensions(studies=("line1_ns",), dimensions=(2, 8)).dimensions
      (2, 8)
    """

    def __init__(self, *, dimensions: _DimensionList = (2,), **kwargs: Any):
        super().__init__(**kwargs)
        self.dimensions = dimensions

    def draw(self, config: config_lib.Figure, cells: Sequence[Cell]) -> Drawing:
        rows: list[dict[str, Any]] = [
            {
                "experiment": _experiment(cell.config.study.latents),
                "variant": cell.variant,
                "dimension": cell.config.lines.dimension,
                "latents": cell.config.study.latents,
                "step": cell.config.schedule.steps,
                **cell.summary(),
            }
            for cell in cells
        ]
        metrics = {
            f"latents_{row['latents']}_d_{row['dimension']}_{row['variant']}_{name}": row[name]
            for row in rows
            for name in _METRICS
            if name in row
        }
        return Drawing(rows, plotting.png(picture, rows), metrics, _finding(rows))


def _experiment(latents: int) -> str:
    """Returns an experiment's number in the paper: 1 has as many latents as the data, 2 has more."""
    return "Experiment 1: one latent" if latents == 1 else f"Experiment 2: {latents} latents"


def _finding(rows: Sequence[Row]) -> str:
    parts = []
    for experiment in dict.fromkeys(row["experiment"] for row in rows):
        for size in sorted({row["dimension"] for row in rows}):
            studies = [
                f"{plotting.label(row['variant'])} {row.get('distance_mean', math.nan):.2g} "
                f"({percent(row['failed_share'])}; {percent(row['never_near_share'])})"
                for row in rows
                if (row["experiment"], row["dimension"]) == (experiment, size)
            ]
            parts.append(f"{experiment}, d = {size}: {', '.join(studies)}")
    return (
        "Mean final squared distance of the finite runs (share of runs that failed; that never were near). "
        f"{'. '.join(parts)}."
    )


def picture(rows: Sequence[Row]) -> matplotlib.figure.Figure:
    """Draws the final distance and, below it, the share of failed runs, with one column for each experiment.

    Args:
      rows: One row for each `experiment`, `variant` and `dimension`, with its `statistics.summary`.
    """
    names = list(dict.fromkeys(row["experiment"] for row in rows))
    figure = matplotlib.figure.Figure(figsize=(4.2 * len(names), 6), layout="constrained")
    grid = figure.subplots(2, len(names), sharex=True, sharey="row", squeeze=False, height_ratios=[1.6, 1])
    for (above, below), experiment in zip(grid.T, names, strict=True):
        of_experiment = [row for row in rows if row["experiment"] == experiment]
        variants = list(dict.fromkeys(row["variant"] for row in of_experiment))
        for index, variant in enumerate(variants):
            # A small shift along the axis, so that intervals do not hide each other.
            shift = 1.05 ** (index - (len(variants) - 1) / 2)
            of_variant = sorted(
                (row for row in of_experiment if row["variant"] == variant), key=lambda row: row["dimension"]
            )
            _draw_variant(above, below, plotting.look(variant), of_variant, shift)
        sizes = sorted({row["dimension"] for row in of_experiment})
        initial = [
            np.mean([row["initial_distance_mean"] for row in of_experiment if row["dimension"] == size])
            for size in sizes
        ]
        style = {"color": plotting.DATA_COLOR, "linestyle": (0, (1, 1)), "marker": "*"}
        above.plot(sizes, initial, label="random generator, mean", **style)
        above.set(title=experiment, yscale="log", xscale="log")
        below.set(xlabel="dimension d", ylim=(-0.03, 1.03))
        below.set_xticks(sizes, [str(size) for size in sizes])
        below.minorticks_off()
        if len(sizes) == 1:
            # The axis of one dimension would be as narrow as the shifts.
            below.set_xlim(sizes[0] / 2, sizes[0] * 2)
    grid[0][0].set_ylabel("squared Fréchet distance d² after training")
    grid[1][0].set_ylabel("share of failed runs")
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3 if len(names) > 1 else 2, fontsize=8)
    return figure


def _draw_variant(
    above: matplotlib.axes.Axes,
    below: matplotlib.axes.Axes,
    look: plotting.Look,
    rows: Sequence[Row],
    shift: float,
) -> None:
    finite = [row for row in rows if "distance_mean" in row]
    x = np.array([row["dimension"] for row in finite]) * shift
    mean = np.array([row["distance_mean"] for row in finite])
    ends = np.array([[row["distance_mean_low"], row["distance_mean_high"]] for row in finite]).T
    reach = np.abs(ends - mean) if len(finite) else None
    style = {**look.line, "marker": look.marker, "markersize": 5}
    bars = above.errorbar(x, mean, yerr=reach, capsize=3, label=f"{look.name}, mean", **style)
    # A variant without a registered colour gets matplotlib's next one, the same for all of its lines.
    style["color"] = bars.lines[0].get_color()
    median = [row["distance_median"] for row in finite]
    hollow: dict[str, Any] = {"color": style["color"], "markerfacecolor": "white", "markersize": 5}
    above.plot(x, median, look.marker, label=f"{look.name}, median", **hollow)
    below.plot([row["dimension"] for row in rows], [row["failed_share"] for row in rows], **style)
