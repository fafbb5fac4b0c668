"""`run` trains the trials of a sweep that are missing, in processes that an engine starts, and writes the results."""

import contextlib
import dataclasses
import os
import pathlib
import signal
import sys
import time
from collections.abc import Iterator, Sequence

import filelock
import tqdm

from tfpaths import config as config_lib
from tfpaths import errors, files, kinds, progress
from tfpaths.runs import results
from tfpaths.runs import rows as rows_lib
from tfpaths.runs.directory import RunDirectory
from tfpaths.runs.signals import StopOnSignal
from tfpaths.sweeps import plan, robustness, summary
from tfpaths.sweeps.engines import ENGINES
from tfpaths.sweeps.engines.registry import Ended, Engine, Task
from tfpaths.sweeps.ledger import Ledger, missing
from tfpaths.sweeps.plan import Job

# The lock of a shard, and how long a shard waits for another process to write the config.
_SHARD, _WAIT_SECONDS = ".shard-{}-{}.lock", 60.0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a call of `run` ended.

    Attributes:
      directory: The sweep's directory.
      trials: How many trials the sweep has, over all experiments.
      ended: How many of them have ended.
      finding: A sentence that says what the sweep shows; None as long as trials are missing.
      stopped_by: The signal that stopped the call, or None.
      shard: The part of the sweep that the call ran, or None for all of it.

    Example:
      >>> outcome = Outcome(RunDirectory(pathlib.Path("runs/a")), trials=8, ended=3, finding=None)
      >>> print(outcome.message("the command"))
      3 of 8 trials have ended and are kept. The same command trains the others:
        the command
    """

    directory: RunDirectory
    trials: int
    ended: int
    finding: str | None
    stopped_by: signal.Signals | None = None
    shard: str | None = None

    def message(self, command: str) -> str:
        """Returns the summary for a terminal; `command` is the command that continues the sweep."""
        path = self.directory.path
        if self.finding is None:
            why = f"Stopped by {self.stopped_by.name}. " if self.stopped_by else ""
            kept = f"{why}{self.ended} of {self.trials} trials have ended and are kept."
            if self.shard is not None and self.stopped_by is None:
                return f"{kept} The other shards than {self.shard} train the rest."
            return f"{kept} The same command trains the others:\n  {command}"
        paths = {"picture": path / "figure.png", "trials": path / "trials.jsonl", "results": self.directory.results}
        return "\n".join([self.finding, *(f"  {what:<11}{file}" for what, file in paths.items())])


def run(config: config_lib.Sweep, workdir: str | pathlib.Path, settings: kinds.Settings) -> Outcome:
    """Trains the trials of a sweep that are missing, then writes `trials.jsonl`, `results.json` and `figure.png`.

    A trial that fails by itself, such as by a NaN or too little memory, is a result. One that was lost, for
    example with its machine, is trained again by the same call, or by the next one.

    Args:
      config: The sweep.
      workdir: Its directory; each job has a run directory in `trials/`.
      settings: The engine, the number of processes, the shard, and where the data are.

    Raises:
      InputError: The config is invalid, the engine cannot be used, or the directory holds something else.
      RunError: Trials were lost; those that have ended are kept.

    Example: `python -m tfpaths.launch --exp=line1_ns --sweep study.width=16,64 --steps=100`.
    """
    directory, shard = RunDirectory(files.path(workdir)), plan.shard(settings.shard)
    engine = ENGINES.lookup(settings.engine or "local", path="--engine")(settings.jobs)
    engine.check()
    config = plan.complete(config)
    directory.continued(config)
    jobs = plan.jobs(config)
    with _locked(directory, shard, config), StopOnSignal() as stop:
        ledger = Ledger(directory.path)
        mine = [job for index, job in enumerate(jobs) if index % shard[1] == shard[0]]
        sweep = _Sweep(config, directory, settings, engine, ledger, stop)
        lost = sweep.train(mine)
        rows = ledger.rows
        is_whole = not missing(jobs, rows)
        if is_whole and config.confirmed and stop.received is None:
            lost += sweep.train(plan.confirmations(config, robustness.best(config, rows)))
            is_whole = not lost and stop.received is None
        if lost and stop.received is None:
            raise errors.RunError(
                f"{_lost(lost)} The trials that have ended are kept; the same command trains the rest."
            )
        finding = None
        if is_whole:
            ledger.sort([one.name for one in config.experiments])
            finding = _write(config, directory, ledger)
        total = sum(len(job.trials) for job in jobs)
        return Outcome(directory, total, len(rows), finding, None if finding else stop.received, settings.shard)


@dataclasses.dataclass(frozen=True)
class _Sweep:
    """The objects of one call of `run`."""

    config: config_lib.Sweep
    directory: RunDirectory
    settings: kinds.Settings
    engine: Engine
    ledger: Ledger
    stop: StopOnSignal

    def train(self, jobs: Sequence[Job]) -> list[Ended]:
        """Trains the jobs that have not ended; returns how those ended that were lost."""
        by_name = {job.name: job for job in jobs}
        wanted = missing(jobs, self.ledger.rows)
        wanted += [job for job in jobs if not job.trials and not self._is_confirmed(job)]
        for job in wanted:
            at = self.path(job)
            at.path.mkdir(parents=True, exist_ok=True)
            at.write_config(job.config)
        tasks = [Task(job.name, _arguments(self.path(job).path, self.settings), self.path(job).path) for job in wanted]
        trials = [max(len(job.trials), 1) for job in jobs]
        done = sum(trials) - sum(max(len(job.trials), 1) for job in wanted)
        lost: list[Ended] = []
        with contextlib.closing(_Shown(self.config.name, done, sum(trials), len(jobs))) as shown:
            ends = self.engine.run(tasks, heard=shown.heard, stopped=lambda: self.stop.received is not None)
            for ended in ends if tasks else ():
                job = by_name[ended.name]
                if ended.status in (0, errors.FinalError.status):
                    if job.trials:
                        self.ledger.add(job, self.path(job).path, why=ended.message if ended.status else "")
                    elif ended.status:
                        lost.append(ended)
                    shown.ended(ended, max(len(job.trials), 1))
                elif self.stop.received is None:
                    lost.append(ended)
                    shown.ended(ended, 0)
        return lost

    def path(self, job: Job) -> RunDirectory:
        return RunDirectory(self.directory.path / "trials" / job.name)

    def _is_confirmed(self, job: Job) -> bool:
        """Whether a confirmation, which has no rows in the ledger, has ended: it has results of its config."""
        at = self.path(job)
        return at.results.exists() and at.stored() == job.config


class _Shown:
    """The progress of a sweep: a bar, and on a terminal a line for each running job; otherwise plain lines."""

    def __init__(self, name: str, done: int, total: int, jobs: int):
        self._name, self._done, self._total = name, done, total
        self._first, self._began = done, time.monotonic()
        is_terminal = sys.stderr.isatty()
        self._bar = tqdm.tqdm(desc=name, total=total, initial=done, dynamic_ncols=True) if is_terminal else None
        self._lines: dict[str, tqdm.tqdm] = {}
        if self._bar is None:
            progress.say(f"{name}: {done} of {total} trials have ended; {jobs} job{'s' if jobs > 1 else ''} in all")

    def heard(self, name: str, line: str) -> None:
        """Shows the last line of a running job."""
        if self._bar is None or not line.strip():
            return
        if name not in self._lines:
            taken = {bar.pos for bar in self._lines.values()}
            position = next(place for place in range(1, len(taken) + 2) if -place not in taken and place not in taken)
            self._lines[name] = tqdm.tqdm(bar_format="{desc}", position=position, leave=False)
        self._lines[name].set_description_str(errors.shown(f"  {name}: {line.strip()}"[:200]))

    def ended(self, ended: Ended, trials: int) -> None:
        """Shows that a job has ended."""
        self._done += trials
        if (bar := self._lines.pop(ended.name, None)) is not None:
            bar.close()
        if self._bar is not None:
            self._bar.update(trials)
            if ended.status:
                self._bar.write(errors.shown(f"{ended.name}: {ended.message}"))
            return
        why = f": {ended.message}" if ended.status else ""
        progress.say(f"{self._name} {self._done}/{self._total}{self._left()}  {ended.name} has ended{why}")

    def _left(self) -> str:
        """Returns the estimate of the time that is left, from the trials of this call; "" if none has ended."""
        made, missing = self._done - self._first, self._total - self._done
        if not made or not missing:
            return ""
        return f"  left {tqdm.tqdm.format_interval((time.monotonic() - self._began) / made * missing)}"

    def close(self) -> None:
        """Removes the lines."""
        for bar in [*self._lines.values(), *([self._bar] if self._bar is not None else [])]:
            bar.close()


def _arguments(directory: pathlib.Path, settings: kinds.Settings) -> tuple[str, ...]:
    """Returns the arguments of the interpreter that start the process of a job, `tfpaths/trial.py`."""
    data = () if settings.data_dir is None else (f"--data_dir={os.path.abspath(files.path(settings.data_dir))}",)
    imports = (f"--import={name}" for name in settings.imports)
    return ("-m", "tfpaths.trial", f"--directory={directory.absolute()}", *data, *imports)


@contextlib.contextmanager
def _locked(directory: RunDirectory, shard: tuple[int, int], config: config_lib.Sweep) -> Iterator[None]:
    """Locks the whole sweep, or one shard of it, and writes the config.

    Raises:
      InputError: Another process trains it, or the directory holds something else.
    """
    if shard == (0, 1):
        with directory.locked():
            for file in directory.path.glob(_SHARD.format("*", "*")):
                with _lock(file, 0, f"another process trains a shard of {directory.path}."):
                    pass
            _begin(directory, config)
            yield
        return
    directory.path.mkdir(parents=True, exist_ok=True)
    # Held only while the config is written; a process that trains the whole sweep holds it longer.
    with _lock(directory.path / ".lock", _WAIT_SECONDS, f"another process trains all of {directory.path}."):
        _begin(directory, config)
    trains = f"another process trains {shard[0]}/{shard[1]} of {directory.path} already."
    with _lock(directory.path / _SHARD.format(*shard), 0, trains):
        yield


@contextlib.contextmanager
def _lock(file: pathlib.Path, seconds: float, otherwise: str) -> Iterator[None]:
    lock = filelock.FileLock(file, timeout=seconds)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise errors.InputError(f"--shard: {otherwise}") from None
    try:
        yield
    finally:
        lock.release()


def _begin(directory: RunDirectory, config: config_lib.Sweep) -> None:
    # Another process may have been here since the first check.
    directory.continued(config)
    directory.write_config(config)


def _lost(lost: Sequence[Ended]) -> str:
    """Returns a sentence about the jobs that were lost."""
    named = "; ".join(f"{ended.name}: {ended.message or f'exit status {ended.status}'}" for ended in lost[:3])
    more = f"; and {len(lost) - 3} more" if len(lost) > 3 else ""
    return f"{len(lost)} job{'s' if len(lost) > 1 else ''} did not finish ({named}{more})."


def _write(config: config_lib.Sweep, directory: RunDirectory, ledger: Ledger) -> str:
    """Writes `results.json` and `figure.png`; returns the finding."""
    drawn = summary.drawn(config, ledger.rows, directory.path)
    protocol = {"trials": plan.trials(config), "experiments": [one.name for one in config.experiments]}
    rows_lib.rewrite_rows(directory.metrics, drawn.rows)
    files.write_bytes(directory.path / "figure.png", drawn.picture)
    steps = max(one.schedule.steps for one in config.experiments)
    content = results.summary(
        config, steps, drawn.metrics, protocol, device=summary.device(ledger.rows, directory.path)
    )
    files.write_json(directory.results, {**content, "finding": drawn.finding})
    return drawn.finding
