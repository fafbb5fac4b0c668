"""The values that describe an experiment: frozen, typed, checked. No TensorFlow.

An experiment is a `Training`, a `Study` or a `Figure`; `kind` tells which. `tfpaths.schema` reads, writes and changes
them.
"""

import re
from typing import Annotated, Any, Literal

import pydantic
import pydantic_core

from tfpaths import errors, schema
from tfpaths.schema import Component, Count, Positive, PositiveInt, Seed, Value

Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
Names = Annotated[tuple[str, ...], pydantic.Strict(False)]
# The name is a directory's too.
Name = Annotated[
    str, schema.expects("a-z, 0-9 and _", lambda name: re.fullmatch("[a-z0-9][a-z0-9_]*", name) is not None)
]
STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker", "tpu")


class Data(Component):
    """A data set, by its name in `tfpaths.data.DATA`. Options of the data set, such as `path`, are fields too.

    Attributes:
      source: Where the examples come from: `auto`, or one of the data set's sources, such as `tfds` and `embedded`.
      seed: Seed for what each example draws: the colours of `color_mnist`, the triples of `stacked_mnist`. It is not
        the run's seed: runs with different seeds see the same data set in another order.
    """

    source: str = "auto"
    seed: Seed = 0


class Loss(Component):
    """A pair of losses, by its name in `tfpaths.losses.LOSSES`."""


class Penalty(Component):
    """A gradient penalty, by its name in `tfpaths.penalties.PENALTIES`."""


class Game(Component):
    """Who plays, and how: a name in `tfpaths.games.GAMES`."""


class Optimizer(Component):
    """One player's optimiser, by its name in `tfpaths.optimizers.OPTIMIZERS`."""

    name: str = "adam"
    learning_rate: Positive = 1e-3


class Variant(Value):
    """How the game is played.

    Attributes:
      name: The variant's name: a row of the paper's comparison.
      loss: The pair of losses.
      penalty: The gradient penalty, or several that are added up, or None.
      weight_clip: The discriminator's weights are clipped to [-weight_clip, weight_clip]; None for no clipping.
      discriminator_steps: Discriminator updates for each generator update.
      generator_optimizer: The generator's optimiser.
      discriminator_optimizer: The discriminator's optimiser.
      game: The game.
    """

    name: Name
    loss: Loss
    penalty: Penalty | Annotated[tuple[Penalty, ...], pydantic.Strict(False)] | None = None
    weight_clip: Positive | None = None
    discriminator_steps: PositiveInt = 1
    generator_optimizer: Optimizer = Optimizer()
    discriminator_optimizer: Optimizer = Optimizer()
    game: Game = Game(name="gan")

    def describe(self) -> str:
        """Returns what the variant is, in a few words.

        Example:
          >>> Variant(name="mine", loss=Loss(name="hinge"), penalty=Penalty(name="r1")).describe()
          'hinge loss, r1 penalty'
        """
        parts = [f"{self.loss.name} loss", *(f"{penalty.name} penalty" for penalty in self.penalties)]
        if self.weight_clip is not None:
            parts.append(f"weights clipped to {self.weight_clip:g}")
        if self.game != Game(name="gan"):
            parts.append(f"{self.game.name} game")
        return ", ".join(parts)

    @property
    def penalties(self) -> tuple[Penalty, ...]:
        """The penalties as a tuple, which is empty if there is none."""
        if self.penalty is None:
            return ()
        return self.penalty if isinstance(self.penalty, tuple) else (self.penalty,)


class Networks(Component):
    """A family of networks, by its name in `tfpaths.networks.NETWORKS`.

    Attributes:
      name: The family; `auto` for the data set's default.
      latent_dim: Latent numbers of the generator.
      implementation: `fast` for the layers and the Adam of `tfpaths.networks.fast`, `keras` for Keras' own.
    """

    name: str = "auto"
    latent_dim: PositiveInt = 64
    implementation: Literal["fast", "keras"] = "fast"


class Schedule(Value):
    """How long a run trains, and how often it writes. A step is one generator update with its discriminator updates.

    Attributes:
      steps: Steps in all.
      batch_size: Examples in a batch, over all replicas.
      log_every: Steps between rows.
      sample_every: Steps between sample grids.
      checkpoint_every: Steps between checkpoints.
      steps_per_execution: Steps in one call of the compiled program.
      restarts: How often a run in which something is NaN or infinite continues from its last checkpoint, each time on
        other random numbers.
    """

    steps: PositiveInt = 20_000
    batch_size: PositiveInt = 64
    log_every: PositiveInt = 100
    sample_every: PositiveInt = 500
    checkpoint_every: PositiveInt = 500
    steps_per_execution: PositiveInt = 1
    restarts: Count = 0

    @pydantic.model_validator(mode="after")
    def _whole_executions(self) -> "Schedule":
        if self.steps % self.steps_per_execution:
            raise _wrong("steps_per_execution", f"a divisor of the {self.steps} steps", self.steps_per_execution)
        return self


class Evaluation(Value):
    """How the samples are judged. None of it changes the training.

    Options of metrics, such as `critic_steps`, are fields too.

    Attributes:
      metrics: `auto` for every metric that the data set supports, `none`, or names of `tfpaths.metrics.METRICS`.
      extractor: Whose features the scores use: `auto` for the data set's own; `digits`, `cifar10`, `inception`
        (TF-Hub's), `inception:DIRECTORY` for a local copy of it, or the directory of any SavedModel with the outputs
        `logits` and `pool_3`.
      split: The real images that samples are compared with; `auto` for `test`, or `train` if there is no other.
      samples: How many samples are scored.
      seed: Seed for the samples, and for the critic.
      every: Steps between evaluations during training; 0 for the last step only.
      every_metrics: The `metrics` of those; `auto` for all but the slow ones.
      every_samples: The `samples` of those.
      references: Whether floor (real against real) and ceiling (noise) are computed if they are not cached.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="allow", strict=True)
    __pydantic_extra__: dict[str, schema.Option] = pydantic.Field(init=False)

    metrics: Literal["auto", "none"] | Names = "auto"
    extractor: Annotated[str, schema.expects("a name or a directory", bool)] = "auto"
    split: str = "auto"
    samples: PositiveInt = 10_000
    seed: Seed = 0
    every: Count = 0
    every_metrics: Literal["auto", "none"] | Names = "auto"
    every_samples: PositiveInt = 2_000
    references: bool = False

    @property
    def options(self) -> dict[str, schema.Option]:
        """The options of metrics that are set."""
        return dict(self.model_extra or {})


class Training(Value):
    """One run of a game on data: data × variant × networks × schedule, a seed and a precision.

    `evaluation` says how its samples are judged.
    """

    kind: Literal["training"] = "training"
    name: Name
    data: Data
    variant: Variant
    networks: Networks = Networks()
    schedule: Schedule = Schedule()
    evaluation: Evaluation = Evaluation()
    seed: Seed = 0
    precision: Precision = "float32"


class StudySchedule(Value):
    """How long each run of a study trains.

    Attributes:
      steps: Steps in all.
      batch_size: Examples in a batch of each run.
      log_every: Steps between rows.
    """

    steps: PositiveInt = 10_000
    batch_size: PositiveInt = 64
    log_every: PositiveInt = 500


class Runs(Value):
    """Many independent GANs on lines, trained together.

    Attributes:
      runs: How many GANs, each with data, weights and random numbers of its own.
      start: The generator's start: `random`, or `parallel` to the data's line at distance 1.
      width: Units of each hidden layer of the discriminator.
      depth: Hidden layers of the discriminator.
      block: Runs that a core trains at once. It changes speed and memory only.
    """

    runs: PositiveInt = 1000
    start: Literal["random", "parallel"] = "random"
    width: PositiveInt = 64
    depth: PositiveInt = 2
    block: PositiveInt = 32


class Lines(Runs):
    """The runs of a study, and their problem: a line in R^d.

    Attributes:
      dimension: d.
      latents: The generator's latent numbers; 1 is the data's own, more is more than it needs.
      players: Whether each row holds data and generator too: mean m, direction s and offset c, directions S.
    """

    dimension: Annotated[int, schema.expects("at least 2", lambda value: value >= 2)] = 2
    latents: PositiveInt = 1
    players: bool = False


class Study(Value):
    """A study: many independent runs of one variant on lines (`tfpaths.lines`)."""

    kind: Literal["study"] = "study"
    name: Name
    variant: Variant
    study: Lines = Lines()
    schedule: StudySchedule = StudySchedule()
    seed: Seed = 0


class Drawing(Component):
    """What a figure shows, by its name in `tfpaths.figures.FIGURES`."""


class Figure(Value):
    """A figure, drawn from studies or from formulas.

    Attributes:
      figure: What is drawn; its options say from which studies.
      study: How many runs each study has, and how they start; None for a figure of formulas.
      schedule: How long each study trains; None for a figure of formulas.
    """

    kind: Literal["figure"] = "figure"
    name: Name
    figure: Drawing
    study: Runs | None = None
    schedule: StudySchedule | None = None
    seed: Seed = 0


Experiment = Training | Study | Figure
KINDS: dict[str, type[Training] | type[Study] | type[Figure]] = {
    "training": Training,
    "study": Study,
    "figure": Figure,
}


def _wrong(field: str, expected: str, received: Any) -> pydantic_core.PydanticCustomError:
    context = {"field": field, "expected": expected, "received": received}
    return pydantic_core.PydanticCustomError("expected", "{expected}", context)


def from_dict(values: Any) -> Experiment:
    """Reads an experiment that `schema.to_dict` wrote.

    Raises:
      InputError: It is no experiment; the message has the path of the first wrong field.
    """
    if not isinstance(values, dict):
        raise errors.InputError(f"config: expected an object, received {values!r}.")
    kind = values.get("kind")
    if kind is None:
        raise errors.InputError("kind: expected a value, received none; version 0.1 wrote no kind, and is not read.")
    return schema.from_dict(values, KINDS[errors.choose("kind of experiment", str(kind), KINDS, path="kind")])
