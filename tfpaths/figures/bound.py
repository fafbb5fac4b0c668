"""The bound of the Wasserstein distance by noise and a divergence, beside the distance: theorem 3.3 in closed form."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import matplotlib.figure
import numpy as np

from tfpaths import config as config_lib
from tfpaths import plotting, schema
from tfpaths.figures.figure import Cell, Drawing, Figure
from tfpaths.figures.registry import FIGURES
from tfpaths.lines import noisy

Row = Mapping[str, Any]

# |s| = 1: the support of the data is a segment of length sqrt 12.
LENGTH = 1.0
# Name -> its label, colour and dash.
_BOUNDS = {
    "theorem": ("theorem 3.3: 2 √V + 2 C √JSD", "#000000", "-"),
    "root_two": ("with √2 C, as its proof allows", "#D55E00", "--"),
    "variation": ("before Pinsker: 2 √V + C TV", "#0072B2", "-."),
}
# The noise, and the distances of the right side, in a grid of twenty for each power of ten.
_NOISES = np.geomspace(1e-2, 1e1, 61)
_DISTANCES = np.geomspace(1e-3, 1e2, 101)
_Distances = Annotated[
    tuple[schema.Positive, ...],
    schema.expects(
        "distances, each larger than the one before", lambda values: values == tuple(sorted(set(values))) != ()
    ),
]


@FIGURES.register("bound")
class Bound(Figure):
    """W = |v| of two parallel lines and theorem 3.3's bounds, over the noise, and how large their least values are.

    Arjovsky and Bottou 2017 (arXiv 1701.04862), theorem 3.3, whose noise is bounded, with uniform coordinates and
    noise: see `lines.noisy.bound`. The distances and |s| = 1 are ours.

    Args:
      distances: The |v| whose bounds are drawn over the noise.

    Example:
      >>> Bound(distances=(0.1,)).uses_studies
      False
    """

    uses_studies = False

    def __init__(self, *, distances: _Distances = (0.1, 1.0)):
        super().__init__(studies=())
        self.distances = distances

    def draw(self, config: config_lib.Figure, cells: Sequence[Cell]) -> Drawing:
        over_noise = [
            {"step": 0, "distance": distance, "noise": float(noise), **bounds(distance, noise)}
            for distance in self.distances
            for noise in _NOISES
        ]
        least_of = [{"step": 0, **least(distance)} for distance in (*self.distances, *_DISTANCES)]
        drawn = plotting.png(picture, over_noise, least_of[len(self.distances) :])
        found = metrics(least_of[: len(self.distances)])
        return Drawing([*over_noise, *least_of], drawn, found, finding(least_of[: len(self.distances)], found))


def bounds(distance: float, noise: float | np.ndarray) -> dict[str, Any]:
    """Returns the three bounds by name: `theorem`, `root_two` and `variation`.

    Args:
      distance: |v|.
      noise: a.

    Example:
      >>> {name: round(float(value), 2) for name, value in bounds(0.1, 0.5).items()}
      {'theorem': 2.49, 'root_two': 1.93, 'variation': 0.94}
    """
    return {
        "theorem": noisy.bound(distance, LENGTH, noise),
        "root_two": noisy.bound(distance, LENGTH, noise, math.sqrt(2)),
        "variation": noisy.variation_bound(distance, LENGTH, noise),
    }


def least(distance: float) -> dict[str, float]:
    """Returns each bound's least value over the noise, its limit included in which there is none, and that noise.

    `trivial` is the diameter of both supports, which bounds W without any noise or divergence.

    Args:
      distance: |v|.

    Example:
      >>> values = least(0.1)
      >>> round(values["theorem"], 2), round(values["theorem_noise"], 1), round(values["trivial"], 2)
      (2.47, 0.6, 3.47)
    """
    # Fine enough for four digits of the least value. The limit a -> 0 is a candidate: there JSD = log 2 and TV = 1.
    noises = np.concatenate([[1e-12], np.geomspace(1e-4, 1e3, 20_001)])
    values: dict[str, float] = {"distance": float(distance), "trivial": math.hypot(math.sqrt(12) * LENGTH, distance)}
    for name, of_noise in bounds(distance, noises).items():
        at = int(of_noise.argmin())
        values |= {name: float(of_noise[at]), f"{name}_noise": float(noises[at]) if at else 0.0}
    return values


def helps_below(name: str) -> float:
    """Returns the |v| below which a bound's least value is below the trivial bound, to three digits.

    Args:
      name: The bound.

    Example:
      >>> round(helps_below("theorem"), 2)
      0.24
    """
    low, high = 1e-6, 1e3
    while high / low > 1.0005:
        middle = math.sqrt(low * high)
        of_middle = least(middle)
        low, high = (middle, high) if of_middle[name] < of_middle["trivial"] else (low, middle)
    return low


def metrics(rows: Sequence[Row]) -> dict[str, float]:
    """Returns for each distance the least bounds, their noise and their ratio to W, and `helps_below` of the first two.

    Args:
      rows: The rows of `least`.

    Example:
      >>> round(metrics([least(0.1)])["distance_0.1_theorem_ratio"], 1)
      24.7
    """
    found: dict[str, float] = {}
    for row in rows:
        prefix = f"distance_{row['distance']:g}"
        found[f"{prefix}_trivial"] = row["trivial"]
        for name in _BOUNDS:
            found[f"{prefix}_{name}"] = row[name]
            found[f"{prefix}_{name}_noise"] = row[f"{name}_noise"]
            found[f"{prefix}_{name}_ratio"] = row[name] / row["distance"]
    return found | {f"{name}_helps_below": helps_below(name) for name in ("theorem", "root_two")}


def finding(rows: Sequence[Row], found: Mapping[str, float]) -> str:
    """Returns the sentence: how many times W the bounds are at their best, and where they say more than a diameter.

    Args:
      rows: The rows of `least`.
      found: The `metrics`.

    Example: `python -m tfpaths.launch --exp=figure_bound`.
    """

    def part(row: Row) -> str:
        ratios = [f"{row[name] / row['distance']:.3g}" for name in ("theorem", "root_two")]
        noise = f"noise of {row['theorem_noise']:.2g}" if row["theorem_noise"] else "no noise at all"
        return f"{ratios[0]} times W for |v| = {row['distance']:g} ({ratios[1]} with √2 C; {noise} is best)"

    below = [f"{found[f'{name}_helps_below']:.2g}" for name in ("theorem", "root_two")]
    return (
        f"The bound holds. With the best noise it is {', '.join(map(part, rows))}. It is below the trivial bound, the "
        f"diameter of the two supports, only for |v| < {below[0]} (√2 C: {below[1]}), where the lines are "
        f"{math.sqrt(12) * LENGTH:.2f} long."
    )


def picture(over_noise: Sequence[Row], least_of: Sequence[Row]) -> matplotlib.figure.Figure:
    """Draws the bounds over the noise on the left, and the least of each over W on the right.

    Args:
      over_noise: The rows of `bounds`, with `distance` and `noise`.
      least_of: The rows of `least`.
    """
    figure = matplotlib.figure.Figure(figsize=(9, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    distances = list(dict.fromkeys(row["distance"] for row in over_noise))
    # A line's width tells the distance, since colour and dash tell the bound.
    for width, distance in zip(np.linspace(0.9, 2.2, len(distances)), distances, strict=True):
        rows = [row for row in over_noise if row["distance"] == distance]
        noises = [row["noise"] for row in rows]
        for name, (_, color, dash) in _BOUNDS.items():
            left.plot(noises, [row[name] for row in rows], color=color, linestyle=dash, linewidth=width)
        left.axhline(distance, color=plotting.DATA_COLOR, linestyle=":", linewidth=width)
        text = f"W = |v| = {distance:g}"
        left.annotate(text, (noises[0], distance), (2, 4), textcoords="offset points", fontsize=8)
    left.set(
        title=f"The bounds for |v| = {', '.join(f'{each:g}' for each in distances)} (thin to thick)",
        xlabel="noise a (uniform, ±a along v)",
        ylabel="W and its bounds",
    )
    at = [row["distance"] for row in least_of]
    for name, (label, color, dash) in _BOUNDS.items():
        right.plot(at, [row[name] / row["distance"] for row in least_of], color=color, linestyle=dash, label=label)
    trivial = [row["trivial"] / row["distance"] for row in least_of]
    right.plot(at, trivial, color="#009E73", linestyle=(0, (1, 1)), label="no noise: the diameter of the supports")
    right.axhline(1, color=plotting.DATA_COLOR, linestyle=":", label="W itself")
    right.set(title="The bounds at their best noise", xlabel="|v|", ylabel="bound / W")
    for axes in (left, right):
        axes.set(xscale="log", yscale="log")
    right.legend(fontsize=8)
    return figure
