"""Rows -> pictures: one function for each drawing, each from rows alone. Readable in grey: lines differ in dash too."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import matplotlib.axes
import matplotlib.figure
import numpy as np
import PIL.Image

Row = Mapping[str, Any]

# Variant -> (name in the paper's words, colour, dash, marker). The colours are Okabe and Ito's.
_VARIANTS: dict[str, tuple[str, str, Any, str]] = {
    "ns": ("NS-GAN", "#000000", "-", "o"),
    "gan_gp": ("GAN-GP", "#D55E00", "--", "s"),
    "dragan_ns": ("DRAGAN-NS", "#0072B2", "-.", "^"),
    "wgan_gp": ("WGAN-GP", "#009E73", ":", "D"),
    "minimax": ("minimax GAN", "#CC79A7", (0, (5, 1)), "v"),
    "wgan": ("WGAN", "#E69F00", (0, (1, 3)), "P"),
    "dragan": ("DRAGAN", "#56B4E9", (0, (3, 1, 1, 1, 1, 1)), "X"),
}
_STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}
_DATA, _GENERATED = "#777777", "#D55E00"


def label(variant: str) -> str:
    """A variant's name in the paper's words."""
    return _VARIANTS[variant][0] if variant in _VARIANTS else variant


def png(draw: Callable[..., matplotlib.figure.Figure], *args: Any, width: int = 1200) -> bytes:
    """What `draw(*args)` draws as a PNG of `width` pixels, of 256 colours, so that it is small."""
    with matplotlib.rc_context(_STYLE):
        figure = draw(*args)
        whole = io.BytesIO()
        figure.savefig(whole, format="png", dpi=width / figure.get_figwidth())
    small = io.BytesIO()
    image = PIL.Image.open(whole).convert("RGB").quantize(256, dither=PIL.Image.Dither.NONE)
    image.save(small, format="PNG", optimize=True)
    return small.getvalue()


def svg(draw: Callable[..., matplotlib.figure.Figure], *args: Any) -> bytes:
    """What `draw(*args)` draws as SVG, its text as text; the same drawing gives the same bytes."""
    with matplotlib.rc_context({**_STYLE, "font.size": 10.5, "svg.fonttype": "none", "svg.hashsalt": "tfpaths"}):
        whole = io.BytesIO()
        draw(*args).savefig(whole, format="svg", metadata={"Date": None})
    return whole.getvalue()


def path(rows: Sequence[Row], band: Sequence[Row]) -> matplotlib.figure.Figure:
    """One run's way through the plane, and under it the distance and the Jensen-Shannon divergence by step.

    Args:
      rows: of one run, with data and generator (`players`) and `jensen_shannon`.
      band: of all runs together, at each step the `low`, `median` and `high` distance.
    """
    figure = matplotlib.figure.Figure(figsize=(8, 4.2), layout="constrained")
    sides = figure.subplot_mosaic([["plane", "distance"], ["plane", "divergence"]], width_ratios=[1.2, 1])
    plane, distance, divergence = sides["plane"], sides["distance"], sides["divergence"]
    m, s = _vector(rows[0]["mean"]), _vector(rows[0]["direction"])
    _segment(plane, m, s, color=_DATA, linewidth=3, label="data")
    y = np.random.default_rng(0).normal(size=60)
    plane.plot(*(m[:, None] + s[:, None] * y), ".", color=_DATA, markersize=4)
    shown = _telling(rows)
    shades = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.85, len(shown)))
    dashes = ["-", "--", "-.", ":", (0, (5, 1)), (0, (1, 3))]
    for row, shade, dash in zip(shown, shades, dashes, strict=False):
        c, direction = _vector(row["offset"]), np.array(row["directions"])[:, 0]
        name = f"G, step {row['step']:,}"
        _segment(plane, c, direction, color=shade, linestyle=dash, label=name)
        plane.plot(*(c[:, None] + direction[:, None] * y[:20]), "x", color=shade, markersize=4)
    plane.plot([], [], "x", color=_DATA, markersize=4, label="samples")
    plane.plot(*np.transpose([row["offset"] for row in rows]), color=_GENERATED, linewidth=0.8, label="path of c")
    plane.set_aspect("equal", adjustable="datalim")
    plane.set(title="Data and generator in the plane", xlabel="first coordinate", ylabel="second coordinate")
    plane.legend(fontsize=7.5, loc="best")

    steps = [row["step"] for row in rows]
    distance.fill_between(
        steps, [r["low"] for r in band], [r["high"] for r in band], color="#cccccc", label="5 to 95 % of all runs"
    )
    distance.plot(steps, [row["median"] for row in band], color=_DATA, linestyle="--", label="median of all runs")
    distance.plot(steps, [row["squared_distance"] for row in rows], color="#000000", label="this run")
    distance.set(yscale="log", title="Squared Fréchet distance", ylabel="d²")
    distance.legend(fontsize=7.5)
    divergence.plot(steps, [row["jensen_shannon"] for row in rows], color="#000000")
    divergence.axhline(np.log(2), color=_DATA, linestyle=":", linewidth=1)
    divergence.annotate("log 2", (steps[-1], np.log(2)), (0, 3), textcoords="offset points", ha="right", fontsize=8)
    divergence.set(ylim=(0, 0.85), xlabel="step", ylabel="nats", title="Jensen-Shannon divergence")
    return figure


def _telling(rows: Sequence[Row]) -> list[Row]:
    """The first row, those in which the distance has first fallen to a half and a tenth of its own, and the last."""
    first = rows[0]["squared_distance"]
    below = [next((row for row in rows if row["squared_distance"] <= part * first), rows[-1]) for part in (0.5, 0.1)]
    chosen = {row["step"]: row for row in (rows[0], *below, rows[-1])}
    return [chosen[step] for step in sorted(chosen)]


def _vector(values: Sequence[float]) -> np.ndarray:
    return np.asarray(values, np.float64)


def _segment(axes: matplotlib.axes.Axes, middle: np.ndarray, direction: np.ndarray, **style: Any) -> None:
    """Two standard deviations to each side."""
    axes.plot(*np.transpose([middle - 2 * direction, middle + 2 * direction]), **style)


def gradients(places: Sequence[Row], outputs: Sequence[Row]) -> matplotlib.figure.Figure:
    """Left, what reaches a sample through a confident discriminator; right, the losses against its output.

    Args:
      places: `x`, densities `real` and `generated`, `probability` of the discriminator, and the length of the gradient
        by x of each loss: `minimax`, `non_saturating`.
      outputs: `probability` D(G(z)), and each loss there.
    """
    figure = matplotlib.figure.Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
    x = [row["x"] for row in places]
    density = np.array([[row["real"], row["generated"]] for row in places])
    left.fill_between(x, density[:, 0], color="#bbbbbb", alpha=0.7, label="data, density")
    left.fill_between(x, density[:, 1], facecolor="none", edgecolor="#555555", hatch="///", label="samples, density")
    left.plot(x, [row["probability"] for row in places], color=_DATA, linestyle=":", label="D(x)")
    for loss, variant in (("minimax", "minimax"), ("non_saturating", "ns")):
        name, color, dash, _ = _VARIANTS[variant]
        left.plot(x, [row[loss] for row in places], color=color, linestyle=dash, label=f"|gradient|, {name}")
        right.plot(
            [row["probability"] for row in outputs],
            [row[loss] for row in outputs],
            color=color,
            linestyle=dash,
            label=f"{name}: {'log(1 - D)' if loss == 'minimax' else '-log D'}",
        )
    left.set(title="The best discriminator, and the gradient it gives", xlabel="x", ylabel="density, D(x), |gradient|")
    left.set_ylim(0, 6.2)
    left.legend(fontsize=7.5, loc="upper center", ncols=2)
    right.set(title="What the generator minimises", xlabel="D(G(z))", ylabel="loss, nats", ylim=(-5, 5))
    right.legend(fontsize=8)
    return figure


def snapshots(panels: Sequence[Sequence[Row]], variants: Sequence[str]) -> matplotlib.figure.Figure:
    """One run of each variant, a row of the picture each, at some steps from left to right.

    Args:
      panels: for each variant, that run's rows at those steps, with data and generator (`players`).
      variants: their names.
    """
    across, down = len(panels[0]), len(panels)
    figure = matplotlib.figure.Figure(figsize=(2.6 * across, 2.3 * down + 0.3), layout="constrained")
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    random = np.random.default_rng(0)
    y = random.normal(size=80)
    latents = random.normal(size=(150, len(np.array(panels[0][0]["directions"])[0])))
    limits = _box([row for rows in panels for row in rows])
    for axes_row, rows, variant in zip(grid, panels, variants, strict=True):
        for axes, row in zip(axes_row, rows, strict=True):
            m, s = _vector(row["mean"]), _vector(row["direction"])
            _segment(axes, m, s, color="#bbbbbb", linewidth=5, solid_capstyle="butt")
            axes.plot(*(m[:, None] + s[:, None] * y), ".", color="#555555", markersize=5, label="data")
            samples = np.empty([0, 2])
            if row["squared_distance"] is not None:
                samples = _vector(row["offset"]) + latents @ np.array(row["directions"]).T
            axes.plot(*samples.T, "x", color=_GENERATED, markersize=3.5, markeredgewidth=0.8, label="samples")
            distance = row["squared_distance"]
            axes.annotate(
                "not finite" if distance is None else f"d² = {distance:.3g}",
                (0.03, 0.03),
                xycoords="axes fraction",
                fontsize=8,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
            )
            axes.set(aspect="equal", xlim=limits[0], ylim=limits[1])
        axes_row[0].set_ylabel(f"{label(variant)}\nsecond coordinate")
    for axes, row in zip(grid[0], panels[0], strict=True):
        axes.set_title(f"step {row['step']:,}")
    for axes in grid[-1]:
        axes.set_xlabel("first coordinate")
    handles, names = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2)
    return figure


def _box(rows: Sequence[Row]) -> np.ndarray:
    """A square that holds nearly all data and samples of these rows: `[axis, (low, high)]`."""
    spread = [(_vector(row["mean"]), np.abs(_vector(row["direction"]))) for row in rows]
    finite = [row for row in rows if row["squared_distance"] is not None]
    # The standard deviation of S z along an axis is the length of that row of S.
    spread += [(_vector(row["offset"]), np.linalg.norm(row["directions"], axis=1)) for row in finite]
    points = np.array([at + side * deviation for at, deviation in spread for side in (-2.6, 2.6)])
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    reach = np.ptp(points, axis=0).max() / 2
    return np.stack([middle - reach, middle + reach], axis=1)


def dimensions(rows: Sequence[Row]) -> matplotlib.figure.Figure:
    """Final distance, and the share of failed runs under it, against the dimension; an experiment to each column.

    Args:
      rows: one for each `experiment`, `variant` and `dimension`, with what `study.found` says of it.
    """
    names = list(dict.fromkeys(row["experiment"] for row in rows))
    figure = matplotlib.figure.Figure(figsize=(4.2 * len(names), 6), layout="constrained")
    grid = figure.subplots(2, len(names), sharex=True, sharey="row", squeeze=False, height_ratios=[1.6, 1])
    for (above, below), experiment in zip(grid.T, names, strict=True):
        own = [row for row in rows if row["experiment"] == experiment]
        variants = list(dict.fromkeys(row["variant"] for row in own))
        for index, variant in enumerate(variants):
            name, color, dash, marker = _VARIANTS.get(variant, (variant, None, "-", "."))
            line = sorted((row for row in own if row["variant"] == variant), key=lambda row: row["dimension"])
            finite = [row for row in line if "distance_mean" in row]
            # A little aside, so that intervals do not hide each other.
            x = np.array([row["dimension"] for row in finite]) * 1.05 ** (index - (len(variants) - 1) / 2)
            mean = np.array([row["distance_mean"] for row in finite])
            ends = np.array([[row["distance_mean_low"], row["distance_mean_high"]] for row in finite]).T
            reach = np.abs(ends - mean) if len(finite) else None
            style = {"color": color, "linestyle": dash, "marker": marker, "markersize": 5}
            above.errorbar(x, mean, yerr=reach, capsize=3, label=f"{name}, mean", **style)
            above.plot(
                x,
                [row["distance_median"] for row in finite],
                marker,
                color=color,
                markerfacecolor="white",
                markersize=5,
                label=f"{name}, median",
            )
            below.plot([row["dimension"] for row in line], [row["failed_share"] for row in line], **style)
        sizes = sorted({row["dimension"] for row in own})
        random = [np.mean([r["initial_distance_mean"] for r in own if r["dimension"] == size]) for size in sizes]
        above.plot(sizes, random, color=_DATA, linestyle=(0, (1, 1)), marker="*", label="random generator, mean")
        above.set(title=experiment, yscale="log", xscale="log")
        below.set(xlabel="dimension d", ylim=(-0.03, 1.03))
        below.set_xticks(sizes, [str(size) for size in sizes])
        below.minorticks_off()
    grid[0][0].set_ylabel("squared Fréchet distance d² after training")
    grid[1][0].set_ylabel("share of failed runs")
    handles, names = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def rises(rows: Sequence[Row]) -> matplotlib.figure.Figure:
    """Of runs that end near equilibrium: how often the distance rose, and how far it climbed, on the way and in all.

    Args:
      rows: one for each such run, with its `variant` and what `study.ways` says of it.
    """
    figure = matplotlib.figure.Figure(figsize=(8, 6), layout="constrained")
    grid = figure.subplots(2, 2, sharey=True)
    for variant in dict.fromkeys(row["variant"] for row in rows):
        name, color, dash, _ = _VARIANTS.get(variant, (variant, None, "-", "."))
        own = [row for row in rows if row["variant"] == variant]
        for axes, value in zip(grid.flat, ("rises_arriving", "climbed_arriving", "rises", "climbed"), strict=True):
            values = np.sort([row[value] for row in own if row[value] is not None])
            shares = np.arange(1, len(values) + 1) / max(len(values), 1)
            axes.plot(values, shares, color=color, linestyle=dash, label=f"{name} ({len(own)} runs)")
    for (often, far), when in zip(grid, ("until d² is a tenth of its first", "over all steps"), strict=True):
        often.set(title=f"How often, {when}", xlabel="share of steps on which d² rose", ylabel="share of runs below")
        far.set(title=f"How far, {when}", xlabel="all rises together / net descent of d²", xscale="log")
        far.set_xlim(left=1e-4)
        often.set_xlim(left=0)
    if rows:
        figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure
