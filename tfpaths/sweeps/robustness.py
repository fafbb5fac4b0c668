"""What a sweep of studies shows: the share of settings that succeed, by variant and by region. No TensorFlow."""

import itertools
import math
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib.axes
import matplotlib.figure
import numpy as np

from tfpaths import config as config_lib
from tfpaths import plotting, space
from tfpaths.lines.statistics import FAILED_ABOVE
from tfpaths.runs import results
from tfpaths.runs.directory import RunDirectory
from tfpaths.sweeps import comparison, plan
from tfpaths.sweeps.drawn import Drawn, Row
from tfpaths.sweeps.ledger import settings_of

# A cell of the plane of learning rates with fewer settings is not compared.
_FEWEST = 10
_RATES = ("variant.generator_optimizer.learning_rate", "variant.discriminator_optimizer.learning_rate")
# Bins of the map of success, along each learning rate.
_BINS = 8
_LEVEL = 0.05


def succeeded(row: Row, when: str = "final") -> bool:
    """Returns whether a trial is near equilibrium: its distance is at most a tenth of its initial one.

    Args:
      row: A row of `trials.jsonl`.
      when: `final` for its last step, `best` for its best logged one.

    Example:
      >>> succeeded({"final": 0.05, "best": 0.01}), succeeded({"final": None, "best": 0.01})
      (True, False)
    """
    value = row.get(when)
    return value is not None and value <= FAILED_ABOVE


def best(config: config_lib.Sweep, rows: Sequence[Row]) -> dict[str, tuple[int, dict[str, Any]]]:
    """Returns the trial with the smallest last distance of each experiment, as a share of the initial one.

    Args:
      config: The sweep.
      rows: The rows of `trials.jsonl`.

    Returns:
      Name of the experiment -> the trial's number, and its fields, path -> value; an experiment without a finite trial
      is left out.

    Example:
      >>> from tfpaths import experiments
      >>> finals = ((16, 0.5), (64, 0.2), (256, None))
      >>> rows = [{"experiment": "line1_ns_d2", "trial": trial, "study.width": width, "final": final}
      ...     for trial, (width, final) in enumerate(finals)]
      >>> best(experiments.get("robustness_line1"), rows)
      {'line1_ns_d2': (1, {'study.width': 64})}
    """
    found = {}
    for experiment in config.experiments:
        finite = [row for row in _of(rows, experiment.name) if row.get("final") is not None]
        if finite:
            row = min(finite, key=lambda row: row["final"])
            found[experiment.name] = (row["trial"], settings_of(row, config))
    return found


def drawn(config: config_lib.Sweep, rows: Sequence[Row], directory: pathlib.Path) -> Drawn:
    """Returns what a finished sweep of studies shows.

    Args:
      config: The complete sweep.
      rows: The rows of `trials.jsonl`.
      directory: The sweep's directory.

    Example: `python -m tfpaths.launch --exp=line1_ns --sweep study.width=16,64 --steps=100`.
    """
    groups = _groups(config)
    metrics: dict[str, float] = {}
    confirmed = {name: plan.confirmation(name, trial) for name, (trial, _) in best(config, rows).items()}
    for experiment in config.experiments:
        name = experiment.name
        metrics |= _of_experiment(name, list(_of(rows, name)))
        if name in confirmed:
            metrics |= _of_confirmed(name, directory / "trials" / confirmed[name])
    pairs = {
        (first.name, second.name): comparison.paired(_success(rows, first.name), _success(rows, second.name))
        for group in groups
        for first, second in itertools.combinations(group, 2)
    }
    for (first_name, second_name), pair in pairs.items():
        metrics[f"{second_name}_minus_{first_name}"] = pair.difference
        metrics[f"{second_name}_minus_{first_name}_p"] = pair.p
    regions = [region for group in groups for other in group[1:] for region in cells(config, rows, group[0], other)]
    adjusted = comparison.holm([region["p"] for region in regions])
    regions = [{**region, "p_holm": p} for region, p in zip(regions, adjusted, strict=True)]
    # A line for each group: the terminal and the report show them below each other.
    finding = "\n".join([*(_finding(group, rows, regions) for group in groups), _collapse(groups, rows)])
    width = 1800 if rate_range(config, _RATES[0]) and rate_range(config, _RATES[1]) else 800
    return Drawn(plotting.png(picture, config, rows, groups, width=width), regions, metrics, finding)


def _groups(config: config_lib.Sweep) -> list[list[config_lib.Study]]:
    """Returns the studies in groups that differ only in their variant."""
    groups = plan.compared(config.experiments)
    return [[one for one in group if isinstance(one, config_lib.Study)] for group in groups]


def _of_experiment(name: str, rows: Sequence[Row]) -> dict[str, float]:
    """Returns the numbers of one experiment for `results.json`."""
    values: dict[str, float] = {f"{name}_trials": len(rows)}
    for when, what in (("final", "success"), ("best", "reached")):
        of_when = comparison.share([succeeded(row, when) for row in rows])
        values |= {f"{name}_{what}_share": of_when.value, f"{name}_{what}_low": of_when.low}
        values[f"{name}_{what}_high"] = of_when.high
    # A trial that is not finite counts as infinitely far.
    finals = [math.inf if row.get("final") is None else row["final"] for row in rows]
    median = float(np.median(finals)) if finals else math.inf
    if math.isfinite(median):
        values[f"{name}_final_median"] = median
    values[f"{name}_not_finite_share"] = sum(map(math.isinf, finals)) / max(len(finals), 1)
    return values


def _of_confirmed(name: str, directory: pathlib.Path) -> dict[str, float]:
    """Returns the numbers of the best setting's new runs, if the sweep has them."""
    metrics = (results.read_results(RunDirectory(directory).results) or {"metrics": {}})["metrics"]
    wanted = ("runs", "failed_share", "never_near_share", "distance_mean", "distance_median")
    return {f"{name}_best_{metric}": metrics[metric] for metric in wanted if metrics.get(metric) is not None}


def cells(
    config: config_lib.Sweep, rows: Sequence[Row], first: config_lib.Study, second: config_lib.Study
) -> Iterator[dict[str, Any]]:
    """Yields the comparison of two experiments in each decade of both learning rates.

    Args:
      config: The sweep; nothing is yielded unless both rates are drawn from intervals.
      rows: The rows of `trials.jsonl`.
      first: The experiment that is compared with.
      second: The other one.

    Example:
      >>> from tfpaths import experiments
      >>> sweep = experiments.get("robustness_line1")
      >>> places = [{"experiment": name, "trial": trial, _RATES[0]: 2e-3, _RATES[1]: 2e-2, "final": final}
      ...     for trial in range(10) for name, final in (("line1_ns_d2", 0.5), ("line1_gan_gp_d2", 0.05))]
      >>> (cell,) = cells(sweep, places, *sweep.experiments[:2])
      >>> cell["generator_rate"], cell["share"], cell["share_compared"], cell["p"]  # 2 / 2^10
      ([0.001, 0.01], 1.0, 0.0, 0.001953125)
    """
    ranges = [rate_range(config, path) for path in _RATES]
    if None in ranges:
        return
    of_first, of_second = _success(rows, first.name), _success(rows, second.name)
    places = {row["trial"]: [row[path] for path in _RATES] for row in _of(rows, first.name)}
    for corner in itertools.product(*(_decades(one) for one in ranges if one is not None)):
        inside = {
            trial
            for trial, rates in places.items()
            if all(low <= rate < high for rate, (low, high) in zip(rates, corner, strict=True))
        }
        pair = comparison.paired(
            {trial: value for trial, value in of_first.items() if trial in inside},
            {trial: value for trial, value in of_second.items() if trial in inside},
        )
        if pair.trials < _FEWEST:
            continue
        yield {
            "step": first.schedule.steps,
            "experiment": second.name,
            "compared_with": first.name,
            "generator_rate": list(corner[0]),
            "discriminator_rate": list(corner[1]),
            "settings": pair.trials,
            "share": sum(of_second[trial] for trial in inside if trial in of_second) / pair.trials,
            "share_compared": sum(of_first[trial] for trial in inside if trial in of_first) / pair.trials,
            "p": pair.p,
        }


def rate_range(config: config_lib.Sweep, path: str) -> space.Range | None:
    """Returns the interval from which a field is drawn, or None.

    Example:
      >>> from tfpaths import experiments
      >>> rate_range(experiments.get("robustness_line1"), _RATES[0]).high
      0.1
    """
    return next((axis for axis in config.space if isinstance(axis, space.Range) and path in axis.paths), None)


def _decades(interval: space.Range) -> list[tuple[float, float]]:
    """Returns the decades of an interval; the last one includes its end."""
    first, last = math.floor(math.log10(interval.low) + 1e-9), math.ceil(math.log10(interval.high) - 1e-9)
    edges = [10.0**power for power in range(first, last + 1)]
    edges[-1] = math.nextafter(max(edges[-1], interval.high), math.inf)
    return list(itertools.pairwise(edges))


def _of(rows: Sequence[Row], name: str) -> Iterator[Row]:
    return (row for row in rows if row["experiment"] == name)


def _success(rows: Sequence[Row], name: str, when: str = "final") -> dict[int, bool]:
    return {row["trial"]: succeeded(row, when) for row in _of(rows, name)}


def _title(experiment: config_lib.Study) -> str:
    runs = experiment.study
    data = f"d = {runs.dimension}" if isinstance(runs, config_lib.Lines) else runs.data.name
    return f"{data}, {runs.latents} latent{'s' if runs.latents > 1 else ''}"


def _percent(share: comparison.Share) -> str:
    return f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"


def _finding(group: Sequence[config_lib.Study], rows: Sequence[Row], regions: Sequence[Row]) -> str:
    """Returns what one group of experiments shows: shares of success, and where the others differ from the first."""
    shares = ", ".join(
        f"{plotting.label(one.variant.name)} {_percent(comparison.share(list(_success(rows, one.name).values())))}"
        for one in group
    )
    text = f"{_title(group[0])}: share of settings that end near equilibrium (95 % interval): {shares}."
    baseline = plotting.label(group[0].variant.name)
    for other in group[1:]:
        pair = comparison.paired(_success(rows, group[0].name), _success(rows, other.name))
        of_pair = [row for row in regions if row["experiment"] == other.name]
        better = [row for row in of_pair if row["p_holm"] < _LEVEL and row["share"] > row["share_compared"]]
        worse = [row for row in of_pair if row["p_holm"] < _LEVEL and row["share"] < row["share_compared"]]
        name = plotting.label(other.variant.name)
        text += f" {name} against {baseline}: {100 * pair.difference:+.1f} points (p = {pair.p:.2g})"
        if of_pair:
            text += f"; of {len(of_pair)} decades of rates it is better in {len(better)}{_where(better)}"
            text += f" and worse in {len(worse)}{_where(worse)}"
        text += "."
    return text


def _where(regions: Sequence[Row]) -> str:
    """Returns the decades in words; "" if there is none."""
    if not regions:
        return ""
    listed = "; ".join(
        f"G {row['generator_rate'][0]:.0e} to {row['generator_rate'][1]:.0e}, D {row['discriminator_rate'][0]:.0e} to "
        f"{row['discriminator_rate'][1]:.0e}: {100 * row['share_compared']:.0f} -> {100 * row['share']:.0f} %"
        for row in sorted(regions, key=lambda row: -abs(row["share"] - row["share_compared"]))[:3]
    )
    return f" ({listed}{'; …' if len(regions) > 3 else ''})"


def _collapse(groups: Sequence[Sequence[config_lib.Study]], rows: Sequence[Row]) -> str:
    """Returns how many trials of each experiment were near equilibrium and left it."""
    parts = []
    for experiment in itertools.chain.from_iterable(groups):
        reached = [row for row in _of(rows, experiment.name) if succeeded(row, "best")]
        left = sum(not succeeded(row) for row in reached)
        if reached:
            parts.append(f"{plotting.label(experiment.variant.name)} in {_title(experiment)}: {left} of {len(reached)}")
    if not parts:
        return "No run was near equilibrium at a logged step."
    return f"Settings whose run was near equilibrium at a logged step and is not at the last: {'; '.join(parts)}."


def picture(
    config: config_lib.Sweep, rows: Sequence[Row], groups: Sequence[Sequence[config_lib.Study]]
) -> matplotlib.figure.Figure:
    """Draws the robustness curves and, if both learning rates are drawn, the map of success of each experiment.

    Args:
      config: The sweep.
      rows: The rows of `trials.jsonl`.
      groups: The experiments, in groups that differ only in their variant; each group is a row of the picture.

    Example: see `drawn`.
    """
    ranges = [rate_range(config, path) for path in _RATES]
    maps = max(len(group) for group in groups) if None not in ranges else 0
    figure = matplotlib.figure.Figure(figsize=(4.4 + 1.9 * maps, 2.6 * len(groups) + 0.6), layout="constrained")
    grid = figure.subplots(len(groups), 1 + maps, squeeze=False, width_ratios=[2.0] + [1.0] * maps)
    image = None
    for line, group in zip(grid, groups, strict=True):
        _draw_curves(line[0], group, rows)
        for axes, experiment in zip(line[1:], group, strict=False):
            image = _draw_map(axes, list(_of(rows, experiment.name)), [one for one in ranges if one is not None])
            axes.set_title(plotting.label(experiment.variant.name), fontsize=8)
        for axes in line[1 + len(group) :]:
            axes.set_axis_off()
        if maps:
            line[1].set_ylabel("rate of D", fontsize=7)
    for axes in grid[-1][1:]:
        axes.set_xlabel("rate of G", fontsize=7)
    grid[-1][0].set_xlabel("final / initial squared distance")
    if image is not None:
        figure.colorbar(image, ax=grid[:, -1], label="share of settings that succeed", shrink=0.8)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8)
    return figure


def _draw_curves(axes: matplotlib.axes.Axes, group: Sequence[config_lib.Study], rows: Sequence[Row]) -> None:
    """Draws, for each experiment, the share of settings whose last distance is below x; the rest is not finite."""
    for experiment in group:
        of_one = list(_of(rows, experiment.name))
        finite = np.sort([row["final"] for row in of_one if row.get("final") is not None])
        look = plotting.look(experiment.variant.name)
        shares = np.arange(1, len(finite) + 1) / max(len(of_one), 1)
        axes.step(np.maximum(finite, 1e-6), shares, where="post", label=look.name, **look.line)
    axes.axvline(FAILED_ABOVE, color=plotting.DATA_COLOR, linewidth=0.8)
    axes.text(FAILED_ABOVE, 0.97, "near equilibrium ", ha="right", va="top", fontsize=7, color=plotting.DATA_COLOR)
    axes.set(xscale="log", xlim=(1e-4, 1e2), ylim=(0, 1), title=_title(group[0]), ylabel="share of settings")


def _draw_map(axes: matplotlib.axes.Axes, rows: Sequence[Row], ranges: Sequence[space.Range]) -> Any:
    """Draws the share of settings that succeed over both learning rates, in bins of equal size of their logarithm."""
    edges = [np.geomspace(one.low, one.high * (1 + 1e-9), _BINS + 1) for one in ranges]
    rates = np.array([[row[path] for path in _RATES] for row in rows]).reshape(-1, 2)
    success = np.array([succeeded(row) for row in rows], float)
    count, *_ = np.histogram2d(rates[:, 0], rates[:, 1], bins=edges)
    total, *_ = np.histogram2d(rates[:, 0], rates[:, 1], bins=edges, weights=success)
    shares = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    axes.set(xscale="log", yscale="log")
    axes.tick_params(labelsize=6)
    axes.grid(False)
    return axes.pcolormesh(*edges, shares.T, vmin=0.0, vmax=1.0, cmap="viridis")
