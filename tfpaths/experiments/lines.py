"""The studies `line1_<variant>` and `line2_<variant>`: GANs on a line in R^d, 1,000 runs of each.

Experiment 1 gives the generator one latent number, exactly the data's capacity; experiment 2 gives it three. 10,000
steps are the paper's; the widths, the batch and the rates are ours: one rate of 3e-3 for every variant, so that they
differ in the game and in nothing else.
"""

from tfpaths.config import Lines, Study
from tfpaths.experiments.registry import register
from tfpaths.experiments.variants import VARIANTS

_RATE = 3e-3

for _name, _latents in (("line1", 1), ("line2", 3)):
    for _variant in VARIANTS:
        register(
            Study(
                name=f"{_name}_{_variant.name}",
                variant=_variant.replace(
                    generator_optimizer=_variant.generator_optimizer.replace(learning_rate=_RATE),
                    discriminator_optimizer=_variant.discriminator_optimizer.replace(learning_rate=_RATE),
                ),
                study=Lines(latents=_latents),
            )
        )
