"""`trials.jsonl`: a row for each trial of a sweep that has ended. No TensorFlow."""

import math
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import filelock

from tfpaths import config as config_lib
from tfpaths import files, kinds
from tfpaths.runs import rows as rows_lib
from tfpaths.sweeps.plan import Job

FINISHED, FAILED = "finished", "failed"


class Ledger:
    """The rows of a sweep's trials, which several processes may add to.

    A row has the `trial` and its `experiment`, the `job` that trained it, its `status` (`finished` or `failed`), `why`
    it failed, the last `step`, the fields of its setting by path, and what was measured by name.

    Args:
      directory: The directory of the sweep, which exists.

    Example:
      >>> _ = pathlib.Path("sweep").mkdir()
      >>> Ledger(pathlib.Path("sweep")).rows
      []
    """

    def __init__(self, directory: pathlib.Path):
        self._path = directory / "trials.jsonl"
        # Held for the moment of a write only; the operating system releases it when a process is killed.
        self._lock = filelock.FileLock(directory / ".trials.lock")

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows, one for each trial, in the order of their writing."""
        found = {(row["experiment"], row["trial"]): row for row in rows_lib.read_rows(self._path)}
        return list(found.values())

    def add(self, job: Job, directory: pathlib.Path, *, why: str = "") -> None:
        """Adds the trials of a job that has ended.

        Args:
          job: The job.
          directory: Its run directory.
          why: Why it failed; "" if it is finished.
        """
        made = rows_of(job, directory, why=why)
        with self._lock:
            # A process that was killed while it wrote leaves an incomplete line.
            if self._path.exists() and not files.read(self._path).endswith(b"\n"):
                rows_lib.rewrite_rows(self._path, rows_lib.read_rows(self._path))
            rows_lib.append_rows(self._path, made)

    def sort(self, order: Sequence[str]) -> None:
        """Orders the rows by experiment, then by trial.

        Args:
          order: The names of the experiments.
        """
        with self._lock:
            rows = sorted(self.rows, key=lambda row: (order.index(row["experiment"]), row["trial"]))
            rows_lib.rewrite_rows(self._path, rows)


def missing(jobs: Sequence[Job], rows: Iterable[Mapping[str, Any]]) -> list[Job]:
    """Returns the jobs of which a trial is not among the rows.

    Example:
      >>> from tfpaths import experiments
      >>> job = Job("a", "line1_ns", experiments.get("line1_ns"), (7,), ({},))
      >>> missing([job], [{"experiment": "line1_ns", "trial": 7}])
      []
    """
    ended = {(row["experiment"], row["trial"]) for row in rows}
    return [job for job in jobs if not ended.issuperset((job.experiment, trial) for trial in job.trials)]


def rows_of(job: Job, directory: pathlib.Path, *, why: str = "") -> list[dict[str, Any]]:
    """Returns the rows of a job's trials, see `Ledger`.

    Example:
      >>> from tfpaths import experiments
      >>> job = Job("a", "line1_ns", experiments.get("line1_ns"), (7,), ({"study.width": 16},))
      >>> row = rows_of(job, pathlib.Path("trials/a"), why="out of memory.")[0]
      >>> row["trial"], row["status"], row["study.width"]
      (7, 'failed', 16)
    """
    values: list[Any] = [{}] if why else kinds.of(job.config).values(job.config, directory)
    if len(values) < len(job.trials):
        values *= len(job.trials)
    return [
        {
            "step": job.config.schedule.steps,
            "trial": trial,
            "experiment": job.experiment,
            "job": job.name,
            "status": FAILED if why else FINISHED,
            **({"why": why} if why else {}),
            **_flat(fields),
            **{name: value for name, value in measured.items() if value is None or math.isfinite(value)},
        }
        for trial, fields, measured in zip(job.trials, job.settings, values, strict=True)
    ]


def _flat(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Returns fields with lists in place of tuples, as JSON has them, and numbers in place of their texts."""
    return {path: _number(value) for path, value in fields.items()}


def _number(value: Any) -> Any:
    """Returns the number that a text of the command line is; another value as it is."""
    if isinstance(value, tuple):
        return [_number(one) for one in value]
    if not isinstance(value, str):
        return value
    try:
        return int(value) if value.lstrip("+-").isdecimal() else float(value)
    except ValueError:
        return value


def settings_of(row: Mapping[str, Any], config: config_lib.Sweep) -> dict[str, Any]:
    """Returns the fields of a row's setting, path -> value.

    Example:
      >>> from tfpaths import experiments
      >>> settings_of({"trial": 0, "study.width": 16}, experiments.get("robustness_line1"))
      {'study.width': 16}
    """
    return {path: row[path] for axis in config.space for path in axis.paths if path in row}
