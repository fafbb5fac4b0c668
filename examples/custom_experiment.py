"""A custom experiment: a value with a name, which then works in every mode.

    python -m tfpaths.launch --import=examples.custom_experiment --exp=color_mnist_r1_r2
    python -m tfpaths.launch --import=examples.custom_experiment --list --exp='*r1_r2'

The game is that of R3GAN (Huang et al. 2025, arXiv 2501.05441): relativistic losses with the two zero-centred
penalties. The networks and the penalties' weights are ours.
"""

from tfpaths import experiments
from tfpaths.config import Loss, Penalty, Variant

experiments.register(
    experiments.get("color_mnist_ns").replace(
        name="color_mnist_r1_r2",
        variant=Variant(
            name="r1_r2",
            loss=Loss(name="relativistic"),
            penalty=(Penalty(name="r1", weight=5.0), Penalty(name="r2", weight=5.0)),
        ),
    )
)
