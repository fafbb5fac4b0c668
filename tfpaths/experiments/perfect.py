"""`perfect_<data>` and `perfect_line`: figures 1 to 3 of Arjovsky and Bottou 2017 (arXiv 1701.04862).

On images, and on two parallel lines. The paper names neither the data nor the networks; those of `<data>_ns` are ours.
"""

from typing import cast

from tfpaths.config import Drawing, Figure, Perfect, Training
from tfpaths.experiments import images  # noqa: F401 - it registers the games
from tfpaths.experiments.registry import EXPERIMENTS, register

for _data in ("color_mnist", "cifar10"):
    _base = cast(Training, EXPERIMENTS[f"{_data}_ns"])
    _base = _base.replace(evaluation=_base.evaluation.replace(metrics="none"))
    register(Perfect(name=f"perfect_{_data}", base=_base))
register(Figure(name="perfect_line", figure=Drawing(name="perfect_line")))
