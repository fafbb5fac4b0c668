"""What critics learn against a generator that is held fixed at the data plus noise: their surfaces and their values."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import matplotlib.axes
import matplotlib.figure
import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import experiments, plotting, schema
from tfpaths.data.points import Mixture, Points
from tfpaths.experiments.variants import with_rate
from tfpaths.figures.figure import Cell, Drawing, Figure
from tfpaths.figures.registry import FIGURES
from tfpaths.figures.toys import MEASURED, Toys
from tfpaths.lines.points import data_of
from tfpaths.metrics.assignment import wasserstein
from tfpaths.networks.ensembles import EnsembleDense
from tfpaths.runs.rows import Row as MutableRow

Row = Mapping[str, Any]
_Steps = Annotated[
    tuple[schema.PositiveInt, ...],
    schema.expects("steps, each larger than the one before", lambda steps: steps == tuple(sorted(set(steps))) != ()),
]
# The square [-3, 3]^2 in 128 x 128 points, as in the authors' code.
REACH, SIDE = 3.0, 128
_BATCH, _DEPTH = 256, 3
# Adam's rate, tenfold that of the code, which trains 500,000 updates; and, for clipping, the clip over the rate of the
# code: a weight crosses half its range in as many updates.
_RATE, _CLIP_OVER_RATE = 1e-3, 200.0
# Variant -> its row in the picture.
VARIANTS = {
    "wgan": "WGAN: clipping",
    "wgan_gp": "WGAN-GP: penalty",
    "ns": "NS-GAN: logit",
    "gan_gp": "GAN-GP: logit",
}
# Data set -> its column in the picture.
DATA = {
    "eight_gaussians": "8 Gaussians",
    "twenty_five_gaussians": "25 Gaussians",
    "swiss_roll": "Swiss roll",
    "gaussian": "N(0, I/4)",
}
# What the percentages above the maps are.
_SEEN = "value: E D(x) − E D(x~)  ·  slope: largest |∇D| found  ·  % of W₁: value / (slope × W₁)"


class Gaussian(Mixture):
    """N(0, s^2 I) with s = 1/2. Against N(0, (1 + s^2) I) the best critic is -|x|, plus a constant.

    Example:
      >>> round(distance(Gaussian.deviation), 4)
      0.7746
    """

    centres = np.zeros((1, 2))
    deviation = 0.5


def distance(deviation: float) -> float:
    """Returns W_1 between N(0, s^2 I) in the plane and itself with noise: sqrt(pi / 2) (sqrt(1 + s^2) - s).

    x -> x sqrt(1 + s^2) / s moves each point along its ray, where -|x| falls with slope 1: the two bounds agree.

    Args:
      deviation: s.

    Example:
      >>> round(distance(0.0), 4)  # the mean length of noise
      1.2533
    """
    return math.sqrt(math.pi / 2) * (math.sqrt(1 + deviation**2) - deviation)


@FIGURES.register("surfaces")
class Surfaces(Figure):
    """Critics against x + N(0, I), whose value surfaces are drawn, and how much of W_1 each of them sees.

    Gulrajani et al. 2017 (arXiv 1704.00028), figure 1a: three hidden layers of ReLU, batches of 256, no generator. The
    rows `ns` and `gan_gp` and the column N(0, I/4), whose best critic is known, are ours. So are the width of 128 and
    the length: the code has 512 units and 500,000 updates. The clip is 0.01 · 512 / 128, so that a hidden layer's
    largest gain, clip · sqrt(inputs · outputs), is the code's; that of the first and of the last layer is twice as
    large. The penalty's weight is that of the paper; the code has 0.1 for these data, with which slopes are not 1 but
    about 1 + 5 W_1.

    Args:
      runs: Critics of each variant and data set. Run i has the same weights and batches for each variant.
      steps: The updates after which they are measured; the last one is the length.
      width: Units of each hidden layer.
      clip: The largest weight of `wgan`.
      penalty_weight: The weight of the penalty of `wgan_gp` and `gan_gp`.
      points: Real points, and as many generated ones, whose W_1 is computed and compared with the critics' values.

    Example:
      >>> Surfaces(runs=1).uses_studies
      False
    """

    uses_studies = False

    def __init__(
        self,
        *,
        runs: schema.PositiveInt = 3,
        steps: _Steps = (500, 1_000, 2_000),
        width: schema.PositiveInt = 128,
        clip: schema.Positive = 0.04,
        penalty_weight: schema.Positive = 10.0,
        points: schema.PositiveInt = 1_000,
    ):
        super().__init__(studies=())
        self.runs = runs
        self.steps = steps
        self.width = width
        self.clip = clip
        self.penalty_weight = penalty_weight
        self.points = points

    def draw(self, config: config_lib.Figure, cells: Sequence[Cell]) -> Drawing:
        rows: list[MutableRow] = []
        surfaces: dict[tuple[str, str], np.ndarray] = {}
        measured: Measured | None = None
        for name in VARIANTS:
            toys = Toys(
                self._variant(name),
                list(sets().values()),
                copies=self.runs,
                width=self.width,
                depth=_DEPTH,
                batch_size=_BATCH,
                seed=config.seed,
            )
            measured = measured or Measured(toys, self.points)
            done = 0
            for step in self.steps:
                toys.oppose(step - done, f"{config.name}, {plotting.label(name)}")
                done = step
                rows += [{"step": step, "variant": name, **row} for row in measured.rows(toys, self.runs)]
            on_grid = toys.gan.discriminator(measured.grid)[:: self.runs, :, 0].numpy()  # run 0 of each data set
            surfaces |= {(name, of_data): surface for of_data, surface in zip(DATA, on_grid, strict=True)}
        assert measured is not None
        found = metrics(rows)
        return Drawing(rows, plotting.png(picture, rows, surfaces, measured.shown(self.runs)), found, finding(found))

    def _variant(self, name: str) -> config_lib.Variant:
        base = experiments.get(f"swiss_roll_{name}")
        assert isinstance(base, config_lib.Training)
        if name == "wgan":
            return with_rate(base.variant, self.clip / _CLIP_OVER_RATE).replace(weight_clip=self.clip)
        variant = with_rate(base.variant, _RATE)
        if not variant.penalties:
            return variant
        return variant.replace(penalty=variant.penalties[0].replace(weight=self.penalty_weight))


def sets() -> dict[str, Points]:
    """Returns the data sets by name.

    Example:
      >>> list(sets())[-1]
      'gaussian'
    """
    return {name: Gaussian() if name == "gaussian" else data_of(config_lib.Data(name=name)) for name in DATA}


class Measured:
    """The points at which critics are measured, the same for all variants, and W_1 between them.

    Args:
      toys: Critics, for their data and their streams.
      points: The number of real, and of generated, points of each run. They are independent of each other.

    Attributes:
      real: `[runs, points, 2]`.
      fake: Likewise.
      grid: `[runs, 128 · 128, 2]`, row after row, from below.
      w1: W_1 of each run, `[runs]`.

    Example: `python -m tfpaths.launch --exp=figure_surfaces`.
    """

    def __init__(self, toys: Toys, points: int):
        stream = toys.stream(MEASURED)
        self.real = toys.real(points, stream.fold(0))
        self.fake = toys.real(points, stream.fold(1)) + toys.noise(points, stream.fold(2))
        self.w1 = [wasserstein(*pair) for pair in zip(self.fake.numpy(), self.real.numpy(), strict=True)]
        axis = np.linspace(-REACH, REACH, SIDE, dtype=np.float32)
        grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(1, -1, 2)
        self.grid = tf.constant(np.broadcast_to(grid, (toys.runs, *grid.shape[1:])))

    def shown(self, runs: int, count: int = 400) -> dict[str, np.ndarray]:
        """Returns real points of run 0 of each data set, `[count, 2]` each, for the picture."""
        return dict(zip(DATA, self.real[::runs, :count].numpy(), strict=True))

    def rows(self, toys: Toys, runs: int) -> list[MutableRow]:
        """Returns a row for each critic.

        It has `data`, `run`, `w1`, and
          `value`: E D(x) - E D(x~);
          `slope`: the largest norm of the gradient at the points and on the grid, a lower bound of the Lipschitz
            constant;
          `slope_mean`, `slope_sd`: mean and standard deviation of the norm at the points;
          `lipschitz`: the product of the largest singular values of the weights, an upper bound of it;
          `seen`: value / (slope w1), the share of W_1 that the critic sees when it is scaled to slope 1; an upper
            bound, as `slope` is a lower one.

        Args:
          toys: The critics.
          runs: The runs of each data set.
        """
        logits, at_points = slopes(toys.gan.discriminator, tf.concat([self.real, self.fake], axis=1))
        _, on_grid = slopes(toys.gan.discriminator, self.grid)
        count = self.real.shape[1]
        lipschitz = _lipschitz(toys)
        rows: list[MutableRow] = []
        for index, w1 in enumerate(self.w1):
            value = float(logits[index, :count].mean() - logits[index, count:].mean())
            slope = float(max(at_points[index].max(), on_grid[index].max()))
            row: MutableRow = {"data": list(DATA)[index // runs], "run": index % runs, "w1": w1, "value": value}
            row |= {"slope": slope, "seen": value / (max(slope, 1e-12) * w1), "lipschitz": float(lipschitz[index])}
            rows.append(
                {**row, "slope_mean": float(at_points[index].mean()), "slope_sd": float(at_points[index].std())}
            )
        return rows


def slopes(discriminator: Any, points: tf.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Returns D and the norm of its gradient at points of each run, `[runs, num]`, float64.

    Args:
      discriminator: Maps `[runs, num, 2]` to `[runs, num, 1]`.
      points: `[runs, num, 2]`.

    Example:
      >>> slopes(lambda x: 3.0 * x[..., :1] + 4.0 * x[..., 1:], tf.ones([1, 1, 2]))
      (array([[7.]]), array([[5.]]))
    """
    with tf.GradientTape() as tape:
        tape.watch(points)
        logits = discriminator(points)
    norms = np.linalg.norm(tape.gradient(logits, points).numpy().astype(np.float64), axis=-1)
    return logits.numpy()[..., 0].astype(np.float64), norms


def _lipschitz(toys: Toys) -> np.ndarray:
    kernels = [layer.kernel.numpy() for layer in toys.gan.discriminator.layers if isinstance(layer, EnsembleDense)]
    return np.prod([np.linalg.norm(kernel, ord=2, axis=(1, 2)) for kernel in kernels], axis=0)


def metrics(rows: Sequence[Row]) -> dict[str, float]:
    """Returns, at the last step, mean, least and largest of `seen` by variant and data, and means of the other values.

    Args:
      rows: The rows of `Measured.rows`, with `step` and `variant`.

    Example: `python -m tfpaths.launch --exp=figure_surfaces`.
    """
    last = max(row["step"] for row in rows)
    found: dict[str, float] = {"runs": 1.0 + max(row["run"] for row in rows), "gaussian_distance": distance(0.5)}
    for name in DATA:
        found[f"{name}_w1"] = float(np.mean([row["w1"] for row in rows if row["data"] == name]))
        for variant in VARIANTS:
            chosen = [r for r in rows if (r["data"], r["variant"], r["step"]) == (name, variant, last)]
            prefix = f"{variant}_{name}"
            for key in ("value", "slope", "slope_mean", "slope_sd", "seen"):
                found[f"{prefix}_{key}"] = float(np.mean([row[key] for row in chosen]))
            seen = [row["seen"] for row in chosen]
            found |= {f"{prefix}_seen_low": min(seen), f"{prefix}_seen_high": max(seen)}
    return found


def finding(found: Mapping[str, float]) -> str:
    """Returns the sentence: the share of W_1 that each variant sees, over the data sets, and the known Gaussian.

    Args:
      found: The `metrics`.

    Example: `python -m tfpaths.launch --exp=figure_surfaces`.
    """

    def seen(variant: str) -> str:
        values = [100 * found[f"{variant}_{name}_seen"] for name in DATA]
        return f"{min(values):.0f} to {max(values):.0f} %"

    exact = found["gaussian_distance"]
    gap = {name: found[f"{name}_gaussian_value"] / found[f"{name}_gaussian_slope"] for name in ("wgan", "wgan_gp")}
    return (
        f"Scaled to slope 1, critics with clipped weights see {seen('wgan')} of W_1, those with a penalty "
        f"{seen('wgan_gp')} (E D(x) - E D(x~) over the largest slope found and W_1: means of {found['runs']:.0f} runs, "
        f"over four data sets). The logit of GAN-GP sees "
        f"{seen('gan_gp')}, that of NS-GAN {seen('ns')}. On N(0, I/4), where W_1 is {exact:.3f}, clipping finds "
        f"{gap['wgan']:.3f} and the penalty {gap['wgan_gp']:.3f}."
    )


def picture(
    rows: Sequence[Row],
    surfaces: Mapping[tuple[str, str], np.ndarray],
    shown: Mapping[str, np.ndarray],
) -> matplotlib.figure.Figure:
    """Draws a row of contour maps for each variant: run 0 of each data set, after the last update.

    Args:
      rows: The rows of `Measured.rows`, with `step` and `variant`.
      surfaces: (variant, data) -> D on the grid, `[128 · 128]`.
      shown: Data -> real points, `[num, 2]`.
    """
    last = max(row["step"] for row in rows)
    cell = {(r["variant"], r["data"]): r for r in rows if r["step"] == last and r["run"] == 0}
    figure = matplotlib.figure.Figure(figsize=(9, 9.9), layout="constrained")
    panels = figure.subplots(len(VARIANTS), len(DATA), squeeze=False)
    for index, (variant, label) in enumerate(VARIANTS.items()):
        for column, (name, title) in enumerate(DATA.items()):
            axes = panels[index, column]
            _draw_surface(axes, surfaces[variant, name], shown[name])
            axes.set_title(_numbers(cell[variant, name]), fontsize=8)
            if column == 0:
                axes.set_ylabel(label, fontsize=10)
            if index == 0:
                text = f"{title}, W₁ = {cell[variant, name]['w1']:.2f}"
                axes.annotate(text, (0.5, 1.125), xycoords="axes fraction", ha="center", fontsize=10)
    figure.supxlabel(f"{_SEEN}  ·  points: data", fontsize=9)
    return figure


def _numbers(row: Row) -> str:
    value, slope = (f"{row[name]:.{0 if row[name] >= 10 else 2}f}" for name in ("value", "slope"))
    return f"value {value}, slope {slope}: {100 * row['seen']:.0f} % of W₁"


def _draw_surface(axes: matplotlib.axes.Axes, surface: np.ndarray, real: np.ndarray) -> None:
    axis, values = np.linspace(-REACH, REACH, SIDE), surface.reshape(SIDE, SIDE)
    levels = np.linspace(values.min(), values.max(), 15) if np.ptp(values) > 0 else 1
    axes.contourf(axis, axis, values, levels=levels, cmap="viridis", alpha=0.9)
    axes.contour(axis, axis, values, levels=levels, colors="white", linewidths=0.5, linestyles="solid")
    axes.plot(*real.T, linestyle="none", marker=".", markersize=2.2, color="#D55E00", markeredgewidth=0)
    axes.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", xticks=(), yticks=())
