"""Instance noise on parallel lines: what it does to the divergence, by formulas, and to the game, by studies."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import matplotlib.axes
import matplotlib.figure
import numpy as np

from tfpaths import config as config_lib
from tfpaths import plotting, schema
from tfpaths.figures.figure import Cell, Dimension, Drawing, Figure, check_equal, number, percent
from tfpaths.figures.registry import FIGURES
from tfpaths.lines import noisy
from tfpaths.runs.rows import Row as MutableRow

Row = Mapping[str, Any]

# Name -> its label, colour and dash.
_NOISES = {
    "off": ("no noise", "#000000", "-"),
    "fixed": ("fixed", "#D55E00", "--"),
    "annealed": ("annealed to 0", "#0072B2", "-."),
}
# |v|, twenty values for each power of ten.
_DISTANCES = np.geomspace(1e-2, 1e1, 61)
# Up to four dashes for the sigmas on the left.
_DASHES: tuple[Any, ...] = ("-", "--", "-.", ":")
_Updates = Annotated[
    tuple[schema.PositiveInt, ...],
    schema.expects("numbers of updates, each once", lambda values: 0 < len(values) == len(set(values))),
]
_Sigmas = Annotated[
    tuple[schema.Positive, ...],
    schema.expects("one to four numbers, each once", lambda values: 0 < len(values) == len(set(values)) <= 4),
]


@FIGURES.register("noise")
class Noise(Figure):
    """JSD, its gradient and that of the non-saturating loss under noise; then d^2 by step, with and without noise.

    Left: closed forms for parallel lines at the distance |v|, see `lines.noisy`. Right: the median d^2 of each study,
    for several discriminator updates in a step, without noise, with noise of a fixed sigma, and with one that falls
    linearly to zero at the last step. Arjovsky and Bottou 2017 (arXiv 1701.04862), section 3; numbers and schedule are
    ours. Every study makes as many generator updates.

    Args:
      sigmas: The noise of the closed forms.
      scale: The noise of the studies, at the first step.
      discriminator_steps: The discriminator updates in a step, which replace those of the studies' variants.
      dimension: The dimension of every study.
      **kwargs: The options of `Figure`.

    Example:
      >>> Noise(studies=("line1_ns",), dimension=8).dimensions
      (8,)
    """

    def __init__(
        self,
        *,
        sigmas: _Sigmas = (0.1, 0.5, 2.0),
        scale: schema.Positive = 0.5,
        discriminator_steps: _Updates = (1, 5, 20),
        dimension: Dimension = 2,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.sigmas = sigmas
        self.scale = scale
        self.discriminator_steps = discriminator_steps
        self.dimensions = (dimension,)

    def studies(self, config: config_lib.Figure) -> list[config_lib.Study]:
        bases = super().studies(config)
        check_equal(bases, "study.latents", lambda study: study.study.latents)
        assert config.schedule is not None
        noises = {
            "off": None,
            "fixed": config_lib.InstanceNoise(scale=self.scale),
            "annealed": config_lib.InstanceNoise(scale=self.scale, schedule="linear", steps=config.schedule.steps),
        }
        return [
            base.replace(
                name=f"{base.name}_{updates}_{name}",
                variant=base.variant.replace(discriminator_steps=updates, instance_noise=noise),
                schedule=config.schedule,
            )
            for base in bases
            for updates in self.discriminator_steps
            for name, noise in noises.items()
        ]

    def draw(self, config: config_lib.Figure, cells: Sequence[Cell]) -> Drawing:
        curves = closed_forms(self.sigmas)
        medians = [row for cell in cells for row in medians_of(cell)]
        found = metrics(cells)
        drawn = plotting.png(picture, curves, medians)
        return Drawing([*curves, *medians], drawn, found, finding(cells, self.scale))


def closed_forms(sigmas: Sequence[float]) -> list[MutableRow]:
    """Returns a row for each sigma and `distance` |v| in [0.01, 10], of v orthogonal to the line.

    It has `divergence`, JSD in nats; `divergence_gradient`, |grad_c JSD|, half the minimax gradient; and
    `non_saturating_gradient`, |grad_c (KL - 2 JSD)|.

    Args:
      sigmas: The noise's standard deviations.

    Example:
      >>> rows = closed_forms([0.5])
      >>> len(rows), round(rows[-1]["divergence"], 6)  # delta = 20: log 2
      (61, 0.693147)
    """
    rows: list[MutableRow] = []
    for sigma in sigmas:
        delta = _DISTANCES / sigma
        columns = {
            "distance": _DISTANCES,
            "divergence": noisy.jensen_shannon(delta),
            "divergence_gradient": noisy.jensen_shannon_derivative(delta) / sigma,
            "non_saturating_gradient": noisy.non_saturating_gradient(delta) / sigma,
        }
        values = zip(*columns.values(), strict=True)
        rows += [{"step": 0, "sigma": sigma, **dict(zip(columns, map(float, each), strict=True))} for each in values]
    return rows


def noise_of(variant: config_lib.Variant) -> str:
    """Returns the name of a variant's noise: `off`, `fixed` or `annealed`.

    Example:
      >>> from tfpaths import experiments
      >>> noise_of(experiments.get("line1_ns").variant)
      'off'
    """
    noise = variant.instance_noise
    return "off" if noise is None else "fixed" if noise.schedule == "constant" else "annealed"


def _key(cell: Cell) -> dict[str, Any]:
    variant = cell.config.variant
    return {"variant": variant.name, "discriminator_steps": variant.discriminator_steps, "noise": noise_of(variant)}


def medians_of(cell: Cell) -> list[MutableRow]:
    """Returns a row for each logged step: `distance_median`, the median of d^2 over the finite runs, or None.

    Args:
      cell: A finished study.

    Example: `python -m tfpaths.launch --exp=figure_noise`.
    """
    # A study may have more runs than the figure shows.
    shown = [row for row in cell.rows if row["run"] < cell.config.study.runs]
    rows: list[MutableRow] = []
    for step in sorted({row["step"] for row in shown}):
        distances = [row["squared_distance"] for row in shown if row["step"] == step]
        finite = [value for value in distances if value is not None]
        rows.append({"step": step, **_key(cell), "distance_median": float(np.median(finite)) if finite else None})
    return rows


def metrics(cells: Sequence[Cell]) -> dict[str, float]:
    """Returns the statistics of each study at its last step, by variant, discriminator updates and noise.

    Args:
      cells: The finished studies.

    Example: `python -m tfpaths.launch --exp=figure_noise`.
    """
    found: dict[str, float] = {}
    for cell in cells:
        prefix, summary = "_".join(map(str, _key(cell).values())), cell.summary()
        names = ("runs", "distance_median", "distance_mean", "failed_share", "never_near_share")
        found |= {f"{prefix}_{name}": float(summary[name]) for name in names if name in summary}
    return found


def finding(cells: Sequence[Cell], scale: float) -> str:
    """Returns the sentence: the gradients at the start, and the share of failed runs with and without noise.

    Args:
      cells: The finished studies.
      scale: sigma of the studies.

    Example: `python -m tfpaths.launch --exp=figure_noise`.
    """
    delta = 1 / scale
    divergence = float(noisy.jensen_shannon(delta))
    gradients = [float(each(delta)) / scale for each in (noisy.minimax_gradient, noisy.non_saturating_gradient)]
    parts = []
    for variant in dict.fromkeys(cell.variant for cell in cells):
        texts = []
        for updates in dict.fromkeys(cell.config.variant.discriminator_steps for cell in cells):
            key = {"variant": variant, "discriminator_steps": updates}
            of_cell = {_key(cell)["noise"]: cell.summary() for cell in cells if _key(cell).items() >= key.items()}
            shares = " / ".join(percent(of_cell[name]["failed_share"]) for name in _NOISES)
            medians = " / ".join(number(of_cell[name].get("distance_median")) for name in _NOISES)
            texts.append(f"{updates}: {shares} (median d² {medians})")
        parts.append(f"{plotting.label(variant)} {', '.join(texts)}")
    steps = cells[0].config.schedule.steps
    return (
        f"At |v| = 1 noise of {scale:g} takes JSD from log 2 = {math.log(2):.3f} to {divergence:.3f}; at the optimal "
        f"discriminator the minimax gradient is {gradients[0]:.2g} instead of 0, the non-saturating one "
        f"{gradients[1]:.2g}. After {steps:,} steps, runs that fail without noise / with fixed / with annealed noise, "
        f"by discriminator updates in a step: {'; '.join(parts)}."
    )


def picture(curves: Sequence[Row], medians: Sequence[Row]) -> matplotlib.figure.Figure:
    """Draws the closed forms on the left; on the right the median d^2, a row for each loss, a column for each lead.

    Args:
      curves: The rows of `closed_forms`.
      medians: The rows of `medians_of` of all studies.
    """
    figure = matplotlib.figure.Figure(figsize=(11, 5.2), layout="constrained")
    sides: Any = figure.subfigures(1, 2, width_ratios=[1, 2.4])
    left, right = sides
    above, below = left.subplots(2, 1, sharex=True)
    _draw_curves(above, below, curves)
    variants = list(dict.fromkeys(row["variant"] for row in medians))
    leads = list(dict.fromkeys(row["discriminator_steps"] for row in medians))
    grid = right.subplots(len(variants), len(leads), sharex=True, sharey=True, squeeze=False)
    for axes_row, variant in zip(grid, variants, strict=True):
        for axes, updates in zip(axes_row, leads, strict=True):
            for noise, (label, color, dash) in _NOISES.items():
                key = {"variant": variant, "discriminator_steps": updates, "noise": noise}
                rows = [row for row in medians if row.items() >= key.items()]
                values = [math.nan if row["distance_median"] is None else row["distance_median"] for row in rows]
                axes.plot([row["step"] for row in rows], values, color=color, linestyle=dash, label=label)
            axes.set(yscale="log")
        axes_row[0].set_ylabel(f"{plotting.label(variant)}\nmedian d²")
    for axes, updates in zip(grid[0], leads, strict=True):
        axes.set_title(f"D updates a step: {updates}")
    for axes in grid[-1]:
        axes.set_xlabel("step")
    right.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3, title="noise")
    return figure


def _draw_curves(above: matplotlib.axes.Axes, below: matplotlib.axes.Axes, curves: Sequence[Row]) -> None:
    sigmas = dict.fromkeys(row["sigma"] for row in curves)
    jsd, minimax, ns = (plotting.DATA_COLOR, plotting.look("minimax").color, plotting.look("ns").color)
    for dash, sigma in zip(_DASHES, sigmas, strict=False):
        rows = [row for row in curves if row["sigma"] == sigma]
        at, style = [row["distance"] for row in rows], {"linestyle": dash}
        above.plot(at, [row["divergence"] for row in rows], color=jsd, label=f"σ = {sigma:g}", **style)
        halves = [row["divergence_gradient"] for row in rows]
        below.plot(at, halves, color=minimax, label="|∇ JSD|" if dash == "-" else None, **style)
        # The other gradient belongs to the divergence KL - 2 JSD.
        others = [row["non_saturating_gradient"] for row in rows]
        below.plot(at, others, color=ns, label="|∇ (KL − 2 JSD)|, NS" if dash == "-" else None, **style)
    above.axhline(math.log(2), color="black", linewidth=1, linestyle=(0, (1, 3)), label="no noise: log 2")
    above.set(title="JSD of the noisy lines", ylabel="nats", xscale="log", ylim=(-0.02, 1.05))
    below.set(title="Gradient by the offset", xlabel="|v|", ylabel="|gradient|", xscale="log", yscale="log")
    below.set_ylim(1e-4, 1e4)
    above.legend(fontsize=7.5, ncols=2, loc="upper left")
    below.legend(fontsize=7.5, loc="upper left")
