"""Reads files within bounds, writes them completely or not at all, and describes their errors. No TensorFlow."""

import contextlib
import json
import os
import pathlib
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from tfpaths import errors

# The directory in a run directory that has all temporary files of the run. It exists while there are some.
UNFINISHED = ".unfinished"
# What shows that a directory is a run's; and those of its directories that have files of the run.
_MARKS = (".lock", "config.json")
_PARTS = ("samples", "checkpoints", "tensorboard")
# The random bytes in a temporary name.
_RANDOM_BYTES = 8
# More than one attempt is needed only if another process removes something at the same moment.
_ATTEMPTS = 10
# The largest files that are read. A run of 20,000 rows has 4 MB of them; a config or results have a few kB.
MAX_BYTES = 2**30
_MAX_JSON_BYTES = 2**24


def path(text: str | pathlib.Path) -> pathlib.Path:
    """Returns the path that a user's text means, in a flag or an argument; `~` is the home directory.

    Raises:
      InputError: `~` or `~name` has no home directory.

    Example:
      >>> path("runs/a"), path("~").is_absolute()
      (PosixPath('runs/a'), True)
    """
    try:
        return pathlib.Path(text).expanduser()
    except RuntimeError as error:
        raise errors.InputError(f"expected a path, received {str(text)!r}, whose home directory is unknown.") from error


def check_writable(flag: str, path: pathlib.Path) -> None:
    """Checks that a file or a directory can be created at `path`.

    Args:
      flag: The flag that has the path, for the message.
      path: The path.

    Raises:
      InputError: The path cannot be written.

    Example:
      >>> write_bytes(pathlib.Path("notes.txt"), b"")
      >>> check_writable("--out", pathlib.Path("notes.txt/samples.png"))
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: --out: expected a path that can be written, received 'notes.txt/samples.png'.
    """
    existing = next(existing for existing in path.absolute().parents if existing.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise errors.InputError(f"{flag}: expected a path that can be written, received {str(path)!r}.")


def check_new(flag: str, path: pathlib.Path) -> None:
    """Checks that there is nothing at `path` that would be replaced.

    Raises:
      InputError: There is something; the message names the flag.

    Example:
      >>> write_bytes(pathlib.Path("samples.png"), b"")
      >>> check_new("--out", pathlib.Path("samples.png"))
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: --out: 'samples.png' exists. To fix this: choose another path, or add --overwrite ...
    """
    if path.exists():
        raise errors.InputError(
            f"{flag}: {str(path)!r} exists. To fix this: choose another path, or add --overwrite to replace it."
        )


def read(path: pathlib.Path, max_bytes: int = MAX_BYTES) -> bytes:
    """Returns the content of a regular file. It never waits: for the writer of a named pipe, for example.

    Args:
      path: The file.
      max_bytes: The largest size that is read.

    Raises:
      FileNotFoundError: There is no file.
      InputError: There is something else than a file, or the file is larger.

    Example:
      >>> write_bytes(pathlib.Path("notes.txt"), b"finished")
      >>> read(pathlib.Path("notes.txt"), max_bytes=4)
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: notes.txt: expected at most 4 bytes, received 8.
    """
    if path.is_dir():  # Windows cannot open a directory at all.
        raise errors.InputError(f"{path}: expected a file, found a directory.")
    # Without O_NONBLOCK, opening a named pipe would wait until another process writes to it.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise errors.InputError(f"{path}: expected a file, found {_kind(status.st_mode)}.")
        if status.st_size > max_bytes:
            raise errors.InputError(f"{path}: expected at most {max_bytes:,} bytes, received {status.st_size:,}.")
        return file.read(max_bytes)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFDIR: "a directory", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def check_file(flag: str, path: pathlib.Path) -> None:
    """Checks that `path` is a regular file or absent.

    Raises:
      InputError: There is something else; the message names the flag.

    Example:
      >>> check_file("--workdir", pathlib.Path("results.json"))
    """
    mode = path.stat().st_mode if path.exists() else stat.S_IFREG
    if not stat.S_ISREG(mode):
        raise errors.InputError(f"{flag}: expected a file at {path}, found {_kind(mode)}.")


def parse_json(text: bytes, what: str) -> Any:
    """Returns the value of a JSON text that another program may have written.

    Args:
      text: The text, in UTF-8.
      what: What the text is, for the message.

    Raises:
      InputError: The text is not JSON, is nested too deep for Python, or has a number that is not finite.

    Example:
      >>> parse_json(b'{"step": NaN}', "results.json")
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: results.json: expected JSON: NaN is not a number of JSON.
    """

    def refuse(name: str) -> NoReturn:
        raise ValueError(f"{name} is not a number of JSON")

    try:
        return json.loads(text.decode(), parse_constant=refuse)
    except RecursionError:
        raise errors.InputError(f"{what}: expected JSON, received lists or objects that are nested too deep.") from None
    except ValueError as error:
        raise errors.InputError(f"{what}: expected JSON: {reason(error)}.") from error


def read_json(path: pathlib.Path) -> Any:
    """Returns the value of a JSON file, with the bounds of `read` and `parse_json`.

    Raises:
      FileNotFoundError: There is no file.
      InputError: As `read` and `parse_json`.

    Example:
      >>> write_json(pathlib.Path("results.json"), {"step": 10})
      >>> read_json(pathlib.Path("results.json"))
      {'step': 10}
    """
    return parse_json(read(path, _MAX_JSON_BYTES), str(path))


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes a value as JSON; a reader sees the old file or the new one, never a part of it.

    Raises:
      ValueError: The value contains a number that is not finite, for which JSON has no text.

    Example:
      >>> path = pathlib.Path("results.json")
      >>> write_json(path, {"step": 10})
      >>> json.loads(path.read_text())
      {'step': 10}
    """
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def write_bytes(path: pathlib.Path, content: bytes) -> None:
    """Writes a file completely or not at all: it writes a temporary file and renames it; see `temporary_path`.

    Missing directories are created. The file has the permissions that the umask gives to a new file.

    Example:
      >>> write_bytes(pathlib.Path("run/notes.txt"), b"finished")
      >>> pathlib.Path("run/notes.txt").read_bytes()
      b'finished'
    """
    for attempt in range(1, _ATTEMPTS + 1):
        # Not `tempfile`: its files are for their owner only, and only a change of the process' umask would tell the
        # umask.
        temporary = create_temporary(path, lambda new: new.touch(exist_ok=False))
        try:
            with named(path), open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            return
        except FileNotFoundError:
            # A run began in this directory, and took the file for one of a killed process.
            if attempt == _ATTEMPTS:
                raise
        finally:
            temporary.unlink(missing_ok=True)
            remove_if_empty(temporary.parent)


def temporary_path(path: pathlib.Path, end: str | None = None) -> pathlib.Path:
    """Returns a path for what is not yet complete and then renamed to `path`.

    In a run directory it is in `.unfinished`, of which a run that begins removes what a killed process left. Elsewhere
    it is beside `path`: only there it is certainly on the same file system, and a file can be renamed within one only.
    For the same reason a part of a run directory that is on another file system, by a link, has its own `.unfinished`.

    Args:
      path: The file or the directory.
      end: The end of the name; None for one that nobody has.

    Example:
      >>> print(temporary_path(pathlib.Path("samples.png"), "0123456789abcdef"))
      .samples.png.0123456789abcdef
      >>> write_bytes(pathlib.Path("a/config.json"), b"{}")
      >>> path = temporary_path(pathlib.Path("a/samples/step_00000001.png"), "0123456789abcdef")
      >>> print(path.relative_to(pathlib.Path.cwd()))
      a/.unfinished/step_00000001.png.0123456789abcdef
    """
    parent = path.absolute().parent
    for directory in (parent, parent.parent) if parent.name in _PARTS else (parent,):
        if any(os.path.exists(directory / mark) for mark in _MARKS):
            is_elsewhere = os.path.exists(parent) and parent.stat().st_dev != directory.stat().st_dev
            return (parent if is_elsewhere else directory) / UNFINISHED / f"{path.name}.{end or _random()}"
    return beside(path, end)


def beside(path: pathlib.Path, end: str | None = None) -> pathlib.Path:
    """Returns a path in the same directory, with the arguments of `temporary_path`.

    Example:
      >>> beside(pathlib.Path("runs/a")) == beside(pathlib.Path("runs/a"))
      False
    """
    return path.parent / f".{path.name}.{end or _random()}"


def _random() -> str:
    return secrets.token_hex(_RANDOM_BYTES)


def is_temporary(path: pathlib.Path) -> bool:
    """Returns whether a path is one that `temporary_path` makes in `.unfinished`, by its name.

    Example:
      >>> is_temporary(pathlib.Path(".unfinished/results.json.0123456789abcdef"))
      True
      >>> is_temporary(pathlib.Path(".unfinished/results.json.bak"))
      False
    """
    pattern = rf"[^.].*\.[0-9a-f]{{{2 * _RANDOM_BYTES}}}"
    return path.parent.name == UNFINISHED and re.fullmatch(pattern, path.name, re.DOTALL) is not None


def create_temporary(path: pathlib.Path, create: Callable[[pathlib.Path], object]) -> pathlib.Path:
    """Creates a temporary file or directory for what becomes `path`, and returns where; see `temporary_path`.

    Args:
      path: The file or the directory; missing directories above it are created.
      create: Creates what it is called with.

    Example:
      >>> create_temporary(pathlib.Path("b/export"), pathlib.Path.mkdir).is_dir()
      True
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, _ATTEMPTS + 1):
        temporary = temporary_path(path)
        temporary.parent.mkdir(exist_ok=True)
        try:
            with named(path):
                create(temporary)
            break
        except FileNotFoundError:  # Another process has removed `.unfinished`, which was empty.
            if attempt == _ATTEMPTS:
                raise
    return temporary


def remove_if_empty(directory: pathlib.Path) -> None:
    """Removes a directory of temporary files if it is empty; of any other directory nothing is changed.

    Example:
      >>> pathlib.Path(".unfinished").mkdir()
      >>> remove_if_empty(pathlib.Path(".unfinished"))
      >>> pathlib.Path(".unfinished").exists()
      False
    """
    if directory.name == UNFINISHED:
        with contextlib.suppress(OSError):
            directory.rmdir()


@contextlib.contextmanager
def named(path: pathlib.Path) -> Iterator[None]:
    """Adds the file's name to an OSError; that of a write to a full disk has no name.

    Example:
      >>> with named(pathlib.Path("samples.png")):
      ...     raise OSError(28, "No space left on device")
      Traceback (most recent call last):
          ...
      OSError: [Errno 28] No space left on device: 'samples.png'
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # Otherwise the text of the error is its only argument.
            error.filename = str(path)
        raise


def reason(error: BaseException) -> str:
    """Returns the first line of an error's text, or its type if it has no text.

    Example:
      >>> reason(OSError(28, "No space left on device")), reason(KeyError())
      ('No space left on device', 'KeyError')
    """
    text = getattr(error, "strerror", None) or getattr(error, "message", None) or str(error) or type(error).__name__
    return str(text).strip().splitlines()[0]
