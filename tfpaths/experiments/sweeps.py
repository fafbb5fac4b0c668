"""The sweeps `robustness_<data>`: variants over many settings of their hyper-parameters.

On lines: 1,000 random settings in 2, 8 and 32 dimensions, the same for every variant. The intervals and the lengths are
ours; those of the paper are not known. With five discriminator updates a run has a fifth of the steps, so that all runs
get 2,000 discriminator updates.

On images: the 24 settings of Kurach et al. 2018 (arXiv 1807.04720), which combine the "good" parameters of Fedus,
Rosca et al., Miyato et al. and Gulrajani et al.: the learning rate of both players, the penalty's weight, and
(beta_1, beta_2, discriminator updates). They are from memory of the paper's table 1, not checked. The sizes are ours,
for a night on two cores.
"""

from tfpaths import config
from tfpaths.experiments.registry import register
from tfpaths.experiments.variants import VARIANTS
from tfpaths.space import Choice, Range

_GENERATOR, _DISCRIMINATOR = "variant.generator_optimizer", "variant.discriminator_optimizer"
_BETAS = tuple(f"{player}.beta_{which}" for player in (_GENERATOR, _DISCRIMINATOR) for which in (1, 2))
_OF_NAME = {variant.name: variant for variant in VARIANTS}
# Mescheder et al. 2018, with the non-saturating loss; the weight is an axis.
_R1 = _OF_NAME["ns"].replace(name="r1", penalty=config.Penalty(name="r1"))
_UPDATES = 2_000
_ROWS = 20

_SPACE_OF_LINES = (
    Range(paths=(f"{_GENERATOR}.learning_rate",), scale="log", low=1e-5, high=1e-1),
    Range(paths=(f"{_DISCRIMINATOR}.learning_rate",), scale="log", low=1e-5, high=1e-1),
    Range(paths=("variant.penalty.weight",), scale="log", low=0.1, high=100.0),
    Choice(paths=_BETAS, values=tuple(2 * pair for pair in ((0.0, 0.9), (0.5, 0.9), (0.5, 0.999), (0.9, 0.999)))),
    Choice(
        paths=("variant.discriminator_steps", "schedule.steps", "schedule.log_every"),
        values=tuple((count, _UPDATES // count, _UPDATES // count // _ROWS) for count in (1, 5)),
    ),
    Choice(paths=("study.width",), values=((16,), (64,), (256,))),
)

for _name, _latents in (("line1", 1), ("line2", 3)):
    register(
        config.Sweep(
            name=f"robustness_{_name}",
            experiments=tuple(
                config.Study(
                    name=f"{_name}_{variant.name}_d{dimension}",
                    variant=variant,
                    study=config.Lines(latents=_latents, dimension=dimension),
                )
                for dimension in (2, 8, 32)
                for variant in (_OF_NAME[name] for name in ("ns", "gan_gp", "dragan_ns", "wgan_gp", "minimax", "r1"))
            ),
            space=_SPACE_OF_LINES,
            trials=1_000,
            confirmed=1_000,
        )
    )

_SPACE_OF_IMAGES = (
    Choice(
        paths=(f"{_GENERATOR}.learning_rate", f"{_DISCRIMINATOR}.learning_rate"),
        values=tuple((rate, rate) for rate in (2e-4, 1e-4, 1e-3)),
    ),
    Choice(paths=("variant.penalty.weight",), values=((1.0,), (10.0,))),
    Choice(
        paths=(*_BETAS, "variant.discriminator_steps"),
        values=tuple(
            (beta_1, beta_2, beta_1, beta_2, count)
            for beta_1, beta_2, count in ((0.5, 0.9, 5), (0.5, 0.999, 1), (0.5, 0.999, 5), (0.9, 0.999, 5))
        ),
    ),
)

for _name in ("color_mnist", "cifar10", "celeba"):
    register(
        config.Sweep(
            name=f"robustness_{_name}",
            experiments=tuple(
                config.Training(
                    name=f"{_name}_{name}",
                    data=config.Data(name=_name),
                    variant=_OF_NAME[name],
                    networks=config.Networks(generator_filters=32, discriminator_filters=32),
                    schedule=config.Schedule(steps=3_000, sample_every=1_000, checkpoint_every=500),
                )
                for name in ("ns", "gan_gp", "dragan_ns", "wgan_gp")
            ),
            space=_SPACE_OF_IMAGES,
        )
    )
