"""The section of a report about figures. No TensorFlow."""

from collections.abc import Iterator, Sequence

from tfpaths import files
from tfpaths.runs.report import tables
from tfpaths.runs.report.runs import Run
from tfpaths.runs.report.section import Picture, Section


def section(runs: Sequence[Run]) -> Section:
    """Returns the section about figures: each picture with its finding, and its numbers."""
    return Section(
        heading="Figures",
        runs=runs,
        tables=[tables.finals(runs, "The numbers behind the figures.")],
        pictures=list(pictures(runs)),
    )


def pictures(runs: Sequence[Run]) -> Iterator[Picture]:
    """Yields the picture and the finding of each figure that has been drawn."""
    for run in runs:
        path = run.directory.path / "figure.png"
        if path.is_file():
            yield Picture(run, files.read(path), (run.results or {}).get("finding", ""))
