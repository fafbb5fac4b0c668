"""Kinds of experiment: one table from a kind to what runs, loads and reports it.

`launch`, `load` and `report` ask this table and know no kind by name. A kind is a subclass of `Kind` in the package
that implements it; importing that module does not import TensorFlow.
"""

import abc
import dataclasses
import importlib
import pathlib
import signal
from typing import TYPE_CHECKING, Any, Protocol

from tfpaths import config as config_lib
from tfpaths import errors

if TYPE_CHECKING:
    from tfpaths.runs.report.section import Section

# Kind -> the module whose `KIND` implements it.
_MODULES = {"training": "tfpaths.runs.kind", "study": "tfpaths.lines.kind", "figure": "tfpaths.figures.kind"}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a call decides besides the experiment: none of it changes the numbers of a run, up to rounding.

    Attributes:
      data_dir: Prepared TFDS data; None for `TFDS_DATA_DIR`, then TFDS's own.
      strategy: A name of `tfpaths.config.STRATEGIES`.
      tpu: The TPU's name or address.
      profile: Whether ten steps are traced for TensorBoard's profiler.
    """

    data_dir: str | None = None
    strategy: str = "auto"
    tpu: str | None = None
    profile: bool = False


class Outcome(Protocol):
    """How a call of `Kind.train` ended."""

    @property
    def stopped_by(self) -> signal.Signals | None:
        """The signal that ended it before it was finished, or None."""

    def message(self, command: str) -> str:
        """Returns the last lines for a terminal; `command` is what continues the run."""


class Kind(abc.ABC):
    """What can be done with one kind of experiment.

    Attributes:
      noun: What a message calls such an experiment: `"a study"`.
    """

    noun: str

    @abc.abstractmethod
    def describe(self, config: Any) -> str:
        """Returns what the experiment is, in one short line for `--list`."""

    @abc.abstractmethod
    def complete(self, config: Any) -> Any:
        """Returns the config with every option of what it names, checked. Imports TensorFlow.

        Raises:
          InputError: A name is unknown, or an option is wrong.
        """

    @abc.abstractmethod
    def train(self, config: Any, workdir: str | pathlib.Path, settings: Settings) -> Outcome:
        """Runs the experiment in a run directory, from where it was stopped if it was.

        Raises:
          InputError: Something is invalid; nothing was written.
          RunError: The run cannot continue; the message says why and what is kept.
        """

    @abc.abstractmethod
    def section(self, runs: Any) -> "Section":
        """Returns the section of a report on runs of this kind."""

    def check_settings(self, config: Any, settings: Settings) -> None:
        """Checks what can be checked before TensorFlow is imported.

        Raises:
          InputError: A setting does not go with this kind of experiment.
        """
        if settings.profile:
            raise errors.InputError(f"--profile: {config.name} is {self.noun}; only training runs can be profiled.")

    def settled(self, config: Any, stored: Any) -> Any:
        """Returns the config with its `auto` choices as the run in the directory made them."""
        del stored
        return config

    def may_change(self, path: str) -> bool:
        """Returns whether a field may differ when a run continues: it does not change the numbers at a given step."""
        return False

    def evaluate(self, config: Any, workdir: str | pathlib.Path, settings: Settings) -> dict[str, Any]:
        """Measures the newest checkpoint of a run; returns the content of its `results.json`.

        Raises:
          InputError: There is nothing to measure; `results.json` is as it was.
        """
        del workdir, settings
        raise errors.InputError(f"--mode: {config.name} is {self.noun}, which has no samples to evaluate.")

    def load(self, path: pathlib.Path, config: Any) -> Any:
        """Loads the newest checkpoint of a run: a `tfpaths.runs.loading.Trained`.

        Raises:
          InputError: There is nothing to load.
        """
        raise errors.InputError(
            f"expected the directory of a trained run, received {str(path)!r}: {config.name} is {self.noun}, which has "
            "no sampler."
        )


def get(kind: str) -> Kind:
    """Returns what implements a kind of experiment."""
    return importlib.import_module(_MODULES[kind]).KIND


def of(config: config_lib.Experiment) -> Kind:
    """Returns what implements an experiment's kind."""
    return get(config.kind)
