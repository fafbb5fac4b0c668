"""The curves of a report: rows -> small SVG pictures on a common axis of steps, and their descriptions in words."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

import matplotlib.figure
import matplotlib.lines
import matplotlib.ticker
import numpy as np

from tfpaths import plots
from tfpaths.report import tables
from tfpaths.report.runs import Run

# After Okabe and Ito, the light ones darkened until each has three times the contrast that a line needs on white.
COLOURS = ("#000000", "#C04A00", "#0072B2", "#007D5A", "#A8457F", "#6B5B00")
_DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (7, 1.5, 1, 1.5)))
_LOSSES = ("discriminator_loss", "generator_loss", "penalty")
# How fast it went says nothing of the samples, and the real images' own similarity never changes.
_NO_SCORES = ("step", "examples_per_second", "ms_ssim_real", *_LOSSES)
_SIZE = (4.2, 2.7)


@dataclasses.dataclass(frozen=True)
class Chart:
    """A picture with its title and what it shows, in words."""

    title: str
    svg: bytes
    text: str


@dataclasses.dataclass(frozen=True)
class Line:
    """Values by step, and an interval about them."""

    run: Run
    steps: Sequence[int]
    values: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None

    def __str__(self) -> str:
        first, last = (f"{self.values[end]:.3g} at step {self.steps[end]:,}" for end in (0, -1))
        interval = ""
        if self.low is not None and self.high is not None:
            interval = f", interval {self.low[-1]:.3g} to {self.high[-1]:.3g}"
        return f"run {self.run.number}, {self.run.name}: {first}; {last}{interval}"


def style(number: int) -> dict:
    """How the lines of run `number` look; no two of the first 24 look alike, in grey neither."""
    index = number - 1
    return {
        "color": COLOURS[index % len(COLOURS)],
        "linestyle": _DASHES[(index + index // len(COLOURS)) % len(_DASHES)],
    }


def swatch(number: int) -> bytes:
    """A piece of the line of run `number`, as SVG."""

    def draw() -> matplotlib.figure.Figure:
        figure = matplotlib.figure.Figure(figsize=(0.6, 0.14))
        figure.add_artist(matplotlib.lines.Line2D([0.02, 0.98], [0.5, 0.5], linewidth=2.4, **style(number)))
        return figure

    return plots.svg(draw)


def of_images(runs: Sequence[Run]) -> list[Chart]:
    """Losses, penalty, and each score that was measured on the way, by step, the runs together."""
    measured = {name: None for run in runs for row in run.rows for name in row}
    scores = [name for name in measured if name not in _NO_SCORES and not name.endswith("_error")]
    charts = []
    for name in (*_LOSSES, *scores):
        lines = [Line(run, *run.values(name)) for run in runs]
        # A point is no curve: it stands in the table.
        drawn = [line for line in lines if len(line.steps) > 1]
        if drawn:
            charts.append(_chart(tables.words(name), drawn, _last(runs)))
    return charts


def of_studies(runs: Sequence[Run]) -> list[Chart]:
    """Over the runs of each study: the mean distance with its 95 % interval, and the median with that of the runs."""
    summaries: Mapping[str, Callable[[np.ndarray], Sequence[float]]] = {
        "Mean squared distance, with the 95 % interval of the mean": _mean,
        "Median squared distance, with 5 to 95 % of the runs": functools.partial(np.quantile, q=[0.5, 0.05, 0.95]),
    }
    charts = []
    for title, summary in summaries.items():
        lines = []
        for run in runs:
            known = list(_distances(run))
            if len(known) > 1:
                columns = np.transpose([summary(values) for _, values in known])
                lines.append(Line(run, [step for step, _ in known], *columns))
        if lines:
            charts.append(_chart(title, lines, _last(runs), log=True))
    return charts


def _mean(values: np.ndarray) -> Sequence[float]:
    """mean, mean - e, mean + e, with e = 1.96 standard errors, as in the study's own results."""
    error = 1.96 * values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return values.mean(), values.mean() - error, values.mean() + error


def _distances(run: Run) -> Iterator[tuple[int, np.ndarray]]:
    """(step, the distances of all runs of a study that are finite there)."""
    by_step: dict[int, list[float]] = {}
    for row in run.rows:
        if row.get("squared_distance") is not None:
            by_step.setdefault(row["step"], []).append(row["squared_distance"])
    return ((step, np.asarray(by_step[step])) for step in sorted(by_step))


def _last(runs: Sequence[Run]) -> int:
    return max(run.step for run in runs)


def _chart(title: str, lines: Sequence[Line], last: int, *, log: bool = False) -> Chart:
    text = f"{title} by step, to step {last:,}. " + ". ".join(map(str, lines)) + "."
    return Chart(title, plots.svg(_draw, lines, last, log), text)


def _draw(lines: Sequence[Line], last: int, log: bool) -> matplotlib.figure.Figure:
    figure = matplotlib.figure.Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    for line in lines:
        look = style(line.run.number)
        if line.low is not None and line.high is not None:
            axes.fill_between(line.steps, line.low, line.high, color=look["color"], alpha=0.18, linewidth=0)
        axes.plot(line.steps, line.values, label=str(line.run.number), **look)
    axes.set(xlim=(0, last), xlabel="step")
    if log:
        axes.set_yscale("log")
        # The lower end of an interval may lie below zero, where a logarithm has no place.
        least = min([value for line in lines for value in line.values if value > 0], default=1.0)
        axes.set_ylim(bottom=least / 20)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, integer=True))
    figure.legend(loc="outside upper left", ncols=8, handlelength=2.6)
    return figure
