"""The rows of a run, `metrics.jsonl`: one JSON object per line, each with its `step`. No TensorFlow."""

import json
import math
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfpaths import errors, files

Row = dict[str, Any]


def append_row(path: pathlib.Path, row: Mapping[str, Any]) -> None:
    """Appends one row to a file of rows.

    Example:
      >>> append_row(pathlib.Path("metrics.jsonl"), {"step": 100, "generator_loss": 0.7})
      >>> read_rows(pathlib.Path("metrics.jsonl"))
      [{'step': 100, 'generator_loss': 0.7}]
    """
    append_rows(path, [row])


def append_rows(path: pathlib.Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Appends rows to a file of rows, in one write.

    Example:
      >>> append_rows(pathlib.Path("several.jsonl"), [{"step": 1}, {"step": 2}])
      >>> len(read_rows(pathlib.Path("several.jsonl")))
      2
    """
    with files.named(path), open(path, "a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))


def read_rows(path: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the rows of a file, or an empty list if there is no file. An incomplete last line is left out.

    Raises:
      InputError: It is not a regular file, or another line is not a row: a JSON object of finite numbers and texts,
        with an integer `step`.

    Example:
      >>> _ = pathlib.Path("killed.jsonl").write_text('{"step": 1}\\n{"ste')
      >>> read_rows(pathlib.Path("killed.jsonl"))
      [{'step': 1}]
    """
    if not path.exists():
        return []
    lines = files.read(path).split(b"\n")
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = files.parse_json(line, "row")
            if not _is_row(row):
                raise ValueError
        except ValueError as error:
            # The text after the last end of line is empty, or a row whose writing was interrupted.
            if number == len(lines):
                break
            raise errors.InputError(
                f"{path}: expected a row in line {number}, received {line[:60]!r}; repair or remove the line."
            ) from error
        rows.append(row)
    return rows


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or type(row.get("step")) is not int:
        return False
    return 0 <= row["step"] < 2**63 and all(_is_value(value) for value in row.values())


def _is_value(value: Any) -> bool:
    """Whether it is a finite number, a text such as a figure's name of a study, or a list of these."""
    if isinstance(value, list):
        return all(_is_value(one) for one in value)
    is_integer = type(value) is int and abs(value) < 2**63
    return (
        value is None or isinstance(value, str | bool) or is_integer or (type(value) is float and math.isfinite(value))
    )


def rewrite_rows(path: pathlib.Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replaces the content of a file of rows, completely or not at all.

    Example:
      >>> rewrite_rows(pathlib.Path("new.jsonl"), [{"step": 7}])
      >>> read_rows(pathlib.Path("new.jsonl"))
      [{'step': 7}]
    """
    files.write_bytes(path, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows).encode())


def keep_rows(path: pathlib.Path, last_step: int) -> None:
    """Removes the rows after `last_step`: a resumed run writes them again.

    Example:
      >>> path = pathlib.Path("resumed.jsonl")
      >>> append_rows(path, [{"step": 1}, {"step": 2}])
      >>> keep_rows(path, last_step=1)
      >>> read_rows(path)
      [{'step': 1}]
    """
    rows = [row for row in read_rows(path) if row["step"] <= last_step]
    if path.exists():
        rewrite_rows(path, rows)


def last_values(path: pathlib.Path, step: int, names: Sequence[str]) -> dict[str, float]:
    """Returns the values of these names in the last row up to `step` that has them, or an empty mapping.

    Raises:
      InputError: As `read_rows`, or a value is not a number.

    Example:
      >>> path = pathlib.Path("two.jsonl")
      >>> append_rows(path, [{"step": 1, "penalty": 0.5}, {"step": 2, "penalty": 0.25}])
      >>> last_values(path, step=1, names=["penalty"])
      {'penalty': 0.5}
    """
    rows = [row for row in read_rows(path) if row["step"] <= step and names[0] in row]
    if not rows:
        return {}
    values: dict[str, Any] = {name: rows[-1].get(name) for name in names}
    for name, value in values.items():
        if not isinstance(value, int | float):
            raise errors.InputError(
                f"{path}: expected a number as {name} of step {rows[-1]['step']}, received {value!r}."
            )
    return values
