"""Writes files completely or not at all, and describes their errors. Does not import TensorFlow."""

import contextlib
import glob
import json
import os
import pathlib
import secrets
import shutil
from collections.abc import Iterator
from typing import Any

from tfpaths import errors

# The random bytes in the name of a temporary file or directory.
_BYTES = 8


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

    Missing directories are created. The file has the permissions that the umask gives to a new file.

    Example:
      >>> write_bytes(pathlib.Path("run/notes.txt"), b"finished")
      >>> pathlib.Path("run/notes.txt").read_bytes()
      b'finished'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not `tempfile`: its files are for their owner only, and only a change of the process' umask would tell the umask.
    temporary = _unused(path.parent, f".{path.name}.")
    try:
        with named(path), open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def temporary_directory(parent: pathlib.Path, prefix: str) -> Iterator[pathlib.Path]:
    """Yields a new directory in `parent` with the umask's permissions; afterwards it is removed if it is still there.

    Args:
      parent: Where it is made; missing directories are created.
      prefix: The first characters of its name.

    Example:
      >>> with temporary_directory(pathlib.Path("run"), ".step-") as folder:
      ...     folder.parent
      PosixPath('run')
      >>> folder.exists()
      False
    """
    folder = _unused(parent, prefix)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def new_directory(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields an empty directory that becomes `path` if no error is raised: `path` is complete or absent.

    Args:
      path: The directory, which is absent or empty.

    Example:
      >>> with new_directory(pathlib.Path("samples")) as folder:
      ...     write_bytes(folder / "image_00000.png", b"")
      >>> [file.name for file in pathlib.Path("samples").iterdir()]
      ['image_00000.png']
    """
    with temporary_directory(path.absolute().parent, f".{path.name}.") as folder:
        yield folder
        os.rename(folder, path)


@contextlib.contextmanager
def replaced_directory(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields an empty directory that replaces `path` if no error is raised, and the old content stays until then.

    No file system can exchange two directories in one portable operation. A process that is killed between the two
    renames leaves the old directory under the name of `set_aside`; the next call, or `restore_directory`, puts it back.
    Two processes must not replace a directory at the same time.

    Args:
      path: The directory, which may be absent.

    Example:
      >>> for content in (b"old", b"new"):
      ...     with replaced_directory(pathlib.Path("export")) as folder:
      ...         write_bytes(folder / "model", content)
      >>> pathlib.Path("export/model").read_bytes()
      b'new'
    """
    restore_directory(path)
    try:
        with new_directory(path) as folder:
            yield folder
            if path.exists():
                os.rename(path, set_aside(path))
    finally:
        restore_directory(path)


def restore_directory(path: pathlib.Path) -> None:
    """Puts back the directory that a killed process was replacing, and removes what else that process left.

    Example:
      >>> write_bytes(set_aside(pathlib.Path("kept")) / "model", b"old")
      >>> restore_directory(pathlib.Path("kept"))
      >>> pathlib.Path("kept/model").read_bytes()
      b'old'
    """
    old = set_aside(path)
    if old.exists() and not path.exists():
        os.rename(old, path)
    # Whatever has the name `old` is complete: it gets another name before it is removed file by file.
    if old.exists():
        os.rename(old, _unused(path.parent, f".{path.name}."))
    for leftover in path.parent.glob(glob.escape(f".{path.name}.") + 2 * _BYTES * "[0-9a-f]"):
        shutil.rmtree(leftover, ignore_errors=True)


def set_aside(path: pathlib.Path) -> pathlib.Path:
    """Returns where `replaced_directory` has the old directory, which is complete, until the new one has its name.

    Example:
      >>> set_aside(pathlib.Path("runs/a/export"))
      PosixPath('runs/a/.export.old')
    """
    return path.with_name(f".{path.name}.old")


def _unused(parent: pathlib.Path, prefix: str) -> pathlib.Path:
    """Returns a path in `parent` that nobody has: the end of its name is random."""
    return parent / f"{prefix}{secrets.token_hex(_BYTES)}"


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
