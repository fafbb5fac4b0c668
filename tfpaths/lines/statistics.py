"""What the rows of a study say: of each run, and of all of them. No TensorFlow."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Row = Mapping[str, Any]

# A run is near equilibrium where it has closed nine tenths of the squared distance that it began with, and has failed
# if it is not near at its last step. Ours: the distance itself depends on the dimension and on what was drawn, its
# share of the start does not. A run that fails may have been near before; those that never were are counted too.
FAILED_ABOVE = 0.1


def summary(rows: Sequence[Row], runs: int) -> dict[str, float]:
    """Returns what the rows of a study say of its first `runs` runs.

    Distances are over the runs that are finite: mean, its standard error's 95 % interval, and median, at the last step;
    initial_distance_mean is that of the generator before its first step. `failed_share` counts the runs whose distance
    ended above a tenth of their first, or is not finite, and `never_near_share` those in which no logged distance was
    below it. `rises_share` is the mean over finite runs of the share of all steps on which the distance rose,
    `near_rises_share` that over runs that did not fail: the title of the paper.

    Args:
      rows: The rows of `metrics.jsonl`.
      runs: How many runs count.

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
    if near:
        values["near_rises_share"] = float(np.mean([path["rises"] for path in near]))
    return values


def paths(rows: Sequence[Row], runs: int) -> list[dict[str, Any]]:
    """Returns how each of the first `runs` runs of a study went.

    For each run: `initial` and `final` squared distance; the logged step at which it first was near equilibrium
    (`arrived`, None for never), and whether it ended `near`. Then on which share of the steps the distance `rises`, and
    by how much in all it `climbed` for each unit of net descent: over all steps; and with `_arriving` up to `arrived`
    only, since what follows is motion around equilibrium and not a path to it. A run that is not finite has no `final`,
    and what is undefined is None.

    Args:
      rows: The rows of `metrics.jsonl`.
      runs: How many runs count.
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
    if len(rows) < 2:
        return {f"rises{suffix}": None, f"climbed{suffix}": None}
    steps = np.diff([row["step"] for row in rows])
    descent = rows[0]["squared_distance"] - rows[-1]["squared_distance"]
    return {
        f"rises{suffix}": float(np.dot(steps, [row["rises"] for row in rows[1:]]) / steps.sum()),
        # For each unit of net descent; a run that did not descend has no such number.
        f"climbed{suffix}": sum(row["climbed"] for row in rows[1:]) / descent if descent > 0 else None,
    }
