"""The base classes of figures. A new figure is a registered class in a file of this package or in a user's module:

@FIGURES.register("medians")
class Medians(Figure):
    def __init__(self, *, log: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.log = log

    def draw(self, config, cells):
        ...
        return Drawing(rows, plotting.png(picture, rows), metrics, finding)
"""

import abc
import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from tfpaths import config as config_lib
from tfpaths import errors, experiments, kinds, schema
from tfpaths.lines import statistics
from tfpaths.runs.rows import Row

# Options that figures share.
Studies = Annotated[
    config_lib.Names, schema.expects("names of studies, each once", lambda names: 0 < len(names) == len(set(names)))
]
Dimension = Annotated[int, schema.expects("a number of at least 2", lambda size: size >= 2)]


@dataclasses.dataclass(frozen=True)
class Drawing:
    """The content of a figure.

    Attributes:
      rows: The values that are drawn, for `metrics.jsonl`; each row has a `step`.
      picture: The picture, a PNG.
      metrics: Numbers for `results.json`.
      finding: A sentence that says what the figure shows.

    Example: `examples/custom_figure.py`.
    """

    rows: Sequence[Row]
    picture: bytes
    metrics: dict[str, float]
    finding: str


@dataclasses.dataclass(frozen=True)
class Cell:
    """One finished study of a figure.

    Attributes:
      config: The study.
      rows: The rows of its `metrics.jsonl`.

    Example:
      >>> rows = [{"run": 0, "step": step, "squared_distance": 4.0, "rises": 0.0, "climbed": 0.0} for step in (10, 0)]
      >>> cell = Cell(experiments.get("line1_ns"), rows)
      >>> cell.variant, [row["step"] for row in cell.rows_of(0)]
      ('ns', [0, 10])
    """

    config: config_lib.Study
    rows: Sequence[Row]

    @property
    def variant(self) -> str:
        """The name of the study's variant."""
        return self.config.variant.name

    def rows_of(self, run: int) -> list[Row]:
        """Returns the rows of one run, by step."""
        return sorted((row for row in self.rows if row["run"] == run), key=lambda row: row["step"])

    def summary(self) -> dict[str, float]:
        """Returns the statistics of the study, see `statistics.summary`."""
        return statistics.summary(self.rows, self.config.study.runs)

    def paths(self) -> list[dict[str, Any]]:
        """Returns the course of each run, see `statistics.paths`."""
        return statistics.paths(self.rows, self.config.study.runs)


class Figure(abc.ABC):
    """The base class of figures. The keyword-only parameters of the constructor are the options in a config.

    Args:
      studies: Names of registered studies. Only their variants and latents are used; the figure's config sets all other
        fields.

    Attributes:
      uses_studies: Whether it is drawn from studies; otherwise from formulas, from networks that it trains, or from
        training runs.
      needs_players: Whether the rows of its studies include data and generator.
      names: The names of its studies.
      dimensions: The dimensions in which each study is trained.

    Example: `examples/custom_figure.py`.
    """

    uses_studies = True
    needs_players = False
    dimensions: tuple[int, ...] = (2,)

    def __init__(self, *, studies: Studies):
        self.names = studies

    def studies(self, config: config_lib.Figure) -> list[config_lib.Study]:
        """Returns the studies that the figure is drawn from, in the order of their training.

        With n discriminator updates in a step, a variant trains for steps / n steps and logs every log_every / n steps,
        both rounded up, so that all variants get the same number of discriminator updates.

        Raises:
          InputError: A name is not the name of a study of lines, or the studies cannot be compared.
        """
        assert config.study is not None
        assert config.schedule is not None
        runs = {name: getattr(config.study, name) for name in config_lib.Runs.model_fields}
        studies = []
        for name in self.names:
            base = experiments.EXPERIMENTS.lookup(name, path="figure.studies")
            if not isinstance(base, config_lib.Study):
                raise errors.InputError(
                    f"figure.studies: expected names of studies, received {name!r}, {kinds.of(base).noun}."
                )
            if not isinstance(base.study, config_lib.Lines):
                raise errors.InputError(
                    f"figure.studies: expected studies of lines, received {name!r}, which is on {base.study.data.name}."
                )
            updates = base.variant.discriminator_steps
            schedule = config.schedule.replace(
                steps=math.ceil(config.schedule.steps / updates),
                log_every=math.ceil(config.schedule.log_every / updates),
            )
            for dimension in self.dimensions:
                lines = base.study.replace(**runs, dimension=dimension, players=self.needs_players)
                studies.append(base.replace(study=lines, schedule=schedule, seed=config.seed))
        return studies

    def trainings(self, config: config_lib.Figure) -> list[config_lib.Training]:
        """Returns the training runs that the figure is drawn from, each with another name; by default none.

        A figure that has some is not drawn from studies. They are trained on one device in `runs/<name>`, in their
        order.

        Args:
          config: The complete experiment.
        """
        del config
        return []

    def read(self, data_dir: str | None) -> None:
        """Reads the data that it needs besides its studies, before anything is written; by default none.

        Args:
          data_dir: The directory of prepared TFDS data.

        Raises:
          InputError: The data cannot be read.
        """
        del data_dir

    @abc.abstractmethod
    def draw(self, config: config_lib.Figure, cells: Sequence[Any]) -> Drawing:
        """Draws the figure.

        Args:
          config: The complete experiment.
          cells: The finished studies, each a `Cell`, in the order of `studies`; of a figure that is drawn from training
            runs the finished runs, each a `trained.Trained`, in the order of `trainings`.

        Raises:
          RunError: Nothing can be drawn.
        """

    def check(self, config: config_lib.Figure) -> None:
        """Checks that the config has `study` and `schedule` if the figure is drawn from studies, and neither otherwise.

        Raises:
          InputError: A field is missing or not used; the message names it.
        """
        for field in ("study", "schedule"):
            has_field = getattr(config, field) is not None
            if has_field and not self.uses_studies:
                raise errors.InputError(f"{field}: {config.name} is not drawn from studies and has no {field!r}.")
            if self.uses_studies and not has_field:
                raise errors.InputError(
                    f"{field}: expected a value, received none; {config.name} is drawn from studies."
                )
        if self.uses_studies:
            self.studies(config)


class RunFigure(Figure):
    """A figure of one run in the plane.

    Args:
      shown_run: The run; None for the run with the largest final distance in the first study.
      **kwargs: The options of `Figure`.

    Example: `tfpaths/figures/snapshots.py`.
    """

    needs_players = True

    def __init__(self, *, shown_run: schema.Count | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.shown_run = shown_run

    def check(self, config: config_lib.Figure) -> None:
        super().check(config)
        assert config.study is not None
        if self.shown_run is not None and self.shown_run >= config.study.runs:
            raise errors.InputError(
                f"figure.shown_run: expected one of the {config.study.runs} runs, received {self.shown_run}."
            )

    def run_of(self, cell: Cell) -> int:
        """Returns the number of the run that is drawn.

        Raises:
          RunError: No run of the study is finite at the last step.
        """
        if self.shown_run is not None:
            return self.shown_run
        finite = [path for path in cell.paths() if path["final"] is not None]
        if not finite:
            raise errors.RunError(f"{cell.config.name}: no run is finite at the last step, so none can be drawn.")
        return max(finite, key=lambda path: path["final"])["run"]


def check_equal(studies: Sequence[config_lib.Study], field: str, value: Callable[[config_lib.Study], Any]) -> None:
    """Checks that a field has the same value in all studies of a figure.

    Args:
      studies: The studies.
      field: The field's path, for the message.
      value: Returns the field's value in a study.

    Raises:
      InputError: The values differ.

    Example:
      >>> studies = [experiments.get(name) for name in ("line1_ns", "line2_ns")]
      >>> check_equal(studies, "study.latents", lambda study: study.study.latents)
      Traceback (most recent call last):
      tfpaths.errors.InputError: figure.studies: expected studies with the same study.latents, received 1 in line1_ns...
    """
    values = {study.name: value(study) for study in studies}
    if len(set(values.values())) > 1:
        received = ", ".join(f"{value} in {name}" for name, value in values.items())
        raise errors.InputError(f"figure.studies: expected studies with the same {field}, received {received}.")


def number(value: float | None) -> str:
    """Returns a distance as text, with two digits.

    Example:
      >>> number(0.123), number(None)
      ('0.12', 'no number')
    """
    return "no number" if value is None else f"{value:.2g}"


def percent(share: float) -> str:
    """Returns a share as text.

    Example:
      >>> percent(0.125)
      '12.5 %'
    """
    return f"{100 * share:.3g} %"
