"""The tables of a report: configs and protocols side by side, and the final numbers between floor and ceiling."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tfpaths import config as config_lib
from tfpaths.report.runs import Run

# What `results.json` calls them -> what they are.
REFERENCES = {"real": "real images (floor)", "noise": "noise (ceiling)"}
_WORDS = {"frechet": "Fréchet", "wasserstein": "Wasserstein", "kl": "KL", "fid": "FID", "kid": "KID", "is": "IS"}


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of a table: what it is about, a text for each column, and whether the runs differ in it."""

    name: str
    cells: Sequence[str | None]
    differs: bool = False


def configs(runs: Sequence[Run]) -> list[Row]:
    """All fields of the runs' configs, those first in which they differ."""
    return _side_by_side([config_lib.flat(run.config) for run in runs])


def protocols(runs: Sequence[Run]) -> list[Row]:
    """By which protocol and with which versions the runs were measured, what differs first."""
    known = [run.results or {} for run in runs]
    return _side_by_side([{**one.get("protocol", {}), **one.get("versions", {})} for one in known])


def finals(runs: Sequence[Run]) -> tuple[list[str], list[Row]]:
    """(headings, rows): each metric of each run's results, and its floor and ceiling where one of them has these."""
    found = [run.results or {} for run in runs]
    headings = [kind for kind in REFERENCES if any(kind in one.get("references", {}) for one in found)]
    rows = []
    for name in _union([one.get("metrics", {}) for one in found]):
        cells = [_number(one.get("metrics", {}).get(name)) for one in found]
        rows.append(Row(words(name), cells + [_reference(runs, name, kind) for kind in headings]))
    return [REFERENCES[kind] for kind in headings], rows


def words(name: str) -> str:
    """A metric's name as a person writes it."""
    return " ".join(_WORDS.get(part, part) for part in name.replace("ms_ssim", "MS-SSIM").split("_"))


def _reference(runs: Sequence[Run], name: str, kind: str) -> str | None:
    """The reference that the runs share; where theirs differ, each with the numbers of its runs."""
    of: dict[str, list[int]] = {}
    for run in runs:
        text = _number((run.results or {}).get("references", {}).get(kind, {}).get(name))
        if text is not None:
            of.setdefault(text, []).append(run.number)
    if len(of) <= 1:
        return next(iter(of), None)
    return "; ".join(f"{text} (run {', '.join(map(str, numbers))})" for text, numbers in of.items())


def _side_by_side(columns: Sequence[Mapping[str, Any]]) -> list[Row]:
    rows = []
    for name in _union(columns):
        cells = [_text(column[name]) if name in column else None for column in columns]
        rows.append(Row(name, cells, differs=len(set(cells)) > 1))
    return sorted(rows, key=lambda row: not row.differs)


def _union(mappings: Sequence[Mapping[str, Any]]) -> list[str]:
    """All keys, in the order in which they are met."""
    return list({key: None for mapping in mappings for key in mapping})


def _text(value: Any) -> str:
    # As JSON writes it, but for the quotes of a text: what a person would type after --set.
    return value if isinstance(value, str) else "none" if value is None else json.dumps(value)


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"
