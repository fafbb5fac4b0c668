"""Files: written completely or not at all, and the text of their errors. No TensorFlow."""

import contextlib
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

from tfpaths import errors


def check_writable(flag: str, path: pathlib.Path) -> None:
    """Checks that a file or a directory can be made at `path`.

    Raises:
      InputError: It cannot; the message names the flag.
    """
    existing = next(existing for existing in path.absolute().parents if existing.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise errors.InputError(f"{flag}: expected a path that can be written, received {str(path)!r}.")


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes `value` so that a reader sees the old file or the new one, never a part."""
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def write_bytes(path: pathlib.Path, content: bytes) -> None:
    """Writes a file completely or not at all: into a temporary file beside it, which is then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with named(path), os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes a file that only its owner can read.
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        pathlib.Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def named(path: pathlib.Path) -> Iterator[None]:
    """Adds the file's name to an OSError: a write that meets a full disk does not know it."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def reason(error: BaseException) -> str:
    """Returns the first line of an error's text, or its type if it has no text."""
    text = getattr(error, "strerror", None) or getattr(error, "message", None) or str(error) or type(error).__name__
    return str(text).strip().splitlines()[0]
