"""Sweeps: experiments, each trained with many settings of its fields."""

import math
from typing import Annotated, Literal

import pydantic

from tfpaths import schema, space
from tfpaths.config.components import LIST, Name
from tfpaths.config.studies import Study
from tfpaths.config.training import Training
from tfpaths.schema import Count, PositiveInt, Seed, Value


class Sweep(Value):
    """One or several experiments, each trained with many settings of its fields (`tfpaths.sweeps`).

    All experiments get the same settings. One that lacks a field, such as the weight of a penalty, is left without it.

    Attributes:
      kind: `sweep`.
      name: The sweep's name.
      experiments: The experiments, all training runs or all studies, each with another name.
      space: The axes.
      trials: The number of settings that are drawn; None for every combination of the choices.
      confirmed: The number of runs with new random numbers that the best setting of each study gets; 0 for none.
      thresholds: Classifier or Inception scores above which a training run counts as a success: for each of them the
        experiments are compared setting by setting (`tfpaths.sweeps.successes`). They do not change the trials.
      seed: Seed for the settings. That of the runs is `seed` of their experiment, unless it is an axis.

    Raises:
      InputError: Two experiments differ in kind or share a name, an interval has no number of trials, or
        thresholds are not finite, not in ascending order, or those of studies.

    Example:
      >>> from tfpaths.config import Variant
      >>> study = Study(name="mine", variant=Variant(name="ns", loss="non_saturating"))
      >>> axis = space.Range(paths=("study.generator_scale",), scale="log", low=0.1, high=10.0)
      >>> Sweep(name="scales", experiments=(study,), space=(axis,), trials=100).confirmed
      0
    """

    kind: Literal["sweep"] = "sweep"
    name: Name
    experiments: Annotated[tuple[Annotated[Training | Study, pydantic.Field(discriminator="kind")], ...], LIST]
    space: Annotated[tuple[Annotated[space.Choice | space.Range, pydantic.Field(discriminator="scale")], ...], LIST]
    trials: PositiveInt | None = None
    confirmed: Count = 0
    thresholds: Annotated[tuple[float, ...], LIST] = ()
    seed: Seed = 0

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "Sweep":
        names, kinds = ([getattr(one, field) for one in self.experiments] for field in ("name", "kind"))
        if len(set(kinds)) != 1:
            raise schema.wrong("experiments", "training runs or studies, not both", names)
        if len(set(names)) < len(names):
            raise schema.wrong("experiments", "a different name for each", names)
        paths = tuple(path for axis in self.space for path in axis.paths)
        if not paths or len(set(paths)) < len(paths):
            raise schema.wrong("space", "axes for different fields", paths)
        if self.trials is None and space.grid_size(self.space) is None:
            raise schema.wrong("trials", "a number of trials, because a field is drawn from an interval", None)
        if self.confirmed and "study" not in kinds:
            raise schema.wrong("confirmed", "0 for training runs", self.confirmed)
        if self.thresholds and "study" in kinds:
            raise schema.wrong("thresholds", "none for studies, which have no classifier score", self.thresholds)
        if not all(map(math.isfinite, self.thresholds)) or list(self.thresholds) != sorted(set(self.thresholds)):
            raise schema.wrong("thresholds", "finite numbers in ascending order", self.thresholds)
        return self
