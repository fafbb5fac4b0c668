"""The spread of a gradient of -log D by batch size: in the noise model of theorem 2.6, and through real networks."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import matplotlib.figure
import numpy as np

from tfpaths import config as config_lib
from tfpaths import errors, plotting, schema
from tfpaths.figures.figure import Cell, Drawing, Figure, percent
from tfpaths.figures.line_discriminators import Discriminators
from tfpaths.figures.registry import FIGURES
from tfpaths.runs.rows import Row as MutableRow

Row = Mapping[str, Any]
_Sizes = Annotated[
    tuple[schema.PositiveInt, ...],
    schema.expects("sizes, each larger than the one before", lambda sizes: sizes == tuple(sorted(set(sizes))) != ()),
]
# At least so many batches of each network, for a quartile of each network's own batches.
_LEAST_BATCHES = 16
# The two coordinates of a gradient by the generator's offset, with the colour of their lines.
_COORDINATES = {"towards the data": "#0072B2", "along the line": "#D55E00"}
# Quantity -> its label and dash.
_SPREADS = {"within": ("batches of one network", "-"), "pooled": ("batches of all networks", "--")}


@FIGURES.register("cauchy")
class Cauchy(Figure):
    """The interquartile range of a coordinate of the gradient of -log D, averaged over a batch, by batch size.

    Arjovsky and Bottou 2017 (arXiv 1701.04862), theorem 2.6: if D* - D = e and grad D* - grad D = r are independent
    white Gaussian noises, each coordinate of the gradient, a mean of r / e, is a centred Cauchy variable, whatever the
    batch size is. Beside that model: many networks, each trained to separate one pair of parallel lines (|v| = 1),
    whose generator is held fixed. Networks, rates and batch are those of the studies of lines; the numbers are ours.

    Args:
      runs: The number of networks, each with its own lines and initial weights.
      updates: The length of their training.
      examples: Samples of each network whose gradients are measured, and of the model.
      batch_sizes: The sizes of the batches into which they are divided.
      width: Units of each of the two hidden layers.

    Example:
      >>> Cauchy(runs=2).uses_studies
      False
    """

    uses_studies = False

    def __init__(
        self,
        *,
        runs: Annotated[int, schema.expects("a number of at least 2", lambda number: number >= 2)] = 512,
        updates: schema.PositiveInt = 1_000,
        examples: schema.PositiveInt = 65_536,
        batch_sizes: _Sizes = (1, 4, 16, 64, 256, 1_024),
        width: schema.PositiveInt = 64,
    ):
        super().__init__(studies=())
        self.runs = runs
        self.updates = updates
        self.examples = examples
        self.batch_sizes = batch_sizes
        self.width = width

    def check(self, config: config_lib.Figure) -> None:
        super().check(config)
        if any(self.examples % size for size in self.batch_sizes):
            raise errors.InputError(
                f"figure.examples: expected a multiple of each of figure.batch_sizes, received {self.examples}."
            )
        if self.examples < _LEAST_BATCHES * self.batch_sizes[-1]:
            raise errors.InputError(
                f"figure.examples: expected at least {_LEAST_BATCHES} batches of the largest size, that is "
                f"{_LEAST_BATCHES * self.batch_sizes[-1]}, received {self.examples}."
            )

    def draw(self, config: config_lib.Figure, cells: Sequence[Cell]) -> Drawing:
        networks = Discriminators(self.runs, width=self.width, seed=config.seed)
        networks.train(self.updates, config.name)
        gradients, outputs = networks.gradients(self.examples, config.name)
        ratios = model(self.runs, self.examples, config.seed)
        of_model = [{"name": "model", **row} for row in spreads(ratios, self.batch_sizes)]
        of_networks = [
            {"name": name, **row}
            for index, name in enumerate(_COORDINATES)
            for row in spreads(gradients[:, :, index], self.batch_sizes)
        ]
        rows = [{"step": self.updates, **row} for row in (*of_model, *of_networks)]
        found = {**metrics(rows), **about(gradients, outputs, networks.accuracy(self.examples))}
        columns = {"model": ratios, **{name: gradients[:, :, index] for index, name in enumerate(_COORDINATES)}}
        tails = {name: tail(values) for name, values in columns.items()}
        return Drawing(rows, plotting.png(picture, rows, tails), found, finding(found, self.batch_sizes[-1]))


def model(runs: int, examples: int, seed: int) -> np.ndarray:
    """Returns r / e of the theorem's noise model, `[runs, examples]`, with r, e ~ N(0, 1): its median size is 1.

    Example:
      >>> model(2, 3, seed=0).shape
      (2, 3)
    """
    random = np.random.default_rng(seed)
    r, e = (random.standard_normal((runs, examples)) for _ in range(2))
    return r / e


def spreads(values: np.ndarray, batch_sizes: Sequence[int]) -> list[MutableRow]:
    """Returns a row for each batch size: the interquartile ranges of the means over batches.

    `within` is that of the batches of one network, the median over networks; `pooled` is that of the batches of all
    networks together, which the differences between networks widen.

    Args:
      values: One coordinate of each example's gradient, `[runs, examples]`.
      batch_sizes: Sizes that divide the number of examples.

    Example:
      >>> values = np.random.default_rng(0).normal(size=(4, 64_000))
      >>> [round(row["within"], 1) for row in spreads(values, [1, 4, 16])]  # 1.35 / sqrt n
      [1.3, 0.7, 0.3]
    """
    rows: list[MutableRow] = []
    for size in batch_sizes:
        means = values.reshape(len(values), -1, size).mean(axis=2, dtype=np.float64)  # [runs, batches]
        within = float(np.median(_range(means, axis=1)))
        rows.append({"batch_size": size, "within": within, "pooled": float(_range(means.reshape(-1), axis=0))})
    return rows


def _range(values: np.ndarray, axis: int) -> np.ndarray:
    low, high = np.quantile(values, [0.25, 0.75], axis=axis, method="median_unbiased")
    return high - low


def slope(rows: Sequence[Row], quantity: str) -> float:
    """Returns the slope of a spread by batch size, both as logarithms, by least squares; NaN for one size.

    Args:
      rows: The rows of `spreads`.
      quantity: `within` or `pooled`.

    Example:
      >>> round(slope([{"batch_size": n, "within": 3 / n} for n in (1, 10, 100)], "within"), 6)
      -1.0
    """
    if len(rows) < 2:
        return math.nan
    sizes, values = np.log([[row["batch_size"], row[quantity]] for row in rows]).T
    return float(np.polyfit(sizes, values, 1)[0])


def metrics(rows: Sequence[Row]) -> dict[str, float]:
    """Returns the first and the last spread of the model and of each coordinate, and the slope of each.

    Args:
      rows: The rows of `spreads`, with `name`.

    Example: `python -m tfpaths.launch --exp=figure_cauchy`.
    """
    found: dict[str, float] = {}
    for name in ("model", *_COORDINATES):
        of_name = [row for row in rows if row["name"] == name]
        for quantity in _SPREADS:
            prefix = f"{name}_{quantity}".replace(" ", "_")
            found |= {f"{prefix}_first": of_name[0][quantity], f"{prefix}_last": of_name[-1][quantity]}
            found[f"{prefix}_slope"] = slope(of_name, quantity)
    return {name: value for name, value in found.items() if math.isfinite(value)}


def about(gradients: np.ndarray, outputs: np.ndarray, accuracy: np.ndarray) -> dict[str, float]:
    """Returns how near the networks are to a perfect one, and what else the theorem's model says of their gradients.

    `towards_share` is the share of networks whose mean gradient moves the generator towards the data, 1/2 for centred
    noise; `between_share` is the share of the variance of single gradients that is between networks, 0 for white noise.

    Args:
      gradients: `[runs, examples, 2]`.
      outputs: D(G(z)), `[runs, examples]`.
      accuracy: `[runs]`.

    Example:
      >>> about(np.ones([3, 2, 2]) * [1.0, 0.0], np.full([3, 2], 0.25), np.ones(3))["towards_share"]
      1.0
    """
    means = gradients.mean(axis=1, dtype=np.float64)  # [runs, 2]
    found = {
        "runs": float(len(gradients)),
        "output_median": float(np.median(outputs)),
        "accuracy_median": float(np.median(accuracy)),
        "perfect_share": float(np.mean(accuracy == 1)),
        "towards_share": float(np.mean(means[:, 0] > 0)),
    }
    for index, name in enumerate(_COORDINATES):
        variance = float(gradients[:, :, index].var(dtype=np.float64))
        prefix = name.replace(" ", "_")
        if variance > 0:
            found[f"{prefix}_between_share"] = float(means[:, index].var()) / variance
        found[f"{prefix}_largest"] = float(np.abs(gradients[:, :, index]).max())
    return found


def tail(values: np.ndarray) -> np.ndarray:
    """Returns how often a value is how far from the median: pairs (distance over half the IQR, share beyond), `[n, 2]`.

    Args:
      values: Of any shape.

    Example:
      >>> tail(np.arange(9.0))[:2].tolist()  # quartiles 1.67 and 6.33
      [[0.0, 1.0], [0.4285714285714286, 0.8888888888888888]]
    """
    flat = values.reshape(-1).astype(np.float64)
    half = float(_range(flat, axis=0)) / 2
    distances = np.sort(np.abs(flat - np.median(flat))) / half
    shares = 1 - np.arange(len(flat)) / len(flat)
    # A few hundred points, evenly spaced in the logarithm of the share.
    chosen = np.unique(len(flat) - np.geomspace(len(flat), 1, 400).round().astype(int))
    return np.stack([distances[chosen], shares[chosen]], axis=1)


def finding(found: Mapping[str, float], largest: int) -> str:
    """Returns the sentence: the slopes of the spreads, and where the model's assumptions fail.

    Args:
      found: The `metrics` and `about`.
      largest: The largest batch size.

    Example: `python -m tfpaths.launch --exp=figure_cauchy`.
    """
    names = [name.replace(" ", "_") for name in _COORDINATES]
    within = " and ".join(f"{found[f'{name}_within_slope']:.2f}" for name in names)
    model_left, *left = (
        percent(found[f"{name}_pooled_last"] / found[f"{name}_pooled_first"]) for name in ("model", *names)
    )
    return (
        f"From batches of one to batches of {largest:,} the interquartile range of the theorem's noise model keeps "
        f"{model_left} of its size, as a Cauchy variable does. Through {found['runs']:,.0f} networks, "
        f"{percent(found['perfect_share'])} of them with accuracy 1, the range over the batches of one network falls "
        f"with slopes of {within} (towards the data, along the line): the variance is finite. Over the batches of all "
        f"networks {left[0]} and {left[1]} of it remain, since the errors of a network at different samples are not "
        f"independent; and {percent(found['towards_share'])} of the networks move the generator towards the data, "
        "where centred noise would move half of them."
    )


def picture(rows: Sequence[Row], tails: Mapping[str, np.ndarray]) -> matplotlib.figure.Figure:
    """Draws the spreads by batch size on the left, and the tails of single gradients on the right.

    Args:
      rows: The rows of `spreads`, with `name`.
      tails: The `tail` of the model and of each coordinate.
    """
    figure = matplotlib.figure.Figure(figsize=(9, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    line: Any = functools.partial(left.plot, marker="o", markersize=4)
    by_name = {name: [row for row in rows if row["name"] == name] for name in ("model", *_COORDINATES)}

    def relative(name: str, quantity: str) -> list[float]:
        return [row[quantity] / by_name[name][0][quantity] for row in by_name[name]]

    sizes = [row["batch_size"] for row in by_name["model"]]
    line(sizes, relative("model", "pooled"), color="black", label="noise model of theorem 2.6")
    for name, color in _COORDINATES.items():
        for quantity, (label, dash) in _SPREADS.items():
            line(sizes, relative(name, quantity), color=color, linestyle=dash, label=f"{name}, {label}")
    root = [(sizes[0] / size) ** 0.5 for size in sizes]
    left.plot(sizes, root, color=plotting.DATA_COLOR, linestyle=":", label="n^(−1/2)")
    left.set(title="Spread of a batch's gradient", xlabel="batch size n", ylabel="interquartile range / first")
    for name, color in {"model": "black", **_COORDINATES}.items():
        label = "noise model" if name == "model" else f"networks, {name}"
        right.plot(*tails[name][1:].T, color=color, label=label)
    right.set(title="Tails of one sample's gradient", xlabel="|g − median| / half the range", ylabel="share beyond")
    right.set_xlim(0.1, None)
    for axes in (left, right):
        axes.set(xscale="log", yscale="log")
        axes.legend(fontsize=7.5, handlelength=3.5)
    return figure
