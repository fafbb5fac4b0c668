"""The charts of a sweep's trials in a report: scores by experiment, and the main score by field. No TensorFlow."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import matplotlib.axes
import matplotlib.figure
import matplotlib.ticker
import numpy as np

from tfpaths import plotting, space
from tfpaths.lines.statistics import FAILED_ABOVE
from tfpaths.runs.report import charts, tables
from tfpaths.runs.report.charts import Chart, Plots
from tfpaths.runs.report.runs import is_number
from tfpaths.sweeps import listing
from tfpaths.sweeps.trials import Group, Trials, more_is_better

# With more points than this, they are drawn as pixels: 6,000 circles would take 400 kB.
_MOST_CIRCLES = 400
# The most charts of each sort: more are not looked at.
_MOST_CHARTS = 60
# A field with at most this many values has a place for each; one with more has an axis of numbers.
_MOST_PLACES = 10
# The bins along an axis of numbers, and the fewest trials in each, of which medians are drawn.
_BINS, _FEWEST = 10, 5
# The shares of the initial squared distance that a chart shows.
_LEAST, _GREATEST = 1e-4, 1e2
_WORDS = {"final": "final / initial squared distance"}


@dataclasses.dataclass(frozen=True)
class _Points:
    """One experiment's trials against one field.

    Attributes:
      name: The experiment's label.
      look: Its colour and marker.
      places: The field's value of each trial.
      values: The score of each trial; NaN if it failed or has none.
    """

    name: str
    look: plotting.Look
    places: np.ndarray
    values: np.ndarray


def boxes(trials: Trials) -> Plots | None:
    """Returns box plots of the scores by experiment; None if there are none, or the picture of the sweep shows them.

    Example:
      >>> import pathlib
      >>> from tfpaths import experiments
      >>> from tfpaths.runs.directory import RunDirectory
      >>> from tfpaths.runs.report.runs import Run
      >>> from tfpaths.sweeps.trials import Trial
      >>> sweep = experiments.get("robustness_color_mnist")
      >>> run = Run(1, "a", RunDirectory(pathlib.Path("a")), sweep, [], None)
      >>> row = {"experiment": "color_mnist_ns", "trial": 3, "status": "finished", "modes_covered": 66}
      >>> trials = Trials(run, sweep, [Trial.of(row, sweep)])
      >>> boxes(trials).charts[0].title
      'modes covered'
    """
    # The picture of a sweep of training runs is these box plots.
    is_study = trials.config.experiments[0].kind == "study"
    if not is_study and (trials.run.directory.path / "figure.png").is_file():
        return None
    drawn = []
    for score, group in itertools.product(trials.scores, trials.groups):
        values = {label: _values(trials, name, score) for name, label in group.labels.items()}
        if any(np.isfinite(of_one).any() for of_one in values.values()):
            looks = _looks(trials, group)
            title = f"{tables.words(_WORDS.get(score, score))}{_of(group)}"
            svg = plotting.svg(_draw_boxes, values, looks, score)
            drawn.append(Chart(title, svg, f"{title}. {'. '.join(_summary(*item) for item in values.items())}."))
    if not drawn:
        return None
    text = (
        f"Run {trials.run.number}: least, quartiles and largest over the trials of each experiment; ✕ is the share of "
        "those that failed or are not finite."
    )
    return Plots(trials.run, text + _clipped(trials.scores) + _left_out(drawn), [], drawn[:_MOST_CHARTS])


def scatters(trials: Trials) -> Plots | None:
    """Returns the main score against each field whose values are numbers, a chart for each group of experiments.

    Example:
      >>> import pathlib
      >>> from tfpaths import experiments
      >>> from tfpaths.runs.directory import RunDirectory
      >>> from tfpaths.runs.report.runs import Run
      >>> from tfpaths.sweeps.trials import Trial
      >>> sweep = experiments.get("robustness_color_mnist")
      >>> run = Run(1, "a", RunDirectory(pathlib.Path("a")), sweep, [], None)
      >>> common = {"experiment": "color_mnist_gan_gp", "status": "finished", "modes_covered": 66}
      >>> rows = [{**common, "variant.penalty.weight": weight} for weight in (1.0, 10.0)]
      >>> trials = Trials(run, sweep, [Trial.of(row, sweep) for row in rows])
      >>> print(scatters(trials).charts[0].text)
      modes covered by weight. GAN-GP: 2 trials, 0 failed, median 66 at 1, 66 at 10.
    """
    if trials.main is None:
        return None
    drawn = []
    is_raster, score = False, tables.words(_WORDS.get(trials.main, trials.main))
    fields, together = _numeric_fields(trials)
    for (name, path), group in itertools.product(fields.items(), trials.groups):
        points = [one for one in _points(trials, group, path) if len(one.places)]
        if not points:
            continue
        title = f"{name}{_of(group)}"
        is_raster |= _count(points) > _MOST_CIRCLES
        svg = plotting.svg(_draw_scatter, points, trials.main, _is_log(trials, path, points), name)
        drawn.append(Chart(title, svg, f"{score} by {title}. {'. '.join(_along(one) for one in points)}."))
    if not drawn:
        return None
    text = (
        f"Run {trials.run.number}: {score} by field. A point for each trial, a line for the median, a tick above the "
        "chart for one that failed or is not finite."
    )
    text += " The points are pixels, so that the page is small." if is_raster else ""
    text += _clipped([trials.main])
    text += "".join(
        f" {' and '.join(others)} change{'s' if len(others) == 1 else ''} with {first}."
        for first, others in together.items()
    )
    legend = {
        label: charts.line_sample(color=look.color, linestyle=look.dash, marker=look.marker)
        for group in trials.groups
        for label, look in _looks(trials, group).items()
    }
    return Plots(
        trials.run, text + _left_out(drawn), [(svg, label) for label, svg in legend.items()], drawn[:_MOST_CHARTS]
    )


def _of(group: Group) -> str:
    return f", {group.title}" if group.title else ""


def _left_out(drawn: Sequence[Chart]) -> str:
    return f" The first {_MOST_CHARTS} of {len(drawn)} charts are shown." if len(drawn) > _MOST_CHARTS else ""


def _clipped(scores: Sequence[str]) -> str:
    return f" Shares outside [{_LEAST:g}, {_GREATEST:g}] are drawn at the edge." if "final" in scores else ""


def _looks(trials: Trials, group: Group) -> dict[str, plotting.Look]:
    """Returns label -> how the experiment is drawn; a variant without a registered look gets a colour of the cycle."""
    variants = {one.name: one.variant.name for one in trials.config.experiments}
    taken: set[str | None] = set()
    looks = {}
    for index, (name, label) in enumerate(group.labels.items()):
        look = plotting.look(variants[name])
        if look.color is None or look.color in taken:
            look = dataclasses.replace(look, color=f"C{index % 10}", marker="o")
        taken.add(look.color)
        looks[label] = look
    return looks


def _values(trials: Trials, experiment: str, score: str) -> np.ndarray:
    """Returns a score of an experiment's trials, `[trials]`; NaN for a trial that failed or has none."""
    return np.array([_value(trial.failed, trial.values.get(score)) for trial in trials.of(experiment)], float)


def _value(failed: bool, value: float | None) -> float:
    return math.nan if failed or not _can_be_drawn(value) else float(value or 0.0)


def _can_be_drawn(value: Any) -> bool:
    """Returns whether a value is a number of a size that an axis can have, also with its margins."""
    return is_number(value) and (value == 0 or 1e-30 < abs(value) < 1e30)


def _points(trials: Trials, group: Group, path: str) -> Iterator[_Points]:
    looks = _looks(trials, group)
    for name, label in group.labels.items():
        found = [trial for trial in trials.of(name) if _can_be_drawn(trial.fields.get(path))]
        values = [_value(trial.failed, trial.values.get(trials.main or "")) for trial in found]
        places = [float(trial.fields[path]) for trial in found]
        yield _Points(label, looks[label], np.array(places, float), np.array(values, float))


def _count(points: Sequence[_Points]) -> int:
    return sum(len(one.places) for one in points)


def _numeric_fields(trials: Trials) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Returns the fields that are drawn, name -> path, and for each the names of those that only change with it."""
    fields: dict[str, str] = {}
    together: dict[str, list[str]] = {}
    names = {path: name for name, paths in listing.fields(trials).items() for path in paths[:1]}
    for axis in trials.config.space:
        drawn: list[str] = []
        for path in (path for path in axis.paths if path in names):
            values = {trial.fields[path] for trial in trials.ended if _can_be_drawn(trial.fields.get(path))}
            if len(values) < 2:
                continue
            first = next((one for one in drawn if _are_one_to_one(trials, one, path)), None)
            if first is None:
                drawn.append(path)
                fields[names[path]] = path
            else:
                together.setdefault(names[first], []).append(names[path])
    return fields, together


def _are_one_to_one(trials: Trials, first: str, second: str) -> bool:
    """Returns whether two fields say the same: each value of one comes with one value of the other."""
    pairs = {(str(trial.fields.get(first)), str(trial.fields.get(second))) for trial in trials.ended}
    return all(len({pair[side] for pair in pairs}) == len(pairs) for side in (0, 1))


def _is_log(trials: Trials, path: str, points: Sequence[_Points]) -> bool:
    """Returns whether a field's axis is logarithmic: if its values are drawn so, or span more than two decades."""
    places = np.concatenate([one.places for one in points])
    if not (places > 0).all():
        return False
    axis = next(axis for axis in trials.config.space if path in axis.paths)
    return (isinstance(axis, space.Range) and axis.scale == "log") or places.max() > 100 * places.min()


def _scale(axes: matplotlib.axes.Axes, score: str, values: np.ndarray) -> None:
    """Sets the axis of a score: logarithmic for `final`, and if the values span more than two decades."""
    finite = values[np.isfinite(values)]
    if score == "final":
        axes.set(yscale="log", ylim=(_LEAST / 1.5, _GREATEST * 1.5))
        axes.axhline(FAILED_ABOVE, color=plotting.DATA_COLOR, linewidth=0.8)
    elif len(finite) and (finite > 0).all() and finite.max() > 100 * finite.min():
        axes.set_yscale("log")


def _shown(score: str, values: np.ndarray) -> np.ndarray:
    """Returns values inside the axis of a score."""
    return np.clip(values, _LEAST, _GREATEST) if score == "final" else values


def _draw_boxes(
    values: Mapping[str, np.ndarray], looks: Mapping[str, plotting.Look], score: str
) -> matplotlib.figure.Figure:
    figure = matplotlib.figure.Figure(figsize=charts.SIZE, layout="constrained")
    axes = figure.subplots()
    _scale(axes, score, np.concatenate(list(values.values())))
    for place, (label, of_one) in enumerate(values.items(), start=1):
        finite = _shown(score, of_one[np.isfinite(of_one)])
        line: Any = {"color": looks[label].color, "linewidth": 1.2}
        if len(finite):
            axes.boxplot(
                [finite], positions=[place], whis=(0, 100), widths=0.6, manage_ticks=False,
                boxprops=line, whiskerprops=line, capprops=line, medianprops={**line, "linewidth": 2.5},
            )  # fmt: skip
        lost = len(of_one) - len(finite)
        if lost:
            text = f"{100 * lost / len(of_one):.2g} % ✕"
            axes.text(place, 1.01, text, transform=axes.get_xaxis_transform(), ha="center", va="bottom", fontsize=8)
    labels = [_plain(label) for label in values]
    axes.set_xticks(range(1, len(labels) + 1), labels, rotation=25, ha="right", parse_math=False)
    axes.set_xlim(0.4, len(labels) + 0.6)
    axes.grid(False, axis="x")
    return figure


def _draw_scatter(points: Sequence[_Points], score: str, is_log: bool, field: str) -> matplotlib.figure.Figure:
    # The resolution of the points that are pixels.
    figure = matplotlib.figure.Figure(figsize=charts.SIZE, layout="constrained", dpi=130)
    axes = figure.subplots()
    distinct = sorted({float(place) for one in points for place in one.places})
    has_places = len(distinct) <= _MOST_PLACES
    is_raster = _count(points) > _MOST_CIRCLES
    _scale(axes, score, np.concatenate([one.values for one in points]))
    if has_places:
        labels = [_plain(f"{place:g}") for place in distinct]
        axes.set_xticks(range(len(distinct)), labels)
        axes.set_xlim(-0.5, len(distinct) - 0.5)
        axes.grid(False, axis="x")
    elif is_log:
        axes.set_xscale("log")
    random = np.random.default_rng(0)
    for lane, one in enumerate(points):
        where, width = one.places, 0.0
        if has_places:
            # Beside each other: a lane for each experiment, and in it a random place for each trial.
            width = 0.8 / len(points)
            where = np.searchsorted(distinct, one.places) + (lane + 0.5) * width - 0.4
        is_finite = np.isfinite(one.values)
        jitter = random.uniform(-0.35, 0.35, len(where)) * width
        look: Any = {"color": one.look.color, "linestyle": "none", "rasterized": is_raster}
        size = 2.0 if is_raster else 3.5
        axes.plot(
            (where + jitter)[is_finite], _shown(score, one.values[is_finite]), marker=one.look.marker, markersize=size,
            markeredgewidth=0, alpha=0.35 if is_raster else 0.6, **look,
        )  # fmt: skip
        failed = (where + jitter)[~is_finite]
        height = np.full(len(failed), 1.03 if has_places else 1.03 + 0.04 * lane)
        axes.plot(
            failed, height, marker="|", markersize=4, markeredgewidth=0.8, clip_on=False,
            transform=axes.get_xaxis_transform(), **look,
        )  # fmt: skip
        middle, medians = _medians(one, where, is_log and not has_places, has_places, score)
        line: Any = {"color": one.look.color, "linestyle": one.look.dash, "linewidth": 1.8}
        if has_places:
            axes.plot(middle, _shown(score, medians), marker="_", markersize=70 * width / len(distinct) + 4, **line)
        else:
            axes.plot(middle, _shown(score, medians), **line)
    axes.set_xlabel(_plain(field), parse_math=False)
    return figure


def _medians(
    one: _Points, where: np.ndarray, is_log: bool, has_places: bool, score: str
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the middles of bins along a field and the median score in each; a failed trial counts as the worst."""
    worst = -math.inf if more_is_better(score) else math.inf
    values = np.where(np.isnan(one.values), worst, one.values)
    if has_places:
        bins = {place: values[where == place] for place in sorted(set(where.tolist()))}
    else:
        scaled = np.log(where) if is_log else where
        edges = np.linspace(scaled.min(), scaled.max(), _BINS + 1)
        index = np.clip(np.searchsorted(edges, scaled, side="right") - 1, 0, _BINS - 1)
        centres = (edges[:-1] + edges[1:]) / 2
        centres = np.exp(centres) if is_log else centres
        bins = {float(centres[i]): values[index == i] for i in range(_BINS) if (index == i).sum() >= _FEWEST}
    medians = np.array([np.median(of_bin) for of_bin in bins.values()], float)
    return np.array(list(bins)), np.where(np.isfinite(medians), medians, np.nan)


def _summary(label: str, values: np.ndarray) -> str:
    """Returns the content of a box in words."""
    finite = values[np.isfinite(values)]
    text = f"{label}: {len(values):,} trials, {len(values) - len(finite):,} failed"
    if not len(finite):
        return text
    least, low, median, high, largest = np.quantile(finite, [0.0, 0.25, 0.5, 0.75, 1.0])
    return f"{text}, median {median:.3g}, quartiles {low:.3g} and {high:.3g}, from {least:.3g} to {largest:.3g}"


def _along(one: _Points) -> str:
    """Returns the content of a scatter in words: the median at each value, or in both halves of the field's values."""
    distinct = sorted({float(place) for place in one.places})
    failed = int(np.isnan(one.values).sum())
    if len(distinct) <= _MOST_PLACES:
        parts = {f"at {place:g}": one.places == place for place in distinct}
    else:
        half = float(np.median(one.places))
        parts = {f"up to {half:.3g}": one.places <= half, f"above {half:.3g}": one.places > half}
    medians = []
    for what, where in parts.items():
        finite = one.values[where & np.isfinite(one.values)]
        medians.append(f"{f'{np.median(finite):.3g}' if len(finite) else 'none'} {what}")
    return f"{one.name}: {len(one.places):,} trials, {failed:,} failed, median {', '.join(medians)}"


def _plain(text: str) -> str:
    """Returns the characters of a text that every font has: a stranger may have written it."""
    return "".join(one if one.isprintable() and ord(one) < 256 else "?" for one in text)[:40]
