"""What a sweep of each kind of experiment shows: its numbers, picture and finding. No TensorFlow."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from tfpaths import config as config_lib
from tfpaths.runs import results
from tfpaths.runs.directory import RunDirectory

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Drawn:
    """The content of a finished sweep.

    Attributes:
      picture: `figure.png`.
      rows: The rows of `metrics.jsonl`, the numbers behind the picture; each has a `step`.
      metrics: Numbers for `results.json`.
      finding: Sentences that say what the sweep shows.

    Example: see `tfpaths.sweeps.robustness.drawn`.
    """

    picture: bytes
    rows: Sequence[Row]
    metrics: dict[str, float]
    finding: str


def drawn(config: config_lib.Sweep, rows: Sequence[Row], directory: pathlib.Path) -> Drawn:
    """Returns what a finished sweep shows.

    Args:
      config: The complete sweep.
      rows: The rows of `trials.jsonl`.
      directory: The sweep's directory.
    """
    from tfpaths.sweeps import robustness, scores

    of_kind = {"study": robustness.drawn, "training": scores.drawn}
    return of_kind[config.experiments[0].kind](config, rows, directory)


def device(rows: Sequence[Row], directory: pathlib.Path) -> str:
    """Returns on what the first finished trial was computed, as its `results.json` says; "" without one."""
    for row in rows:
        stored = results.read_results(RunDirectory(directory / "trials" / row["job"]).results)
        if stored is not None:
            return str(stored.get("made", {}).get("device", ""))
    return ""
