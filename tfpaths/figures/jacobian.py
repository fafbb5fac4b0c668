"""The eigenvalues of the game on the line: formula and real players with a linear discriminator, and hidden layers.

For each variant, GANs are trained as in a study, and the Jacobian of the simultaneous field is computed at several
steps. The hidden layers have `smooth_leaky_relu` by default: LeakyReLU's kinks have no second derivative, and the part
that they have in the derivative of an expectation would be missing.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import errors, experiments, plotting, progress, schema
from tfpaths.figures import spectra
from tfpaths.figures.figure import Cell, Dimension, Drawing, Figure, number, percent
from tfpaths.figures.registry import FIGURES
from tfpaths.lines import equilibrium, jacobian, study
from tfpaths.lines.ensemble import LineEnsemble
from tfpaths.lines.path_angle import field
from tfpaths.runs.build import complete_variant
from tfpaths.runs.rows import Row

# A branch of the stream that training does not use.
_MEASURE = -9
# The generator's motion is that of so many further updates of the discriminator, measured after so many each.
_FURTHER, _STRIDE = 200, 10
_STUDIES = ("line1_ns", "line1_gan_gp", "line1_dragan_ns", "line1_r1", "line1_r1_r2", "line1_ns_noise")
# The data of the linear discriminator: s, with |s|^2 = 1, and w at right angles to it.
_DIRECTION = (1.0, 0.0)
_SLOPES = (-1.5, -1.0, -0.5, -0.01, 0.0, 0.01, 0.5, 1.0, 1.5)
# The values of a run and step whose medians over the runs are metrics.
_MEDIANS = ("path", "displacement", "largest_real", "positive_share", "rotation", "largest_imaginary")
_MEASURED = ("speed_discriminator", "speed_generator", "slope", "mean_slope", "generated_slope", "generated_mean_slope")
_ALWAYS = ("squared_distance", *_MEASURED, "one_way")


@FIGURES.register("jacobian")
class Jacobian(Figure):
    """Eigenvalues of the Jacobian of the game, at the equilibrium of a linear discriminator and during training.

    Args:
      studies: Names of registered studies on lines, one for each variant.
      steps: The steps at which the Jacobian is computed, as updates of the discriminator.
      runs: The number of GANs of each variant.
      width: Units of each of the two hidden layers; 15 makes 305 parameters in the plane.
      activation: As in a study.
      batch_size: Examples with which the field and its Jacobian are estimated.
      gammas: The values of gamma of R1 for the linear discriminator.
      other_dimensions: Further dimensions in which the slopes of D are measured, without the Jacobian.

    Example:
      >>> Jacobian(studies=("line1_ns",), steps=(10,)).steps
      (10,)
    """

    uses_studies = False

    def __init__(
        self,
        *,
        studies: config_lib.Names = _STUDIES,
        steps: tuple[schema.PositiveInt, ...] = (100, 1_000, 4_000),
        runs: schema.PositiveInt = 16,
        width: schema.PositiveInt = 15,
        activation: Literal["leaky_relu", "smooth_leaky_relu"] = "smooth_leaky_relu",
        batch_size: schema.PositiveInt = 1_024,
        gammas: tuple[schema.Positive, ...] = (0.25, 0.5, 1.0, 2.0),
        other_dimensions: tuple[Dimension, ...] = (8,),
    ):
        super().__init__(studies=studies)
        if not steps or list(steps) != sorted(set(steps)):
            raise errors.InputError(f"figure.steps: expected steps in rising order, received {list(steps)}.")
        self.steps = steps
        self.runs = runs
        self.width = width
        self.activation = activation
        self.batch_size = batch_size
        self.gammas = gammas
        self.other_dimensions = other_dimensions

    def check(self, config: config_lib.Figure) -> None:
        super().check(config)
        for name in self.names:
            study.complete(self._study(name, config, 2))

    def _study(self, name: str, config: config_lib.Figure, dimension: int) -> config_lib.Study:
        base = experiments.EXPERIMENTS.lookup(name, path="figure.studies")
        if not isinstance(base, config_lib.Study) or not isinstance(base.study, config_lib.Lines):
            raise errors.InputError(f"figure.studies: expected names of studies on lines, received {name!r}.")
        lines = {"runs": self.runs, "width": self.width, "depth": 2, "activation": self.activation, "latents": 1}
        return base.replace(
            study=base.study.replace(dimension=dimension, **lines),
            # Every variant makes as many updates of the discriminator.
            schedule=base.schedule.replace(steps=-(-self.steps[-1] // base.variant.discriminator_steps)),
            seed=config.seed,
        )

    def draw(self, config: config_lib.Figure, cells: Sequence[Cell]) -> Drawing:
        del cells
        dimensions = (2, *self.other_dimensions)
        studies = [self._study(name, config, dimension) for dimension in dimensions for name in self.names]
        variants = [complete_variant(one.variant, one.schedule.steps) for one in studies[: len(self.names)]]
        linear = [row for variant in (*map(r1, self.gammas), *variants) for row in linear_rows(variant)]
        rests = [row for variant in variants for row in slope_rows(variant)]
        trained: list[Row] = []
        for one in progress.shown(studies, "study", len(studies)):
            trained += self._trained(one)
        metrics = {**linear_metrics(linear), **trained_metrics(trained)}
        return Drawing(
            [*linear, *rests, *trained],
            plotting.png(spectra.picture, linear, rests, trained),
            metrics,
            finding(metrics, [variant.name for variant in variants], self.steps[-1], dimensions),
        )

    def _trained(self, config: config_lib.Study) -> list[Row]:
        """Trains the runs of a study; returns a row for each run and step, in the plane with its eigenvalues."""
        made = study.build(config, self.runs)
        assert isinstance(made, LineEnsemble)
        gan, in_plane = made.gan, config.lines.dimension == 2

        def measure():
            stream = gan.stream.fold(_MEASURE)
            real = made.batch(stream.fold(0), self.batch_size)
            values = field(gan, real, stream.fold(1))
            count = len(gan.discriminator.trainable_variables)
            parts = values[:count], values[count:]
            generated = gan.generate(gan.update_latents(real, stream.fold(1)))
            pairs = [jacobian.slopes(gan.discriminator, examples) for examples in (real, generated)]
            measured = (*(_norms(part) for part in parts), *pairs[0], *pairs[1])
            return (*measured, jacobian.jacobian(gan, real, stream.fold(1))) if in_plane else measured

        # As concrete functions: TensorFlow would take those of all variants for one that is traced again and again.
        compiled = tf.function(measure, jit_compile=True, autograph=False).get_concrete_function()
        made.reset(0)
        rows: list[Row] = []
        before, noise = 0, gan.instance_noise
        for step in self.steps if in_plane else self.steps[-1:]:
            done = -(-step // config.variant.discriminator_steps)
            distance = made.advance(done - before).distance
            before = done
            values = [value.numpy() for value in compiled()]
            sigmas = np.broadcast_to(0.0 if noise is None else noise.scale_at(done), [self.runs])
            for run in range(self.runs):
                row: Row = {"step": step, "discriminator": "hidden layers", "variant": config.variant.name, "run": run}
                row |= {"dimension": config.lines.dimension, "sigma": float(sigmas[run])}
                row["squared_distance"] = float(distance[run])
                row |= {name: float(value[run]) for name, value in zip(_MEASURED, values, strict=False)}
                row["one_way"] = row["mean_slope"] / row["slope"]
                rows.append(row | (jacobian.spectrum(values[-1][run]) if in_plane else {}))
        for row, path, displacement in zip(rows[-self.runs :], *_motion(made, config), strict=True):
            row |= {"path": float(path), "displacement": float(displacement)}
        return [row for row in rows if all(np.isfinite(row[name]) for name in _ALWAYS)]


def _norms(values: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns the norm over all variables, `[runs]`."""
    return tf.sqrt(tf.add_n([tf.reduce_sum(tf.reshape(one**2, [one.shape[0], -1]), axis=1) for one in values]))


def _motion(made: LineEnsemble, config: config_lib.Study) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lengths of the generator's path and of its displacement in the next `_FURTHER` updates, `[runs]`."""

    def players() -> np.ndarray:
        values = [variable.numpy() for variable in made.gan.generator.trainable_variables]
        return np.concatenate([value.reshape(len(value), -1) for value in values], axis=1)

    places = [players()]
    for _ in range(_FURTHER // _STRIDE):
        made.advance(-(-_STRIDE // config.variant.discriminator_steps))
        places.append(players())
    path = np.linalg.norm(np.diff(places, axis=0), axis=2).sum(axis=0)
    return path, np.linalg.norm(places[-1] - places[0], axis=1)


def r1(gamma: float) -> config_lib.Variant:
    """Returns the non-saturating GAN with R1 of this gamma.

    Example:
      >>> r1(0.5).penalties[0].options["weight"]
      0.25
    """
    base = experiments.get("line1_ns")
    assert isinstance(base, config_lib.Study)
    penalty = config_lib.Penalty(name="r1", weight=gamma / 2)
    return complete_variant(base.variant.replace(name=f"r1_gamma_{gamma:g}".replace(".", "_"), penalty=penalty))


def linear_rows(variant: config_lib.Variant) -> list[Row]:
    """Returns the eigenvalues of the real players at the equilibrium with a linear D, beside the formula.

    Args:
      variant: A complete variant; without a formula there is no row.

    Example: `python -m tfpaths.launch --exp=figure_jacobian`.
    """
    if (known := equilibrium.damping(variant)) is None:
        return []
    gamma, noise = known
    found = np.linalg.eigvals(equilibrium.linear_jacobian(variant, _DIRECTION))
    rows: list[Row] = []
    for name, variance in (("along", float(np.dot(_DIRECTION, _DIRECTION)) + noise), ("aside", noise)):
        for expected in jacobian.eigenvalues(variance, gamma):
            nearest = found[np.argmin(np.abs(found - expected))]
            row: Row = {"step": 0, "discriminator": "linear", "variant": variant.name, "direction": name}
            row |= {"variance": variance, "gamma": gamma, "real": float(nearest.real), "imaginary": float(nearest.imag)}
            rows.append(row | {"formula_real": expected.real, "formula_imaginary": expected.imag})
    return rows


def slope_rows(variant: config_lib.Variant) -> list[Row]:
    """Returns how a linear D is pushed, by its slope aside, where the generator is at the data, and the generator too.

    Args:
      variant: A variant.

    Example: `python -m tfpaths.launch --exp=figure_jacobian`.
    """
    aside = np.outer(_SLOPES, (0.0, 1.0))
    of_d, of_g = (values[:, 1] for values in equilibrium.pushes(variant, _DIRECTION, aside))
    return [
        {
            "step": 0,
            "discriminator": "linear",
            "variant": variant.name,
            "slope": slope,
            "push_discriminator": float(push),
            "push_generator": float(move),
        }
        for slope, push, move in zip(_SLOPES, of_d, of_g, strict=True)
    ]


def linear_metrics(linear: Sequence[Row]) -> dict[str, float]:
    """Returns the largest difference between formula and players.

    Args:
      linear: The rows of `linear_rows`.

    Example:
      >>> linear_metrics([{"real": 1.0, "imaginary": 0.0, "formula_real": 0.5, "formula_imaginary": 0.0}])
      {'linear_largest_difference': 0.5}
    """
    differences = [
        abs(complex(row["real"], row["imaginary"]) - complex(row["formula_real"], row["formula_imaginary"]))
        for row in linear
    ]
    return {"linear_largest_difference": max(differences)} if differences else {}


def trained_metrics(rows: Sequence[Row]) -> dict[str, float]:
    """Returns the medians over the runs of each variant, step and dimension, and the share of unstable runs.

    Args:
      rows: The rows of the trained variants.

    Example: `python -m tfpaths.launch --exp=figure_jacobian`.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(f"{row['variant']}_d{row['dimension']}_step_{row['step']}", []).append(row)
    metrics: dict[str, float] = {}
    for prefix, group in groups.items():
        for name in (*_ALWAYS, *_MEDIANS):
            if values := [row[name] for row in group if name in row]:
                metrics[f"{prefix}_{name}"] = float(np.median(values))
        metrics[f"{prefix}_finite_runs"] = float(len(group))
        metrics |= _by_slope(prefix, group)
        if tops := [row["largest_real"] for row in group if "largest_real" in row]:
            metrics[f"{prefix}_unstable_runs"] = float(np.mean([top > jacobian.POSITIVE for top in tops]))
    return metrics


def _by_slope(prefix: str, group: Sequence[Row]) -> dict[str, float]:
    """Returns the share of runs whose slopes at the data mostly cancel, and the motion of these and of the others."""
    cancels = np.array([row["one_way"] < 0.5 for row in group])
    metrics = {f"{prefix}_cancelling_runs": float(np.mean(cancels))}
    for name, which in (("cancelling", cancels), ("other", ~cancels)):
        for quantity in ("displacement", "squared_distance"):
            values = [row[quantity] for row, is_one in zip(group, which, strict=True) if is_one and quantity in row]
            if values:
                metrics[f"{prefix}_{name}_{quantity}"] = float(np.median(values))
    return metrics


def finding(metrics: Mapping[str, float], variants: Sequence[str], step: int, dimensions: Sequence[int]) -> str:
    """Returns the sentence: formula against players, then medians of each variant.

    Args:
      metrics: The metrics of `linear_metrics` and `trained_metrics`.
      variants: The names of the variants.
      step: The last step.
      dimensions: The plane, then the others.

    Example: `python -m tfpaths.launch --exp=figure_jacobian`.
    """
    parts = []
    for variant in variants:

        def value(name: str, dimension: int = 2, variant: str = variant) -> float | None:
            return metrics.get(f"{variant}_d{dimension}_step_{step}_{name}")

        if (unstable := value("unstable_runs")) is None:
            parts.append(f"{plotting.label(variant)}: no run is finite")
            continue
        one_way = [(dimension, value("one_way", dimension)) for dimension in dimensions]
        shares = ", ".join(f"{percent(share)} (d = {dimension})" for dimension, share in one_way if share is not None)
        parts.append(
            f"{plotting.label(variant)}: {number(value('largest_real'))} ({percent(unstable)} of runs above zero), "
            f"|Im| / |Re| {number(value('rotation'))}, slope {number(value('slope'))}, of which {shares} is one-way, "
            f"generator's gradient {number(value('speed_generator'))}, way {number(value('displacement'))}"
        )
    linear = metrics.get("linear_largest_difference")
    first = (
        ""
        if linear is None
        else "With a linear discriminator the real players have the eigenvalues of the formula, within "
        f"{linear:.1g}; with a norm-1 penalty they have no equilibrium, since D rests at slopes of 1 and moves the "
        "generator away from the data with 1/2. "
    )
    return (
        f"{first}With two hidden layers, after {step:,} updates of the discriminator, medians over the runs of the "
        "largest real part, the rotation, D's slope at the data, the generator's gradient, and its way in the next "
        f"{_FURTHER} updates: {'; '.join(parts)}."
    )
