"""A run directory: its files, its lock, and whether a run can start or continue there. No TensorFlow."""

import contextlib
import dataclasses
import os
import pathlib
import shlex
from collections.abc import Iterator, Sequence

import filelock

from tfpaths import config as config_lib
from tfpaths import errors, experiments, files, folders, kinds, schema
from tfpaths.runs import rows
from tfpaths.version import __version__


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """The paths of a run directory, and the config of the run in it.

    Attributes:
      path: The directory; it need not exist.

    Example:
      >>> directory = RunDirectory(pathlib.Path("runs/a"))
      >>> print(directory.metrics)
      runs/a/metrics.jsonl
      >>> directory.stored() is None
      True
    """

    path: pathlib.Path

    @property
    def config(self) -> pathlib.Path:
        """The file of the experiment's config."""
        return self.path / "config.json"

    @property
    def metrics(self) -> pathlib.Path:
        """The file of rows."""
        return self.path / "metrics.jsonl"

    @property
    def samples(self) -> pathlib.Path:
        """The directory of sample grids."""
        return self.path / "samples"

    @property
    def checkpoints(self) -> pathlib.Path:
        """The directory of checkpoints."""
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> pathlib.Path:
        """The directory of TensorBoard's event files."""
        return self.path / "tensorboard"

    @property
    def results(self) -> pathlib.Path:
        """The file of results, which exists when the run is finished or evaluated."""
        return self.path / "results.json"

    @property
    def export(self) -> pathlib.Path:
        """The directory of the export."""
        return self.path / "export"

    @property
    def report(self) -> pathlib.Path:
        """The report about this run."""
        return self.path / "report.html"

    @property
    def unfinished(self) -> pathlib.Path:
        """The directory of temporary files, which exists while there are some."""
        return self.path / files.UNFINISHED

    @property
    def _parts(self) -> tuple[pathlib.Path, ...]:
        return self.samples, self.checkpoints, self.tensorboard

    def stored(self) -> config_lib.Experiment | None:
        """Returns the config of the run in this directory, or None if there is no run.

        Raises:
          InputError: `config.json` is not a valid config.
        """
        if not self.config.exists():
            return None
        made = ""
        try:
            content = files.read_json(self.config)
            written_by = content.get("version") if isinstance(content, dict) else None
            if written_by not in (None, __version__):
                made = f" tfpaths {str(written_by)[:20]} wrote it, and this is {__version__}."
            return config_lib.from_dict(content)
        except errors.InputError as error:
            why = str(error).removeprefix(f"{self.config}: ").rstrip(".")
            raise errors.InputError(f"{self.config}: expected the config of a run: {why}.{made}") from error
        except OSError as error:
            raise errors.InputError(f"{self.config}: expected the config of a run: {files.reason(error)}.") from error

    def write_config(self, config: config_lib.Experiment) -> None:
        """Writes the config, with the version of tfpaths that writes it."""
        files.write_json(self.config, {**schema.to_dict(config), "version": __version__})

    def known(self) -> config_lib.Experiment:
        """Returns the config of the run in this directory.

        Raises:
          InputError: There is no run; the message suggests the run with the nearest name beside it.
        """
        config = self.stored()
        if config is not None:
            return config
        if (self.path / "saved_model.pb").exists():
            raise self.refused("it is an export, which --mode=sample and tf.saved_model.load read")
        if self.path.exists():
            raise self.refused("it has no config.json")
        others = [entry.name for entry in self.path.parent.glob("*") if (entry / "config.json").is_file()]
        nearest = errors.nearest(self.path.name, others)
        raise self.refused("there is none", f"; did you mean {str(self.path.parent / nearest)!r}?" if nearest else ".")

    def changed(self, assignments: Sequence[str], *, trust: bool = False) -> config_lib.Experiment:
        """Returns the config of the run in this directory with changes.

        Args:
          assignments: The changes, as `path.to.field=value`.
          trust: Whether programs that only the stored config names may be loaded; a stranger may have written it.

        Raises:
          InputError: There is no run, a change is invalid, or the config names a program that neither a change nor the
            registered experiment of the same name has.
        """
        stored = self.known()
        asked = {assignment.partition("=")[0] for assignment in assignments}
        registered = experiments.EXPERIMENTS.get(stored.name)
        known = {} if registered is None else kinds.of(registered).programs(registered)
        for path, name in kinds.of(stored).programs(stored).items():
            if not trust and path not in asked and known.get(path) != name:
                raise errors.InputError(
                    f"{path}: the run's config names {name!r}, a program that can read and write files. To fix this: "
                    f"if you know it, add --set={path}={shlex.quote(name)} or --trust; otherwise set another."
                )
        return schema.assign(stored, assignments)

    def refused(self, why: str, end: str = ".") -> errors.InputError:
        """Returns the error for a directory without a run, or without the kind of run that is needed."""
        return errors.InputError(f"expected the directory of a run, received {str(self.path)!r}: {why}{end}")

    def continued(self, config: config_lib.Experiment, *, is_complete: bool = True) -> config_lib.Experiment:
        """Returns the config to run with here: `config` with each `auto` as in the stored config. Writes nothing.

        Args:
          config: The experiment.
          is_complete: Whether all its options are filled in; if not, options that only one config has are not compared.

        Raises:
          InputError: The path cannot be written, or it has other files and no run, or a run with another config; the
            message names the fields that differ.
        """
        try:
            self._check_path()
        except OSError as error:
            raise self._unwritable(error.strerror) from error
        stored = self.stored()
        if stored is None:
            return config
        kind = kinds.of(config)
        if stored.kind != config.kind:
            raise errors.InputError(f"--workdir: {self.path} holds {kinds.of(stored).noun}, {stored.name!r}.")
        config = kind.settled(config, stored)
        # A trial of a sweep that has not begun has an `auto` in its stored config, too.
        stored = kind.settled(stored, config)
        if differences := differing(stored, config, is_complete=is_complete):
            raise errors.InputError(f"--workdir: {self.path} holds another experiment: {differences}.")
        return config

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Creates the directory and locks it, so that no other process writes a run there.

        Raises:
          InputError: The directory cannot be written, or another run is writing to it.
        """
        # The operating system releases it when the process ends, however it ends.
        lock = filelock.FileLock(self.path / ".lock", timeout=0)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except filelock.Timeout:
            raise errors.InputError(f"--workdir: another run is writing to {self.path}.") from None
        except OSError as error:
            raise self._unwritable(error.strerror) from error
        try:
            self._check_directories(self.unfinished)
            self._remove_leftovers()
            yield
        finally:
            lock.release()

    def _check_directories(self, *folders_of_run: pathlib.Path) -> None:
        for folder in folders_of_run:
            if os.path.lexists(folder) and not folder.is_dir():
                what = "a broken link" if folder.is_symlink() else "a file"
                raise errors.InputError(f"--workdir: expected a directory at {folder}, found {what}.")

    def _remove_leftovers(self) -> None:
        """Removes the temporary files of a process that was killed while it wrote; no other process writes now."""
        for directory in (self.path, *self._parts):
            folders.remove_leftovers(directory)

    def begun(self) -> int:
        """Returns the last step that has a row; 0 if there are no rows."""
        return max((row["step"] for row in rows.read_rows(self.metrics)), default=0)

    def _unwritable(self, why: str | None) -> errors.InputError:
        return errors.InputError(
            f"--workdir: expected a path that can be written, received {str(self.path)!r} ({why})."
        )

    def _check_path(self) -> None:
        existing = next(path for path in (self.path, *self.path.absolute().parents) if path.exists())
        if not existing.is_dir():
            raise self._unwritable(f"{existing} is not a directory")
        self._check_directories(*self._parts, self.unfinished)
        # Now, and not when the first checkpoint is written. Other files are replaced, which the directory decides.
        for part in (existing, *self._parts, self.unfinished, self.metrics):
            if part.exists() and not os.access(part, os.W_OK | (os.X_OK if part.is_dir() else 0)):
                raise self._unwritable(f"{part} is read-only")
        for file in (self.metrics, self.results, self.config, self.path / ".lock"):
            files.check_file("--workdir", file)
        if existing == self.path and not self.config.exists():
            others = sorted({entry.name for entry in self.path.iterdir()} - {".lock", self.unfinished.name})
            if others:
                raise errors.InputError(
                    f"--workdir: expected a new directory or one of a run; {self.path} has no config.json and holds "
                    f"{', '.join(others[:3])}{', …' if len(others) > 3 else ''}."
                )


def differing(stored: config_lib.Experiment, config: config_lib.Experiment, *, is_complete: bool = True) -> str:
    """Returns the fields that make `config` another run than `stored`; empty if it is the same run.

    Args:
      stored: The config of a run.
      config: A config of the same kind.
      is_complete: Whether all options are filled in; if not, options that only one config has are not compared.

    Example:
      >>> line = experiments.get("line1_ns")
      >>> differing(line, line.replace(seed=7))
      'seed is 0 there and 7 here'
    """
    may_change = kinds.of(config).may_change
    return "; ".join(
        f"{path} is {old!r} there and {new!r} here"
        for path, (old, new) in schema.differences(stored, config).items()
        if not may_change(path) and (is_complete or _comparable(old, new))
    )


def _comparable(one: object, other: object) -> bool:
    """Returns whether two values can be compared although options may be missing, or not yet converted from text."""
    return one is not None and other is not None and isinstance(one, str) == isinstance(other, str)
