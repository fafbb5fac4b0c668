"""Reads files with bounds, writes them completely or not at all, and describes their errors. No TensorFlow."""

import contextlib
import ctypes
import errno
import glob
import json
import os
import pathlib
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

from tfpaths import errors

# The random bytes in the name of a temporary file or directory.
_BYTES = 8
# Arguments of Linux' renameat2, for which Python has no function.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
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
        raise errors.InputError(f"{shown(path)}: expected a file, found a directory.")
    # Without O_NONBLOCK, opening a named pipe would wait until another process writes to it.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise errors.InputError(f"{shown(path)}: expected a file, found {_kind(status.st_mode)}.")
        if status.st_size > max_bytes:
            raise errors.InputError(
                f"{shown(path)}: expected at most {max_bytes:,} bytes, received {status.st_size:,}."
            )
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
        raise errors.InputError(f"{flag}: expected a file at {shown(path)}, found {_kind(mode)}.")


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
        raise errors.InputError(f"{what}: expected JSON: {shown(reason(error))}.") from error


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
    return parse_json(read(path, _MAX_JSON_BYTES), shown(path))


def shown(text: object) -> str:
    r"""Returns a text from outside as a terminal may show it: control characters are escaped.

    Example:
      >>> shown("red\x1b[31m.png")
      'red\\x1b[31m.png'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


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

    On Linux the two are exchanged in one operation, where the file system can do that. Elsewhere a process that is
    killed between two renames leaves the old directory under the name of `set_aside`; the next call, or
    `restore_directory`, puts it back. Two processes must not replace a directory at the same time.

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
        with temporary_directory(path.absolute().parent, f".{path.name}.") as folder:
            yield folder
            if not path.exists():
                os.rename(folder, path)
            elif not _exchange(folder, path):
                os.rename(path, set_aside(path))
                os.rename(folder, path)
    finally:
        restore_directory(path)


def _exchange(one: pathlib.Path, other: pathlib.Path) -> bool:
    """Gives each of two paths the other's name, in one operation; returns False where the system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(other))


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
