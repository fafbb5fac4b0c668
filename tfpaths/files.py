"""Writes files completely or not at all, and describes their errors. Does not import TensorFlow."""

import contextlib
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

from tfpaths import errors


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

    Missing directories are created.

    Example:
      >>> write_bytes(pathlib.Path("run/notes.txt"), b"finished")
      >>> pathlib.Path("run/notes.txt").read_bytes()
      b'finished'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with named(path), os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp creates a file that only its owner can read.
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        pathlib.Path(name).unlink(missing_ok=True)
        raise


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
