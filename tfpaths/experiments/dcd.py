"""The experiments `<data>_dcd`: discriminator contrastive divergence from a finished run of `<data>_hinge_sn`.

As in the released code of Song, Ye, Xu and Liu 2020 (arXiv 2004.01704): the hinge loss, spectral normalisation, five
updates of the discriminator in each step, Adam with 2e-4 and (0, 0.9), and 20 steps of the dynamics `code_latent`. The
code repeats one pair of batches in the five updates. The lengths are ours; the code makes 50,000 steps.

    python -m tfpaths.launch --exp=color_mnist_hinge_sn
    python -m tfpaths.launch --exp=color_mnist_dcd --set networks.weights_of=runs/color_mnist_hinge_sn
"""

from typing import cast

from tfpaths.config import Game, Optimizer, Training
from tfpaths.experiments import images, points  # noqa: F401 - they register the runs before
from tfpaths.experiments.registry import EXPERIMENTS, register

_ADAM = Optimizer(name="adam", learning_rate=2e-4, beta_1=0.0, beta_2=0.9)

for _data in ("twenty_five_gaussians", "color_mnist", "cifar10"):
    _base = cast(Training, EXPERIMENTS[f"{_data}_hinge_sn"])
    register(
        _base.replace(
            name=f"{_data}_dcd",
            variant=_base.variant.replace(
                name="dcd",
                generator_optimizer=_ADAM,
                discriminator_optimizer=_ADAM,
                discriminator_steps=5,
                game=Game(name="dcd", refinement_steps=20, dynamics="code_latent"),
            ),
            schedule=_base.schedule.replace(steps=1_000, checkpoint_every=250, sample_every=250),
        )
    )
