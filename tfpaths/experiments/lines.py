"""The synthetic experiments, `line1_<variant>` and `line2_<variant>`: GANs on a line in R^d, 1,000 runs of each.

Experiment 1 gives the generator one latent number, exactly the data's capacity; experiment 2 gives it three. 10,000
steps are the paper's; the widths, the batch and the rates are ours: one rate of 3e-3 for every variant, so that they
differ in the game and in nothing else.
"""

import dataclasses
from collections.abc import Iterator

from tfpaths import config
from tfpaths.experiments.images import VARIANTS

_RATE = 3e-3
_SCHEDULE = config.Schedule(steps=10_000, log_every=500)


def line_experiments() -> Iterator[config.Experiment]:
    """Both experiments, each with every variant."""
    for name, latents in (("line1", 1), ("line2", 3)):
        for variant in VARIANTS:
            rated = dataclasses.replace(
                variant,
                generator_optimizer=dataclasses.replace(variant.generator_optimizer, learning_rate=_RATE),
                discriminator_optimizer=dataclasses.replace(variant.discriminator_optimizer, learning_rate=_RATE),
            )
            yield config.Experiment(
                name=f"{name}_{variant.name}",
                data=config.Data(name="line"),
                variant=rated,
                schedule=_SCHEDULE,
                study=config.Study(latents=latents),
            )
