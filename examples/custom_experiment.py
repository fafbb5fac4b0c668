"""A custom experiment: a value with a name, which then works in every mode.

    python -m tfpaths.launch --import=examples.custom_experiment --exp=color_mnist_relativistic
    python -m tfpaths.launch --import=examples.custom_experiment --list --exp='*_relativistic'

The losses compare real with generated examples (Jolicoeur-Martineau 2019, arXiv 1807.00734); of the two penalties, one
is between them and one at the real ones. The combination is ours.
"""

from tfpaths import experiments
from tfpaths.config import Loss, Penalty, Variant

experiments.register(
    experiments.get("color_mnist_ns").replace(
        name="color_mnist_relativistic",
        variant=Variant(
            name="relativistic",
            loss=Loss(name="relativistic"),
            penalty=(Penalty(name="interpolation", weight=10.0), Penalty(name="r1", weight=5.0)),
        ),
    )
)
