"""The density ratios that f-GAN's and KL-WGAN's critics learn, where the true ratio is known."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import matplotlib.axes
import matplotlib.figure
import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import errors, plotting, progress, schema
from tfpaths.figures import density_ratios
from tfpaths.figures.density_ratios import ESTIMATORS, PAIRS, Critics, Estimator
from tfpaths.figures.figure import Cell, Drawing, Figure
from tfpaths.figures.registry import FIGURES

Row = Mapping[str, Any]
_Steps = Annotated[
    tuple[schema.PositiveInt, ...],
    schema.expects("steps, each larger than the one before", lambda steps: len(steps) > 0 and _increasing(steps)),
]


def _increasing(steps: Sequence[int]) -> bool:
    return all(before < after for before, after in itertools.pairwise(steps))


@FIGURES.register("ratio")
class Ratio(Figure):
    """r q against p for the four pairs of Song and Ermon's notebook, and the error by step.

    Song and Ermon 2020 (arXiv 1910.09779), `synthetic/density_ratios.ipynb`. The pairs, the critic, RMSprop with its
    rate, 1,000 points of each density and the batch of 512 are the authors'; batches are drawn with replacement here.
    They train 400 steps in two of the pairs, and the two estimators for different lengths in the others, with
    gradients that are added up over all steps. Here both train equally long; runs and steps other than 400 are ours.

    Args:
      runs: Runs of each estimator and pair. Run i has the same points, batches and initial weights for both estimators.
      steps: The steps at which the ratios are measured; the last one is the length of the training.
      shown_step: The step whose densities are drawn.
      width: Units of each of the critic's two hidden layers.
      examples: Points of p, and of q, in each run.
      batch_size: Points of p, and of q, in each batch.
      learning_rate: That of RMSprop.

    Example:
      >>> Ratio(runs=2).uses_studies
      False
    """

    uses_studies = False

    def __init__(
        self,
        *,
        runs: schema.PositiveInt = 5,
        steps: _Steps = (10, 20, 40, 100, 200, 400, 1_000, 2_000, 4_000),
        shown_step: schema.PositiveInt = 400,
        width: schema.PositiveInt = 100,
        examples: schema.PositiveInt = 1_000,
        batch_size: schema.PositiveInt = 512,
        learning_rate: schema.Positive = 2e-4,
    ):
        super().__init__(studies=())
        self.runs = runs
        self.steps = steps
        self.shown_step = shown_step
        self.width = width
        self.examples = examples
        self.batch_size = batch_size
        self.learning_rate = learning_rate

    def check(self, config: config_lib.Figure) -> None:
        for field, option in (("schedule", "figure.steps"), ("study", "figure.runs")):
            if getattr(config, field) is not None:
                raise errors.InputError(
                    f"{field}: {config.name} has no {field!r}, since it trains critics, not studies. To fix this: set "
                    f"{option}."
                )
        if self.shown_step not in self.steps:
            raise errors.InputError(
                f"figure.shown_step: expected one of figure.steps ({', '.join(map(str, self.steps))}), received "
                f"{self.shown_step}."
            )

    def draw(self, config: config_lib.Figure, cells: Sequence[Cell]) -> Drawing:
        rows: list[dict[str, Any]] = []
        shown: dict[str, np.ndarray] = {}
        points = density_ratios.sample(self.runs, examples=self.examples, seed=config.seed)
        for name, estimator in ESTIMATORS.items():
            critics = Critics(
                estimator.bound,
                points,
                width=self.width,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                seed=config.seed,
            )
            last = self.steps[-1]
            for step in progress.shown(range(1, last + 1), f"{config.name}, {estimator.label}, step", last):
                critics.train_step(step)
                if step in self.steps:
                    of_step, densities = measure(critics, estimator)
                    rows += [{"step": step, "estimator": name, **row} for row in of_step]
                    if step == self.shown_step:
                        shown[name] = densities
        steps = list(dict.fromkeys((self.shown_step, last)))
        drawn = plotting.png(picture, rows, shown, self.shown_step)
        return Drawing(rows, drawn, metrics(rows, steps), finding(rows, steps))


def measure(critics: Critics, estimator: Estimator) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Measures the ratios of all critics on the grid.

    Returns:
      A row for each critic, and r q, `[critics, cells]`. A row has `pair`, `run`, and
        `error`: the L1 error, the integral of |r q - p|;
        `scaled_error`: the same with r divided by E_q r;
        `mean_ratio`: E_q r, which is 1 for p / q;
        `estimate`: the estimator's bound on the points that it was trained with;
        `bound`: the same with exact expectations, which is at most the KL divergence;
        `divergence`: KL(p || q);
        `start_error`: the error of r = 1, the integral of |q - p|.

    Example: `python -m tfpaths.launch --exp=figure_ratio`.
    """
    names, densities = list(PAIRS), [pair.on_grid() for pair in PAIRS.values()]
    real, fake = critics.of_points()
    logits = critics.logits(density_ratios.grid())
    estimates = estimator.bound(tf.constant(real), tf.constant(fake), 1 / real.shape[1], 1 / fake.shape[1]).numpy()
    rows, products = [], estimator.ratio(logits, fake)  # [critics, cells]
    for index, ratio in enumerate(products):
        run, of_pair = divmod(index, len(PAIRS))
        p, q = densities[of_pair]
        error = errors_of(ratio, p, q)
        bound = estimator.bound(tf.constant(logits[index]), tf.constant(logits[index]), p, q)
        of_run = {"pair": names[of_pair], "run": run, **error, "estimate": float(estimates[index])}
        known = {"divergence": density_ratios.divergence(p, q), "start_error": float(np.abs(q - p).sum())}
        rows.append({**of_run, "bound": float(bound), **known})
        products[index] *= q / density_ratios.AREA
    return rows, products


def errors_of(ratio: np.ndarray, p: np.ndarray, q: np.ndarray) -> dict[str, float]:
    """Returns the `error`, `scaled_error` and `mean_ratio` of a ratio, see `measure`.

    Args:
      ratio: r of each cell, `[cells]`.
      p: The probability of each cell.
      q: Likewise.

    Example:
      >>> errors_of(np.array([2.0, 2.0]), np.array([0.5, 0.5]), np.array([0.5, 0.5]))  # twice too large
      {'error': 1.0, 'scaled_error': 0.0, 'mean_ratio': 2.0}
    """
    mean = float(np.sum(ratio * q))
    error, scaled = (float(np.abs(ratio / scale * q - p).sum()) for scale in (1.0, mean))
    return {"error": error, "scaled_error": scaled, "mean_ratio": mean}


def values(rows: Sequence[Row], name: str, **where: Any) -> np.ndarray:
    """Returns one value of the rows in which other values are as given, in the order of the rows.

    Example:
      >>> rows = [{"step": 10, "error": 0.5}, {"step": 20, "error": 0.25}]
      >>> values(rows, "error", step=20).tolist()
      [0.25]
    """
    return np.array([row[name] for row in rows if all(row[key] == value for key, value in where.items())])


def metrics(rows: Sequence[Row], steps: Sequence[int]) -> dict[str, float]:
    """Returns what is known of each pair and, by pair, estimator and step, medians over runs and the range of `error`.

    `runs` is the number of runs, and `nearer` the number of runs in which KL-WGAN's error is below f-GAN's.

    Args:
      rows: The rows of `measure`, with `step` and `estimator`.
      steps: The steps.

    Example: `python -m tfpaths.launch --exp=figure_ratio`.
    """
    found: dict[str, float] = {"runs": 1.0 + max(row["run"] for row in rows)}
    for pair in PAIRS:
        for name in ("divergence", "start_error"):
            found[f"{pair}_{name}"] = float(values(rows, name, pair=pair)[0])
        for step in steps:
            found[f"{pair}_step_{step}_nearer"] = float(nearer(rows, pair, step))
            for estimator in ESTIMATORS:
                prefix, where = f"{pair}_step_{step}_{estimator}", {"pair": pair, "step": step, "estimator": estimator}
                for name in ("error", "scaled_error", "mean_ratio", "estimate", "bound"):
                    found[f"{prefix}_{name}"] = float(np.median(values(rows, name, **where)))
                of_runs = values(rows, "error", **where)
                found |= {f"{prefix}_error_low": float(of_runs.min()), f"{prefix}_error_high": float(of_runs.max())}
    return found


def nearer(rows: Sequence[Row], pair: str, step: int) -> int:
    """Returns the number of runs in which KL-WGAN's error is below f-GAN's.

    Example:
      >>> rows = [{"pair": "same", "step": 9, "estimator": name, "error": len(name)} for name in ESTIMATORS]
      >>> nearer(rows, "same", 9)
      0
    """
    f_gan, kl_wgan = (values(rows, "error", pair=pair, step=step, estimator=estimator) for estimator in ESTIMATORS)
    return int((kl_wgan < f_gan).sum())


def finding(rows: Sequence[Row], steps: Sequence[int]) -> str:
    """Returns the sentence: at each step, the pairs in which an estimator is nearer in every run, with both errors.

    Args:
      rows: The rows of `measure`, with `step` and `estimator`.
      steps: The steps.

    Example: `python -m tfpaths.launch --exp=figure_ratio`.
    """
    runs = 1 + max(row["run"] for row in rows)
    parts = []
    for step in steps:
        groups: dict[str, list[str]] = {"KL-WGAN is nearer": [], "f-GAN is nearer": [], "runs differ": []}
        for pair in PAIRS:
            errors_at = [np.median(values(rows, "error", pair=pair, step=step, estimator=name)) for name in ESTIMATORS]
            group = {runs: "KL-WGAN is nearer", 0: "f-GAN is nearer"}.get(nearer(rows, pair, step), "runs differ")
            groups[group].append(f"q = {PAIRS[pair].q_name} ({errors_at[0]:.2f}, {errors_at[1]:.2f})")
        texts = [f"{group}: {', '.join(pairs)}" for group, pairs in groups.items() if pairs]
        parts.append(f"After {step:,} steps, {'; '.join(texts)}")
    return (
        f"L1 error of r q against p, f-GAN's and KL-WGAN's, median of {runs} runs, by which is nearer in all of them. "
        f"{'. '.join(parts)}."
    )


def picture(rows: Sequence[Row], shown: Mapping[str, np.ndarray], step: int) -> matplotlib.figure.Figure:
    """Draws p, q and both r q of each pair, of the run with the median error, and the errors by step.

    The error of the estimator that is nearer in every run is bold.

    Args:
      rows: The rows of `measure`, with `step` and `estimator`.
      shown: For each estimator, r q of all critics at the shown step, `[critics, cells]`.
      step: The shown step.
    """
    figure = matplotlib.figure.Figure(figsize=(10, 8.4), layout="constrained")
    panels = figure.subplots(len(PAIRS), 5, width_ratios=[1, 1, 1, 1, 1.4])
    for number, (axes_row, (name, pair)) in enumerate(zip(panels, PAIRS.items(), strict=True)):
        p, q = (probability / density_ratios.AREA for probability in pair.on_grid())
        for axes, density, title in zip(axes_row, (p, q), (pair.p_name, pair.q_name), strict=False):
            _draw_map(axes, density, p.max(), title)
        wins = nearer(rows, name, step)
        for axes, (estimator, products) in zip(axes_row[2:], shown.items(), strict=False):
            of_runs = values(rows, "error", pair=name, step=step, estimator=estimator)
            run = int(np.argsort(of_runs)[len(of_runs) // 2])
            _draw_map(axes, products[len(PAIRS) * run + number], p.max(), f"L1 error {of_runs[run]:.2f}")
            if wins == (len(of_runs) if estimator == "kl_wgan" else 0):
                axes.title.set_fontweight("bold")
        _draw_errors(axes_row[-1], [row for row in rows if row["pair"] == name], step)
    headers = ["data: p", "samples: q", *(f"{each.label}: r q" for each in ESTIMATORS.values()), "L1 error by step"]
    for axes, header in zip(panels[0], headers, strict=True):
        axes.annotate(header, (0.5, 1.2), xycoords="axes fraction", ha="center", fontsize=11)
    panels[0][-1].legend(fontsize=8)
    panels[-1][-1].set_xlabel(f"step (maps: {step:,}; bands: all runs)")
    return figure


def _draw_map(axes: matplotlib.axes.Axes, density: np.ndarray, largest: float, title: str) -> None:
    size, reach = len(density_ratios.AXIS), density_ratios.REACH
    # Room above the largest p, so that too much is darker.
    style: Any = {"cmap": "gist_heat_r", "vmin": 0, "vmax": 1.25 * largest, "origin": "lower"}
    axes.imshow(density.reshape(size, size), extent=(-reach, reach, -reach, reach), **style)
    axes.set_title(title)
    axes.set_axis_off()


def _draw_errors(axes: matplotlib.axes.Axes, rows: Sequence[Row], step: int) -> None:
    steps = sorted({row["step"] for row in rows})
    for name, estimator in ESTIMATORS.items():
        of_steps = np.array([np.sort(values(rows, "error", estimator=name, step=at)) for at in steps])  # [steps, runs]
        axes.fill_between(steps, of_steps[:, 0], of_steps[:, -1], color=estimator.color, alpha=0.2, linewidth=0)
        median = np.median(of_steps, axis=1)
        axes.plot(steps, median, color=estimator.color, linestyle=estimator.dash, label=estimator.label)
    axes.axhline(rows[0]["start_error"], color=plotting.DATA_COLOR, linestyle="-.", linewidth=1, label="r = 1")
    axes.axvline(step, color=plotting.DATA_COLOR, linestyle=":", linewidth=1)
    axes.set(xscale="log", ylim=(0, None))
