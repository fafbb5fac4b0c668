"""The charts of a report: small SVG pictures, such as of lines by step on a common axis, and their descriptions."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import matplotlib.figure
import matplotlib.lines
import matplotlib.ticker

from tfpaths import plotting
from tfpaths.runs.report.runs import Run

# Based on Okabe and Ito's colours; the light ones are darkened for contrast on white.
COLOURS = ("#000000", "#C04A00", "#0072B2", "#007D5A", "#A8457F", "#6B5B00")
_DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (7, 1.5, 1, 1.5)))
# In inches.
SIZE = (4.2, 2.7)


@dataclasses.dataclass(frozen=True)
class Chart:
    """A small picture.

    Attributes:
      title: The quantity.
      svg: The picture.
      text: The picture's content in words, for readers who cannot see it.
    """

    title: str
    svg: bytes
    text: str


@dataclasses.dataclass(frozen=True)
class Plots:
    """Charts of one run with a common legend.

    Attributes:
      run: The run.
      text: What the charts show.
      legend: A short sample of each look, as SVG, and its name.
      charts: The charts, of the size `SIZE`.
    """

    run: Run
    text: str
    legend: Sequence[tuple[bytes, str]]
    charts: Sequence[Chart]


@dataclasses.dataclass(frozen=True)
class Line:
    """The values of a run by step, with or without an interval.

    Attributes:
      run: The run.
      steps: The steps.
      values: A value for each step.
      low: The lower ends of the interval; None for no interval.
      high: The upper ends of the interval; None for no interval.
    """

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


def chart(title: str, lines: Sequence[Line], last: int, *, log: bool = False) -> Chart:
    """Draws lines by step.

    Args:
      title: The quantity.
      lines: At least one line, each with at least one step.
      last: The last step of the axis.
      log: Whether the values' axis is logarithmic.
    """
    text = f"{title} by step, to step {last:,}. " + ". ".join(map(str, lines)) + "."
    return Chart(title, plotting.svg(_draw, lines, last, log), text)


def last_step(runs: Sequence[Run]) -> int:
    """Returns the largest last step of the runs, which is the end of their common axis."""
    return max(run.step for run in runs)


def style(number: int) -> dict:
    """Returns the colour and the dash of run `number`'s lines; every pair of the first 24 differs.

    Example:
      >>> style(1)
      {'color': '#000000', 'linestyle': '-'}
    """
    index = number - 1
    return {
        "color": COLOURS[index % len(COLOURS)],
        "linestyle": _DASHES[(index + index // len(COLOURS)) % len(_DASHES)],
    }


def swatch(number: int) -> bytes:
    """Draws a short line in the style of run `number`, as SVG."""
    return line_sample(**style(number))


def line_sample(**look: Any) -> bytes:
    """Draws a short line, as SVG.

    Args:
      **look: Arguments of matplotlib's `Line2D`.
    """

    def draw() -> matplotlib.figure.Figure:
        figure = matplotlib.figure.Figure(figsize=(0.6, 0.14))
        figure.add_artist(matplotlib.lines.Line2D([0.02, 0.5, 0.98], [0.5] * 3, linewidth=2.4, markevery=[1], **look))
        return figure

    return plotting.svg(draw)


def _draw(lines: Sequence[Line], last: int, log: bool) -> matplotlib.figure.Figure:
    figure = matplotlib.figure.Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    for line in lines:
        look = style(line.run.number)
        if line.low is not None and line.high is not None:
            axes.fill_between(line.steps, line.low, line.high, color=look["color"], alpha=0.18, linewidth=0)
        axes.plot(line.steps, line.values, label=str(line.run.number), **look)
    axes.set(xlim=(0, last), xlabel="step")
    if log:
        axes.set_yscale("log")
        # The lower end of an interval may be negative, which a logarithmic axis cannot show.
        least = min([value for line in lines for value in line.values if value > 0], default=1.0)
        axes.set_ylim(bottom=least / 20)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, integer=True))
    figure.legend(loc="outside upper left", ncols=8, handlelength=2.6)
    return figure
