"""Training runs: one variant on one data set."""

from typing import Annotated, Literal

import pydantic

from tfpaths import schema
from tfpaths.config.components import Data, Name, Names, Networks, Variant
from tfpaths.schema import Count, PositiveInt, Seed, Value

Precision = Literal["float32", "mixed_bfloat16", "mixed_float16", "auto"]


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
            raise schema.wrong("steps_per_execution", f"a divisor of the {self.steps} steps", self.steps_per_execution)
        return self


class Evaluation(Value):
    """The evaluation of the samples; it does not change the training. Options of metrics are fields too.

    Attributes:
      metrics: `auto` for every metric that the data set supports, `none`, or names of `tfpaths.metrics.METRICS`.
      extractor: The network whose features the scores use: `auto` for the data set's default; `digits`, `cifar10`,
        `inception` (from TF-Hub), `inception:DIRECTORY` for a local copy of it, or the directory of any SavedModel with
        the outputs `logits` and `pool_3`.
      split: The split whose images the samples are compared with; `auto` for `test`, or `train` if it is the only one.
      samples: The number of samples.
      seed: Seed for the samples, and for the critic.
      refine: Langevin steps that refine the samples (`tfpaths.refinement`); None for as many as the game makes.
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
    refine: Count | None = None
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
      precision: The Keras dtype policy of the networks. `auto` is `mixed_bfloat16` where the matrix product in bfloat16
        is faster, otherwise `float32`; it is chosen when a run begins.

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
