"""The section of a report about sweeps. No TensorFlow."""

from collections.abc import Sequence
from typing import Any

from tfpaths.figures import report as figures
from tfpaths.runs.report import tables
from tfpaths.runs.report.runs import Run
from tfpaths.runs.report.section import Section


def section(runs: Sequence[Run]) -> Section:
    """Returns the section about sweeps: the picture with its finding, and the numbers."""
    made: dict[str, Any] = {"tables": [tables.finals(runs, "The numbers behind the pictures.")]}
    return Section(heading="Sweeps", runs=runs, pictures=list(figures.pictures(runs)), **made)
