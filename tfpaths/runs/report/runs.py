"""Reads run directories for a report: config, rows and results. Nothing is recomputed."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from tfpaths import config as config_lib
from tfpaths import errors, files, schema
from tfpaths.runs import results as results_lib
from tfpaths.runs import rows as rows_lib
from tfpaths.runs.directory import RunDirectory


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a report.

    Attributes:
      number: Its number in tables and charts, from 1.
      name: The name of its directory, or the given path if two directories have the same name.
      directory: Its directory, for files that only some kinds of run have.
      config: The experiment.
      rows: The rows of `metrics.jsonl`.
      results: The content of `results.json`; None if the run is not finished.

    Example:
      >>> from tfpaths import experiments
      >>> directory, rows = RunDirectory(pathlib.Path("a")), [{"step": 0}, {"step": 500, "penalty": 0.5}]
      >>> run = Run(1, "a", directory, experiments.get("color_mnist_ns"), rows, None)
      >>> run.step, run.steps, run.values("penalty")
      (500, 20000, ([500], [0.5]))
    """

    number: int
    name: str
    directory: RunDirectory
    config: config_lib.Experiment
    rows: Sequence[Mapping[str, Any]]
    results: Mapping[str, Any] | None

    @property
    def kind(self) -> str:
        """The experiment's kind."""
        return self.config.kind

    @property
    def step(self) -> int:
        """The last step in the rows, or else in the results."""
        return max([row["step"] for row in self.rows], default=0 if self.results is None else self.results["step"])

    @property
    def steps(self) -> int | None:
        """The number of steps in the config; None for an experiment without a schedule."""
        return schema.flat(self.config).get("schedule.steps")

    def values(self, name: str) -> tuple[list[int], list[float]]:
        """Returns (steps, values) of a quantity, from the rows in which it is a number."""
        pairs = [(row["step"], row[name]) for row in self.rows if is_number(row.get(name))]
        return [step for step, _ in pairs], [value for _, value in pairs]


def read(workdirs: Sequence[str]) -> list[Run]:
    """Reads the runs in these directories.

    Raises:
      InputError: A directory does not contain a run, or is given twice.
    """
    paths = [files.path(workdir) for workdir in workdirs]
    seen: set[pathlib.Path] = set()
    for path, workdir in zip(paths, workdirs, strict=True):
        if path.resolve() in seen:
            raise errors.InputError(f"--workdir: expected each directory once, received {workdir!r} twice.")
        seen.add(path.resolve())
    names = [path.resolve().name for path in paths]
    return [
        _read(number, path, name if names.count(name) == 1 else workdir)
        for number, (path, name, workdir) in enumerate(zip(paths, names, workdirs, strict=True), start=1)
    ]


def is_number(value: Any) -> bool:
    """Returns whether a value in a row is a number; a truth value is not.

    Example:
      >>> is_number(0.5), is_number(True), is_number(None)
      (True, False, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read(number: int, path: pathlib.Path, name: str) -> Run:
    directory = RunDirectory(path)
    return Run(
        number=number,
        name=name,
        directory=directory,
        config=directory.known(),
        rows=rows_lib.read_rows(directory.metrics),
        results=results_lib.read_results(directory.results),
    )
