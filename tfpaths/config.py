"""The values that describe an experiment: frozen, typed and checked. This module does not import TensorFlow.

An experiment is a `Training`, a `Study`, a `Figure` or a `Sweep`; its field `kind` says which. `tfpaths.schema` reads,
writes and changes these values.
"""

import re
from typing import Annotated, Any, Literal

import pydantic
import pydantic_core

from tfpaths import errors, schema, space
from tfpaths.schema import Component, Count, Positive, PositiveInt, Seed, Value

Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
_LIST = pydantic.Strict(False)  # JSON has lists where a value has tuples.
Names = Annotated[tuple[str, ...], _LIST]
# An experiment's name is also the name of its directory.
Name = Annotated[
    str, schema.expects("a-z, 0-9 and _", lambda name: re.fullmatch("[a-z0-9][a-z0-9_]*", name) is not None)
]
# The extractors that have names; any other name is a directory.
EXTRACTORS = ("auto", "digits", "cifar10", "inception")
STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker", "tpu")


class Data(Component):
    """A data set, by its name in `tfpaths.data.DATA`. Options of the data set, such as `path`, are fields too.

    Attributes:
      source: The source of the examples: `auto`, or one of the data set's sources, such as `tfds` and `embedded`.
      seed: Seed for the random parts of the examples: the colours of `color_mnist`, the triples of `stacked_mnist`. It
        is not the run's seed: runs with different seeds train on the same examples in a different order.

    Example:
      >>> Data(name="folder", path="images", image_size=64).options
      {'path': 'images', 'image_size': 64}
    """

    source: str = "auto"
    seed: Seed = 0


class Loss(Component):
    """A pair of losses, by its name in `tfpaths.losses.LOSSES`. Options of the loss are fields too.

    Example:
      >>> Loss(name="wasserstein").name
      'wasserstein'
    """


class Penalty(Component):
    """A gradient penalty, by its name in `tfpaths.penalties.PENALTIES`. Options of the penalty are fields too.

    Example:
      >>> Penalty(name="dragan", weight=10.0, clip=True).options
      {'weight': 10.0, 'clip': True}
    """


class Game(Component):
    """A game, by its name in `tfpaths.games.GAMES`: the players and their updates. Options of the game are fields too.

    Example:
      >>> Game(name="gan").options
      {}
    """


class Optimizer(Component):
    """The optimiser of one player, by its name in `tfpaths.optimizers.OPTIMIZERS`. Its options are fields too.

    Attributes:
      learning_rate: The learning rate, above zero.

    Example:
      >>> Optimizer(learning_rate=1e-4, beta_1=0.0).options
      {'beta_1': 0.0}
    """

    name: str = "adam"
    learning_rate: Positive = 1e-3


class Variant(Value):
    """A variant of GAN training: the losses, the penalties, the optimisers and the game.

    Attributes:
      name: The variant's name, for tables and legends.
      loss: The pair of losses.
      penalty: The gradient penalty, or several whose sum is used, or None.
      weight_clip: The discriminator's weights are clipped to [-weight_clip, weight_clip]; None for no clipping.
      discriminator_steps: Discriminator updates for each generator update.
      generator_optimizer: The generator's optimiser.
      discriminator_optimizer: The discriminator's optimiser.
      game: The game.

    Example:
      >>> variant = Variant(name="wgan_gp", loss="wasserstein", penalty="interpolation", discriminator_steps=5)
      >>> variant.penalty.name, variant.generator_optimizer.learning_rate
      ('interpolation', 0.001)
    """

    name: Name
    loss: Loss
    penalty: Penalty | Annotated[tuple[Penalty, ...], _LIST] | None = None
    weight_clip: Positive | None = None
    discriminator_steps: PositiveInt = 1
    generator_optimizer: Optimizer = Optimizer()
    discriminator_optimizer: Optimizer = Optimizer()
    game: Game = Game(name="gan")

    def describe(self) -> str:
        """Returns a short description: the loss, the penalties, the weight clipping, and the game if it is not `gan`.

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
    """A family of networks, by its name in `tfpaths.networks.NETWORKS`. Options of the family are fields too.

    Attributes:
      name: The family; `auto` for the data set's default.
      latent_dim: The dimension of the generator's latents.
      implementation: `fast` for the layers and the Adam of `tfpaths.networks.fast`, `keras` for those of Keras.

    Example:
      >>> Networks(name="dcgan", generator_filters=32).options
      {'generator_filters': 32}
    """

    name: str = "auto"
    latent_dim: PositiveInt = 64
    implementation: Literal["fast", "keras"] = "fast"


class Schedule(Value):
    """The length of a training, and how often it writes results.

    A step is one generator update with its discriminator updates.

    Attributes:
      steps: The total number of steps.
      batch_size: Examples in a batch, over all replicas.
      log_every: Steps between rows of the log.
      sample_every: Steps between sample grids.
      checkpoint_every: Steps between checkpoints.
      steps_per_execution: Steps in one call of the compiled program.
      restarts: How often a run with a NaN or an infinity may continue from its last checkpoint, each time with other
        random numbers.

    Raises:
      InputError: `steps` is not a multiple of `steps_per_execution`.

    Example:
      >>> Schedule(steps=1000).replace(steps_per_execution=3)
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: steps_per_execution: expected a divisor of the 1000 steps, received 3.
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
    """The evaluation of the samples. It does not change the training.

    Options of metrics, such as `critic_steps`, are fields too.

    Attributes:
      metrics: `auto` for every metric that the data set supports, `none`, or names of `tfpaths.metrics.METRICS`.
      extractor: The network whose features the scores use: `auto` for the data set's default; `digits`, `cifar10`,
        `inception` (from TF-Hub), `inception:DIRECTORY` for a local copy of it, or the directory of any SavedModel with
        the outputs `logits` and `pool_3`.
      split: The split whose images the samples are compared with; `auto` for `test`, or `train` if it is the only one.
      samples: The number of samples.
      seed: Seed for the samples, and for the critic.
      every: Steps between evaluations during training; 0 for the last step only.
      every_metrics: The metrics of the evaluations during training, as `metrics`; `auto` leaves out the slow ones.
      every_samples: The number of samples of the evaluations during training.
      references: Whether the floor (real against real) and the ceiling (noise) are computed if they are not cached.

    Example:
      >>> Evaluation(samples=1000, critic_steps=50).options
      {'critic_steps': 50}
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
        """The options of metrics that the config sets."""
        return dict(self.model_extra or {})


class Training(Value):
    """A training run of one variant on a data set.

    Attributes:
      kind: `training`.
      name: The experiment's name.
      data: The data set.
      variant: The losses, the penalties, the optimisers and the game.
      networks: The family of networks.
      schedule: The length of the training, and how often it writes results.
      evaluation: The evaluation of the samples.
      seed: Seed for the initial weights, the order of the data, the latents and the penalties' points.
      precision: The Keras dtype policy of the networks.

    Example:
      >>> training = Training(name="mine", data="color_mnist", variant=Variant(name="ns", loss="non_saturating"))
      >>> schema.override(training, {"variant.penalty": "r1", "seed": "3"}).variant.describe()
      'non_saturating loss, r1 penalty'
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


class Runs(Value):
    """Many independent GANs on lines, trained together.

    Attributes:
      runs: The number of GANs. Each has its own data, weights and random numbers.
      start: The generator's start: `random`, or `parallel` to the data's line at distance 1.
      width: Units of each hidden layer of the discriminator.
      depth: The number of hidden layers of the discriminator.
      generator_scale: The factor of the generator's random start.
      discriminator_scale: The factor of the discriminator's initial weights, which are Glorot's.
      block: The number of runs that a core trains at once. It changes only speed and memory.

    Raises:
      InputError: `generator_scale` is not 1 although the start is `parallel`.

    Example:
      >>> Runs(runs=10).start
      'random'
    """

    runs: PositiveInt = 1000
    start: Literal["random", "parallel"] = "random"
    width: PositiveInt = 64
    depth: PositiveInt = 2
    generator_scale: Positive = 1.0
    discriminator_scale: Positive = 1.0
    block: PositiveInt = 32

    @pydantic.model_validator(mode="after")
    def _scaled_start(self) -> "Runs":
        if self.start == "parallel" and self.generator_scale != 1:
            raise _wrong("generator_scale", "1 with start=parallel", self.generator_scale)
        return self


class Lines(Runs):
    """The runs of a study, and their data: a line in R^d.

    It adds these attributes to those of `Runs`.

    Attributes:
      dimension: d, at least 2.
      latents: The dimension of the generator's latents. The data's line has dimension 1.
      players: Whether each row also has the parameters of data and generator: mean m, direction s and offset c,
        directions S.

    Example:
      >>> Lines(runs=10, dimension=3).dimension
      3
    """

    dimension: Annotated[int, schema.expects("at least 2", lambda value: value >= 2)] = 2
    latents: PositiveInt = 1
    players: bool = False


class Setting(Value):
    """A hyper-parameter that has another value in each run of a study.

    Attributes:
      path: Its field: a learning rate, Adam's beta_1 or beta_2, a penalty's weight, target or noise_scale, weight_clip,
        or a scale of the start, such as `variant.penalty.weight`.
      values: The value in run 0, run 1, …

    Example:
      >>> Setting(path="variant.generator_optimizer.learning_rate", values=(1e-3, 1e-4)).values
      (0.001, 0.0001)
    """

    path: str
    values: Annotated[tuple[float, ...], _LIST]


class Study(Value):
    """A study: many independent runs of one variant on lines (`tfpaths.lines`).

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
    study: Lines = Lines()
    settings: Annotated[tuple[Setting, ...], _LIST] = ()
    schedule: StudySchedule = StudySchedule()
    seed: Seed = 0


class Drawing(Component):
    """The drawing of a figure, by its name in `tfpaths.figures.FIGURES`. Options of the drawing are fields too.

    Example:
      >>> Drawing(name="gradients").name
      'gradients'
    """


class Figure(Value):
    """A figure that is drawn from studies or from formulas.

    Attributes:
      kind: `figure`.
      name: The experiment's name.
      figure: The drawing; its options name the studies.
      study: The number of runs of each study, and their start; None for a figure of formulas.
      schedule: The length of each study's training; None for a figure of formulas.
      seed: Seed for the studies.

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
      seed: Seed for the settings. That of the runs is `seed` of their experiment, unless it is an axis.

    Raises:
      InputError: Two experiments differ in kind or share a name, or an interval has no number of trials.

    Example:
      >>> study = Study(name="mine", variant=Variant(name="ns", loss="non_saturating"))
      >>> axis = space.Range(paths=("study.generator_scale",), scale="log", low=0.1, high=10.0)
      >>> Sweep(name="scales", experiments=(study,), space=(axis,), trials=100).confirmed
      0
    """

    kind: Literal["sweep"] = "sweep"
    name: Name
    experiments: Annotated[tuple[Annotated[Training | Study, pydantic.Field(discriminator="kind")], ...], _LIST]
    space: Annotated[tuple[Annotated[space.Choice | space.Range, pydantic.Field(discriminator="scale")], ...], _LIST]
    trials: PositiveInt | None = None
    confirmed: Count = 0
    seed: Seed = 0

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "Sweep":
        names, kinds = ([getattr(one, field) for one in self.experiments] for field in ("name", "kind"))
        if len(set(kinds)) != 1:
            raise _wrong("experiments", "training runs or studies, not both", names)
        if len(set(names)) < len(names):
            raise _wrong("experiments", "a different name for each", names)
        paths = tuple(path for axis in self.space for path in axis.paths)
        if not paths or len(set(paths)) < len(paths):
            raise _wrong("space", "axes for different fields", paths)
        if self.trials is None and space.grid_size(self.space) is None:
            raise _wrong("trials", "a number of trials, because a field is drawn from an interval", None)
        if self.confirmed and "study" not in kinds:
            raise _wrong("confirmed", "0 for training runs", self.confirmed)
        return self


Experiment = Training | Study | Figure | Sweep
KINDS: dict[str, type[Training] | type[Study] | type[Figure] | type[Sweep]] = {
    "training": Training,
    "study": Study,
    "figure": Figure,
    "sweep": Sweep,
}


def _wrong(field: str, expected: str, received: Any) -> pydantic_core.PydanticCustomError:
    """Returns the error about one field, for a check of a whole value; `tfpaths.explanations` reads its context."""
    context = {"field": field, "expected": expected, "received": received}
    return pydantic_core.PydanticCustomError("expected", "{expected}", context)


def from_dict(values: Any) -> Experiment:
    """Returns the experiment whose dictionary `schema.to_dict` returned. Fields that are missing take their defaults.

    The `version` in a run's `config.json`, that of the tfpaths that wrote it, is left out.

    Raises:
      InputError: The dictionary is not a valid experiment; the message has the path of the first wrong field.

    Example:
      >>> from_dict({"kind": "figure", "name": "mine", "figure": {"name": "gradients"}}).figure.name
      'gradients'
    """
    if not isinstance(values, dict):
        raise errors.InputError(f"config: expected an object, received {values!r}.")
    values = {name: value for name, value in values.items() if name != "version"}
    kind = values.get("kind")
    if kind is None:
        raise errors.InputError("kind: expected a value, received none; version 0.1 wrote no kind, and is not read.")
    return schema.from_dict(values, KINDS[errors.choose("kind of experiment", str(kind), KINDS, path="kind")])
