"""The Dirac-GAN of a variant: its field, and the paths of simultaneous and of alternating steps."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import matplotlib.axes
import matplotlib.figure
import matplotlib.ticker
import numpy as np

from tfpaths import config as config_lib
from tfpaths import errors, options, plotting, schema
from tfpaths.experiments.variants import VARIANTS
from tfpaths.figures.figure import Cell, Drawing, Figure
from tfpaths.figures.registry import FIGURES
from tfpaths.games import GAMES
from tfpaths.lines import dirac
from tfpaths.optimizers import OPTIMIZERS
from tfpaths.runs.build import complete_variant

Row = Mapping[str, Any]
Point = Annotated[
    tuple[float, ...],
    schema.expects("two finite numbers, theta and psi", lambda at: len(at) == 2 and bool(np.isfinite(at).all())),
]

# The two ways to update -> the colour and the dash of their path.
UPDATES = {"simultaneous": ("#D55E00", "-"), "alternating": ("#0072B2", "--")}
# The factor of a step is measured from a start this much nearer to (0, 0).
_NEAR = 0.01
_GRID, _LARGEST_REACH = 21, 6.0


@FIGURES.register("dirac")
class Dirac(Figure):
    """The Dirac-GAN of Mescheder et al. 2018 (arXiv 1801.04406): data at 0, G(z) = theta, D(x) = psi x.

    Field and paths are those of the real game with the losses and the penalties of a variant; instance noise is an
    expectation, and constant.

    Args:
      variant: The name of a variant.
      weight: The weight of its penalties; None for that of the variant. A weight that decays has its first value.
      weight_clip: The limit of |psi|; None for that of the variant.
      noise: The standard deviation of instance noise; None for the variant's at the first step.
      game: A game with the players of `gan`; the variant's own is `gan`.
      game_weight: The option `weight` of `consensus` or `gradient_norm`; None for its default.
      optimizer: The optimiser of both players, with its default options.
      rate: The discriminator's learning rate.
      generator_rate: The generator's; None for that of the discriminator.
      discriminator_steps: The discriminator's updates in an alternating step.
      start: theta and psi at the start.
      steps: The number of steps.

    Raises:
      InputError: A name is unknown, or the variant is none that a Dirac-GAN can have.

    Example:
      >>> Dirac(variant="r1", weight=0.5).uses_studies
      False
    """

    uses_studies = False

    def __init__(
        self,
        *,
        variant: str,
        weight: schema.Positive | None = None,
        weight_clip: schema.Positive | None = None,
        noise: schema.NonNegative | None = None,
        game: str = "gan",
        game_weight: schema.Positive | None = None,
        optimizer: str = "sgd",
        rate: schema.Positive = 0.2,
        generator_rate: schema.Positive | None = None,
        discriminator_steps: schema.PositiveInt = 1,
        start: Point = (1.0, 1.0),
        steps: schema.PositiveInt = 500,
    ):
        super().__init__(studies=())
        self.start = start
        self.steps = steps
        by_name = {each.name: each for each in VARIANTS}
        if variant not in by_name:
            raise errors.unknown("variant", variant, by_name, path="figure.variant")
        GAMES.lookup(game, path="figure.game")
        OPTIMIZERS.lookup(optimizer, path="figure.optimizer")
        base = by_name[variant]
        of_game = {} if game_weight is None else {"weight": game_weight}
        if of_game and "weight" not in options.parameters(GAMES[game]):
            raise errors.InputError(f"figure.game_weight: the game {game!r} has no option 'weight'.")
        self.variant = base.replace(
            penalty=_penalties(base, weight),
            weight_clip=base.weight_clip if weight_clip is None else weight_clip,
            instance_noise=_noise(base, noise),
            discriminator_steps=discriminator_steps,
            game=config_lib.Game(name=game, **of_game),
            discriminator_optimizer=config_lib.Optimizer(name=optimizer, learning_rate=rate),
            generator_optimizer=config_lib.Optimizer(name=optimizer, learning_rate=generator_rate or rate),
        )

    def check(self, config: config_lib.Figure) -> None:
        super().check(config)
        dirac.check(self.variant)
        game = GAMES[self.variant.game.name]
        if game.needs_run:
            name = self.variant.game.name
            raise errors.InputError(f"figure.game: {name!r} begins with a finished run; here is none.")
        game.check_discriminator_steps(self.variant.discriminator_steps, "figure.discriminator_steps")
        complete_variant(self.variant)

    def draw(self, config: config_lib.Figure, cells: Sequence[Cell]) -> Drawing:
        variant = complete_variant(self.variant)
        rows = self._rows(variant)
        reach = _reach(rows)
        points = np.stack(np.meshgrid(*2 * [np.linspace(-reach, reach, _GRID)]), axis=-1)  # [psi, theta, 2]
        values = dirac.field(variant, np.concatenate([points.reshape(-1, 2), dirac.differences()]))
        metrics = self._metrics(variant, rows, dirac.derivative(values[-4:]))
        rates = [variant.generator_optimizer.learning_rate, variant.discriminator_optimizer.learning_rate]
        arrows = values[:-4].reshape(points.shape) * rates
        shown = [row for row in rows if row["start"] == 1.0]
        png = plotting.png(picture, shown, points, arrows, variant, self.title(variant), metrics)
        return Drawing(rows, png, metrics, finding(shown, metrics, variant, self.title(variant)))

    def title(self, variant: config_lib.Variant) -> str:
        """Returns the name of the variant, its numbers, and game and optimiser if they are not the plain ones."""
        parts = [plotting.label(variant.name)]
        parts += [
            f"weight {weight}" for weight in sorted({f"{each.options['weight']:g}" for each in variant.penalties})
        ]
        if variant.weight_clip is not None:
            parts.append(f"|ψ| ≤ {variant.weight_clip:g}")
        if variant.instance_noise is not None:
            parts.append(f"σ = {variant.instance_noise.scale:g}")
        if variant.game.name != "gan":
            weight = variant.game.options.get("weight")
            parts.append(variant.game.name + ("" if weight is None else f" {weight:g}"))
        if variant.discriminator_optimizer.name != "sgd":
            parts.append(variant.discriminator_optimizer.name)
        return ", ".join(parts)

    def _rows(self, variant: config_lib.Variant) -> list[dict[str, Any]]:
        """Returns a row for each step of each path: two from the start, and two from nearer to (0, 0)."""
        rows = []
        for updates in UPDATES:
            block = dirac.DiracGAN(variant, runs=2)
            starts = np.outer([1.0, _NEAR], self.start)
            path = block.path(starts, self.steps, simultaneous=updates == "simultaneous")  # [steps + 1, 2, 2]
            for run, start in enumerate((1.0, _NEAR)):
                for step, (theta, psi) in enumerate(path[:, run]):
                    if not np.isfinite([theta, psi]).all():
                        break
                    point = {"theta": float(theta), "psi": float(psi), "distance": float(np.hypot(theta, psi))}
                    rows.append({"step": step, "updates": updates, "start": start, **point})
        return rows

    def _metrics(self, variant: config_lib.Variant, rows: Sequence[Row], measured: np.ndarray) -> dict[str, float]:
        metrics: dict[str, float] = {}
        expected = dirac.jacobian(variant)
        if expected is not None:
            for prefix, matrix in (("", measured), ("expected_", expected)):
                for index, value in enumerate(_eigenvalues(matrix)):
                    parts = {"real": value.real, "imaginary": value.imag}
                    metrics |= {f"{prefix}{part}_{index}": float(size) for part, size in parts.items()}
        for updates in UPDATES:
            distances = [row["distance"] for row in _of(rows, updates, 1.0)]
            last = distances[len(distances) // 2 :]
            metrics |= {f"{updates}_distance": distances[-1], f"{updates}_steps": float(len(distances) - 1)}
            metrics |= {f"{updates}_lowest": min(last), f"{updates}_highest": max(last)}
            near = np.array([row["distance"] for row in _of(rows, updates, _NEAR)])
            if expected is not None:
                factor = dirac.factor(expected, variant, simultaneous=updates == "simultaneous")
                # Rounding of the expectation over the noise shows below this distance.
                lowest = 1e-12 if variant.instance_noise is None else 1e-5
                measured_factor = dirac.measured_factor(near, lowest)
                # Adam's steps do not become small near (0, 0): there is no factor, and none to measure.
                if factor is not None and measured_factor is not None:
                    metrics |= {f"{updates}_factor": measured_factor, f"{updates}_expected_factor": factor}
        return metrics


def _penalties(base: config_lib.Variant, weight: float | None) -> Any:
    """Returns the penalties of a variant with another weight, and without their decay."""
    layers = tuple(
        config_lib.Penalty(
            name=each.name,
            **{name: value for name, value in each.options.items() if not name.startswith("decay")}
            | ({} if weight is None else {"weight": weight}),
        )
        for each in base.penalties
    )
    if weight is not None and not layers:
        raise errors.InputError(f"figure.weight: the variant {base.name!r} has no penalty.")
    return layers if isinstance(base.penalty, tuple) else layers[0] if layers else None


def _noise(base: config_lib.Variant, noise: float | None) -> config_lib.InstanceNoise | None:
    """Returns constant instance noise; None if it is zero."""
    if noise is None:
        noise = base.instance_noise.scale if base.instance_noise is not None else 0.0
    return config_lib.InstanceNoise(scale=noise) if noise else None


def _eigenvalues(matrix: np.ndarray) -> list[complex]:
    """Returns the eigenvalues, those with the larger imaginary part, then the larger real part, first."""
    # Rounding may split a double eigenvalue.
    return sorted(np.linalg.eigvals(matrix).astype(complex).round(6), key=lambda value: (-value.imag, -value.real))


def _of(rows: Sequence[Row], updates: str, start: float) -> list[Row]:
    return [row for row in rows if (row["updates"], row["start"]) == (updates, start)]


def _reach(rows: Sequence[Row]) -> float:
    """Returns the half width of the plane: both paths, but no more than 6."""
    furthest = max(max(abs(row["theta"]), abs(row["psi"])) for row in rows)
    return float(np.clip(1.1 * furthest, 1.5, _LARGEST_REACH))


def as_text(first: complex, second: complex) -> str:
    """Returns a pair of eigenvalues as text.

    Example:
      >>> as_text(-0.25 + 0.433j, -0.25 - 0.433j), as_text(0.5j, -0.5j), as_text(-0.134, -1.866)
      ('-0.25 ± 0.433i', '±0.5i', '-0.134 and -1.87')
    """
    if abs(first.imag) < 1e-3:
        return f"{first.real:.3g} and {second.real:.3g}"
    size = f"{abs(first.imag):.3g}i".removeprefix("1" if round(abs(first.imag), 3) == 1 else "")
    return f"±{size}" if abs(first.real) < 1e-3 else f"{first.real:.3g} ± {size}"


def finding(rows: Sequence[Row], metrics: Mapping[str, float], variant: config_lib.Variant, title: str) -> str:
    """Returns the sentences: the eigenvalues at the equilibrium, where both paths end, and the factor of a step.

    Args:
      rows: The rows of the two paths from the start.
      metrics: The metrics of the figure.
      variant: The complete variant.
      title: The name of the variant, with its game and its optimiser.

    Example: `python -m tfpaths.launch --exp=dirac_ns`.
    """
    theta, psi = rows[0]["theta"], rows[0]["psi"]
    ends = "; ".join(f"{updates} steps {_end(rows, metrics, updates)}" for updates in UPDATES)
    paths = f"From ({theta:g}, {psi:g}), {_rates(variant)}, {ends}."
    if "real_0" not in metrics:
        return (
            f"{title}, on the Dirac-GAN: there is no equilibrium. With θ = 0 the game asks for ψ = 0, from where the "
            f"penalty pushes ψ to a slope of {_targets(variant)}. {paths}"
        )
    pair = [
        as_text(*(complex(metrics[f"{prefix}real_{i}"], metrics[f"{prefix}imaginary_{i}"]) for i in (0, 1)))
        for prefix in ("", "expected_")
    ]
    factors = " ".join(filter(None, (_factor(metrics, updates) for updates in UPDATES)))
    if abs(metrics["expected_real_0"] - metrics["expected_real_1"]) + abs(metrics["expected_imaginary_0"]) < 1e-3:
        factors += " The eigenvalue is double, so that the factor is reached only in the limit."
    return (
        f"{title}, on the Dirac-GAN: the eigenvalues at the equilibrium are {pair[0]} (formula: {pair[1]}). {paths} "
        f"{factors}".strip()
    )


def _targets(variant: config_lib.Variant) -> str:
    return " or ".join(sorted({f"{each.options.get('target', 0):g}" for each in variant.penalties}))


def _rates(variant: config_lib.Variant) -> str:
    generator, discriminator = variant.generator_optimizer, variant.discriminator_optimizer
    if generator.learning_rate == discriminator.learning_rate:
        return f"with a rate of {generator.learning_rate:g}"
    return f"with rates of {discriminator.learning_rate:g} for D and {generator.learning_rate:g} for G"


def _end(rows: Sequence[Row], metrics: Mapping[str, float], updates: str) -> str:
    of = _of(rows, updates, 1.0)
    last, steps = metrics[f"{updates}_distance"], of[-1]["step"]
    if steps < max(row["step"] for row in rows) or last > 1e3:
        return f"leave every bound (a distance of {last:.2g} after {steps} steps)"
    low, high = (metrics[f"{updates}_{name}"] for name in ("lowest", "highest"))
    if high < 0.05:
        return f"end at a distance of {last:.2g} from (0, 0) after {steps}"
    return f"are between {low:.3g} and {high:.3g} from (0, 0) in the second half of {steps}, {last:.3g} at the end"


def _factor(metrics: Mapping[str, float], updates: str) -> str:
    if f"{updates}_factor" not in metrics:
        return ""
    measured, expected = (metrics[f"{updates}_{name}"] for name in ("factor", "expected_factor"))
    subject = "A simultaneous" if updates == "simultaneous" else "An alternating"
    return f"{subject} step near (0, 0) multiplies the distance by {measured:.4f} (formula: {expected:.4f})."


def picture(
    rows: Sequence[Row],
    points: np.ndarray,
    arrows: np.ndarray,
    variant: config_lib.Variant,
    title: str,
    metrics: Mapping[str, float],
) -> matplotlib.figure.Figure:
    """Draws field and paths on the left, the distance to (0, 0) by step on the right.

    Args:
      rows: The rows of the two paths from the start.
      points: The grid (theta, psi), `[psi, theta, 2]`.
      arrows: The field there, times the rates, of the same shape.
      variant: The complete variant.
      title: The title.
      metrics: The metrics of the figure.
    """
    figure = matplotlib.figure.Figure(figsize=(8, 4.2), layout="constrained")
    plane, distances = figure.subplots(1, 2, width_ratios=[1.15, 1])
    _draw_plane(plane, rows, points, arrows, variant, "real_0" in metrics)
    plane.set_title(title)
    for updates, (color, dash) in UPDATES.items():
        of = _of(rows, updates, 1.0)
        values = [row["distance"] for row in of]
        distances.plot([row["step"] for row in of], values, color=color, linestyle=dash)
    distances.set(yscale="log", title="Distance to (0, 0)", xlabel="step", ylabel="√(θ² + ψ²)")
    low, high = distances.get_ylim()
    distances.set_ylim(np.clip(low, 1e-8, 0.1), np.clip(high, 10.0, 1e6))
    distances.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    figure.legend(*plane.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8)
    return figure


def _draw_plane(
    axes: matplotlib.axes.Axes,
    rows: Sequence[Row],
    points: np.ndarray,
    arrows: np.ndarray,
    variant: config_lib.Variant,
    has_equilibrium: bool,
) -> None:
    reach = points[..., 0].max()
    theta, psi = points[0, :, 0], points[:, 0, 1]
    axes.streamplot(theta, psi, arrows[..., 0], arrows[..., 1], color="#bbbbbb", linewidth=0.7, arrowsize=0.8)
    for updates, (color, dash) in UPDATES.items():
        of = _of(rows, updates, 1.0)
        path = np.transpose([(row["theta"], row["psi"]) for row in of])
        axes.plot(*path, color=color, linestyle=dash, linewidth=1, label=f"{updates} steps")
        axes.plot(*path[:, -1], "o", color=color, markersize=5, label="_end" if updates == "alternating" else "ends")
    axes.plot(rows[0]["theta"], rows[0]["psi"], "s", color="#000000", markersize=5, label="start")
    style: Any = {"markerfacecolor": "#000000" if has_equilibrium else "none", "markeredgecolor": "#000000"}
    label = "equilibrium" if has_equilibrium else "(0, 0), no equilibrium"
    axes.plot(0, 0, linestyle="none", marker="*", markersize=10, label=label, **style)
    if variant.weight_clip is not None and variant.weight_clip < reach:
        for limit in (-variant.weight_clip, variant.weight_clip):
            axes.axhline(limit, color=plotting.DATA_COLOR, linestyle=":", linewidth=1)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="generator θ", ylabel="discriminator ψ")
    axes.set_aspect("equal")
    axes.grid(False)
