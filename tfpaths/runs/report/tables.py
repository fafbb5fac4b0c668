"""The tables of a report: configs and protocols side by side, final numbers with floor and ceiling, sortable lists."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from tfpaths import schema
from tfpaths.runs.report.runs import Run, is_number

# The names of the references in `results.json` -> their headings.
REFERENCES = {"real": "real data (floor)", "noise": "noise (ceiling)"}
_WORDS = {"frechet": "Fréchet", "wasserstein": "Wasserstein", "kl": "KL", "fid": "FID", "kid": "KID", "is": "IS"}


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
      name: The row's heading.
      cells: A text for each column, or None for an empty cell.
      differs: Whether the columns differ.
    """

    name: str
    cells: Sequence[str | None]
    differs: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of numbers.

    Attributes:
      caption: The description above the table.
      columns: The run or the heading of each column.
      rows: The rows; a table without rows is not shown.
      corner: The heading of the column with the rows' names.
    """

    caption: str
    columns: Sequence[Run | str]
    rows: Sequence[Row]
    corner: str = "metric"


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell of a table that can be sorted.

    Attributes:
      text: The text; "" for an empty cell.
      value: The number by which it is sorted; None to sort it by its text.
      link: The file or the directory that the text links to.

    Example:
      >>> Cell.of(0.00123456)
      Cell(text='0.001235', value=0.00123456, link=None)
    """

    text: str
    value: float | None = None
    link: pathlib.Path | None = None

    @classmethod
    def of(cls, value: Any) -> "Cell":
        """Returns the cell of a value of a config or of a row."""
        if is_number(value):
            return cls(str(value) if isinstance(value, int) else f"{value:.4g}", value)
        return cls("" if value is None else text(value))


@dataclasses.dataclass(frozen=True)
class Listing:
    """A table that a click on a heading sorts.

    Attributes:
      caption: The description above the table.
      columns: The heading of each column, and its tooltip or "".
      rows: The cells of each row; the first one is the row's heading.
    """

    caption: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Cell]]


def configs(runs: Sequence[Run]) -> list[Row]:
    """Returns a row for each field of the runs' configs; fields that differ come first."""
    return _side_by_side([schema.flat(run.config) for run in runs])


def protocols(runs: Sequence[Run]) -> list[Row]:
    """Returns a row for each entry of the runs' protocols and versions; entries that differ come first."""
    every_results = [run.results or {} for run in runs]
    return _side_by_side([{**results.get("protocol", {}), **results.get("versions", {})} for results in every_results])


def finals(runs: Sequence[Run], caption: str) -> Table:
    """Returns a table of the runs' results, one row for each metric, with floor and ceiling if a run has them."""
    every_results = [run.results or {} for run in runs]
    references = [name for name in REFERENCES if any(name in run.get("references", {}) for run in every_results)]
    rows = []
    for name in _union([results.get("metrics", {}) for results in every_results]):
        cells = [number(results.get("metrics", {}).get(name)) for results in every_results]
        rows.append(Row(words(name), cells + [_reference(runs, name, reference) for reference in references]))
    return Table(caption, [*runs, *(REFERENCES[reference] for reference in references)], rows)


def words(name: str) -> str:
    """Returns a quantity's name in words.

    Example:
      >>> words("frechet_classifier_distance")
      'Fréchet classifier distance'
    """
    return " ".join(_WORDS.get(part, part) for part in name.replace("ms_ssim", "MS-SSIM").split("_"))


def _reference(runs: Sequence[Run], name: str, reference: str) -> str | None:
    """Returns the reference value of the runs; if they differ, each value with the numbers of its runs."""
    numbers_by_text: dict[str, list[int]] = {}
    for run in runs:
        shown = number((run.results or {}).get("references", {}).get(reference, {}).get(name))
        if shown is not None:
            numbers_by_text.setdefault(shown, []).append(run.number)
    if len(numbers_by_text) <= 1:
        return next(iter(numbers_by_text), None)
    return "; ".join(f"{shown} (run {', '.join(map(str, numbers))})" for shown, numbers in numbers_by_text.items())


def _side_by_side(columns: Sequence[Mapping[str, Any]]) -> list[Row]:
    rows = []
    for name in _union(columns):
        cells = [text(column[name]) if name in column else None for column in columns]
        # A run without results has nothing to compare, so it does not count as different.
        compared = {cell for cell, column in zip(cells, columns, strict=True) if column}
        rows.append(Row(name, cells, differs=len(compared) > 1))
    return sorted(rows, key=lambda row: not row.differs)


def _union(mappings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns all keys, in the order of their first appearance."""
    return list({key: None for mapping in mappings for key in mapping})


def text(value: Any) -> str:
    """Returns a value as text, in the form that --set takes.

    Example:
      >>> text([1, None, True])
      '1,none,true'
    """
    if isinstance(value, str):
        return value
    if isinstance(value, tuple | list):
        return ",".join(map(text, value))
    return "none" if value is None else json.dumps(value)


def number(value: float | None) -> str | None:
    """Returns a number with four digits, or None.

    Example:
      >>> number(0.123456)
      '0.1235'
    """
    return None if value is None else f"{value:.4g}"
