"""What a sweep of each kind of experiment shows: its numbers, picture and finding. No TensorFlow."""

import pathlib
from collections.abc import Sequence

from tfpaths import config as config_lib
from tfpaths.runs import results
from tfpaths.runs.directory import RunDirectory
from tfpaths.sweeps import robustness, scores
from tfpaths.sweeps.drawn import Drawn, Row

_OF_KIND = {"study": robustness.drawn, "training": scores.drawn}


def drawn(config: config_lib.Sweep, rows: Sequence[Row], directory: pathlib.Path) -> Drawn:
    """Returns what a finished sweep shows.

    Args:
      config: The complete sweep.
      rows: The rows of `trials.jsonl`.
      directory: The sweep's directory.

    Example: see `tfpaths.sweeps.scores.drawn`.
    """
    return _OF_KIND[config.experiments[0].kind](config, rows, directory)


def device(rows: Sequence[Row], directory: pathlib.Path) -> str:
    """Returns on what the first finished trial was computed, as its `results.json` says; "" without one.

    Example:
      >>> device([], pathlib.Path("sweep"))
      ''
    """
    for row in rows:
        stored = results.read_results(RunDirectory(directory / "trials" / row["job"]).results)
        if stored is not None:
            return str(stored.get("made", {}).get("device", ""))
    return ""
