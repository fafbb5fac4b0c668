"""The forms of refinement on a quadratic energy, whose mean and variance are known after each step."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import matplotlib.figure
import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import plotting, refinement, schema, streams
from tfpaths.figures.figure import Cell, Drawing, Figure
from tfpaths.figures.registry import FIGURES
from tfpaths.refinement import DYNAMICS, Dynamics

Row = Mapping[str, Any]
Steps = Annotated[
    tuple[schema.PositiveInt, ...],
    schema.expects("steps, each larger than the one before", lambda steps: steps == tuple(sorted(set(steps))) != ()),
]

# The start of each chain, and the curvature: log p(y) = -(a / 2) y^2, the density of N(0, 2). No gradient is clipped.
START, CURVATURE = 0.9, 0.5
# Form -> its name in the picture, colour and dash. `langevin` and `ddls` are one form where log p is given.
_SHOWN = {
    "langevin": ("langevin, ddls", "#0072B2", "-"),
    "code_example": ("code_example", "#D55E00", "--"),
    "code_latent": ("code_latent", "#009E73", "-."),
}


@FIGURES.register("langevin")
class Langevin(Figure):
    """Mean and variance of many chains by step, for each form of `refinement.DYNAMICS` with its own step size.

    Args:
      chains: The number of chains of each form.
      steps: The steps at which they are measured.

    Example:
      >>> Langevin(chains=10).uses_studies
      False
    """

    uses_studies = False

    def __init__(
        self,
        *,
        chains: Annotated[int, schema.expects("a number of at least 2", lambda number: number >= 2)] = 10_000,
        steps: Steps = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000),
    ):
        super().__init__(studies=())
        self.chains = chains
        self.steps = steps

    def draw(self, config: config_lib.Figure, cells: Sequence[Cell]) -> Drawing:
        rows = [row for name in _SHOWN for row in measure(name, self.chains, self.steps, config.seed)]
        metrics = {
            f"{name}_{key}": value
            for name, last in _last(rows).items()
            for key, value in {
                "mean": last["mean"],
                "variance": last["variance"],
                "expected_variance": last["expected_variance"],
                "temperature": DYNAMICS[name].temperature,
            }.items()
        }
        metrics["largest_deviation"] = max(abs(value) for row in rows for value in deviations(row, self.chains))
        return Drawing(rows, plotting.png(picture, rows), metrics, finding(rows, metrics["largest_deviation"]))


def measure(name: str, chains: int, steps: Sequence[int], seed: int) -> list[dict[str, Any]]:
    """Returns a row for each step, with `form`, `mean`, `variance`, and both as expected of the law.

    Args:
      name: The form.
      chains: The number of chains.
      steps: The steps.
      seed: Seed for the noise.

    Example:
      >>> (row,) = measure("langevin", chains=100, steps=[10], seed=0)
      >>> round(row["expected_mean"], 2)  # 0.9 · 0.9975^10
      0.88
    """
    # Each chain's noise has its own key, as if it belonged to a latent.
    keys = streams.keys_of(streams.root(seed).fold(0).normal([chains, 2]))
    start = tf.fill([chains, 1], START)
    run = tf.function(
        lambda count: refinement.chain(start, lambda y: -CURVATURE * y, DYNAMICS[name], steps=count, keys=keys),
        autograph=False,
    )
    rows = []
    for step in steps:
        y = run(tf.constant(step)).numpy().astype(np.float64)
        mean, variance = law(DYNAMICS[name], step)
        expected = {"expected_mean": mean, "expected_variance": variance}
        rows.append({"step": step, "form": name, "mean": float(y.mean()), "variance": float(y.var(ddof=1)), **expected})
    return rows


def law(dynamics: Dynamics, step: int) -> tuple[float, float]:
    """Returns mean and variance of y after a step: c^k y_0, and e T (1 - c^2k) / (1 - c^2), with c = 1 - e a / 2.

    With the noise before the gradient, the variance is c^2 times that.

    Args:
      dynamics: The form.
      step: k.

    Example:
      >>> mean, variance = law(DYNAMICS["langevin"], 100_000)
      >>> round(variance, 4)  # 1 / (a (1 - e a / 4)), a little above 1 / a
      2.0025
    """
    factor = 1 - dynamics.step_size * CURVATURE / 2
    variance = dynamics.step_size * dynamics.temperature * (1 - factor ** (2 * step)) / (1 - factor**2)
    return START * factor**step, variance * (factor**2 if dynamics.noise_first else 1)


def deviations(row: Row, chains: int) -> tuple[float, float]:
    """Returns by how many of their standard errors mean and variance differ from the law.

    Args:
      row: A row of `measure`.
      chains: The number of chains.

    Example:
      >>> deviations({"mean": 1.0, "expected_mean": 0.0, "variance": 4.0, "expected_variance": 4.0}, chains=400)
      (10.0, 0.0)
    """
    expected = row["expected_variance"]
    return (
        (row["mean"] - row["expected_mean"]) / (expected / chains) ** 0.5,
        (row["variance"] / expected - 1) / (2 / (chains - 1)) ** 0.5,
    )


def _last(rows: Sequence[Row]) -> dict[str, Row]:
    """Returns the last row of each form."""
    return {row["form"]: row for row in rows}


def finding(rows: Sequence[Row], deviation: float) -> str:
    """Returns the sentence: the variance in which each form ends, and how far the chains are from their law.

    Args:
      rows: The rows of `measure`.
      deviation: The largest absolute value of `deviations`.

    Example: `python -m tfpaths.launch --exp=figure_langevin`.
    """
    last = _last(rows)
    langevin, example, latent = (last[name]["variance"] for name in ("langevin", "code_example", "code_latent"))
    temperatures = " and ".join(f"{DYNAMICS[name].temperature:.3g}" for name in ("code_example", "code_latent"))
    return (
        f"After {last['langevin']['step']:,} steps on the energy of N(0, {1 / CURVATURE:.3g}), langevin and ddls, at "
        f"temperature 1, have the variance {langevin:.3g}. The two forms of the released code have {example:.2g} and "
        f"{latent:.2g}: their temperatures are {temperatures}, not 1, so that they climb to the maximum. Means and "
        f"variances are within {deviation:.1f} standard errors of their exact laws at every step."
    )


def picture(rows: Sequence[Row]) -> matplotlib.figure.Figure:
    """Draws means on the left, variances on the right: points are measured, lines are the law.

    Args:
      rows: The rows of `measure`.
    """
    figure = matplotlib.figure.Figure(figsize=(8, 3.4), layout="constrained")
    axes = figure.subplots(1, 2)
    last = max(row["step"] for row in rows)
    shown = np.unique(np.geomspace(1, last, 200).astype(int))
    for name, (label, color, dash) in _SHOWN.items():
        form = DYNAMICS[name]
        label = f"{label}: e = {form.step_size:g}, T = {form.temperature:g}"
        of_form = [row for row in rows if row["form"] == name]
        laws = np.array([law(form, step) for step in shown])  # [steps, 2]
        for index, (each, key) in enumerate(zip(axes, ("mean", "variance"), strict=True)):
            each.plot(shown, laws[:, index], color=color, linestyle=dash, label=label)
            steps, values = [row["step"] for row in of_form], [row[key] for row in of_form]
            each.plot(steps, values, color=color, linestyle="none", marker="o", markersize=4)
    axes[1].axhline(1 / CURVATURE, color=plotting.DATA_COLOR, linestyle=":", label="N(0, 2) itself")
    axes[0].set(title="Mean of the chains", xlabel="step", ylabel="mean of y", xscale="log")
    axes[1].set(title="Variance of the chains", xlabel="step", ylabel="variance of y", xscale="log", yscale="log")
    axes[1].legend(fontsize=8, loc="center right", bbox_to_anchor=(1.0, 0.42))
    return figure
