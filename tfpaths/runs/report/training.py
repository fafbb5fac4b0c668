"""The section of a report about training runs."""

from collections.abc import Sequence

from tfpaths.runs.report import charts, grids, tables
from tfpaths.runs.report.charts import Chart, Line
from tfpaths.runs.report.runs import Run, is_number
from tfpaths.runs.report.section import Section

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
    )


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
