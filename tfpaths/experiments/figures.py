"""The paper's figures, KL-WGAN's `figure_ratio`, and ours: `figure_paths`, `figure_langevin`, `figure_refine`.

Each is drawn from studies of lines, from formulas, or from small networks that it trains.

The field `figure` names the studies. `schedule` and `study` set the length, the number of runs and the start of all of
them. Where the paper's lengths and numbers of runs are not known, we chose them.
"""

from collections.abc import Sequence

from tfpaths.config import Drawing, Figure, Runs, StudySchedule
from tfpaths.experiments.registry import register

_COMPARED = ("ns", "gan_gp", "dragan_ns")


def _names(experiment: str, variants: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{experiment}_{variant}" for variant in variants)


def _of_studies(number: str, drawing: Drawing, *, steps: int = 10_000, rows: int = 20, start: str = "random") -> None:
    register(
        Figure(
            name=f"figure_{number}",
            figure=drawing,
            study=Runs().replace(start=start),
            schedule=StudySchedule(steps=steps, log_every=steps // rows),
        )
    )


_of_studies("1", Drawing(name="path", studies=("line1_ns",)), rows=100, start="parallel")
register(Figure(name="figure_2", figure=Drawing(name="gradients")))
_of_studies("3", Drawing(name="snapshots", studies=_names("line1", _COMPARED), shown_run=0))
# By default, it shows the run that ends furthest from its data in the first study.
_of_studies("4", Drawing(name="snapshots", studies=_names("line2", _COMPARED)))
_of_studies(
    "5",
    Drawing(
        name="dimensions",
        studies=(*_names("line1", (*_COMPARED, "wgan_gp")), *_names("line2", (*_COMPARED, "wgan_gp"))),
        dimensions=(2, 8, 32),
    ),
    steps=4_000,
)
_of_studies("paths", Drawing(name="rises", studies=_names("line1", (*_COMPARED, "wgan_gp"))), steps=4_000)
register(Figure(name="figure_ratio", figure=Drawing(name="ratio")))
for _name in ("langevin", "refine"):
    register(Figure(name=f"figure_{_name}", figure=Drawing(name=_name)))
