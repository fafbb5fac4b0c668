"""Fresh discriminators against frozen generators."""

from typing import Annotated, Literal

import pydantic

from tfpaths import schema
from tfpaths.config.components import LIST, Name
from tfpaths.config.training import Training
from tfpaths.schema import PositiveInt, Seed, Value

# The losses whose discriminator minimises the cross-entropy.
_LOGISTIC = ("minimax", "non_saturating")


class Fresh(Value):
    """The training of each fresh discriminator, and what is measured of it.

    Attributes:
      steps: The number of its updates.
      log_every: Updates between rows.
      examples: Images of each set on which loss and accuracy are measured.
      batches: Batches on which the generator's gradients are measured.

    Example:
      >>> Fresh(steps=100).batches
      8
    """

    steps: PositiveInt = 4_000
    log_every: PositiveInt = 20
    examples: PositiveInt = 500
    batches: Annotated[int, schema.expects("a number of at least 2", lambda value: value >= 2)] = 8


class Perfect(Value):
    """A game that is trained and frozen, and a fresh discriminator against each frozen generator (`tfpaths.perfect`).

    Attributes:
      kind: `perfect`.
      name: The experiment's name.
      base: The game. `epochs` set the number of its steps.
      epochs: The passes through the training images after which the generator is frozen.
      fresh: The training of each fresh discriminator.
      seed: Seed for the fresh discriminators; that of the game is `base.seed`.

    Raises:
      InputError: `epochs` is empty or does not increase, the game's loss is not logistic, its discriminator's weights
        are clipped, or it has instance noise.

    Example:
      >>> from tfpaths.config import Variant
      >>> base = Training(name="mine", data="color_mnist", variant=Variant(name="ns", loss="non_saturating"))
      >>> Perfect(name="perfect_mine", base=base).epochs
      (1, 10, 25)
    """

    kind: Literal["perfect"] = "perfect"
    name: Name
    base: Training
    epochs: Annotated[tuple[PositiveInt, ...], LIST] = (1, 10, 25)
    fresh: Fresh = Fresh()
    seed: Seed = 0

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "Perfect":
        variant = self.base.variant
        if not self.epochs or self.epochs != tuple(sorted(set(self.epochs))):
            raise schema.wrong("epochs", "numbers, each larger than the one before", self.epochs)
        if variant.loss.name not in _LOGISTIC:
            raise schema.wrong("base.variant.loss", " or ".join(_LOGISTIC), variant.loss.name)
        if variant.weight_clip is not None:
            raise schema.wrong("base.variant.weight_clip", "none", variant.weight_clip)
        if variant.instance_noise is not None:
            raise schema.wrong("base.variant.instance_noise", "none", variant.instance_noise.scale)
        return self
