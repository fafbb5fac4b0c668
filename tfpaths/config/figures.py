"""Figures: drawn from studies, from formulas, or from networks that the figure trains."""

from typing import Literal

from tfpaths.config.components import Name
from tfpaths.config.studies import Runs, StudySchedule
from tfpaths.schema import Component, Seed, Value


class Drawing(Component):
    """The drawing of a figure, by its name in `tfpaths.figures.FIGURES`. Options of the drawing are fields too.

    Example:
      >>> Drawing(name="gradients").name
      'gradients'
    """


class Figure(Value):
    """A figure that is drawn from studies, from formulas, or from networks that it trains.

    Attributes:
      kind: `figure`.
      name: The experiment's name.
      figure: The drawing; its options name the studies.
      study: The number of runs of each study, and their start; None for a figure without studies.
      schedule: The length of each study's training; None for a figure without studies.
      seed: Seed for the studies, or for the figure's own networks.

    Example:
      >>> Figure(name="mine", figure="gradients").study is None
      True
    """

    kind: Literal["figure"] = "figure"
    name: Name
    figure: Drawing
    study: Runs | None = None
    schedule: StudySchedule | None = None
    seed: Seed = 0
