"""The section of a report about fresh discriminators. No TensorFlow."""

from collections.abc import Sequence

from tfpaths.figures import report as figures
from tfpaths.runs.report import tables
from tfpaths.runs.report.runs import Run
from tfpaths.runs.report.section import Section


def section(runs: Sequence[Run]) -> Section:
    """Returns the section about fresh discriminators: each picture with its finding, and the numbers.

    Example: `python -m tfpaths.launch --mode=report --workdir=runs/perfect_cifar10`.
    """
    return Section(
        heading="Fresh discriminators against frozen generators",
        runs=runs,
        tables=[tables.finals(runs, "The numbers behind the pictures.")],
        pictures=list(figures.pictures(runs)),
        progress={run.number: progress(run) for run in runs if run.results is None},
    )


def progress(run: Run) -> str:
    """Returns a sentence about an experiment that is not finished.

    Example: `tests/perfect/test_drawing.py`.
    """
    total = len(run.config.epochs) + 1  # type: ignore[union-attr]
    done = len({row["against"] for row in run.rows})
    return f"{done} of {total} fresh discriminators are trained, the control among them."
