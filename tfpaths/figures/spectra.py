"""The picture of `figure_jacobian`: eigenvalues in the complex plane, and the push on a linear D's slope."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import matplotlib.figure
import numpy as np

from tfpaths import plotting
from tfpaths.lines import jacobian
from tfpaths.runs.rows import Row

_ASIDE = "#0072B2"
_TEXT: Any = {"xycoords": "axes fraction", "fontsize": 6.5}


def picture(linear: Sequence[Row], rests: Sequence[Row], trained: Sequence[Row]) -> matplotlib.figure.Figure:
    """Draws a linear discriminator's eigenvalues and pushes above, the eigenvalues of each trained variant below.

    Args:
      linear: Rows of eigenvalues at the equilibrium, of players and formula.
      rests: Rows of the pushes by slope.
      trained: Rows of the trained variants; those with eigenvalues are drawn.
    """
    variants = list(dict.fromkeys(row["variant"] for row in rests))
    figure = matplotlib.figure.Figure(figsize=(10, 9.5), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[1, 1.9])
    top, bottom = parts
    axes = top.subplots(1, 3)
    draw_plane(axes[0], linear)
    draw_real_parts(axes[1], linear)
    draw_pushes(axes[2], rests)
    columns = min(3, len(variants))
    grid = bottom.subplots(-(-len(variants) // columns), columns, sharex=True, sharey=True, squeeze=False)
    for one, variant in zip(grid.flat, variants, strict=False):
        draw_trained(one, [row for row in trained if row["variant"] == variant and "eigenvalues" in row], variant)
    for one in grid.flat[len(variants) :]:
        one.set_visible(False)
    for one in grid[-1]:
        one.set_xlabel("real part")
    for one in grid[:, 0]:
        one.set_ylabel("imaginary part")
    if handles := grid[0][0].get_legend_handles_labels()[0]:
        bottom.legend(handles=handles, loc="outside lower center", ncols=4, markerscale=3)
    bottom.suptitle(
        "Two hidden layers, in training: all eigenvalues of all runs; right of the line they grow", fontsize=10
    )
    return figure


def draw_plane(axes: Any, linear: Sequence[Row]) -> None:
    """Draws the pairs in the complex plane, with the curve on which the formula's pairs are.

    Args:
      axes: Where to draw.
      linear: Rows of eigenvalues at the equilibrium.
    """
    # The product of a pair is 1/4: a circle of radius 1/2, then the real axis.
    curve = np.array([jacobian.eigenvalues(2 * damping) for damping in np.linspace(0, 2, 400)])
    axes.plot(curve.real, curve.imag, color=plotting.DATA_COLOR, linewidth=1.2)
    axes.plot([], [], color=plotting.DATA_COLOR, linewidth=1.2, label="formula, 0 ≤ x")
    for name, color, marker in (("along", plotting.GENERATED_COLOR, "s"), ("aside", _ASIDE, "o")):
        rows = [row for row in linear if row["direction"] == name]
        axes.plot(
            [row["real"] for row in rows],
            [row["imaginary"] for row in rows],
            marker,
            color=color,
            mfc="none",
            label=f"players, {name}",
        )
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.set(xlim=(-1.35, 0.15), ylim=(-0.75, 0.75), aspect="equal", xlabel="real part", ylabel="imaginary part")
    if outside := sorted({f"{row['real']:.1f}" for row in linear if row["real"] < -1.35}, key=float):
        axes.annotate(f"further left: {', '.join(outside)}", (0.03, 0.94), **_TEXT)
    axes.set_title("Linear D at the equilibrium")
    axes.legend(fontsize=7, loc="lower left")


def draw_real_parts(axes: Any, linear: Sequence[Row]) -> None:
    """Draws the real parts against x = (variance / 2 + gamma) / 2, formula and players.

    Args:
      axes: Where to draw.
      linear: Rows of eigenvalues at the equilibrium.
    """

    def x_of(row: Row) -> float:
        return (row["variance"] / 2 + row["gamma"]) / 2

    damping = np.concatenate(
        [np.linspace(0.02, 0.6, 300), np.geomspace(0.6, max([1.0, *map(x_of, linear)]) * 1.3, 200)]
    )
    curve = np.array([jacobian.eigenvalues(4 * x) for x in damping])
    axes.plot(damping, -curve.real, color=plotting.DATA_COLOR, linewidth=1.2)
    for name, color, marker in (("along", plotting.GENERATED_COLOR, "s"), ("aside", _ASIDE, "o")):
        rows = [row for row in linear if row["direction"] == name and x_of(row) > 0]
        axes.plot([x_of(row) for row in rows], [-row["real"] for row in rows], marker, color=color, mfc="none")
    for variant in dict.fromkeys(row["variant"] for row in linear if row["variant"] in plotting.LOOKS):
        slowest = max((row for row in linear if row["variant"] == variant), key=lambda row: row["real"])
        if x_of(slowest) > 0:
            place, side = (x_of(slowest), -slowest["real"]), "left" if x_of(slowest) < 0.5 else "right"
            offset = {"textcoords": "offset points", "xytext": (7 if side == "left" else -5, -9), "ha": side}
            axes.annotate(plotting.label(variant), place, fontsize=6.5, **offset)
    if any(x_of(row) == 0 for row in linear):
        axes.annotate("without noise and penalty,\naside: x = 0, real part 0", (0.03, 0.97), **_TEXT, va="top")
    axes.set(xscale="log", yscale="log", xlabel="x = (variance / 2 + γ) / 2", ylabel="−real part")
    axes.set_title("Both real parts: best at x = 1/2")


def draw_pushes(axes: Any, rests: Sequence[Row]) -> None:
    """Draws how each variant changes a linear D's slope aside, where the generator is at the data.

    Args:
      axes: Where to draw.
      rests: Rows of the pushes.
    """
    for variant in dict.fromkeys(row["variant"] for row in rests):
        rows = [row for row in rests if row["variant"] == variant]
        pushes = [row["push_discriminator"] for row in rows]
        axes.plot([row["slope"] for row in rows], pushes, **plotting.look(variant).line, label=plotting.label(variant))
    axes.axhline(0.0, color="black", linewidth=0.8)
    for variant in dict.fromkeys(row["variant"] for row in rests):
        rows = [row for row in rests if row["variant"] == variant]
        rest = [row["slope"] for row in rows if abs(row["push_discriminator"]) < 1e-4]
        # Where the push falls through zero; without damping D rests everywhere, and between -0.01 and 0.01 it jumps.
        if 0 < len(rest) < len(rows):
            stable = [slope for slope in rest if slope or len(rest) == 1]
            axes.plot(stable, np.zeros(len(stable)), "o", color=plotting.look(variant).color, mfc="white", markersize=5)
    axes.annotate("a slope w pushes\nthe generator by w / 2", (0.03, 0.03), **_TEXT)
    axes.set(ylim=(-24, 24), xlabel="slope of D aside", ylabel="push on the slope")
    axes.set_title("G at the data: where does D rest?")
    axes.legend(fontsize=6, loc="upper right")


def draw_trained(axes: Any, rows: Sequence[Row], variant: str) -> None:
    """Draws the eigenvalues of all runs of a variant, with a colour for each step.

    Args:
      axes: Where to draw.
      rows: Rows with eigenvalues.
      variant: The variant's name.
    """
    steps = list(dict.fromkeys(row["step"] for row in rows))
    shades = matplotlib.colormaps["viridis_r"](np.linspace(0.1, 1.0, max(len(steps), 1)))
    for step, shade in zip(steps, shades, strict=False):
        of_step = [row for row in rows if row["step"] == step]
        values = np.array([pair for row in of_step for pair in row["eigenvalues"]])
        axes.plot(values[:, 0], values[:, 1], ".", color=shade, markersize=3, label=f"step {step:,}")
    axes.axvline(0.0, color="black", linewidth=0.8)
    # Linear up to 1e-2: the eigenvalues of one game differ by orders of magnitude.
    axes.set_xscale("symlog", linthresh=1e-2)
    axes.set_yscale("symlog", linthresh=1e-2)
    axes.set_xticks([-100, -1, -0.01, 0.01, 1])
    axes.set_yticks([-1, -0.1, -0.01, 0, 0.01, 0.1, 1])
    noises = ", ".join(f"{row:.2g}" for row in dict.fromkeys(row["sigma"] for row in rows))
    axes.set_title(plotting.label(variant) + (f", σ = {noises}" if any(row["sigma"] for row in rows) else ""))
