"""Statistics of a study's rows: of each run, and over all runs. No TensorFlow."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Row = Mapping[str, Any]

# A run is near equilibrium where its squared distance is at most a tenth of its initial one, and has failed if it is
# not near at its last step. This definition is ours: the distance itself depends on the dimension and on the random
# start, its share of the initial distance does not. A failed run may have been near before; `never_near_share` counts
# those that were not.
FAILED_ABOVE = 0.1


def summary(rows: Sequence[Row], runs: int) -> dict[str, float]:
    """Returns the statistics over the first `runs` runs of a study.

    `distance_mean`, its 95 % interval (1.96 standard errors) and `distance_median` are of the squared distance at the
    last step, over the runs that are finite; `initial_distance_mean` is that before the first step. `failed_share` is
    the share of runs whose last distance is above a tenth of their first, or not finite; `never_near_share` is the
    share of runs in which no logged distance was at most a tenth. `rises_share` is the share of steps on which the
    distance rose, averaged over finite runs; `near_rises_share` is averaged over runs that did not fail, and measures
    the claim in the paper's title. `averaged_distance_median` and `averaged_failed_share` are of the mean of the
    generator's parameters over all steps, for the same runs and by the same definition. On points with modes,
    `modes_hit_mean` and `near_modes_mean` are those at the last step.

    Args:
      rows: The rows of `metrics.jsonl`.
      runs: The number of runs.

    Example:
      >>> row = {"run": 0, "rises": 0.5, "climbed": 0.0}
      >>> rows = [row | {"step": 0, "squared_distance": 4.0}, row | {"step": 10, "squared_distance": 3.0}]
      >>> summary(rows, 1)["failed_share"]
      1.0
    """
    every = paths(rows, runs)
    finite = [path for path in every if path["final"] is not None]
    near = [path for path in finite if path["near"]]
    values: dict[str, float] = {"runs": len(every), "runs_not_finite": len(every) - len(finite)}
    initial = [path["initial"] for path in every if path["initial"] is not None]
    if initial:
        values["initial_distance_mean"] = float(np.mean(initial))
    values["failed_share"] = 1.0 - len(near) / len(every)
    values["never_near_share"] = sum(path["arrived"] is None for path in every) / len(every)
    if not finite:
        return values
    distances = np.array([path["final"] for path in finite])
    error = 1.96 * distances.std(ddof=1) / len(distances) ** 0.5 if len(distances) > 1 else 0.0
    values |= {
        "distance_mean": float(distances.mean()),
        "distance_mean_low": float(distances.mean() - error),
        "distance_mean_high": float(distances.mean() + error),
        "distance_median": float(np.median(distances)),
        "rises_share": float(np.mean([path["rises"] for path in finite])),
    }
    last = max(row["step"] for row in rows)
    averaged = {row["run"]: row.get("averaged_distance") for row in rows if row["step"] == last}
    of_finite = [(averaged.get(path["run"]), path["initial"]) for path in finite]
    if all(value is not None for value, _ in of_finite):
        values["averaged_distance_median"] = float(np.median([value for value, _ in of_finite]))
        near_average = sum(value <= FAILED_ABOVE * first for value, first in of_finite)
        values["averaged_failed_share"] = 1.0 - near_average / len(every)
    for name in ("modes_hit", "near_modes"):
        of_runs = [row[name] for row in rows if row["step"] == last and row["run"] < runs and row.get(name) is not None]
        if of_runs:
            values[f"{name}_mean"] = float(np.mean(of_runs))
    if near:
        values["near_rises_share"] = float(np.mean([path["rises"] for path in near]))
    return values


def paths(rows: Sequence[Row], runs: int) -> list[dict[str, Any]]:
    """Returns the course of each of the first `runs` runs of a study, one mapping for each run.

    `initial` and `final` are squared distances, `arrived` is the first logged step at which the run was near
    equilibrium, and `near` whether it is near at the last step. `rises` is the share of steps on which the distance
    rose; `climbed` is the sum of the rises over the net descent. Both are over all steps; `rises_arriving` and
    `climbed_arriving` end at `arrived`, since the steps after it move around equilibrium and not towards it. Values
    that are undefined are None, such as the `final` of a run that is not finite.

    Args:
      rows: The rows of `metrics.jsonl`.
      runs: The number of runs.

    Example:
      >>> rows = [
      ...     {"run": 0, "step": 0, "squared_distance": 4.0, "rises": 0.0, "climbed": 0.0},
      ...     {"run": 0, "step": 10, "squared_distance": 2.0, "rises": 0.3, "climbed": 0.5}]
      >>> path = paths(rows, 1)[0]
      >>> path["near"], path["rises"], path["climbed"]
      (False, 0.3, 0.25)
    """
    every = []
    ordered = sorted((row for row in rows if row["run"] < runs), key=lambda row: (row["run"], row["step"]))
    for run, group in itertools.groupby(ordered, key=lambda row: row["run"]):
        of_run = list(group)
        initial = of_run[0]["squared_distance"]
        finite = [row for row in of_run if row["rises"] is not None]
        arrival = next((n for n, row in enumerate(finite) if row["squared_distance"] <= FAILED_ABOVE * initial), None)
        whole = len(finite) == len(of_run)
        path = {"run": run, "initial": initial, "final": of_run[-1]["squared_distance"] if whole else None}
        path["arrived"] = None if arrival is None else finite[arrival]["step"]
        path["near"] = whole and path["final"] <= FAILED_ABOVE * initial
        path |= _ascent(of_run if whole else [], "") | _ascent(finite[: (arrival or 0) + 1], "_arriving")
        every.append(path)
    return every


def _ascent(rows: Sequence[Row], suffix: str) -> dict[str, float | None]:
    """Returns how often and how far the distance rose between the first and the last of one run's rows."""
    # Row n counts the steps since row n - 1, so the first row has no part in the sums.
    if len(rows) < 2:
        return {f"rises{suffix}": None, f"climbed{suffix}": None}
    steps = np.diff([row["step"] for row in rows])
    descent = rows[0]["squared_distance"] - rows[-1]["squared_distance"]
    return {
        f"rises{suffix}": float(np.dot(steps, [row["rises"] for row in rows[1:]]) / steps.sum()),
        # Per unit of net descent; undefined for a run that did not descend.
        f"climbed{suffix}": sum(row["climbed"] for row in rows[1:]) / descent if descent > 0 else None,
    }


def outcomes(rows: Sequence[Row], runs: int) -> list[dict[str, float | None]]:
    """Returns how each of the first `runs` runs of a study ended, as shares of its initial squared distance.

    `final` is the share at the last step, `best` the smallest share at a logged step, and `arrived` the first logged
    step at which it was at most a tenth. None where the run was not finite, or never so near.

    Args:
      rows: The rows of `metrics.jsonl`.
      runs: The number of runs.

    Example:
      >>> rows = [
      ...     {"run": 0, "step": step, "squared_distance": distance, "rises": 0.0, "climbed": 0.0}
      ...     for step, distance in ((0, 4.0), (10, 0.2), (20, 1.0))]
      >>> outcomes(rows, 1)
      [{'final': 0.25, 'best': 0.05, 'arrived': 10, 'initial': 4.0}]
    """
    best: dict[int, float] = {}
    for row in rows:
        if row["rises"] is not None:
            best[row["run"]] = min(best.get(row["run"], np.inf), row["squared_distance"])
    return [
        {
            "final": None if path["final"] is None else path["final"] / path["initial"],
            "best": best[path["run"]] / path["initial"] if path["run"] in best else None,
            "arrived": path["arrived"],
            "initial": path["initial"],
        }
        for path in paths(rows, runs)
    ]
