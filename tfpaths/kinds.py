"""Kinds of experiment: a table from each kind to the code that runs, loads and reports it.

`launch`, `load` and `report` use this table and mention no kind by name. A kind is a subclass of `Kind` in the package
that implements it; importing that module does not import TensorFlow.
"""

import abc
import dataclasses
import importlib
import pathlib
import signal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tfpaths import config as config_lib
from tfpaths import errors, schema, space

if TYPE_CHECKING:
    from tfpaths.runs.report.section import Section

# Kind -> the module whose `KIND` implements it.
_MODULES = {
    "training": "tfpaths.runs.kind",
    "study": "tfpaths.lines.kind",
    "figure": "tfpaths.figures.kind",
    "sweep": "tfpaths.sweeps.kind",
    "perfect": "tfpaths.perfect.kind",
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """Where and how an experiment runs. None of it changes the numbers of a run, up to rounding.

    Attributes:
      data_dir: Directory of prepared TFDS data; None for `TFDS_DATA_DIR`, then the default of TFDS.
      strategy: A name in `tfpaths.config.STRATEGIES`.
      tpu: The TPU's name or address.
      cluster_timeout: Seconds that the workers of `multi_worker` wait for each other; None for 300.
      profile: Whether ten steps are traced for TensorBoard's profiler.
      engine: What starts the processes of a sweep, a name in `tfpaths.sweeps.engines.ENGINES`; None for `local`.
      jobs: How many processes of a sweep run at once; None for the engine's choice.
      shard: The part of a sweep that this call runs, `i/n` with i from 0 to n - 1; None for all of it.
      imports: The user's modules that each process of a sweep imports.

    Example:
      >>> Settings(data_dir="data").strategy
      'auto'
    """

    data_dir: str | None = None
    strategy: str = "auto"
    tpu: str | None = None
    cluster_timeout: int | None = None
    profile: bool = False
    engine: str | None = None
    jobs: int | None = None
    shard: str | None = None
    imports: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("cluster_timeout", "jobs"):
            if getattr(self, name) is not None:
                errors.integer(f"--{name}", str(getattr(self, name)), 1)


class Outcome(Protocol):
    """How a call of `Kind.train` ended.

    Example: `Outcome` in `tfpaths/lines/study.py`.
    """

    @property
    def stopped_by(self) -> signal.Signals | None:
        """The signal that stopped the call before the end, or None."""

    def message(self, command: str) -> str:
        """Returns the summary for a terminal; `command` is the command that resumes the run."""


class Kind(abc.ABC):
    """The operations on one kind of experiment.

    Attributes:
      noun: The name of such an experiment in messages, such as `"a study"`.
      has_steps: Whether it is a training run, whose steps can be profiled.
      has_trials: Whether it is a sweep, whose trials an engine starts.
      can_be_swept: Whether it can be an experiment of a sweep.

    Example: `tfpaths/lines/kind.py`.
    """

    noun: str
    has_steps = False
    has_trials = False
    can_be_swept = False

    @abc.abstractmethod
    def describe(self, config: Any) -> str:
        """Returns a description in one short line, for `--list`."""

    @abc.abstractmethod
    def complete(self, config: Any) -> Any:
        """Returns the config with all options filled in and checked. Imports TensorFlow.

        Raises:
          InputError: A name is unknown, or an option is invalid.
        """

    @abc.abstractmethod
    def train(self, config: Any, workdir: str | pathlib.Path, settings: Settings) -> Outcome:
        """Runs the experiment in a run directory, or resumes it there.

        Raises:
          InputError: The input is invalid; nothing was written.
          RunError: The run cannot continue; the message gives the reason and what has been saved.
        """

    @abc.abstractmethod
    def section(self, runs: Any) -> "Section":
        """Returns a report's section about runs of this kind."""

    def changed(self, config: Any, assignments: Sequence[str]) -> Any:
        """Returns the config with changes, each `path.to.field=value`.

        Raises:
          InputError: A change is invalid.
        """
        return schema.assign(config, assignments)

    def swept(self, config: Any, axes: Sequence[str], trials: int | None) -> Any:
        """Returns the sweep over a config that `--sweep` and `--trials` describe; the config if neither is given.

        Args:
          config: The config.
          axes: The texts of `--sweep`, see `space.parse`.
          trials: The number of settings that are drawn; None for every combination.

        Raises:
          InputError: The config cannot be swept, or an axis or the number of trials is invalid.
        """
        if not axes and trials is None:
            return config
        if not axes:
            raise errors.InputError(f"--trials: {config.name} is {self.noun}; expected a sweep, or --sweep.")
        if not self.can_be_swept:
            raise errors.InputError(f"--sweep: {config.name} is {self.noun}; expected a training run or a study.")
        return config_lib.Sweep(
            name=config.name,
            experiments=(config,),
            space=tuple(space.parse(text) for text in axes),
            trials=trials,
            seed=config.seed,
        )

    def trials(self, config: Any) -> int:
        """Returns the number of trials: 1 for an experiment that is not a sweep."""
        del config
        return 1

    def check_settings(self, config: Any, settings: Settings) -> None:
        """Checks the settings before TensorFlow is imported.

        Raises:
          InputError: A setting does not work with this kind of experiment.
        """
        if settings.profile and not self.has_steps:
            raise errors.InputError(f"--profile: {config.name} is {self.noun}; only training runs can be profiled.")
        for name in ("engine", "jobs", "shard"):
            if getattr(settings, name) is not None and not self.has_trials:
                raise errors.InputError(f"--{name}: {config.name} is {self.noun}; only a sweep has several trials.")

    def settled(self, config: Any, stored: Any) -> Any:
        """Returns the config with each `auto` replaced by the choice in the stored config of the run."""
        del stored
        return config

    def may_change(self, path: str) -> bool:
        """Returns whether a field may differ when a run resumes: one that does not change the numbers at a step."""
        return False

    def evaluate(self, config: Any, workdir: str | pathlib.Path, settings: Settings) -> dict[str, Any]:
        """Evaluates the newest checkpoint of a run; returns the content of its `results.json`.

        Raises:
          InputError: There is nothing to evaluate; `results.json` is unchanged.
        """
        del workdir, settings
        raise errors.InputError(f"--mode: {config.name} is {self.noun}, which has no samples to evaluate.")

    def own_fields(self, config: Any) -> frozenset[str]:
        """Returns the fields that each run of one experiment may have for itself: a study's hyper-parameters.

        Args:
          config: A complete config.
        """
        del config
        return frozenset()

    def of_trials(self, config: Any, settings: Sequence[Mapping[str, float]]) -> Any:
        """Returns a config with one run for each setting of its `own_fields`.

        Args:
          config: A complete config.
          settings: The fields of each run, path -> value; the same paths for all.
        """
        del settings
        return config

    def values(self, config: Any, path: pathlib.Path) -> list[dict[str, float | None]]:
        """Returns what a finished experiment measured: for each of its runs, name -> value; None if it is not finite.

        Args:
          config: Its config.
          path: Its run directory.

        Raises:
          RunError: Its results cannot be read.
        """
        del path
        raise errors.InputError(f"{config.name} is {self.noun}, which cannot be swept.")

    def programs(self, config: Any) -> dict[str, str]:
        """Returns the fields of a config that name a program which is not tfpaths' own: path -> name."""
        del config
        return {}

    def load(self, path: pathlib.Path, config: Any) -> Any:
        """Loads the newest checkpoint of a run, as a `tfpaths.runs.loading.Trained`.

        Raises:
          InputError: There is nothing to load.
        """
        raise errors.InputError(
            f"expected the directory of a trained run, received {str(path)!r}: {config.name} is {self.noun}, which has "
            "no sampler."
        )


def get(kind: str) -> Kind:
    """Returns the implementation of a kind of experiment.

    Example:
      >>> get("study").noun
      'a study'
    """
    return importlib.import_module(_MODULES[kind]).KIND


def of(config: config_lib.Experiment) -> Kind:
    """Returns the implementation of an experiment's kind.

    Example:
      >>> from tfpaths import experiments
      >>> of(experiments.get("figure_2")).noun
      'a figure'
    """
    return get(config.kind)
