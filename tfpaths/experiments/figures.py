"""The figures of the paper, and one of ours, as experiments: each is drawn from studies of lines, or from formulas.

What the studies are is in `figure.studies` and `figure.dimensions`; how long, how many and from which start is in
`schedule` and `study`, for all of them. Lengths and numbers of runs are chosen here where the paper's are not known.
"""

from collections.abc import Iterator

from tfpaths import config

_COMPARED = ("ns", "gan_gp", "dragan_ns")


def figure_experiments() -> Iterator[config.Experiment]:
    """`figure_1` to `figure_5`, and `figure_paths`."""
    yield _figure("figure_1", "path", _names("line1", ("ns",)), start="parallel")
    yield _figure("figure_2", "gradients")
    yield _figure("figure_3", "snapshots", _names("line1", _COMPARED), shown_run=0)
    # The run that is shown is the one that the first study leaves furthest from its data.
    yield _figure("figure_4", "snapshots", _names("line2", _COMPARED))
    both = (*_names("line1", (*_COMPARED, "wgan_gp")), *_names("line2", (*_COMPARED, "wgan_gp")))
    yield _figure("figure_5", "dimensions", both, dimensions=(2, 8, 32), steps=4_000)
    yield _figure("figure_paths", "rises", _names("line1", (*_COMPARED, "wgan_gp")), steps=4_000)


def _names(experiment: str, variants: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{experiment}_{variant}" for variant in variants)


def _figure(
    name: str,
    drawing: str,
    studies: tuple[str, ...] = (),
    *,
    dimensions: tuple[int, ...] = (2,),
    runs: int = 1_000,
    steps: int = 10_000,
    start: str = "random",
    shown_run: int | None = None,
) -> config.Experiment:
    single = drawing in ("path", "snapshots")
    return config.Experiment(
        name=name,
        data=config.Data(name="line"),
        variant=config.OF_FIGURES,
        schedule=config.Schedule(steps=steps, log_every=steps // (100 if drawing == "path" else 20)),
        study=config.Study(runs=runs, start=start, players=single) if studies else None,
        figure=config.Figure(
            drawing=drawing,
            studies=",".join(studies),
            dimensions=",".join(map(str, dimensions)),
            shown_run=shown_run,
        ),
    )
