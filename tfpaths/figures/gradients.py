"""The gradients that a sample receives from a confident discriminator, by formulas and without a study."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.figure
import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import losses, plotting
from tfpaths.figures.figure import Cell, Drawing, Figure
from tfpaths.figures.registry import FIGURES
from tfpaths.runs import rows as rows_lib

Row = Mapping[str, Any]

# The distance between the means of data and samples. Ours: large enough that the discriminator is confident.
_SHIFT = 4.0
# Loss -> (the variant whose line style it has, the generator's loss).
_LOSSES = {"minimax": ("minimax", "log(1 - D)"), "non_saturating": ("ns", "-log D")}


@FIGURES.register("gradients")
class Gradients(Figure):
    """The optimal discriminator between data from N(0, 1) and samples from N(4, 1), and the gradients that it gives.

    Its logit is log p(x) - log q(x) = 8 - 4 x (Goodfellow et al. 2014, proposition 1).

    Example:
      >>> Gradients().uses_studies
      False
    """

    uses_studies = False

    def __init__(self) -> None:
        super().__init__(studies=())

    def draw(self, config: config_lib.Figure, cells: Sequence[Cell]) -> Drawing:
        at_x, at_output = gradients_by_x(), losses_by_output()
        middle = min(at_x, key=lambda row: abs(row["x"] - _SHIFT))
        metrics = {f"{name}_gradient_at_samples": middle[name] for name in _LOSSES}
        finding = (
            f"In the middle of the samples the best discriminator says {middle['probability']:.1g}: the minimax loss "
            f"gives them a gradient of {middle['minimax']:.2g}, the non-saturating one of "
            f"{middle['non_saturating']:.2g}."
        )
        return Drawing([*at_x, *at_output], plotting.png(picture, at_x, at_output), metrics, finding)


def gradients_by_x() -> list[rows_lib.Row]:
    """Returns a row for each of 221 values of `x` in [-3.5, 7.5].

    It has the densities `real` and `generated`, the discriminator's `probability` D(x), and for each loss, under its
    name, the absolute gradient by x: `minimax` = 4 D(x), `non_saturating` = 4 (1 - D(x)).
    """
    x = tf.linspace(-3.5, 7.5, 221)
    densities = [tf.exp(-0.5 * tf.square(x - mean)) / math.sqrt(2 * math.pi) for mean in (0.0, _SHIFT)]
    probabilities = tf.sigmoid(_SHIFT**2 / 2 - _SHIFT * x)
    rows: list[rows_lib.Row] = [
        {"step": 0, "x": float(at), "real": float(p), "generated": float(q), "probability": float(d)}
        for at, p, q, d in zip(x, *densities, probabilities, strict=True)
    ]
    for name in _LOSSES:
        pair = losses.get(name)
        with tf.GradientTape() as tape:
            tape.watch(x)
            logits = _SHIFT**2 / 2 - _SHIFT * x
            # Each loss is the mean over one sample, so the gradient of their sum has each sample's own gradient.
            total = tf.add_n([pair.generator(logit[tf.newaxis]) for logit in tf.unstack(logits)])
        for row, gradient in zip(rows, tf.abs(tape.gradient(total, x)), strict=True):
            row[name] = float(gradient)
    return rows


def losses_by_output() -> list[rows_lib.Row]:
    """Returns a row for each of 250 values of `probability` D(G(z)), with each loss under its name, in nats.

    `minimax` = log(1 - probability), `non_saturating` = -log(probability).
    """
    probabilities = tf.linspace(0.002, 0.998, 250)
    rows: list[rows_lib.Row] = [{"step": 0, "probability": float(p)} for p in probabilities]
    for name in _LOSSES:
        pair = losses.get(name)
        for row, p in zip(rows, probabilities, strict=True):
            row[name] = float(pair.generator(tf.math.log(p / (1 - p))[tf.newaxis]))
    return rows


def picture(at_x: Sequence[Row], at_output: Sequence[Row]) -> matplotlib.figure.Figure:
    """Draws the gradient at each x on the left, and the losses by the discriminator's output on the right.

    Args:
      at_x: The rows of `gradients_by_x`.
      at_output: The rows of `losses_by_output`.
    """
    figure = matplotlib.figure.Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
    x = [row["x"] for row in at_x]
    densities = np.array([[row["real"], row["generated"]] for row in at_x])
    left.fill_between(x, densities[:, 0], color="#bbbbbb", alpha=0.7, label="data, density")
    left.fill_between(x, densities[:, 1], facecolor="none", edgecolor="#555555", hatch="///", label="samples, density")
    probability = [row["probability"] for row in at_x]
    left.plot(x, probability, color=plotting.DATA_COLOR, linestyle=":", label="D(x)")
    outputs = [row["probability"] for row in at_output]
    for loss, (variant, formula) in _LOSSES.items():
        look = plotting.look(variant)
        left.plot(x, [row[loss] for row in at_x], label=f"|gradient|, {look.name}", **look.line)
        right.plot(outputs, [row[loss] for row in at_output], label=f"{look.name}: {formula}", **look.line)
    left.set(title="The best discriminator, and the gradient it gives", xlabel="x", ylabel="density, D(x), |gradient|")
    left.set_ylim(0, 6.2)
    left.legend(fontsize=7.5, loc="upper center", ncols=2)
    right.set(title="What the generator minimises", xlabel="D(G(z))", ylabel="loss, nats", ylim=(-5, 5))
    right.legend(fontsize=8)
    return figure
