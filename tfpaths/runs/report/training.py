"""The section of a report about training runs."""

import re
from collections.abc import Sequence

from tfpaths import files
from tfpaths.runs.report import charts, grids, tables
from tfpaths.runs.report.charts import Chart, Line
from tfpaths.runs.report.runs import Run, is_number
from tfpaths.runs.report.section import Picture, Section

# The speed is not a property of the samples, and the similarity among real images is a constant.
_NOT_DRAWN = ("step", "examples_per_second", "ms_ssim_real")


def section(runs: Sequence[Run]) -> Section:
    """Returns the section about training runs: sample grids, final scores, and a chart of each quantity."""
    every_grids = [grids.read(run) for run in runs]
    caption = "Scores at the last step. The floor is the score of real data, the ceiling that of noise."
    return Section(
        heading="Training runs",
        runs=runs,
        charts=curves(runs),
        tables=[tables.finals(runs, caption)],
        grids=[own for own in every_grids if own.shown],
        pictures=[picture for run in runs for picture in measured_pictures(run)],
    )


def measured_pictures(run: Run) -> list[Picture]:
    """Returns the pictures that the metrics of a run have stored beside its samples."""
    captions = {} if run.results is None else run.results.get("pictures", {})
    # Names of files come from a file that a stranger may have written.
    paths = {name: run.directory.samples / f"{name}.png" for name in captions if re.fullmatch(r"\w+", name)}
    return [Picture(run, files.read(path), captions[name]) for name, path in paths.items() if path.is_file()]


def curves(runs: Sequence[Run]) -> list[Chart]:
    """Returns a chart for each quantity that some run has at two or more steps, in the order of the rows."""
    drawn = []
    for name in quantities(runs):
        lines = [Line(run, *run.values(name)) for run in runs]
        # A single value is in the table of results.
        lines = [line for line in lines if len(line.steps) > 1]
        if lines:
            drawn.append(charts.chart(tables.words(name), lines, charts.last_step(runs)))
    return drawn


def quantities(runs: Sequence[Run]) -> list[str]:
    """Returns the names of the quantities in the rows that are drawn: not speeds, standard errors or constants."""
    names = dict.fromkeys(name for run in runs for row in run.rows for name, value in row.items() if is_number(value))
    return [name for name in names if name not in _NOT_DRAWN and not name.endswith("_error")]
