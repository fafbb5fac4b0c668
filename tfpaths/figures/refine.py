"""Refinement on the line with noise, where the optimal discriminator is linear and every law is known."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import matplotlib.figure
import matplotlib.patches
import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import plotting, refinement, schema, streams
from tfpaths.figures.figure import Cell, Drawing, Figure
from tfpaths.figures.langevin import Steps
from tfpaths.figures.registry import FIGURES
from tfpaths.refinement import Dynamics

Row = Mapping[str, Any]

# Data m + s t + sigma n and samples m + v + s t + sigma n, with t ~ N(0, 1), n ~ N(0, I), m = 0 and v at right angles
# to s: KL(samples || data) = |v|^2 / (2 sigma^2) = 2.
DIRECTION, OFFSET, SIGMA = np.array([1.0, 0.0]), np.array([0.0, 1.0]), 0.5
# G(z) = v + z A, z = (t, n): the samples' covariance is A^T A, and so is that of the data.
MATRIX = np.concatenate([DIRECTION[np.newaxis], SIGMA * np.eye(2)])  # [3, 2]
COVARIANCE = MATRIX.T @ MATRIX
# The gradient of the optimal logit log p_data / p_g = -x v / sigma^2 + |v|^2 / (2 sigma^2).
SLOPE = -OFFSET / SIGMA**2
# The points of each form that are drawn.
_POINTS = 300
# Form -> colour and dash.
_SHOWN = {"ddls": ("#0072B2", "-"), "langevin": ("#D55E00", "--"), "code_latent": ("#009E73", "-.")}


@FIGURES.register("refine")
class Refine(Figure):
    """The squared Fréchet distance of refined samples from the data by step, and samples in the plane.

    Args:
      samples: The number of samples.
      steps: The steps at which the distance is measured.
      shown_step: The step whose samples are drawn.
      step_size: e of `langevin` and `ddls`; `code_latent` has its own.

    Example:
      >>> Refine(samples=10).uses_studies
      False
    """

    uses_studies = False

    def __init__(
        self,
        *,
        samples: Annotated[int, schema.expects("a number of at least 3", lambda number: number >= 3)] = 10_000,
        steps: Steps = (1, 2, 3, 5, 10, 20, 50, 100, 200),
        shown_step: schema.PositiveInt = 20,
        step_size: schema.Positive = 0.2,
    ):
        super().__init__(studies=())
        self.samples = samples
        self.steps = steps
        self.shown_step = shown_step
        self.step_size = step_size

    def draw(self, config: config_lib.Figure, cells: Sequence[Cell]) -> Drawing:
        latents = streams.root(config.seed).normal([self.samples, len(MATRIX)])
        rows, shown = [], {}
        for name in _SHOWN:
            form = self.form(name)
            for step in (0, *self.steps):
                rows.append({"step": step, "form": name, **measure(refined(latents, form, step), form, step)})
            shown[name] = refined(latents, form, self.shown_step)
        shown["samples"] = refined(latents, form, 0)
        drawn = plotting.png(picture, rows, shown, {name: self.form(name) for name in _SHOWN}, self.shown_step)
        return Drawing(rows, drawn, metrics(rows), finding(rows))

    def form(self, name: str) -> Dynamics:
        """Returns a form with the step size of the figure."""
        return refinement.get(name, step_size=None if name.startswith("code") else self.step_size)


def refined(latents: tf.Tensor, dynamics: Dynamics, step: int) -> np.ndarray:
    """Returns samples after some steps that follow the optimal discriminator, `[num, 2]`.

    Args:
      latents: z, `[num, 3]`.
      dynamics: The form.
      step: The number of steps.

    Example:
      >>> refined(tf.zeros([1, 3]), refinement.get("ddls"), 0)
      array([[0., 1.]])
    """
    matrix, offset, slope = (tf.constant(each, tf.float32) for each in (MATRIX, OFFSET, SLOPE[:, np.newaxis]))
    constant = 0.5 * float(OFFSET @ OFFSET) / SIGMA**2

    def generate(z: tf.Tensor) -> tf.Tensor:
        return tf.matmul(z, matrix) + offset

    def logit(x: tf.Tensor, training: bool) -> tf.Tensor:
        return tf.matmul(x, slope) + constant

    return refinement.refine(generate, logit, latents, dynamics, steps=step).numpy().astype(np.float64)


def law(dynamics: Dynamics, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and covariance of the samples after a step.

    Examples move by (e / 2) w and their covariance grows by e T I in each step, where w is the logit's gradient.
    Latents have the mean (1 - c^k) A w and the variance c^2k + e T (1 - c^2k) / (1 - c^2) with the prior, where c =
    1 - e / 2; without it they move by (e / 2) A w, and the variance grows by e T.

    Args:
      dynamics: The form.
      step: k.

    Example:
      >>> mean, covariance = law(refinement.get("ddls"), 10_000)
      >>> bool(np.allclose(mean, 0.0)), covariance.round(4).tolist()  # the data's are 0, and 1.25 and 0.25
      (True, [[1.2531, 0.0], [0.0, 0.2506]])
    """
    e, grown = dynamics.step_size, step * dynamics.step_size * dynamics.temperature
    if dynamics.space == "example":
        return OFFSET + step * e / 2 * SLOPE, COVARIANCE + grown * np.eye(2)
    moved, variance = step * e / 2, 1 + grown
    if dynamics.has_prior:
        factor = 1 - e / 2
        moved = 1 - factor**step
        variance = factor ** (2 * step) + e * dynamics.temperature * (1 - factor ** (2 * step)) / (1 - factor**2)
    return OFFSET + moved * COVARIANCE @ SLOPE, variance * COVARIANCE


def distance(mean: np.ndarray, covariance: np.ndarray) -> float:
    """Returns the squared Fréchet distance of a Gaussian from the data.

    Args:
      mean: `[2]`.
      covariance: `[2, 2]`.

    Example:
      >>> round(distance(OFFSET, COVARIANCE), 12)  # samples that are not refined: |v|^2
      1.0
    """
    # trace sqrt(C S) is the sum of the roots of the eigenvalues of C S, which are not negative.
    roots = np.sqrt(np.maximum(np.linalg.eigvals(covariance @ COVARIANCE).real, 0.0))
    return float(mean @ mean + np.trace(covariance) + np.trace(COVARIANCE) - 2 * roots.sum())


def divergence(mean: np.ndarray, covariance: np.ndarray) -> float:
    """Returns the Kullback-Leibler divergence of a Gaussian from the data, KL(samples || data), in nats.

    Args:
      mean: `[2]`.
      covariance: `[2, 2]`.

    Example:
      >>> round(divergence(OFFSET, COVARIANCE), 12)  # samples that are not refined: |v|^2 / (2 sigma^2)
      2.0
    """
    ratio = np.linalg.solve(COVARIANCE, covariance)
    quadratic = mean @ np.linalg.solve(COVARIANCE, mean)
    return float(0.5 * (np.trace(ratio) - len(mean) - np.linalg.slogdet(ratio)[1] + quadratic))


def measure(samples: np.ndarray, dynamics: Dynamics, step: int) -> dict[str, float]:
    """Returns `squared_distance` and `divergence` of samples from the data, and both as expected of their law.

    Args:
      samples: Samples after `step` steps, `[num, 2]`.
      dynamics: The form.
      step: The number of steps.

    Example: `python -m tfpaths.launch --exp=figure_refine`.
    """
    measured, expected = (samples.mean(axis=0), np.cov(samples.T)), law(dynamics, step)
    return {
        "squared_distance": distance(*measured),
        "expected_squared_distance": distance(*expected),
        "divergence": divergence(*measured),
        "expected_divergence": divergence(*expected),
    }


def metrics(rows: Sequence[Row]) -> dict[str, float]:
    """Returns the values of unrefined samples, the last values of each form, and its least distance with its step.

    Args:
      rows: The rows of `measure`, with `step` and `form`.

    Example: `python -m tfpaths.launch --exp=figure_refine`.
    """
    names = ("squared_distance", "expected_squared_distance", "divergence", "expected_divergence")
    found = {f"unrefined_{name}": rows[0][name] for name in names}
    for form in _SHOWN:
        of_form = [row for row in rows if row["form"] == form]
        least = min(of_form, key=lambda row: row["squared_distance"])
        found |= {f"{form}_{name}": of_form[-1][name] for name in names}
        found |= {f"{form}_least_squared_distance": least["squared_distance"], f"{form}_least_step": least["step"]}
    return found


def finding(rows: Sequence[Row]) -> str:
    """Returns the sentence: where each form is after the last step, and where it is nearest.

    Args:
      rows: The rows of `measure`, with `step` and `form`.

    Example: `python -m tfpaths.launch --exp=figure_refine`.
    """
    found = metrics(rows)

    def part(form: str) -> str:
        last, least = (found[f"{form}_{name}"] for name in ("squared_distance", "least_squared_distance"))
        text = f"{last:,.0f}" if last >= 10 else f"{last:.2g}"
        return f"{text} with {form} (least: {least:.2g} at step {found[f'{form}_least_step']:,})"

    parts = [part(form) for form in _SHOWN]
    return (
        f"With the optimal discriminator, the squared distance of samples from the data is "
        f"{found['unrefined_squared_distance']:.2g} without refinement, and after {rows[-1]['step']:,} steps "
        f"{', '.join(parts[:-1])} and {parts[-1]}: only ddls tends to the data, since the density e^D has no finite "
        "integral here, and neither has e^D(G(z)) without the prior."
    )


def picture(
    rows: Sequence[Row], shown: Mapping[str, np.ndarray], forms: Mapping[str, Dynamics], shown_step: int
) -> matplotlib.figure.Figure:
    """Draws the distance by step on the left, and samples in the plane on the right.

    Args:
      rows: The rows of `measure`, with `step` and `form`.
      shown: The samples of each form at the shown step, and `samples` without refinement, each `[num, 2]`.
      forms: The forms.
      shown_step: The shown step.
    """
    figure = matplotlib.figure.Figure(figsize=(9, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.3, 1])
    last = max(row["step"] for row in rows)
    steps = np.unique(np.geomspace(1, last, 100).astype(int))
    left.axhline(float(OFFSET @ OFFSET), color="black", linestyle=":", label="not refined")
    for name, (color, dash) in _SHOWN.items():
        form = forms[name]
        expected = [distance(*law(form, step)) for step in steps]
        left.plot(steps, expected, color=color, linestyle=dash, label=f"{name}: e = {form.step_size:g}")
        of_form = [row for row in rows if row["form"] == name and row["step"] > 0]
        measured = [row["squared_distance"] for row in of_form]
        left.plot([row["step"] for row in of_form], measured, color=color, linestyle="none", marker="o", markersize=4)
        right.scatter(*shown[name][:_POINTS].T, s=6, color=color, alpha=0.5, linewidths=0, label=name)
    right.scatter(*shown["samples"][:_POINTS].T, s=6, color="black", alpha=0.5, linewidths=0, label="not refined")
    width, height = 4 * np.sqrt(np.diag(COVARIANCE))  # two standard deviations; its axes are those of the plane
    style: Any = {"fill": False, "edgecolor": plotting.DATA_COLOR, "linewidth": 2, "zorder": 3}
    right.add_patch(matplotlib.patches.Ellipse((0, 0), width, height, label="data", **style))
    left.set(title="Squared distance from the data", xlabel="step", ylabel="d²", xscale="log", yscale="log")
    left.set_ylim(1e-4, None)
    left.axvline(shown_step, color=plotting.DATA_COLOR, linewidth=1, linestyle=":")
    left.legend(fontsize=8)
    right.set(title=f"Samples at step {shown_step:,}", xlabel="first coordinate", ylabel="second coordinate")
    right.set_aspect("equal")
    right.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=2)
    return figure
