"""The figures of Arjovsky and Bottou 2017 (arXiv 1701.04862), section 3 and theorem 2.6, on the line."""

from tfpaths.config import Drawing, Figure, Runs, StudySchedule
from tfpaths.experiments.registry import register

register(
    Figure(
        name="figure_noise",
        figure=Drawing(name="noise", studies=("line1_minimax", "line1_ns")),
        study=Runs(runs=32, start="parallel"),
        schedule=StudySchedule(steps=2_000, log_every=100),
    )
)
register(Figure(name="figure_bound", figure=Drawing(name="bound")))
register(Figure(name="figure_cauchy", figure=Drawing(name="cauchy")))
