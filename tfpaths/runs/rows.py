"""The rows of a run, `metrics.jsonl`: one JSON object per line, each with its `step`. No TensorFlow."""

import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfpaths import errors, files

Row = dict[str, Any]


def append_row(path: pathlib.Path, row: Mapping[str, Any]) -> None:
    """Adds one line to a file of rows."""
    append_rows(path, [row])


def append_rows(path: pathlib.Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Adds lines to a file of rows, in one write."""
    with files.named(path), open(path, "a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))


def read_rows(path: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the rows of a file, or an empty list if there is no file. An incomplete last line is left out.

    Raises:
      InputError: Another line is not a row.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            if not isinstance(row, dict) or type(row.get("step")) is not int:
                raise ValueError
        except ValueError as error:
            # After the last end of line there is nothing, or a row that a kill cut short.
            if number == len(lines):
                break
            raise errors.InputError(
                f"{path}: expected a row in line {number}, received {line[:60]!r}; repair or remove the line."
            ) from error
        rows.append(row)
    return rows


def rewrite_rows(path: pathlib.Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replaces the content of a file of rows."""
    files.write_bytes(path, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows).encode())


def keep_rows(path: pathlib.Path, last_step: int) -> None:
    """Removes the rows after `last_step`: a resumed run writes them again."""
    rows = read_rows(path)
    kept = [row for row in rows if row["step"] <= last_step]
    if path.exists():
        rewrite_rows(path, kept)


def last_values(path: pathlib.Path, step: int, names: Sequence[str]) -> dict[str, float]:
    """Returns the values of these names in the last row up to `step` that has them, or nothing if no row has."""
    rows = [row for row in read_rows(path) if row["step"] <= step and names[0] in row]
    return {name: rows[-1][name] for name in names} if rows else {}
