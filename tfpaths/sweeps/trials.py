"""The trials of a sweep as a report shows them. A stranger may have written `trials.jsonl`. No TensorFlow."""

import dataclasses
import functools
import math
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfpaths import config as config_lib
from tfpaths import plotting
from tfpaths.runs import rows as rows_lib
from tfpaths.runs.report.runs import Run, is_number
from tfpaths.sweeps import ledger, plan, scores

# Scores of which more is better; of all others less is.
_MORE_IS_BETTER = ("classifier_score", "inception_score", "modes_covered")
# The first of these that some trial has is the main score; otherwise the first score is.
_MAIN = ("final", "frechet_inception_distance", "frechet_classifier_distance", "wasserstein_validation")
# What has its own column, or none, in the table of trials.
_RESERVED = ("step", "trial", "experiment", "job", "status", "why")


@dataclasses.dataclass(frozen=True)
class Trial:
    """A row of `trials.jsonl`. What has the wrong type counts as missing.

    Attributes:
      number: The trial's number, or None.
      experiment: The name of its experiment.
      job: The name of its run directory; "" if it is not the name of a directory below `trials/`.
      failed: Whether it failed.
      why: Why it failed.
      fields: Its setting, path -> value.
      values: What was measured, name -> number.

    Example:
      >>> from tfpaths import experiments
      >>> row = {"step": 1, "trial": 3, "job": "../a", "status": "failed", "why": ["?"], "modes": 7, "penalty": "many"}
      >>> trial = Trial.of(row, experiments.get("robustness_color_mnist"))
      >>> trial.number, trial.job, trial.failed, trial.why, trial.values
      (3, '', True, '', {'modes': 7})
    """

    number: int | None
    experiment: str
    job: str
    failed: bool
    why: str
    fields: Mapping[str, Any]
    values: Mapping[str, float]

    @classmethod
    def of(cls, row: Mapping[str, Any], config: config_lib.Sweep) -> "Trial":
        """Returns the trial of a row."""
        fields = ledger.settings_of(row, config)
        job = _text(row.get("job"))
        number = row.get("trial")
        return cls(
            number=number if type(number) is int else None,
            experiment=_text(row.get("experiment")),
            job=job if _is_name(job) else "",
            failed=row.get("status") == ledger.FAILED,
            why=_text(row.get("why")),
            fields=fields,
            values={
                name: value
                for name, value in row.items()
                if name not in _RESERVED and name not in fields and is_number(value)
            },
        )


@dataclasses.dataclass(frozen=True)
class Group:
    """Experiments that differ only in their variant.

    Attributes:
      title: What their names have in common; "" if there is no other group.
      labels: Name -> the variant's name in the paper, or the experiment's where two have the same.

    Example:
      >>> Group("", {"line1_ns": "NS-GAN", "line1_gan_gp": "GAN-GP"}).labels["line1_ns"]
      'NS-GAN'
    """

    title: str
    labels: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Trials:
    """The trials of a sweep that have ended.

    Attributes:
      run: The sweep.
      config: Its config.
      ended: The trials, in the order of `trials.jsonl`.

    Example:
      >>> from tfpaths import experiments
      >>> from tfpaths.runs.directory import RunDirectory
      >>> sweep = experiments.get("robustness_color_mnist")
      >>> Trials.read(Run(1, "a", RunDirectory(pathlib.Path("a")), sweep, [], None)).progress
      '0 of 96 trials have ended.'
    """

    run: Run
    config: config_lib.Sweep
    ended: Sequence[Trial]

    @classmethod
    def read(cls, run: Run) -> "Trials":
        """Reads the trials of a sweep.

        Raises:
          InputError: `trials.jsonl` is not a file of rows.
        """
        config = run.config
        assert isinstance(config, config_lib.Sweep)
        rows = rows_lib.read_rows(run.directory.path / "trials.jsonl")
        return cls(run, config, [Trial.of(row, config) for row in rows])

    @property
    def total(self) -> int:
        """The number of trials of the whole sweep."""
        return plan.trials(self.config) * len(self.config.experiments)

    @property
    def is_whole(self) -> bool:
        """Whether every trial of the sweep has ended."""
        return self._ended_of_sweep >= self.total

    @property
    def progress(self) -> str:
        """A sentence that says how many trials have ended."""
        return f"{self._ended_of_sweep:,} of {self.total:,} trials have ended."

    @functools.cached_property
    def _ended_of_sweep(self) -> int:
        """The number of different trials that have ended and belong to the sweep."""
        names, trials = {one.name for one in self.config.experiments}, range(plan.trials(self.config))
        return len(
            {(one.experiment, one.number) for one in self.ended if one.experiment in names and one.number in trials}
        )

    @functools.cached_property
    def names(self) -> list[str]:
        """The names of what was measured, in the order of their first appearance."""
        return list(dict.fromkeys(name for trial in self.ended for name in trial.values))

    @functools.cached_property
    def scores(self) -> list[str]:
        """The names of the scores: of training runs, those that the sweep's picture shows; of studies, `final`."""
        if self.config.experiments[0].kind == "study":
            return [name for name in self.names if name == _MAIN[0]]
        return scores.score_names(self.config, [dict.fromkeys(self.names, 0.0)])

    @functools.cached_property
    def main(self) -> str | None:
        """The score by which trials are ordered; None if nothing was measured."""
        names = self.scores or self.names
        return next((name for name in _MAIN if name in names), names[0] if names else None)

    def has_score(self, trial: Trial) -> bool:
        """Returns whether a trial did not fail and has the main score."""
        return not trial.failed and self.main in trial.values

    def better(self, trial: Trial) -> float:
        """Returns the number by which trials are ordered, the best first: a trial without the score is the last."""
        if not self.has_score(trial):
            return math.inf
        value = trial.values[self.main or ""]
        return -value if more_is_better(self.main or "") else value

    def of(self, experiment: str) -> list[Trial]:
        """Returns the trials of an experiment."""
        return self._by_experiment.get(experiment, [])

    @functools.cached_property
    def _by_experiment(self) -> dict[str, list[Trial]]:
        found: dict[str, list[Trial]] = {}
        for trial in self.ended:
            found.setdefault(trial.experiment, []).append(trial)
        return found

    def directory(self, trial: Trial) -> pathlib.Path | None:
        """Returns the run directory of a trial, or None if it does not exist."""
        path = self.run.directory.path / "trials" / trial.job
        # Not `path.is_dir()`, which raises an error if the name is too long.
        return path if trial.job and os.path.isdir(path) else None

    @functools.cached_property
    def groups(self) -> list[Group]:
        """The experiments, in groups that differ only in their variant."""
        groups = [[one.name for one in group] for group in plan.compared(self.config.experiments)]
        variants = {one.name: plotting.label(one.variant.name) for one in self.config.experiments}
        made = []
        for names in groups:
            labels = [variants[name] for name in names]
            shown = {name: variants[name] if labels.count(variants[name]) == 1 else name for name in names}
            made.append(Group(common(names) if len(groups) > 1 else "", shown))
        return made


def more_is_better(score: str) -> bool:
    """Returns whether a larger value of a score is better.

    Example:
      >>> more_is_better("classifier_score"), more_is_better("final")
      (True, False)
    """
    return score in _MORE_IS_BETTER


def common(names: Sequence[str]) -> str:
    """Returns the beginning and the end that names have in common, with … for the rest.

    Example:
      >>> common(["line1_ns_d2", "line1_gan_gp_d2"]), common(["line1_ns"])
      ('line1_…_d2', 'line1_ns')
    """
    if len(set(names)) == 1:
        return names[0]
    start = _prefix(names)
    end = _prefix([name[len(start) :][::-1] for name in names])[::-1]
    return f"{start}…{end}"


def short_names(paths: Sequence[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Returns path -> the shortest end of the path that no other path, and nothing else, is called.

    Args:
      paths: The paths.
      taken: Other names.

    Example:
      >>> short_names(["study.width", "a.learning_rate", "b.learning_rate"])
      {'study.width': 'width', 'a.learning_rate': 'a.learning_rate', 'b.learning_rate': 'b.learning_rate'}
    """
    every_end = [end for path in paths for end in _ends(path)] + list(taken)
    return {path: next((end for end in _ends(path) if every_end.count(end) == 1), path) for path in paths}


def _ends(path: str) -> list[str]:
    """Returns the ends of a path, the shortest first."""
    parts = path.split(".")
    return [".".join(parts[start:]) for start in reversed(range(len(parts)))]


def _prefix(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    return first[: next((index for index, one in enumerate(first) if one != last[index]), len(first))]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_name(job: str) -> bool:
    """Returns whether a text is the name of a directory below `trials/`, and of no other one."""
    return job not in ("", ".", "..") and not any(one in job for one in "/\\\0")
