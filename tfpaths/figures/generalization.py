"""What two finite samples of one distribution say of W1, of the Jensen-Shannon divergence and of neural nets."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import matplotlib.figure
import numpy as np
import scipy.stats

from tfpaths import config as config_lib
from tfpaths import plotting, progress, schema
from tfpaths.figures.figure import Cell, Drawing, Figure
from tfpaths.figures.finite_samples import Discriminators, jensen_shannon, of_linear, sample
from tfpaths.figures.registry import FIGURES
from tfpaths.metrics.assignment import wasserstein

Row = Mapping[str, Any]
_Sizes = Annotated[
    tuple[schema.PositiveInt, ...],
    schema.expects("sizes, each larger than the one before", lambda sizes: sizes == tuple(sorted(set(sizes))) != ()),
]
# Distance -> its label, colour and marker.
DISTANCES = {
    "w1": ("W₁", "#D55E00", "o"),
    "js": ("JS of the samples with noise", "#009E73", "^"),
    "linear": ("linear D, |w| ≤ 1, its own samples", "#0072B2", "s"),
    "linear_fresh": ("the same D, new samples", "#56B4E9", "s"),
    "mlp": ("MLP, its own samples", "#000000", "D"),
    "mlp_fresh": ("the same MLP, new samples", "#777777", "D"),
}
_LEVEL = 0.95


@FIGURES.register("generalization")
class Generalization(Figure):
    """Distances between two samples of N(0, I / d), whose true distance is 0, against d and the number m of points.

    Arora et al. 2017 (arXiv 1703.00573), section 3: two such samples have the largest possible JS and a W1 of at least
    1.1 if log m is far below d, with little noise, too; while the neural-net distance of a class with few parameters is
    small from few points on. E d^2 of the linear class is 2 / m, whatever d is. Sizes, runs, noise and MLP are ours.

    Args:
      dimensions: d.
      samples: m, the number of points of each sample.
      runs: Pairs of samples of each d and m.
      noise: sigma, where each point of a sample is N(x, sigma^2 I / d) for JS. Without noise JS is log 2 always.
      width: Units of the MLP's hidden layer.
      updates: Steps of Adam of the MLP, each on both samples as a whole.

    Example:
      >>> Generalization(runs=2).uses_studies
      False
    """

    uses_studies = False

    def __init__(
        self,
        *,
        dimensions: _Sizes = (2, 8, 32, 128, 512),
        samples: _Sizes = (64, 256, 1_024),
        runs: Annotated[int, schema.expects("a number of at least 2", lambda number: number >= 2)] = 10,
        noise: schema.Positive = 0.25,
        width: schema.PositiveInt = 64,
        updates: schema.PositiveInt = 200,
    ):
        super().__init__(studies=())
        self.dimensions = dimensions
        self.samples = samples
        self.runs = runs
        self.noise = noise
        self.width = width
        self.updates = updates

    def draw(self, config: config_lib.Figure, cells: Sequence[Cell]) -> Drawing:
        sizes = [(dimension, num) for dimension in self.dimensions for num in self.samples]
        rows: list[dict[str, Any]] = []
        for dimension, num in progress.shown(sizes, f"{config.name}, cell", len(sizes)):
            rows += self._rows(dimension, num, config.seed)
        found = metrics(rows) | {
            f"d{dimension}_parameters": float((dimension + 2) * self.width + 1) for dimension in self.dimensions
        }
        return Drawing(rows, plotting.png(picture, rows), found, finding(found, self.dimensions, self.samples))

    def _rows(self, dimension: int, num: int, seed: int) -> list[dict[str, Any]]:
        """Returns a row for each run of one d and m."""
        # [4, runs, m, d]: two samples, and two new ones.
        drawn = np.stack([sample(dimension, num, seed=seed, run=run) for run in range(self.runs)], axis=1)
        mlps = Discriminators(self.runs, dimension, width=self.width, seed=seed)
        mlps.train(*drawn[:2], updates=self.updates)
        of_mlps = {"mlp": mlps.distances(*drawn[:2]), "mlp_fresh": mlps.distances(*drawn[2:])}
        rows = []
        for run in range(self.runs):
            first, second, *fresh = drawn[:, run].astype(np.float64)
            random = np.random.default_rng([seed, dimension, num, run, 1])
            linear, linear_fresh = of_linear(first, second, *fresh)
            values = {
                "w1": wasserstein(first, second),
                "js": jensen_shannon(first, second, self.noise / math.sqrt(dimension), random),
                "linear": linear,
                "linear_fresh": linear_fresh,
                **{name: float(of_runs[run]) for name, of_runs in of_mlps.items()},
            }
            rows.append({"step": 0, "dimension": dimension, "samples": num, "run": run, **values})
        return rows


def metrics(rows: Sequence[Row]) -> dict[str, float]:
    """Returns the mean of each distance over the runs of each d and m with its 95 % interval, and the linear slope.

    The interval is that of Student's t. `linear_slope` is that of log mean distance by log m, over all d.

    Args:
      rows: The rows of the figure.

    Example:
      >>> values = dict.fromkeys(DISTANCES, 1.0)
      >>> sizes = [{"dimension": 2, "samples": m, "run": run} for m in (4, 16) for run in (0, 1)]
      >>> rows = [values | size | {"linear": size["samples"] ** -0.5} for size in sizes]
      >>> found = metrics(rows)
      >>> found["d2_m16_linear"], round(found["linear_slope"], 6)
      (0.25, -0.5)
    """
    found: dict[str, float] = {"runs": 1.0 + max(row["run"] for row in rows)}
    logarithms = []
    for dimension, num in dict.fromkeys((row["dimension"], row["samples"]) for row in rows):
        for name in DISTANCES:
            values = np.array(
                [row[name] for row in rows if (row["dimension"], row["samples"]) == (dimension, num)], np.float64
            )
            error = values.std(ddof=1) / math.sqrt(len(values))
            half = float(scipy.stats.t.ppf((1 + _LEVEL) / 2, len(values) - 1) * error)
            mean, prefix = float(values.mean()), f"d{dimension}_m{num}_{name}"
            found |= {prefix: mean, f"{prefix}_low": mean - half, f"{prefix}_high": mean + half}
        logarithms.append((math.log(num), math.log(found[f"d{dimension}_m{num}_linear"])))
    if len({x for x, _ in logarithms}) > 1:
        sizes, values = np.array(logarithms).T
        found["linear_slope"] = float(np.polyfit(sizes, values, 1)[0])
    return found


def finding(found: Mapping[str, float], dimensions: Sequence[int], samples: Sequence[int]) -> str:
    """Returns the sentence: the distances at the largest d and m, and how the neural-net distances generalise.

    Args:
      found: The `metrics`, with the number of the MLP's parameters for each d.
      dimensions: d.
      samples: m.

    Example: `python -m tfpaths.launch --exp=figure_generalization`.
    """
    small, large, num = dimensions[0], dimensions[-1], samples[-1]
    last = {name: found[f"d{large}_m{num}_{name}"] for name in DISTANCES}
    slope = found.get("linear_slope")
    falling = "" if slope is None else f", and over all d it falls with m with a slope of {slope:.2f}"

    def mlp(dimension: int) -> str:
        own, fresh = (found[f"d{dimension}_m{num}_{name}"] for name in ("mlp", "mlp_fresh"))
        parameters = found[f"d{dimension}_parameters"]
        return (
            f"its own samples by {own:.2f} and new ones by {fresh:.2f} with {parameters:,.0f} weights (d = {dimension})"
        )

    return (
        f"Two samples of {num:,} points of one N(0, I/{large}) are W₁ = {last['w1']:.3f} apart (√2 in the limit) and "
        f"have {last['js'] / math.log(2):.0%} of the largest JS, noise included. The linear neural-net distance is "
        f"{last['linear']:.3f} (√(2/m) = {math.sqrt(2 / num):.3f}){falling}. An MLP with unbounded weights tells "
        f"apart {', and '.join(map(mlp, dict.fromkeys((small, large))))}."
    )


def picture(rows: Sequence[Row]) -> matplotlib.figure.Figure:
    """Draws the distances against m on the left, for the least and the largest d, and against d on the right.

    Args:
      rows: The rows of the figure.
    """
    found = metrics(rows)
    dimensions, samples = (sorted({row[name] for row in rows}) for name in ("dimension", "samples"))
    figure = matplotlib.figure.Figure(figsize=(9.5, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)

    def line(axes: Any, name: str, at: Sequence[int], prefixes: Sequence[str], **look: Any) -> None:
        label, color, marker = DISTANCES[name]
        means, lows, highs = ([found[f"{prefix}_{name}{end}"] for prefix in prefixes] for end in ("", "_low", "_high"))
        axes.fill_between(at, lows, highs, color=color, alpha=0.15, linewidth=0)
        axes.plot(at, means, color=color, marker=marker, markersize=4, label=label, **look)

    for dimension, dash in {dimensions[0]: "--", dimensions[-1]: "-"}.items():
        prefixes = [f"d{dimension}_m{num}" for num in samples]
        for name in ("w1", "js", "linear", "mlp"):
            line(left, name, samples, prefixes, linestyle=dash)
    root = [math.sqrt(2 / num) for num in samples]
    reference: Any = functools.partial(left.plot, color=plotting.DATA_COLOR, linestyle=":", linewidth=2.5)
    reference(samples, root, label="√(2/m)")
    left.set(
        title=f"d = {dimensions[0]} (dashed) and d = {dimensions[-1]}",
        xlabel="points of each sample, m",
        ylabel="distance",
        yscale="log",
    )
    for name in DISTANCES:
        line(right, name, dimensions, [f"d{dimension}_m{samples[-1]}" for dimension in dimensions])
    for height, text in ((math.sqrt(2), "√2"), (math.log(2), "log 2"), (0.0, "")):
        right.axhline(height, color=plotting.DATA_COLOR, linestyle=":", linewidth=1.2)
        right.annotate(text, (dimensions[0], height), (-2, 2), textcoords="offset points", fontsize=8)
    right.set(title=f"m = {samples[-1]:,}", xlabel="dimension, d", ylabel="distance (the true one is 0)")
    for axes, ticks in ((left, samples), (right, dimensions)):
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks], minor=False)
    handles, labels = right.get_legend_handles_labels()
    handles += [handle for handle, label in zip(*left.get_legend_handles_labels(), strict=True) if "√" in label]
    figure.legend(handles, [*labels, "√(2/m)"], loc="outside lower center", ncols=4, fontsize=8)
    return figure
