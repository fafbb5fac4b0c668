"""What a run leaves behind: its directory, its rows, its results. No TensorFlow."""

import contextlib
import dataclasses
import difflib
import fcntl
import importlib.metadata
import json
import os
import pathlib
import platform
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tfpaths import __version__
from tfpaths import config as config_lib

_PACKAGES = ("tensorflow", "keras", "tensorflow-gan", "tensorflow-datasets", "numpy")

# What may differ when a run is continued: none of these changes what is computed at a given step.
_MAY_CHANGE = {
    *(f"schedule.{field.name}" for field in dataclasses.fields(config_lib.Schedule) if field.name != "batch_size"),
    # A run of a study is the same in whatever company.
    "study.runs",
    "study.block",
    # A figure is drawn anew from the studies that it needs, and makes those that are not there.
    "figure.studies",
    "figure.dimensions",
    "figure.shown_run",
    *(f"evaluation.{field.name}" for field in dataclasses.fields(config_lib.Evaluation)),
}


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """The places in a run directory."""

    path: pathlib.Path

    @property
    def config(self) -> pathlib.Path:
        return self.path / "config.json"

    @property
    def metrics(self) -> pathlib.Path:
        return self.path / "metrics.jsonl"

    @property
    def samples(self) -> pathlib.Path:
        return self.path / "samples"

    @property
    def checkpoints(self) -> pathlib.Path:
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> pathlib.Path:
        return self.path / "tensorboard"

    @property
    def results(self) -> pathlib.Path:
        return self.path / "results.json"

    @property
    def export(self) -> pathlib.Path:
        return self.path / "export"

    @property
    def report(self) -> pathlib.Path:
        return self.path / "report.html"

    def stored(self) -> config_lib.Experiment | None:
        """The config of the run that is here; none where there is no run.

        Raises:
          InputError: `config.json` is not the config of a run.
        """
        if not self.config.exists():
            return None
        try:
            return config_lib.from_dict(json.loads(self.config.read_text()))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, config_lib.InputError) as error:
            raise config_lib.InputError(f"{self.config}: expected the config of a run: {error}") from error

    def known(self) -> config_lib.Experiment:
        """The config of the run that is here.

        Raises:
          InputError: there is no run here; the line names the nearest one beside it.
        """
        config = self.stored()
        if config is not None:
            return config
        if (self.path / "saved_model.pb").exists():
            raise self.refused("it is an export, which --mode=sample and tf.saved_model.load read")
        if self.path.exists():
            raise self.refused("it has no config.json")
        others = [entry.name for entry in self.path.parent.glob("*") if (entry / "config.json").is_file()]
        nearest = difflib.get_close_matches(self.path.name, others, n=1, cutoff=0.5)
        raise self.refused(
            "there is none", f"; did you mean {str(self.path.parent / nearest[0])!r}?" if nearest else "."
        )

    def refused(self, why: str, end: str = ".") -> config_lib.InputError:
        """The error for a directory that is not the one of a run, or of such a run as is needed."""
        return config_lib.InputError(f"expected the directory of a run, received {str(self.path)!r}: {why}{end}")

    def continued(self, config: config_lib.Experiment) -> config_lib.Experiment:
        """The config to run with here: `config`, with `--source=auto` settled as this run settled it. Writes nothing.

        Raises:
          InputError: the path is not a directory that a run can be written to, holds something other than a run, or
            holds a run of another config; the line names the fields that differ.
        """
        try:
            self._check_place()
        except OSError as error:
            raise self._unwritable(error) from error
        known = self.stored()
        if known is None:
            return config
        if config.data.source == "auto":
            config = dataclasses.replace(config, data=dataclasses.replace(config.data, source=known.data.source))
        found = {k: v for k, v in config_lib.differences(known, config).items() if k not in _MAY_CHANGE}
        if found:
            listed = "; ".join(f"{field} is {old!r} there and {new!r} here" for field, (old, new) in found.items())
            raise config_lib.InputError(f"--workdir: {self.path} holds another experiment: {listed}.")
        return config

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the directory and keeps every other run out of it.

        Raises:
          InputError: the directory cannot be written, or another run is writing to it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = open(self.path / ".lock", "a")  # noqa: SIM115 - closed below, where the lock ends
        except OSError as error:
            raise self._unwritable(error) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise config_lib.InputError(f"--workdir: another run is writing to {self.path}.") from None
            yield

    def begun(self) -> int:
        """The last step of which something was written; 0 for a directory without rows."""
        return max((row["step"] for row in read_rows(self.metrics)), default=0)

    def _unwritable(self, error: OSError) -> config_lib.InputError:
        return config_lib.InputError(
            f"--workdir: expected a place that can be written, received {str(self.path)!r} ({error.strerror})."
        )

    def _check_place(self) -> None:
        for place in (self.path, *self.path.absolute().parents):
            if place.exists():
                break
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            raise config_lib.InputError(
                f"--workdir: expected a place that can be written, received {str(self.path)!r} ({place} "
                f"{'is not a directory' if not place.is_dir() else 'is read-only'})."
            )
        for folder in (self.samples, self.checkpoints, self.tensorboard):
            if folder.exists() and not folder.is_dir():
                raise config_lib.InputError(f"--workdir: expected a folder at {folder}, found a file.")
        for file in (self.metrics, self.results, self.config):
            if file.exists() and not file.is_file():
                raise config_lib.InputError(f"--workdir: expected a file at {file}, found a folder.")
        if place == self.path and not self.config.exists():
            others = sorted(entry.name for entry in self.path.iterdir() if entry.name != ".lock")
            if others:
                raise config_lib.InputError(
                    f"--workdir: expected a new directory or one of a run; {self.path} has no config.json and holds "
                    f"{', '.join(others[:3])}{', …' if len(others) > 3 else ''}."
                )


def summary(
    config: config_lib.Experiment, step: int, metrics: Mapping[str, Any], protocol: Mapping[str, Any]
) -> dict[str, Any]:
    """What `results.json` says of a run.

    Args:
      config: the run's.
      step: the step at which it was measured.
      metrics: name -> value.
      protocol: what the numbers depend on beside the config.
    """
    return {
        "experiment": config.name,
        "step": step,
        "seed": config.seed,
        "metrics": dict(metrics),
        "protocol": {
            "data": config.data.name,
            "data_source": config.data.source,
            "batch_size": config.schedule.batch_size,
            "precision": config.precision,
            **protocol,
        },
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """What a run's numbers were made with: Python, this package, and those that it computes with."""
    return {
        "python": platform.python_version(),
        "tfpaths": __version__,
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def last_values(path: pathlib.Path, step: int, names: Sequence[str]) -> dict[str, float]:
    """What the last row up to `step` that has these names says of them; nothing where there is none."""
    rows = [row for row in read_rows(path) if row["step"] <= step and names[0] in row]
    return {name: rows[-1][name] for name in names} if rows else {}


def read_results(path: pathlib.Path) -> dict[str, Any] | None:
    """The content of a `results.json`; none where there is none, or where it is no such file."""
    try:
        known = json.loads(path.read_text())
        whole = (
            type(known["step"]) is int and isinstance(known["metrics"], dict) and isinstance(known["protocol"], dict)
        )
        return known if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def check_place(flag: str, path: pathlib.Path) -> None:
    """Whether a file or folder can be made at `path`; otherwise raises an InputError that names the flag."""
    place = next(place for place in path.absolute().parents if place.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise config_lib.InputError(f"{flag}: expected a place that can be written, received {str(path)!r}.")


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes `value` so that a reader sees the old file or the new one, never a part."""
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def write_bytes(path: pathlib.Path, content: bytes) -> None:
    """Writes a file at once: into a neighbour first, which then takes its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with _named(path), os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp's own mode hides the file from everybody else.
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        pathlib.Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _named(path: pathlib.Path) -> Iterator[None]:
    """A full disk is noticed by a write, which knows no name: the error gets that of the file."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def reason(error: BaseException) -> str:
    """What an error says, in one line: its first."""
    text = getattr(error, "strerror", None) or getattr(error, "message", None) or str(error) or type(error).__name__
    return str(text).strip().splitlines()[0]


def append_row(path: pathlib.Path, row: Mapping[str, Any]) -> None:
    """Adds one line to a file of rows."""
    append_rows(path, [row])


def append_rows(path: pathlib.Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Adds lines to a file of rows, in one write."""
    with _named(path), open(path, "a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))


def read_rows(path: pathlib.Path) -> list[dict[str, Any]]:
    """The rows of a file; none where there is no file. A last line that a kill cut short is left out.

    Raises:
      InputError: another line is no row.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            if not isinstance(row, dict) or type(row.get("step")) is not int:
                raise ValueError
        except ValueError as error:
            # What follows the last end of line is nothing, or a row that was being written.
            if number == len(lines):
                break
            raise config_lib.InputError(
                f"{path}: expected a row in line {number}, received {line[:60]!r}; mend or remove the line."
            ) from error
        rows.append(row)
    return rows


def rewrite_rows(path: pathlib.Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replaces a file of rows by these, at once."""
    write_bytes(path, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows).encode())


def keep_rows(path: pathlib.Path, last_step: int) -> None:
    """Drops what was written after `last_step`: a resumed run writes those rows again."""
    rows = read_rows(path)
    kept = [row for row in rows if row["step"] <= last_step]
    if path.exists():
        rewrite_rows(path, kept)
