"""One run of every study in the plane, at the first, the middle and the last step."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.axes
import matplotlib.figure
import numpy as np

from tfpaths import config as config_lib
from tfpaths import plotting
from tfpaths.figures.figure import Cell, Drawing, RunFigure, check_equal, number, percent
from tfpaths.figures.registry import FIGURES

Row = Mapping[str, Any]


@FIGURES.register("snapshots")
class Snapshots(RunFigure):
    """The same run of every study, from the same start and at the same steps.

    Example:
      >>> from tfpaths import experiments
      >>> mixed = Snapshots(studies=("line1_ns", "line2_ns"))
      >>> mixed.studies(experiments.get("figure_3"))
      Traceback (most recent call last):
      tfpaths.errors.InputError: figure.studies: expected studies with the same study.latents, ...
    """

    def studies(self, config: config_lib.Figure) -> list[config_lib.Study]:
        studies = super().studies(config)
        check_equal(studies, "study.latents", lambda study: study.study.latents)
        check_equal(studies, "variant.discriminator_steps", lambda study: study.variant.discriminator_steps)
        return studies

    def draw(self, config: config_lib.Figure, cells: Sequence[Cell]) -> Drawing:
        run = self.run_of(cells[0])
        panels = [_three(cell.rows_of(run)) for cell in cells]
        metrics, parts = {"shown_run": float(run)}, []
        for cell, of_run in zip(cells, panels, strict=True):
            summary = cell.summary()
            metrics |= {f"{cell.config.name}_{name}": value for name, value in summary.items()}
            parts.append(
                f"{plotting.label(cell.variant)} {number(of_run[-1]['squared_distance'])} "
                f"(all runs: median {summary.get('distance_median', math.nan):.2g}, "
                f"{percent(summary['failed_share'])} fail, {percent(summary['never_near_share'])} were never near)"
            )
        finding = (
            f"From the squared distance {number(panels[0][0]['squared_distance'])}, run {run} ends after "
            f"{panels[0][-1]['step']:,} steps at {'; '.join(parts)}."
        )
        rows = [{"variant": cell.variant, **row} for cell, of_run in zip(cells, panels, strict=True) for row in of_run]
        return Drawing(rows, plotting.png(picture, panels, [cell.variant for cell in cells]), metrics, finding)


def _three(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the first row, the row nearest to half of the steps, and the last row."""
    last = rows[-1]["step"]
    # Of two equally near rows, the first.
    nearest = [int(np.argmin([abs(row["step"] - part * last) for row in rows])) for part in (0.0, 0.5, 1.0)]
    return [rows[index] for index in nearest]


def picture(panels: Sequence[Sequence[Row]], variants: Sequence[str]) -> matplotlib.figure.Figure:
    """Draws one row of panels for each variant, with steps from left to right.

    Args:
      panels: For each variant, the run's rows at the steps that are shown, with data and generator (`players`).
      variants: The names of the variants.
    """
    across, down = len(panels[0]), len(panels)
    figure = matplotlib.figure.Figure(figsize=(2.6 * across, 2.3 * down + 0.3), layout="constrained")
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    random = np.random.default_rng(0)
    y = random.normal(size=80)
    latents = random.normal(size=(150, len(np.array(panels[0][0]["directions"])[0])))
    limits = _limits([row for rows in panels for row in rows])
    for axes_row, rows, variant in zip(grid, panels, variants, strict=True):
        for axes, row in zip(axes_row, rows, strict=True):
            _draw_panel(axes, row, y, latents)
            axes.set(aspect="equal", xlim=limits[0], ylim=limits[1])
        axes_row[0].set_ylabel(f"{plotting.label(variant)}\nsecond coordinate")
    for axes, row in zip(grid[0], panels[0], strict=True):
        axes.set_title(f"step {row['step']:,}")
    for axes in grid[-1]:
        axes.set_xlabel("first coordinate")
    handles, names = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2)
    return figure


def _draw_panel(axes: matplotlib.axes.Axes, row: Row, y: np.ndarray, latents: np.ndarray) -> None:
    m, s = np.array(row["mean"]), np.array(row["direction"])
    plotting.segment(axes, m, s, color="#bbbbbb", linewidth=5, solid_capstyle="butt")
    axes.plot(*(m[:, None] + s[:, None] * y), ".", color="#555555", markersize=5, label="data")
    distance = row["squared_distance"]
    samples = np.empty([0, 2])
    if distance is not None:
        samples = np.array(row["offset"]) + latents @ np.array(row["directions"]).T
    style: dict[str, Any] = {"color": plotting.GENERATED_COLOR, "markersize": 3.5, "markeredgewidth": 0.8}
    axes.plot(*samples.T, "x", label="samples", **style)
    axes.annotate(
        "not finite" if distance is None else f"d² = {distance:.3g}",
        (0.03, 0.03),
        xycoords="axes fraction",
        fontsize=8,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
    )


def _limits(rows: Sequence[Row]) -> np.ndarray:
    """Returns the limits of a square that contains nearly all data and samples of these rows: `[axis, (low, high)]`."""
    spread = [(np.array(row["mean"]), np.abs(np.array(row["direction"]))) for row in rows]
    finite = [row for row in rows if row["squared_distance"] is not None]
    # The standard deviation of S z along an axis is the norm of that row of S.
    spread += [(np.array(row["offset"]), np.linalg.norm(row["directions"], axis=1)) for row in finite]
    # 2.6 standard deviations to each side contain 99 % of a normal distribution.
    points = np.array([at + side * deviation for at, deviation in spread for side in (-2.6, 2.6)])  # [points, 2]
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    reach = np.ptp(points, axis=0).max() / 2
    return np.stack([middle - reach, middle + reach], axis=1)
