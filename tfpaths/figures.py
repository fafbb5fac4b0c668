"""`run`: a figure of the paper, from an experiment's value: its studies, its rows, its picture, and what it shows."""

import dataclasses
import math
import pathlib
import signal
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import distribution, experiments, losses, plots, progress, results, study
from tfpaths.synthetic import divergence

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a call of `run` ended.

    Attributes:
      directory: the run directory.
      finding: what the figure shows, in a sentence; none where a signal ended it before.
      stopped_by: that signal, or none.
    """

    directory: results.RunDirectory
    finding: str | None
    stopped_by: signal.Signals | None = None


@dataclasses.dataclass(frozen=True)
class Drawing:
    """What a figure is made of: its rows, its picture as a PNG, numbers for `results.json`, and a sentence."""

    rows: list[Row]
    picture: bytes
    metrics: dict[str, float]
    finding: str


@dataclasses.dataclass(frozen=True)
class Cell:
    """One study of a figure, finished: its config and its rows."""

    config: config_lib.Experiment
    rows: list[Row]

    @property
    def variant(self) -> str:
        return self.config.variant.name

    @property
    def study(self) -> config_lib.Study:
        return self.config.study or config_lib.Study()

    @property
    def experiment(self) -> str:
        """As the paper counts: with the data's own latents, or with more."""
        latents = self.study.latents
        return "Experiment 1: one latent" if latents == 1 else f"Experiment 2: {latents} latents"

    def of(self, run: int) -> list[Row]:
        """The rows of one run, by step."""
        return sorted((row for row in self.rows if row["run"] == run), key=lambda row: row["step"])

    def found(self) -> dict[str, float]:
        return study.found(self.rows, self.study.runs)


def studies(config: config_lib.Experiment) -> list[config_lib.Experiment]:
    """The studies that a figure is drawn from, in the order in which they are made.

    A variant with several discriminator updates to a step makes as many times fewer steps, and logs as many times as
    often: all players of a figure get the same number of discriminator updates.

    Raises:
      InputError: a name is no experiment on lines.
    """
    figure = config.figure
    assert figure is not None
    if config.study is None:
        return []
    made = []
    bases = [experiments.get(name) for name in figure.studies.split(",")]
    for base in bases:
        if base.study is None or base.figure is not None:
            raise config_lib.InputError(f"figure.studies: expected experiments on lines, received {base.name!r}.")
    if figure.drawing in ("snapshots", "rises"):
        # One panel or one line for each variant, all from the same starts; snapshots at the same steps too.
        alike = {base.study.latents for base in bases if base.study is not None}
        rhythms = {base.variant.discriminator_steps for base in bases}
        if len(alike) > 1 or (figure.drawing == "snapshots" and len(rhythms) > 1):
            raise config_lib.InputError(
                f"figure.studies: expected variants of one experiment, with as many discriminator updates to a step "
                f"where snapshots are drawn, received {figure.studies!r}."
            )
    for base in bases:
        assert base.study is not None
        share = base.variant.discriminator_steps
        schedule = dataclasses.replace(
            config.schedule,
            steps=math.ceil(config.schedule.steps / share),
            log_every=math.ceil(config.schedule.log_every / share),
        )
        made += [
            dataclasses.replace(
                base,
                schedule=schedule,
                seed=config.seed,
                study=dataclasses.replace(config.study, dimension=int(size), latents=base.study.latents),
            )
            for size in figure.dimensions.split(",")
        ]
    return made


def run(
    config: config_lib.Experiment, workdir: str | pathlib.Path, *, devices: tf.distribute.Strategy | None = None
) -> Outcome:
    """Makes a figure in a run directory: its studies, each in a run directory of its own below, then `figure.png`.

    `metrics.jsonl` holds the rows that are drawn, `results.json` what was found. Studies that are there are not made
    again, and one that was stopped goes on where it was. `devices` are those of `study.run`.

    Raises:
      InputError: the directory holds another figure.
    """
    devices = devices or tf.distribute.get_strategy()
    # What is refused is refused before the lock, which is a file in the directory.
    studies(config)
    if distribution.worker(devices) == 0:
        study.continued(config, results.RunDirectory(pathlib.Path(workdir)))
    with distribution.directory(workdir, devices) as directory:
        config = study.continued(config, directory)
        figure, wanted = config.figure, studies(config)
        assert figure is not None
        results.write_json(directory.config, config_lib.to_dict(config))
        cells = []
        places = [directory.path / "studies" / f"{one.name}_d{_dimension(one)}" for one in wanted]
        finished = [_finished(place) for place in places]
        announced = (
            config.study is not None
            and len(wanted) > 1
            and min(finished) < config.study.runs
            and distribution.worker(devices) == 0
        )
        if announced:
            left = seconds(wanted, finished)
            progress.say(f"{config.name}: {len(wanted)} studies, {_time(left)} or so from here on this machine")
        for number, (one, place) in enumerate(zip(wanted, places, strict=True), start=1):
            if announced:
                progress.say(f"study {number} of {len(wanted)}: {one.name} in {_dimension(one)} dimensions")
            made = study.run(one, place, devices=devices)
            if made.stopped_by is not None:
                return Outcome(directory, None, made.stopped_by)
            cells.append(Cell(one, results.read_rows(made.directory.metrics)))
        if distribution.worker(devices) > 0:
            return Outcome(directory, "Finished; the chief has drawn the figure.")
        drawing = DRAWINGS[figure.drawing](config, cells)
        results.rewrite_rows(directory.metrics, drawing.rows)
        results.write_bytes(directory.path / "figure.png", drawing.picture)
        protocol = {} if config.study is None else dataclasses.asdict(config.study)
        protocol |= {
            "data_source": "drawn",
            "failed_above": study.FAILED_ABOVE,
            "studies": [c.config.name for c in cells],
        }
        for shared in ("dimension", "latents", "block", "players"):
            protocol.pop(shared, None)
        summary = results.summary(config, config.schedule.steps, drawing.metrics, protocol)
        results.write_json(directory.results, {**summary, "finding": drawing.finding})
    return Outcome(directory, drawing.finding)


def farewell(outcome: Outcome, command: str) -> str:
    """The last lines of a figure."""
    place = outcome.directory
    if outcome.stopped_by is not None:
        return f"Stopped by {outcome.stopped_by.name}; finished runs are kept. The same command goes on:\n  {command}"
    files = {"picture": place.path / "figure.png", "rows": place.metrics, "results": place.results}
    return "\n".join([str(outcome.finding), *(f"  {what:<11}{file}" for what, file in files.items())])


def _dimension(config: config_lib.Experiment) -> int:
    assert config.study is not None
    return config.study.dimension


# What a block reaches of the rate of one large matrix product, measured with `benchmarks.ensemble`.
_SHARE_OF_PEAK = 0.42


def _finished(place: pathlib.Path) -> int:
    """How many runs of a study are there: each has written a row of its own at every logged step."""
    return len({row["run"] for row in results.read_rows(results.RunDirectory(place).metrics)})


def seconds(wanted: Sequence[config_lib.Experiment], finished: Sequence[int]) -> float:
    """About how long studies take here: their products, at the rate that this machine makes them right now.

    Args:
      wanted: the studies.
      finished: how many runs of each are there already.
    """
    side = 1024
    square = tf.ones([side, side])
    product = tf.function(lambda x: tf.matmul(x, x) / side)
    product(square)
    rates = []
    for _ in range(5):
        began = tf.timestamp()
        product(square).numpy()
        rates.append(2 * side**3 / float(tf.timestamp() - began))
    left = sum(
        _products(one) * max(1 - done / (one.study.runs if one.study else 1), 0.0)
        for one, done in zip(wanted, finished, strict=True)
    )
    return left / (_SHARE_OF_PEAK * float(np.median(rates)))


def _products(config: config_lib.Experiment) -> float:
    """Floating-point operations of a study's matrix products."""
    plan, variant = config.study, config.variant
    assert plan is not None
    once = 2 * config.schedule.batch_size * (plan.width * (plan.dimension + (plan.depth - 1) * plan.width + 1))
    # Passes through the discriminator. Two forward, and two backward that cost two each; a penalty adds a forward pass,
    # its gradient, and the way back through the gradient, for two: through the forward pass nothing comes back, since
    # no derivative sees the slopes. The generator's update is one forward and one backward to the input.
    update = 6 + (0 if variant.penalty is None else 4)
    return once * (update * variant.discriminator_steps + 2) * config.schedule.steps * plan.runs


def _time(duration: float) -> str:
    minutes = duration / 60
    if minutes < 1.5:
        return "a minute"
    return f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"


def _number(value: float | None) -> str:
    return "no number" if value is None else f"{value:.2g}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _path(config: config_lib.Experiment, cells: Sequence[Cell]) -> Drawing:
    """Of one run, drawn, and of all of them, counted."""
    (cell,) = cells
    run = _shown(config, cell)
    own = [
        {**row, "jensen_shannon": _jensen_shannon(row)} for row in cell.of(run) if row["squared_distance"] is not None
    ]
    by_step: dict[int, list[float]] = {}
    for row in cell.rows:
        if row["squared_distance"] is not None and row["run"] < cell.study.runs:
            by_step.setdefault(row["step"], []).append(row["squared_distance"])
    band = [
        {"step": step, **dict(zip(("low", "median", "high"), np.quantile(values, [0.05, 0.5, 0.95]), strict=True))}
        for step, values in sorted(by_step.items())
    ]
    found = cell.found()
    end = own[-1]
    finding = (
        f"From the {cell.study.start} start {plots.label(cell.variant)} brings the squared distance from "
        f"{found['initial_distance_mean']:.3g} to {found.get('distance_median', math.nan):.2g} in "
        f"{cell.config.schedule.steps:,} steps (median of {found['runs']:.0f} runs, {_percent(found['failed_share'])} "
        f"of which fail), while the Jensen-Shannon divergence is log 2 = {math.log(2):.3f} at the first step and "
        f"{end['jensen_shannon']:.3f} at the last. Drawn is run {run}, which ends at {end['squared_distance']:.2g}."
    )
    return Drawing([*own, *band], plots.png(plots.path, own, band), found, finding)


def _jensen_shannon(row: Row) -> float:
    return divergence.jensen_shannon(*(np.array(row[name]) for name in ("mean", "direction", "offset", "directions")))


def _shown(config: config_lib.Experiment, cell: Cell) -> int:
    """The run that is drawn: the one that is asked for, or the one that ends furthest from its data."""
    assert config.figure is not None
    if config.figure.shown_run is not None:
        return config.figure.shown_run
    ways = study.ways(cell.rows, cell.study.runs)
    if all(way["final"] is None for way in ways):
        raise config_lib.RunError(f"{cell.config.name}: no run is finite at the last step, and none can be drawn.")
    return max(ways, key=lambda way: -1.0 if way["final"] is None else way["final"])["run"]


def _snapshots(config: config_lib.Experiment, cells: Sequence[Cell]) -> Drawing:
    """One run of every study: at its start, half-way, and at its end."""
    run = _shown(config, cells[0])
    panels = []
    for cell in cells:
        own = cell.of(run)
        panels.append([min(own, key=lambda row: abs(row["step"] - part * own[-1]["step"])) for part in (0.0, 0.5, 1.0)])
    metrics, parts = {"shown_run": float(run)}, []
    for cell, rows in zip(cells, panels, strict=True):
        found = cell.found()
        distance = rows[-1]["squared_distance"]
        metrics |= {f"{cell.config.name}_{name}": value for name, value in found.items()}
        parts.append(
            f"{plots.label(cell.variant)} {_number(distance)} "
            f"(all runs: median {found.get('distance_median', math.nan):.2g}, {_percent(found['failed_share'])} fail, "
            f"{_percent(found['never_near_share'])} were never near)"
        )
    finding = (
        f"From the squared distance {_number(panels[0][0]['squared_distance'])}, run {run} ends after "
        f"{panels[0][-1]['step']:,} steps at {'; '.join(parts)}."
    )
    rows = [{"variant": cell.variant, **row} for cell, own in zip(cells, panels, strict=True) for row in own]
    picture = plots.png(plots.snapshots, panels, [cell.variant for cell in cells])
    return Drawing(rows, picture, metrics, finding)


def _dimensions(config: config_lib.Experiment, cells: Sequence[Cell]) -> Drawing:
    del config
    rows: list[Row] = [
        {
            "experiment": cell.experiment,
            "variant": cell.variant,
            "dimension": cell.study.dimension,
            "latents": cell.study.latents,
            "step": cell.config.schedule.steps,
            **cell.found(),
        }
        for cell in cells
    ]
    parts = []
    for experiment in dict.fromkeys(row["experiment"] for row in rows):
        for size in sorted({row["dimension"] for row in rows}):
            own = [row for row in rows if (row["experiment"], row["dimension"]) == (experiment, size)]
            each = [
                f"{plots.label(row['variant'])} {row.get('distance_mean', math.nan):.2g} "
                f"({_percent(row['failed_share'])}; {_percent(row['never_near_share'])})"
                for row in own
            ]
            parts.append(f"{experiment}, d = {size}: {', '.join(each)}")
    finding = (
        "Mean final squared distance of the finite runs (share of runs that failed; that never were near). "
        f"{'. '.join(parts)}."
    )
    metrics = {
        f"latents_{row['latents']}_d_{row['dimension']}_{row['variant']}_{name}": row[name]
        for row in rows
        for name in ("distance_mean", "distance_median", "failed_share", "never_near_share", "runs_not_finite")
        if name in row
    }
    return Drawing(rows, plots.png(plots.dimensions, rows), metrics, finding)


def _rises(config: config_lib.Experiment, cells: Sequence[Cell]) -> Drawing:
    """Of the runs that end near equilibrium, those that have not failed."""
    del config
    rows: list[Row] = [
        {"step": cell.config.schedule.steps, "variant": cell.variant, **way}
        for cell in cells
        for way in study.ways(cell.rows, cell.study.runs)
    ]
    near = [row for row in rows if row["near"]]
    metrics, parts = {}, []
    for cell in cells:
        own = [row for row in near if row["variant"] == cell.variant]
        name = f"{plots.label(cell.variant)}, {cell.config.schedule.steps:,} steps"
        metrics[f"{cell.variant}_near_runs"] = float(len(own))
        if not own:
            parts.append(f"{name}: no run ended there")
            continue
        shown = {}
        for value in ("rises_arriving", "climbed_arriving", "rises", "climbed"):
            known = [row[value] for row in own if row[value] is not None]
            quantiles = np.quantile(known, [0.5, 0.05, 0.95]).tolist() if known else [math.nan] * 3
            percent = value.startswith("rises")
            middle, low, high = (_percent(one) if percent else f"{one:.2g}" for one in quantiles)
            shown[value] = f"{middle} ({low} to {high})"
            if known:
                quantities = zip((50, 5, 95), quantiles, strict=True)
                metrics |= {f"{cell.variant}_{value}_{part}": quantile for part, quantile in quantities}
        parts.append(
            f"{name}: on {shown['rises_arriving']} of the steps up to its arrival, climbing "
            f"{shown['climbed_arriving']} of its net descent; on {shown['rises']} of all steps, climbing "
            f"{shown['climbed']}"
        )
    finding = (
        "How often and how far the squared distance rose in runs that end near equilibrium, median (5 to 95 % of "
        f"runs). {'. '.join(parts)}."
    )
    return Drawing(rows, plots.png(plots.rises, near), metrics, finding)


def _gradients(config: config_lib.Experiment, cells: Sequence[Cell]) -> Drawing:
    """Formulas alone: the best discriminator between N(0, 1) and samples from N(4, 1), and the losses of this project.

    Its logit is log p(x) - log q(x) = 8 - 4 x. The distance of 4 is ours: far enough that it is confident.
    """
    del config, cells
    shift = 4.0
    x = tf.linspace(-3.5, 7.5, 221)
    probabilities = tf.linspace(0.002, 0.998, 250)
    density = [tf.exp(-0.5 * tf.square(x - mean)) / math.sqrt(2 * math.pi) for mean in (0.0, shift)]
    places: list[Row] = [
        {"step": 0, "x": float(at), "real": float(p), "generated": float(q), "probability": float(d)}
        for at, p, q, d in zip(x, *density, tf.sigmoid(shift**2 / 2 - shift * x), strict=True)
    ]
    outputs: list[Row] = [{"step": 0, "probability": float(p)} for p in probabilities]
    for name in ("minimax", "non_saturating"):
        pair = losses.get(name)
        with tf.GradientTape() as tape:
            tape.watch(x)
            logits = shift**2 / 2 - shift * x
            # The mean over one sample is its own loss.
            total = tf.add_n([pair.generator(logit[tf.newaxis]) for logit in tf.unstack(logits)])
        for row, gradient in zip(places, tf.abs(tape.gradient(total, x)), strict=True):
            row[name] = float(gradient)
        for row, p in zip(outputs, probabilities, strict=True):
            row[name] = float(pair.generator(tf.math.log(p / (1 - p))[tf.newaxis]))
    middle = min(places, key=lambda row: abs(row["x"] - shift))
    metrics = {f"{name}_gradient_at_samples": middle[name] for name in ("minimax", "non_saturating")}
    finding = (
        f"In the middle of the samples the best discriminator says {middle['probability']:.1g}: the minimax loss gives "
        f"them a gradient of {middle['minimax']:.2g}, the non-saturating one of {middle['non_saturating']:.2g}."
    )
    return Drawing([*places, *outputs], plots.png(plots.gradients, places, outputs), metrics, finding)


DRAWINGS: dict[str, Callable[[config_lib.Experiment, Sequence[Cell]], Drawing]] = {
    "path": _path,
    "gradients": _gradients,
    "snapshots": _snapshots,
    "dimensions": _dimensions,
    "rises": _rises,
}
