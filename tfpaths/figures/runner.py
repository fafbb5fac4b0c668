"""`run` draws a figure from its config: it trains studies and runs, then writes rows, a picture and a finding."""

import dataclasses
import pathlib
import signal
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import files, options, progress
from tfpaths.figures import trained
from tfpaths.figures.figure import Cell, Drawing, Figure
from tfpaths.figures.registry import FIGURES
from tfpaths.lines import cost, study
from tfpaths.runs import devices as devices_lib
from tfpaths.runs import distribution, results
from tfpaths.runs import rows as rows_lib
from tfpaths.runs.directory import RunDirectory


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a call of `run` ended.

    Attributes:
      directory: The run directory.
      finding: A sentence that says what the figure shows; None if a signal stopped the call.
      stopped_by: That signal, or None.
    """

    directory: RunDirectory
    finding: str | None
    stopped_by: signal.Signals | None = None

    def message(self, command: str) -> str:
        """Returns the summary for a terminal; `command` is the command that resumes the figure."""
        path = self.directory.path
        if self.stopped_by is not None:
            return (
                f"Stopped by {self.stopped_by.name}; finished runs are kept. The same command continues:\n  {command}"
            )
        paths = {"picture": path / "figure.png", "rows": self.directory.metrics, "results": self.directory.results}
        return "\n".join([str(self.finding), *(f"  {what:<11}{file}" for what, file in paths.items())])


def build(config: config_lib.Figure) -> Figure:
    """Returns the figure that a config describes.

    Raises:
      InputError: The figure is unknown, an option is invalid, or a field is missing or not used.

    Example:
      >>> from tfpaths import experiments
      >>> build(experiments.get("figure_5")).dimensions
      (2, 8, 32)
    """
    factory = FIGURES.lookup(config.figure.name, path="figure.name")
    figure = factory(**options.complete(config.figure, factory, "figure"))
    figure.check(config)
    return figure


def complete(config: config_lib.Figure) -> config_lib.Figure:
    """Returns the config with all options of its figure filled in and checked. Raises the errors of `build`.

    Example:
      >>> from tfpaths import experiments
      >>> complete(experiments.get("figure_paths")).figure.options["dimension"]
      2
    """
    return config.replace(figure=options.completed(config.figure, type(build(config)), "figure"))


def run(
    config: config_lib.Figure,
    workdir: str | pathlib.Path,
    *,
    devices: tf.distribute.Strategy | None = None,
    data_dir: str | None = None,
) -> Outcome:
    """Draws a figure in a run directory: trains its studies and runs in subdirectories, then writes `figure.png`.

    `metrics.jsonl` gets the rows that are drawn, `results.json` the numbers and the finding. Finished studies and runs
    are not trained again, and interrupted ones resume.

    Args:
      config: The figure.
      workdir: The run directory.
      devices: The strategy of its studies, as in `study.run`; training runs use one device.
      data_dir: The directory of prepared TFDS data, for a figure of images.

    Raises:
      InputError: The config is invalid, the directory holds another experiment, or data cannot be read.
      RunError: Nothing can be drawn.

    Example: `python -m tfpaths.launch --exp=figure_2`.
    """
    devices = devices or tf.distribute.get_strategy()
    config = complete(config)
    figure = build(config)
    runs = figure.trainings(config)
    if distribution.worker(devices) == 0:
        # Checked before the lock, since the lock creates a file in the directory.
        study.continued(config, RunDirectory(files.path(workdir)))
        trained.check(runs, files.path(workdir))
        figure.read(data_dir)
    with distribution.directory(workdir, devices) as directory:
        config = study.continued(config, directory)
        directory.write_config(config)
        cells, stopped_by = _cells(config, figure, directory, devices)
        if stopped_by is not None:
            return Outcome(directory, None, stopped_by)
        if distribution.worker(devices) > 0:
            return Outcome(directory, "Finished; the chief has drawn the figure.")
        finished, stopped_by = trained.train(config.name, runs, directory.path, data_dir)
        if stopped_by is not None:
            return Outcome(directory, None, stopped_by)
        drawing = figure.draw(config, finished if runs else cells)
        rows_lib.rewrite_rows(directory.metrics, drawing.rows)
        files.write_bytes(directory.path / "figure.png", drawing.picture)
        summary = _results(config, cells, finished, drawing, devices)
        files.write_json(directory.results, {**summary, "finding": drawing.finding})
    return Outcome(directory, drawing.finding)


def _cells(
    config: config_lib.Figure, figure: Figure, directory: RunDirectory, devices: tf.distribute.Strategy
) -> tuple[list[Cell], signal.Signals | None]:
    """Trains the unfinished studies; returns the finished ones, and the signal that stopped the training, or None."""
    studies = figure.studies(config) if figure.uses_studies else []
    paths = [directory.path / "studies" / f"{each.name}_d{each.lines.dimension}" for each in studies]
    finished = [_finished_runs(path) for path in paths]
    is_chief = distribution.worker(devices) == 0
    if is_chief and any(runs < each.study.runs for runs, each in zip(finished, studies, strict=True)):
        devices_lib.announce(devices)
    announced = is_chief and len(studies) > 1 and min(finished) < studies[0].study.runs
    if announced:
        remaining = _duration(cost.seconds(studies, finished))
        progress.say(f"{config.name}: {len(studies)} studies, about {remaining} left on this machine")
    cells: list[Cell] = []
    for index, (each, path) in enumerate(zip(studies, paths, strict=True), start=1):
        if announced:
            progress.say(f"study {index} of {len(studies)}: {each.name} in {each.lines.dimension} dimensions")
        outcome = study.run(each, path, devices=devices, announces=False)
        if outcome.stopped_by is not None:
            return cells, outcome.stopped_by
        cells.append(Cell(each, rows_lib.read_rows(outcome.directory.metrics)))
    return cells, None


def _finished_runs(path: pathlib.Path) -> int:
    """Returns the number of runs that have rows; the rows of a run are written when it is finished."""
    return len({row["run"] for row in rows_lib.read_rows(RunDirectory(path).metrics)})


def _results(
    config: config_lib.Figure,
    cells: Sequence[Cell],
    finished: Sequence[trained.Trained],
    drawing: Drawing,
    devices: tf.distribute.Strategy,
) -> dict[str, Any]:
    protocol: dict[str, Any] = {}
    if config.study is not None and config.schedule is not None:
        protocol = study.protocol_of(config.study, config.schedule)
        protocol["studies"] = [cell.config.name for cell in cells]
    if finished:
        protocol |= {**finished[0].protocol, "training_runs": [run.config.name for run in finished]}
    step = max((run.config.schedule.steps for run in finished), default=0)
    step = step if config.schedule is None else config.schedule.steps
    return results.summary(config, step, drawing.metrics, protocol, device=devices_lib.description(devices))


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 1.5:
        return "a minute"
    return f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"
