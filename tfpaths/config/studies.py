"""Studies: many independent runs of one variant."""

from typing import Annotated, Any, Literal

import pydantic

from tfpaths import schema
from tfpaths.config.components import LIST, Data, Name, Variant
from tfpaths.schema import Count, Positive, PositiveInt, Seed, Value


class StudySchedule(Value):
    """The length of the training of each run of a study.

    Attributes:
      steps: The total number of steps.
      batch_size: Examples in a batch of each run.
      log_every: Steps between rows of the log.

    Example:
      >>> StudySchedule(steps=100).batch_size
      64
    """

    steps: PositiveInt = 10_000
    batch_size: PositiveInt = 64
    log_every: PositiveInt = 500


class Block(Value):
    """Many independent GANs, trained together.

    Attributes:
      runs: The number of GANs. Each has its own data, weights and random numbers.
      width: Units of each hidden layer.
      depth: The number of hidden layers; 0 for a linear discriminator.
      activation: What follows each hidden layer: `leaky_relu` with slope 0.2, or `smooth_leaky_relu`, 0.2 x + 0.8
        log(1 + e^x), which has a second derivative everywhere.
      generator_scale: The factor of the generator's random start.
      discriminator_scale: The factor of the discriminator's initial weights, which are Glorot's.
      block: The number of runs that a core trains at once. It changes only speed and memory.

    Example:
      >>> Block(runs=10).width
      64
    """

    runs: PositiveInt = 1000
    width: PositiveInt = 64
    depth: Count = 2
    activation: Literal["leaky_relu", "smooth_leaky_relu"] = "leaky_relu"
    generator_scale: Positive = 1.0
    discriminator_scale: Positive = 1.0
    block: PositiveInt = 32


class Runs(Block):
    """The runs of a study on lines, where width and depth are the discriminator's; the generator is linear.

    It adds this attribute to those of `Block`.

    Attributes:
      start: The generator's start: `random`, or `parallel` to the data's line at distance 1.

    Raises:
      InputError: `generator_scale` is not 1 although the start is `parallel`.

    Example:
      >>> Runs(runs=10).start
      'random'
    """

    start: Literal["random", "parallel"] = "random"

    @pydantic.model_validator(mode="after")
    def _scaled_start(self) -> "Runs":
        if self.start == "parallel" and self.generator_scale != 1:
            raise schema.wrong("generator_scale", "1 with start=parallel", self.generator_scale)
        return self


class Lines(Runs):
    """The runs of a study, and their data: a line in R^d.

    It adds these attributes to those of `Runs`.

    Attributes:
      problem: `line`.
      dimension: d, at least 2.
      latents: The dimension of the generator's latents. The data's line has dimension 1.
      players: Whether each row also has the parameters of data and generator: mean m, direction s and offset c,
        directions S.

    Example:
      >>> Lines(runs=10, dimension=3).dimension
      3
    """

    problem: Literal["line"] = "line"
    dimension: Annotated[int, schema.expects("at least 2", lambda value: value >= 2)] = 2
    latents: PositiveInt = 1
    players: bool = False


class Points(Block):
    """The runs of a study on points in the plane, and their data; generator and discriminator have the same layers.

    It adds these attributes to those of `Block`.

    Attributes:
      problem: `points`.
      data: The data set of points. Each run draws fresh batches with the study's seed, so that `source`, `seed` and
        `examples` of the data have no effect.
      latents: The dimension of the generator's latents.

    Example:
      >>> Points(data="ring", runs=10).data.name
      'ring'
    """

    problem: Literal["points"] = "points"
    data: Data
    latents: PositiveInt = 2


def _problem(value: Any) -> str:
    return value.get("problem", "line") if isinstance(value, dict) else getattr(value, "problem", "line")


Problem = Annotated[
    Annotated[Lines, pydantic.Tag("line")] | Annotated[Points, pydantic.Tag("points")],
    pydantic.Discriminator(_problem),
]


class Setting(Value):
    """A hyper-parameter that has another value in each run of a study.

    Attributes:
      path: Its field: a learning rate, Adam's beta_1 or beta_2, a penalty's weight, target or noise_scale, weight_clip,
        the scale of instance noise, or a scale of the start, such as `variant.penalty.weight`.
      values: The value in run 0, run 1, …

    Example:
      >>> Setting(path="variant.generator_optimizer.learning_rate", values=(1e-3, 1e-4)).values
      (0.001, 0.0001)
    """

    path: str
    values: Annotated[tuple[float, ...], LIST]


class Study(Value):
    """A study: many independent runs of one variant on lines or on points (`tfpaths.lines`).

    Attributes:
      kind: `study`.
      name: The experiment's name.
      variant: The losses, the penalties and the optimisers.
      study: The runs and their data.
      settings: The hyper-parameters that differ between the runs; the other fields hold for all of them.
      schedule: The length of each run's training.
      seed: Seed for data, weights, latents and the penalties' points of all runs.

    Example:
      >>> Study(name="mine", variant=Variant(name="ns", loss="non_saturating"), study=Lines(runs=10)).schedule.steps
      10000
    """

    kind: Literal["study"] = "study"
    name: Name
    variant: Variant
    study: Problem = Lines()
    settings: Annotated[tuple[Setting, ...], LIST] = ()
    schedule: StudySchedule = StudySchedule()
    seed: Seed = 0

    @property
    def lines(self) -> Lines:
        """The runs and the data of a study on lines."""
        assert isinstance(self.study, Lines), "this study is not on lines"
        return self.study
