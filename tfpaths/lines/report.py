"""The section of a report about studies. No TensorFlow."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from tfpaths.runs.report import charts, tables
from tfpaths.runs.report.charts import Chart, Line
from tfpaths.runs.report.runs import Run
from tfpaths.runs.report.section import Section


def section(runs: Sequence[Run]) -> Section:
    """Returns the section about studies: final numbers, and the squared distance by step over each study's runs."""
    caption = (
        "At the last step, over the runs of each study. The distance is the squared Fréchet distance on lines, and the "
        "squared MMD on points."
    )
    return Section(heading="Studies", runs=runs, charts=curves(runs), tables=[tables.finals(runs, caption)])


def curves(studies: Sequence[Run]) -> list[Chart]:
    """Returns charts of the mean and of the median over the runs of each study, with intervals; and of the average."""
    quantiles = functools.partial(np.quantile, q=[0.5, 0.05, 0.95])
    summaries: Mapping[str, tuple[str, Callable[[np.ndarray], Sequence[float]]]] = {
        "Mean squared distance, with the 95 % interval of the mean": ("squared_distance", mean),
        "Median squared distance, with 5 to 95 % of the runs": ("squared_distance", quantiles),
        "Median squared distance of the averaged generator, 5 to 95 %": ("averaged_distance", quantiles),
    }
    drawn = []
    for title, (field, summary) in summaries.items():
        lines = []
        for study in studies:
            by_step = list(distances(study, field))
            if len(by_step) > 1:
                columns = np.transpose([summary(values) for _, values in by_step])  # [middle low high, steps]
                lines.append(Line(study, [step for step, _ in by_step], *columns))
        if lines:
            drawn.append(charts.chart(title, lines, charts.last_step(studies), log=True))
    return drawn


def mean(values: np.ndarray) -> Sequence[float]:
    """Returns (mean, mean - e, mean + e), with e = 1.96 standard errors, as in the results of a study.

    Args:
      values: `[runs]`; with one run e is 0.

    Example:
      >>> [round(float(value), 2) for value in mean(np.array([1.0, 3.0]))]
      [2.0, 0.04, 3.96]
    """
    error = 1.96 * values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return values.mean(), values.mean() - error, values.mean() + error


def distances(study: Run, field: str = "squared_distance") -> Iterator[tuple[int, np.ndarray]]:
    """Yields (step, squared distances `[runs]`) by step, over the runs of a study that are finite at that step.

    Args:
      study: The study.
      field: The distance: `squared_distance`, or `averaged_distance` of the averaged generator.
    """
    by_step: dict[int, list[float]] = {}
    for row in study.rows:
        if row.get(field) is not None:
            by_step.setdefault(row["step"], []).append(row[field])
    return ((step, np.asarray(by_step[step])) for step in sorted(by_step))
