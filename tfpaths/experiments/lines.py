"""The studies `line1_<variant>` and `line2_<variant>`: GANs on a line in R^d, 1,000 runs each.

In experiment 1 the generator has one latent number, exactly as many as the data need; in experiment 2 it has three. The
10,000 steps are the paper's. The widths, the batch size and the learning rates are ours: 3e-3 for every variant, so
that no difference is one of rates. Optimisers and updates of the discriminator are those of `variants`.
"""

from tfpaths.config import Lines, Study
from tfpaths.experiments.registry import register
from tfpaths.experiments.variants import VARIANTS, with_rate

_RATE = 3e-3

for _name, _latents in (("line1", 1), ("line2", 3)):
    for _variant in VARIANTS:
        register(
            Study(
                name=f"{_name}_{_variant.name}",
                variant=with_rate(_variant, _RATE),
                study=Lines(latents=_latents),
            )
        )
