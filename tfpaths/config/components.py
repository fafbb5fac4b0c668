"""The parts of an experiment that are chosen by name, and the variant, which consists of them."""

import re
from typing import Annotated, Literal

import pydantic

from tfpaths import schema
from tfpaths.schema import Component, NonNegative, Positive, PositiveInt, Seed, Share, Value

LIST = pydantic.Strict(False)  # JSON has lists where a value has tuples.
Names = Annotated[tuple[str, ...], LIST]
# An experiment's name is also the name of its directory.
Name = Annotated[
    str, schema.expects("a-z, 0-9 and _", lambda name: re.fullmatch("[a-z0-9][a-z0-9_]*", name) is not None)
]


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


class InstanceNoise(Value):
    """Gaussian noise on all examples that the discriminator sees in training: `tfpaths.instance_noise`.

    Attributes:
      scale: The standard deviation at the first step, in the units of the examples; images are in [-1, 1].
      end: The standard deviation after `steps` steps; only with `linear` and `exponential`.
      schedule: `constant`, `linear` or `exponential`.
      steps: The steps until `end`; None for the length of the training, which a stored config then has.

    Raises:
      InputError: `exponential` with a scale or an end of zero, or `constant` with `end` or `steps`.

    Example:
      >>> InstanceNoise(scale=0.1).schedule
      'constant'
    """

    scale: NonNegative
    end: NonNegative = 0.0
    schedule: Literal["constant", "linear", "exponential"] = "constant"
    steps: PositiveInt | None = None

    @pydantic.model_validator(mode="after")
    def _schedule(self) -> "InstanceNoise":
        for field in ("scale", "end"):
            if self.schedule == "exponential" and getattr(self, field) == 0:
                raise schema.wrong(field, "a number above zero with schedule=exponential", 0.0)
        if self.schedule == "constant" and self.end != 0:
            raise schema.wrong("end", "0 with schedule=constant", self.end)
        if self.schedule == "constant" and self.steps is not None:
            raise schema.wrong("steps", "none with schedule=constant", self.steps)
        return self


class Variant(Value):
    """A variant of GAN training: the losses, the penalties, the optimisers and the game.

    Attributes:
      name: The variant's name, for tables and legends.
      loss: The pair of losses.
      penalty: The gradient penalty, or several whose sum is used, or None.
      weight_clip: The discriminator's weights are clipped to [-weight_clip, weight_clip]; None for no clipping.
      spectral_normalization: Whether each kernel of the discriminator is divided by its largest singular value.
      instance_noise: The noise on all examples that the discriminator sees in training, or None.
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
    penalty: Penalty | Annotated[tuple[Penalty, ...], LIST] | None = None
    weight_clip: Positive | None = None
    spectral_normalization: bool = False
    instance_noise: InstanceNoise | None = None
    discriminator_steps: PositiveInt = 1
    generator_optimizer: Optimizer = Optimizer()
    discriminator_optimizer: Optimizer = Optimizer()
    game: Game = Game(name="gan")

    def describe(self) -> str:
        """Returns a short description: the loss, the penalties, the other constraints, and the game if it is not `gan`.

        Example:
          >>> Variant(name="mine", loss=Loss(name="hinge"), penalty=Penalty(name="r1")).describe()
          'hinge loss, r1 penalty'
        """
        parts = [f"{self.loss.name} loss", *(f"{penalty.name} penalty" for penalty in self.penalties)]
        if self.weight_clip is not None:
            parts.append(f"weights clipped to {self.weight_clip:g}")
        if self.spectral_normalization:
            parts.append("spectral normalisation")
        if self.instance_noise is not None:
            parts.append(f"instance noise {self.instance_noise.scale:g}")
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
      ema: The decay of an exponential moving average of the generator's weights, from which all samples then come; None
        for no average.
      weights_of: The directory of a run, with whose weights a new run begins; None for initial weights.

    Example:
      >>> Networks(name="dcgan", generator_filters=32).options
      {'generator_filters': 32}
    """

    name: str = "auto"
    latent_dim: PositiveInt = 64
    implementation: Literal["fast", "keras"] = "fast"
    ema: Share | None = None
    weights_of: str | None = None
