"""A cache of files with checksums, for what is slow to make and always the same. A damaged file is made again.

The directory is `TFPATHS_CACHE_DIR`, or `~/.cache/tfpaths`. A file is a line of JSON and an uncompressed `.npz` archive
of plain arrays, which cannot execute anything when it is read.
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
    """Returns the directory of the cache."""
    return pathlib.Path(os.environ.get("TFPATHS_CACHE_DIR") or "~/.cache/tfpaths").expanduser()


def key(*parts: object) -> str:
    """Returns a file's name from what its content depends on: the first three parts for people, all in a checksum."""
    head = "-".join(str(part) for part in parts[:3])
    return "".join(c if c.isalnum() or c == "-" else "_" for c in head) + "-" + _checksum(repr(parts).encode())[:16]


def read(name: str) -> tuple[Arrays, Facts] | None:
    """Returns what is cached under a name; None if nothing is, or, with a warning, if the file is damaged."""
    path = directory() / name
    try:
        head, _, content = path.read_bytes().partition(b"\n")
        stored = json.loads(head)
        if stored["sha256"] != _checksum(content):
            raise ValueError("its checksum differs")
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return dict(archive), stored["facts"]
    except FileNotFoundError:
        return None
    except Exception as error:  # A torn file shows as any exception of any of its readers.
        logging.warning("%s is damaged (%s) and is made again.", path, error)
        return None


def write(name: str, arrays: Arrays, facts: Facts) -> None:
    """Caches arrays and facts under a name. A directory that cannot be written is a warning."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    content = buffer.getvalue()
    head = json.dumps({"sha256": _checksum(content), "facts": facts})
    try:
        files.write_bytes(directory() / name, head.encode() + b"\n" + content)
    except OSError as error:
        logging.warning("%s cannot be cached in %s: %s", name, directory(), error)


def fetch(name: str, make: Callable[[], tuple[Arrays, Facts]]) -> tuple[Arrays, Facts]:
    """Returns what is cached under a name; if nothing is, makes it and caches it."""
    cached = read(name)
    if cached is None:
        cached = make()
        write(name, *cached)
    return cached


def checksum(*arrays: np.ndarray) -> str:
    """Returns a short checksum of the content of arrays."""
    return _checksum(b"".join(array.tobytes() for array in arrays))[:16]


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
