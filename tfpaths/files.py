"""Reads files within bounds, writes them completely or not at all, and describes their errors. No TensorFlow."""

import contextlib
import json
import os
import pathlib
import secrets
import stat
from collections.abc import Iterator
from typing import Any, NoReturn

from tfpaths import errors

# The random bytes in the name of a temporary file or directory.
RANDOM_BYTES = 8
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
    """Writes a file completely or not at all: it writes a temporary file in the same directory and renames it.

    Missing directories are created. The file has the permissions that the umask gives to a new file.

    Example:
      >>> write_bytes(pathlib.Path("run/notes.txt"), b"finished")
      >>> pathlib.Path("run/notes.txt").read_bytes()
      b'finished'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not `tempfile`: its files are for their owner only, and only a change of the process' umask would tell the umask.
    temporary = unused(path.parent, f".{path.name}.")
    try:
        with named(path), open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def unused(parent: pathlib.Path, prefix: str) -> pathlib.Path:
    """Returns a path in `parent` that nobody has: the end of its name is random.

    Example:
      >>> unused(pathlib.Path("runs"), ".a.") == unused(pathlib.Path("runs"), ".a.")
      False
    """
    return parent / f"{prefix}{secrets.token_hex(RANDOM_BYTES)}"


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
