"""Makes and replaces directories, completely or not at all. No TensorFlow."""

import contextlib
import ctypes
import errno
import glob
import os
import pathlib
import shutil
import sys
from collections.abc import Iterator

from tfpaths import files

# Arguments of Linux' renameat2, for which Python has no function.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


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
    folder = files.unused(parent, prefix)
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
      ...     files.write_bytes(folder / "image_00000.png", b"")
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
      ...         files.write_bytes(folder / "model", content)
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
      >>> files.write_bytes(set_aside(pathlib.Path("kept")) / "model", b"old")
      >>> restore_directory(pathlib.Path("kept"))
      >>> pathlib.Path("kept/model").read_bytes()
      b'old'
    """
    old = set_aside(path)
    if old.exists() and not path.exists():
        os.rename(old, path)
    # Whatever has the name `old` is complete: it gets another name before it is removed file by file.
    if old.exists():
        os.rename(old, files.unused(path.parent, f".{path.name}."))
    for leftover in path.parent.glob(glob.escape(f".{path.name}.") + 2 * files.RANDOM_BYTES * "[0-9a-f]"):
        shutil.rmtree(leftover, ignore_errors=True)


def set_aside(path: pathlib.Path) -> pathlib.Path:
    """Returns where `replaced_directory` has the old directory, which is complete, until the new one has its name.

    Example:
      >>> set_aside(pathlib.Path("runs/a/export"))
      PosixPath('runs/a/.export.tfpaths-old')
    """
    # A name that nobody else gives: the directory there is moved and deleted.
    return path.with_name(f".{path.name}.tfpaths-old")
