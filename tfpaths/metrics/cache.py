"""A cache of files with checksums, for results that are deterministic and slow to compute.

The directory is the environment variable `TFPATHS_CACHE_DIR`, or `~/.cache/tfpaths`. A file is a line of JSON, followed
by an uncompressed `.npz` archive of plain arrays. Reading a file cannot execute code, and a damaged file is computed
again.
"""

import hashlib
import io
import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from absl import logging

from tfpaths import files

Arrays = Mapping[str, np.ndarray]
Facts = Mapping[str, Any]


def directory() -> pathlib.Path:
    """Returns the directory of the cache.

    Example:
      >>> from unittest import mock
      >>> with mock.patch.dict(os.environ, TFPATHS_CACHE_DIR="cache"):
      ...     str(directory())
      'cache'
    """
    return files.path(os.environ.get("TFPATHS_CACHE_DIR") or "~/.cache/tfpaths")


def key(*parts: object) -> str:
    """Returns a file's name, computed from everything that its content depends on.

    Args:
      *parts: Values with a stable `repr`. The name begins with the first three, for readers, and ends with a checksum
        of all.

    Example:
      >>> key("features", "digits", "test", 10_000)
      'features-digits-test-...'
    """
    head = "-".join(str(part) for part in parts[:3])
    return "".join(c if c.isalnum() or c == "-" else "_" for c in head) + "-" + _checksum(repr(parts).encode())[:16]


def read(name: str) -> tuple[Arrays, Facts] | None:
    """Returns the arrays and facts cached under a name.

    Args:
      name: The name of a file in the cache, from `key`.

    Returns:
      Arrays and facts by name; None if there is no such file, or, with a warning, if it is damaged.

    Example:
      >>> read("no-such-file") is None
      True
    """
    path = directory() / name
    try:
        head, _, content = files.read(path).partition(b"\n")
        stored = files.parse_json(head, name)
        if stored["sha256"] != _checksum(content):
            raise ValueError("its checksum differs")
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return dict(archive), stored["facts"]
    except FileNotFoundError:
        return None
    except Exception as error:  # A truncated file can raise any exception of JSON, zip or NumPy.
        logging.warning("%s is damaged (%s) and is made again.", path, error)
        return None


def write(name: str, arrays: Arrays, facts: Facts) -> None:
    """Caches arrays and facts under a name. If the directory cannot be written, logs a warning and continues.

    Args:
      name: The name of the file, from `key`.
      arrays: Arrays of numbers by name.
      facts: Values that JSON can store, by name.

    Example:
      >>> from unittest import mock
      >>> with mock.patch.dict(os.environ, TFPATHS_CACHE_DIR="cache"):
      ...     write("squares", {"squares": np.array([1, 4, 9])}, {"count": 3})
      ...     arrays, facts = read("squares")
      >>> arrays["squares"].tolist(), facts
      ([1, 4, 9], {'count': 3})
    """
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    content = buffer.getvalue()
    head = json.dumps({"sha256": _checksum(content), "facts": facts})
    try:
        files.write_bytes(directory() / name, head.encode() + b"\n" + content)
    except OSError as error:
        logging.warning("%s cannot be cached in %s: %s", name, directory(), error)


def fetch(name: str, make: Callable[[], tuple[Arrays, Facts]]) -> tuple[Arrays, Facts]:
    """Returns the arrays and facts cached under a name. If there are none, calls `make` and caches its result.

    Args:
      name: The name of the file, from `key`.
      make: Returns arrays and facts, as for `write`.

    Example:
      >>> from unittest import mock
      >>> with mock.patch.dict(os.environ, TFPATHS_CACHE_DIR="cache"):
      ...     first = fetch("sum", lambda: ({}, {"sum": 3.0}))
      ...     again = fetch("sum", lambda: ({}, {"sum": 4.0}))
      >>> again
      ({}, {'sum': 3.0})
    """
    cached = read(name)
    if cached is None:
        cached = make()
        write(name, *cached)
    return cached


def checksum(*arrays: np.ndarray) -> str:
    """Returns a checksum of the bytes of arrays, 16 hexadecimal digits. It does not cover shapes and types.

    Example:
      >>> checksum(np.zeros(3)) == checksum(np.zeros(3)), checksum(np.zeros(3)) == checksum(np.ones(3))
      (True, False)
    """
    return _checksum(b"".join(array.tobytes() for array in arrays))[:16]


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
