"""The training runs of a figure: each an ordinary run in `runs/`, trained to its end or resumed."""

import dataclasses
import itertools
import pathlib
import signal
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, cast

from tfpaths import config as config_lib
from tfpaths import errors, metrics, progress, schema
from tfpaths.runs import build, checkpoints, results, training
from tfpaths.runs import rows as rows_lib
from tfpaths.runs.directory import RunDirectory


@dataclasses.dataclass(frozen=True)
class Trained:
    """One finished training run of a figure.

    Attributes:
      config: The run.
      rows: The rows of its `metrics.jsonl`.
      protocol: What its numbers depend on besides its variant and networks, from its `results.json`.

    Example:
      >>> from tfpaths import experiments
      >>> run = Trained(experiments.get("cifar10_ns"), [{"step": 2, "examples_per_second": 32.0}, {"step": 2}], {})
      >>> run.variant
      'ns'
    """

    config: config_lib.Training
    rows: Sequence[rows_lib.Row]
    protocol: Mapping[str, Any]

    @property
    def variant(self) -> str:
        """The name of the run's variant."""
        return self.config.variant.name

    def seconds_per_step(self) -> float:
        """Returns the median time of a training step, without evaluations, sample grids, checkpoints and compilation.

        A row's `examples_per_second` counts all time since the row before it. So only rows count whose preceding row is
        at a step without a measurement; the first row, with the compilation, never does.

        Raises:
          RunError: There is no such row.

        Example:
          32 examples a step; the evaluation at step 4 makes the row of step 6 slow:

          >>> from tfpaths import experiments
          >>> game = experiments.get("cifar10_ns")
          >>> game = game.replace(schedule=game.schedule.replace(batch_size=32))
          >>> speeds = {2: 8.0, 4: 64.0, 6: 4.0, 8: 128.0, 10: 64.0}
          >>> rows = [{"step": step, "examples_per_second": speed} for step, speed in speeds.items()]
          >>> Trained(game, [*rows, {"step": 4, "classifier_score": 2.0}], {}).seconds_per_step()
          0.5
        """
        speeds = {row["step"]: row["examples_per_second"] for row in self.rows if "examples_per_second" in row}
        measured = {row["step"] for row in self.rows if "examples_per_second" not in row}
        steps = sorted(speeds)
        rates = [speeds[step] for before, step in itertools.pairwise(steps) if before not in measured | {0}]
        if not rates:
            raise errors.RunError(f"{self.config.name}: no row has the time of training steps alone.")
        examples = self.config.schedule.batch_size * self.config.variant.discriminator_steps
        return examples / statistics.median(rates)


def check(configs: Sequence[config_lib.Training], path: pathlib.Path) -> None:
    """Checks that the runs that exist in a figure's directory are these, or can become these. Writes nothing.

    Args:
      configs: The runs.
      path: The figure's directory.

    Raises:
      InputError: A run has other fields, or more steps.

    Example: see `tfpaths.figures.runner.run`.
    """
    for config in configs:
        directory, asked = _directory(path, config), complete(config)
        if not directory.path.exists():
            continue
        asked = cast(config_lib.Training, directory.continued(asked))
        stored = directory.stored()
        last = max(checkpoints.steps_in(directory.checkpoints), default=0)
        if asked.schedule.steps < last:
            raise errors.InputError(
                f"--workdir: {directory.path} has {last} steps; expected at least as many, received "
                f"{asked.schedule.steps}."
            )
        # Rows of one run are comparable only if all were measured alike.
        for field, (old, new) in ({} if stored is None else schema.differences(stored, asked)).items():
            if field != "schedule.steps":
                raise errors.InputError(
                    f"--workdir: {directory.path} is a run with {field}={old}; expected the same, received {new}."
                )


def train(
    name: str, configs: Sequence[config_lib.Training], path: pathlib.Path, data_dir: str | None
) -> tuple[list[Trained], signal.Signals | None]:
    """Trains the unfinished runs, on one device; returns all finished ones, and the signal that stopped it, or None.

    Args:
      name: The figure's name, for messages.
      configs: The runs.
      path: The figure's directory.
      data_dir: The directory of prepared TFDS data.

    Raises:
      InputError: As `check`, or as `training.train`.
      NotFiniteError: A reported quantity became NaN or infinite.

    Example: see `tfpaths.figures.runner.run`.
    """
    finished: list[Trained] = []
    for number, config in enumerate(configs, start=1):
        directory = _directory(path, config)
        stored = results.read_results(directory.results)
        if stored is None or stored["step"] != config.schedule.steps:
            progress.say(f"{name}: run {number} of {len(configs)}, {config.name} ({config.schedule.steps:,} steps)")
            outcome = training.train(config, directory.path, data_dir=data_dir, strategy="one_device")
            if outcome.stopped_by is not None:
                return finished, outcome.stopped_by
            stored = results.read_results(directory.results)
        protocol = {} if stored is None else stored["protocol"]
        finished.append(Trained(config, rows_lib.read_rows(directory.metrics), protocol))
    return finished, None


def complete(config: config_lib.Training) -> config_lib.Training:
    """Returns the config with all options filled in, as a run stores it. Raises the errors of `build.complete`.

    Example:
      >>> from tfpaths import experiments
      >>> complete(experiments.get("cifar10_ns")).networks.name
      'dcgan'
    """
    return build.complete(config).replace(evaluation=metrics.complete(config.evaluation))


def _directory(path: pathlib.Path, config: config_lib.Training) -> RunDirectory:
    return RunDirectory(path / "runs" / config.name)
