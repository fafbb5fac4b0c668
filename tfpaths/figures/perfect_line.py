"""Figures 1 to 3 of Arjovsky and Bottou 2017 on two parallel lines, where every curve has a formula."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import matplotlib.figure

from tfpaths import config as config_lib
from tfpaths import plotting, schema
from tfpaths.figures.figure import Cell, Drawing, Figure
from tfpaths.figures.registry import FIGURES
from tfpaths.lines.separation import Separation
from tfpaths.runs.rows import Row as MutableRow

Row = Mapping[str, Any]
_ROWS_PER_DECADE = 20
# E ||J||^2 of G(z) = c + S z: J = [I, z I] has the norm sqrt(1 + z^2), whose mean square is 2.
_JACOBIAN = math.sqrt(2)
_MEASURED, _PREDICTED, _BOUND, _DEEP, _LOSS = "#0072B2", "#D55E00", "#777777", "#CC79A7", "#009E73"


@FIGURES.register("perfect_line")
class PerfectLine(Figure):
    """A linear discriminator against a generator that is frozen at its parallel start, by gradient descent from zero.

    The data are m + s y, the samples m + v + s z with v orthogonal to s and |v| = 1 (`start` in
    `tfpaths/lines/problem.py`). D(x) = w.(x - m) + b is a logit. With exact expectations, w stays along v: the mean
    gradient along s is 0 where w.s = 0. So the data lie at 0, the samples at 1, in any dimension, and with the rate h,
    for large t:

        |w| = 2 log(h t) - log 6,    D(G(z)) = 2 / (h t)
        |gradient of E log(1 - D)| = D(G(z)) |w|,    |gradient of -E log D| = (1 - D(G(z))) |w|

    The gradients are those by the generator's offset c; that by S is 0. Arjovsky and Bottou 2017 (arXiv 1701.04862),
    section 2; the case is ours. A discriminator with hidden layers is trained beside the linear one, at a distance in
    log t that its rate decides: see `tfpaths.lines.separation.Separation` for what is known of it.

    Args:
      steps: Gradient steps of each discriminator.
      rate: h, the size of a step of the linear discriminator.
      width: Units of each hidden layer of the other one.
      depth: The number of its hidden layers.
      deep_rate: The size of its steps.

    Example:
      >>> PerfectLine(steps=100).uses_studies
      False
    """

    uses_studies = False

    def __init__(
        self,
        *,
        steps: Annotated[int, schema.expects("a number of at least 100", lambda number: number >= 100)] = 100_000,
        rate: schema.Positive = 1.0,
        width: schema.PositiveInt = 64,
        depth: schema.PositiveInt = 2,
        deep_rate: schema.Positive = 0.1,
    ):
        super().__init__(studies=())
        self.steps = steps
        self.rate = rate
        self.width = width
        self.depth = depth
        self.deep_rate = deep_rate

    def draw(self, config: config_lib.Figure, cells: Sequence[Cell]) -> Drawing:
        rows = descend(self.steps, self.rate)
        deep = Separation(width=self.width, depth=self.depth, rate=self.deep_rate, seed=config.seed)
        deep_rows = [{"discriminator": "mlp", **row} for row in deep.rows(logged(self.steps))]
        found = {**metrics(rows), **deep_metrics(deep_rows, self.depth)}
        png = plotting.png(picture, rows, deep_rows)
        return Drawing([*rows, *deep_rows], png, found, finding(found))


def logged(steps: int) -> list[int]:
    """Returns the steps of the rows, evenly spaced in log t, and the last one.

    Example:
      >>> logged(5)
      [1, 2, 3, 4, 5]
    """
    spaced = {round(10 ** (number / _ROWS_PER_DECADE)) for number in range(10 * _ROWS_PER_DECADE)}
    return sorted({step for step in spaced if step < steps} | {steps})


def descend(steps: int, rate: float) -> list[MutableRow]:
    """Returns the rows of gradient descent on softplus(-b) + softplus(w + b) from w = b = 0, evenly spaced in log t.

    Args:
      steps: The last t.
      rate: h.

    Example:
      >>> descend(100, 1.0)[0]["step"], descend(100, 1.0)[-1]["step"]
      (1, 100)
    """
    rows, w, b, shown = [], 0.0, 0.0, set(logged(steps))
    for step in range(1, steps + 1):
        fake, real_error = _sigmoid(w + b), _sigmoid(-b)  # D(G(z)), 1 - D(x)
        w, b = w - rate * fake, b + rate * (real_error - fake)
        if step in shown:
            values = {**measured(w, b), **predicted(rate * step)}
            rows.append({"discriminator": "linear", "step": step, "time": rate * step, **values})
    return rows


def measured(w: float, b: float) -> MutableRow:
    """Returns the quantities of a discriminator with the logit w u + b: data at u = 0, samples at u = 1.

    `bound` is that of theorem 2.4, M e / (1 - e): here e is the largest |D - D*| + |grad D| on both lines, and
    M^2 = 2. It is None where e is not below 1, as the theorem needs.

    Example:
      >>> row = measured(0.0, 0.0)
      >>> row["d_fake"], row["grad_ns"], round(row["bound"], 3)
      (0.5, 0.0, 1.414)
    """
    fake, real_error, size = _sigmoid(w + b), _sigmoid(-b), abs(w)
    error = max(one + one * (1 - one) * size for one in (fake, real_error))
    return {
        "weight": size,
        "d_loss": _softplus(-b) + _softplus(w + b),
        "d_fake": fake,
        "grad_minimax": fake * size,
        "grad_ns": _sigmoid(-w - b) * size,
        "bound": _JACOBIAN * error / (1 - error) if error < 1 else None,
    }


def predicted(time: float) -> MutableRow:
    """Returns the asymptotic values after h t = `time`; None where log(time) is too small for a positive |w|.

    With D(x) = w u + b and exponential tails, w' = -e^(w+b) and b' = e^-b - e^(w+b). If b follows w, b' = -w'/2, so
    e^-b = 3/2 e^(w+b), and w' = -e^(w/2) / sqrt(3/2): |w| = 2 log(t / sqrt 6), D(G(z)) = -w' = 2 / t.

    Example:
      >>> round(predicted(1e4)["predicted_weight"], 2), predicted(1e4)["predicted_d_fake"]
      (16.63, 0.0002)
    """
    weight = 2 * math.log(time) - math.log(6)
    fake = 2 / time
    values = {
        "predicted_weight": weight,
        "predicted_d_fake": fake,
        "predicted_grad_minimax": fake * weight,
        "predicted_grad_ns": weight,
    }
    return {name: value if weight > 0 else None for name, value in values.items()}


def metrics(rows: Sequence[Row]) -> dict[str, float]:
    """Returns the last values, their ratios to the predictions, and the slopes over the last decade.

    `weight_per_log` is the increase of |w| for each unit of log t, 2 in the limit; `d_fake_slope` that of log D(G(z)),
    -1 in the limit. `bound_holds` is the share of the rows with a bound whose gradient is not above it; it is missing
    if no row has a bound.
    """
    last = rows[-1]
    before = next(row for row in rows if 10 * row["step"] >= last["step"])
    decade = math.log(last["step"] / before["step"])
    bounded = [row for row in rows if row["bound"] is not None]
    holds = (
        {"bound_holds": sum(row["grad_minimax"] <= row["bound"] for row in bounded) / len(bounded)} if bounded else {}
    )
    found = {name: last[name] for name in ("weight", "d_fake", "grad_minimax", "grad_ns")}
    ratios = {f"{name}_ratio": value / last[f"predicted_{name}"] for name, value in found.items()}
    return {
        **found,
        **ratios,
        "weight_per_log": (last["weight"] - before["weight"]) / decade,
        "d_fake_slope": math.log(last["d_fake"] / before["d_fake"]) / decade,
        **holds,
        **({"bound_ratio": last["bound"] / last["grad_minimax"]} if last["bound"] is not None else {}),
    }


def deep_metrics(rows: Sequence[Row], depth: int) -> dict[str, float]:
    """Returns what the discriminator with hidden layers reaches, and its slopes by log t over the last decade.

    `mlp_loss_slope_predicted` is the mean of -1 - (2 - 2/k) / log t over the decade, k = `depth` + 1, which is
    -1 - (2 - 2/k) (log log t1 - log log t0) / (log t1 - log t0). It is missing if the decade begins before t = 2.
    """
    last = rows[-1]
    before = next(row for row in rows if 10 * row["step"] >= last["step"])
    decade = math.log(last["time"] / before["time"])
    found = {f"mlp_{name}": last[name] for name in ("d_loss", "d_fake", "grad_minimax", "grad_ns")}
    found["mlp_loss_slope"] = math.log(last["d_loss"] / before["d_loss"]) / decade
    if before["time"] > 2:
        between = math.log(math.log(last["time"])) - math.log(math.log(before["time"]))
        found["mlp_loss_slope_predicted"] = -1 - (2 - 2 / (depth + 1)) * between / decade
    return found


def finding(found: Mapping[str, float]) -> str:
    """Returns a sentence about the last decade of steps."""
    rate = (
        f" (homogeneous networks: {found['mlp_loss_slope_predicted']:.3f})"
        if "mlp_loss_slope_predicted" in found
        else ""
    )
    above = (
        f" (the bound of theorem 2.4 is {found['bound_ratio']:.2g} times as large)" if "bound_ratio" in found else ""
    )
    return (
        f"Over the last decade of steps |w| grows by {found['weight_per_log']:.3f} for each unit of log t (predicted: "
        f"2) and log D(G(z)) changes by {found['d_fake_slope']:.3f} (predicted: -1): the minimax gradient falls to "
        f"{found['grad_minimax']:.2g}{above}, the non-saturating gradient grows to {found['grad_ns']:.3g}. With hidden "
        f"layers the slope of the log loss by log t is {found['mlp_loss_slope']:.3f}{rate}; the two gradients end at "
        f"{found['mlp_grad_minimax']:.2g} and {found['mlp_grad_ns']:.3g}."
    )


def picture(rows: Sequence[Row], deep_rows: Sequence[Row] = ()) -> matplotlib.figure.Figure:
    """Draws D(G(z)) with the loss, the minimax gradient with its bound, and the non-saturating gradient, by t."""
    figure = matplotlib.figure.Figure(figsize=(11, 3.7), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    _curve(left, rows, "d_loss", "cross-entropy", _LOSS)
    _curve(left, rows, "d_fake", "D(G(z))", _MEASURED)
    _curve(left, rows, "predicted_d_fake", "predicted: 2 / t", _PREDICTED, "--")
    _curve(middle, rows, "bound", "theorem 2.4: M ε / (1 − ε)", _BOUND, ":")
    _curve(middle, rows, "grad_minimax", "measured", _MEASURED)
    _curve(middle, rows, "predicted_grad_minimax", "predicted: (2 / t) (2 log t − log 6)", _PREDICTED, "--")
    _curve(right, rows, "grad_ns", "measured", _MEASURED)
    _curve(right, rows, "predicted_grad_ns", "predicted: 2 log t − log 6", _PREDICTED, "--")
    if deep_rows:
        for axes, name, label in (
            (left, "d_fake", "D(G(z)), hidden layers"),
            (middle, "grad_minimax", "hidden layers"),
            (right, "grad_ns", "hidden layers"),
        ):
            _curve(axes, deep_rows, name, label, _DEEP, "-.")
    for axes, title in (
        (left, "Error of the discriminator"),
        (middle, "Gradient of E log(1 − D)"),
        (right, "Gradient of −E log D"),
    ):
        axes.set(title=title, xlabel="t, steps of the discriminator times their size", xscale="log")
        axes.legend(fontsize=7.5)
    for axes in (left, middle):
        axes.set_yscale("log")
    right.set_ylim(0, None)
    return figure


def _curve(axes: Any, rows: Sequence[Row], name: str, label: str, color: str, dash: str = "-") -> None:
    points = [(row["time"], row[name]) for row in rows if row[name] is not None]
    axes.plot(*zip(*points, strict=True), color=color, linestyle=dash, label=label)


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))


def _softplus(logit: float) -> float:
    return max(logit, 0.0) + math.log1p(math.exp(-abs(logit)))
