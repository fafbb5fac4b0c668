"""The studies `study_<points>_<variant>`: many independent GANs on points in the plane, trained together.

The widths, the batch size, the 5,000 steps, the 256 runs and the learning rates are ours: 1e-3 for every variant, so
that no difference is one of rates. Optimisers and updates of the discriminator are those of `variants`. The data are
those of `tfpaths.experiments.points`, drawn afresh for each batch.
"""

from tfpaths.config import Points, Study, StudySchedule
from tfpaths.experiments.points import TOYS
from tfpaths.experiments.registry import register
from tfpaths.experiments.variants import VARIANTS, with_rate

_RATE = 1e-3

for _name in TOYS:
    for _variant in VARIANTS:
        register(
            Study(
                name=f"study_{_name}_{_variant.name}",
                variant=with_rate(_variant, _RATE),
                study=Points(data=_name, runs=256, width=64, depth=2),
                schedule=StudySchedule(steps=5_000, batch_size=128, log_every=250),
            )
        )
