"""What is costly to make and always the same: kept in a file with its checksum, and made anew where it is damaged.

The folder is `TFPATHS_CACHE_DIR`, else `~/.cache/tfpaths`. A file is a line of JSON and an uncompressed `.npz` archive
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

from tfpaths import results

Arrays = Mapping[str, np.ndarray]
Facts = Mapping[str, Any]


def folder() -> pathlib.Path:
    """Where everything is kept."""
    return pathlib.Path(os.environ.get("TFPATHS_CACHE_DIR") or "~/.cache/tfpaths").expanduser()


def key(*parts: object) -> str:
    """A file's name from what its content depends on: the first three for people, all of it in a checksum."""
    head = "-".join(str(part) for part in parts[:3])
    return "".join(c if c.isalnum() or c == "-" else "_" for c in head) + "-" + _checksum(repr(parts).encode())[:16]


def read(name: str) -> tuple[Arrays, Facts] | None:
    """What was kept under a name; none where there is nothing, or where the file is damaged, which is said."""
    path = folder() / name
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
        logging.warning("%s is damaged (%s) and is made anew.", path, error)
        return None


def write(name: str, arrays: Arrays, facts: Facts) -> None:
    """Keeps arrays and facts under a name; where the folder cannot be written, that is said and all goes on."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    content = buffer.getvalue()
    head = json.dumps({"sha256": _checksum(content), "facts": facts})
    try:
        results.write_bytes(folder() / name, head.encode() + b"\n" + content)
    except OSError as error:
        logging.warning("%s cannot be kept in %s: %s", name, folder(), error)


def fetch(name: str, make: Callable[[], tuple[Arrays, Facts]]) -> tuple[Arrays, Facts]:
    """What is kept under a name, made and kept where it is not."""
    found = read(name)
    if found is None:
        found = make()
        write(name, *found)
    return found


def checksum(*arrays: np.ndarray) -> str:
    """A short name for the content of arrays."""
    return _checksum(b"".join(array.tobytes() for array in arrays))[:16]


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
