"""Makes and replaces directories, completely or not at all. No TensorFlow."""

import contextlib
import ctypes
import errno
import os
import pathlib
import shutil
import sys
from collections.abc import Iterator

from tfpaths import files

# Arguments of Linux' renameat2, for which Python has no function.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextlib.contextmanager
def temporary_directory(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a new directory with the umask's permissions; afterwards it is removed if it is still there.

    Args:
      path: What its content becomes. The directory is where `files.temporary_path` says.

    Example:
      >>> with temporary_directory(pathlib.Path("run/step-1")) as folder:
      ...     folder.parent
      PosixPath('run')
      >>> folder.exists()
      False
    """
    folder = files.create_temporary(path, pathlib.Path.mkdir)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        files.remove_if_empty(folder.parent)


def remove_leftovers(directory: pathlib.Path) -> None:
    """Removes what a killed process left in a directory's `.unfinished`. No other process may be writing there.

    Only what has a name of `files.temporary_path` is removed.

    Args:
      directory: The directory of a run, or a part of it.

    Example:
      >>> for name in ("results.json.0123456789abcdef", "notes.txt"):
      ...     files.write_bytes(pathlib.Path(".unfinished") / name, b"")
      >>> remove_leftovers(pathlib.Path("."))
      >>> [path.name for path in pathlib.Path(".unfinished").iterdir()]
      ['notes.txt']
    """
    unfinished = directory / files.UNFINISHED
    # A link leads to a directory that is not ours.
    if unfinished.is_symlink() or not unfinished.is_dir():
        return
    for leftover in filter(files.is_temporary, unfinished.iterdir()):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                leftover.unlink()
    files.remove_if_empty(unfinished)


@contextlib.contextmanager
def new_directory(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields an empty directory that becomes `path` if no error is raised: `path` is complete or absent.

    It is beside `path`, in a run directory too: a run that begins there removes nothing of a long writing.

    Args:
      path: The directory, which is absent or empty.

    Example:
      >>> with new_directory(pathlib.Path("samples")) as folder:
      ...     files.write_bytes(folder / "image_00000.png", b"")
      >>> [file.name for file in pathlib.Path("samples").iterdir()]
      ['image_00000.png']
    """
    folder = files.beside(path)
    folder.mkdir(parents=True)
    try:
        yield folder
        os.rename(folder, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def replaced_directory(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields an empty directory that replaces `path` if no error is raised, and the old content stays until then.

    On Linux the two are exchanged in one operation, where the file system can do that. Elsewhere a process that is
    killed between two renames leaves the old directory at `set_aside`; the next call, or `restore_directory`, puts it
    back. Two processes must not replace a directory at the same time.

    Args:
      path: The directory, which may be absent.

    Example:
      >>> for content in (b"old", b"new"):
      ...     with replaced_directory(pathlib.Path("export")) as folder:
      ...         files.write_bytes(folder / "model", content)
      >>> pathlib.Path("export/model").read_bytes()
      b'new'
    """
    restore_directory(path)
    try:
        with temporary_directory(path) as folder:
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
    """Puts back the directory that a killed process was replacing, or removes it if the new one is there.

    Example:
      >>> files.write_bytes(set_aside(pathlib.Path("kept")) / "model", b"old")
      >>> restore_directory(pathlib.Path("kept"))
      >>> pathlib.Path("kept/model").read_bytes()
      b'old'
    """
    old = set_aside(path)
    if not old.exists():
        return
    if path.exists():
        # Whatever has the name `old` is complete: it gets another name before it is removed file by file.
        leftover = files.temporary_path(path)
        os.rename(old, leftover)
        shutil.rmtree(leftover, ignore_errors=True)
    else:
        os.rename(old, path)
    files.remove_if_empty(old.parent)


def set_aside(path: pathlib.Path) -> pathlib.Path:
    """Returns where `replaced_directory` has the old directory, which is complete, until the new one has its name.

    Example:
      >>> set_aside(pathlib.Path("export"))
      PosixPath('.export.tfpaths-old')
    """
    # A name that nobody else gives, because the directory there is moved and deleted; and one that is found again.
    return files.temporary_path(path, "tfpaths-old")
