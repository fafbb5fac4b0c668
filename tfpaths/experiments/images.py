"""Data sets × variants: the image experiments, `<data>_<variant>`.

A variant is a row of the paper's comparison. Losses, penalties, their weight of 10 and the critic's five updates are
those of the cited papers; optimisers, widths and lengths are ours, since the paper's own are not at hand. Adam's rate
of 1e-3 is measured: at the usual 2e-4 coloured digits are not yet legible after 1,500 steps, at 1e-3 they are.
"""

from collections.abc import Iterator

from tfpaths import config

DATA = tuple(config.Data(name=name) for name in ("color_mnist", "stacked_mnist", "cifar10", "celeba", "folder"))

_INTERPOLATION = config.Penalty(name="interpolation", weight=10.0, target=1.0)
# The authors' notebook, spelt out.
_DRAGAN = config.Penalty(
    name="dragan",
    weight=10.0,
    target=1.0,
    noise="uniform",
    noise_scale=0.5,
    interpolate=True,
    clip=False,
    on_probability=False,
)
# Gulrajani et al. 2017, algorithm 1, for the rate and the five updates; the betas are ours, those of the others.
_WGAN_GP_ADAM = config.Optimizer(learning_rate=1e-4)
# Arjovsky et al. 2017, algorithm 1.
_WGAN_RMSPROP = config.Optimizer(name="rmsprop", learning_rate=5e-5)

VARIANTS = (
    config.Variant(name="minimax", loss="minimax"),
    config.Variant(name="ns", loss="non_saturating"),
    config.Variant(
        name="wgan",
        loss="wasserstein",
        weight_clip=0.01,
        discriminator_steps=5,
        generator_optimizer=_WGAN_RMSPROP,
        discriminator_optimizer=_WGAN_RMSPROP,
    ),
    config.Variant(
        name="wgan_gp",
        loss="wasserstein",
        penalty=_INTERPOLATION,
        discriminator_steps=5,
        generator_optimizer=_WGAN_GP_ADAM,
        discriminator_optimizer=_WGAN_GP_ADAM,
    ),
    config.Variant(name="gan_gp", loss="non_saturating", penalty=_INTERPOLATION),
    config.Variant(name="dragan", loss="minimax", penalty=_DRAGAN),
    config.Variant(name="dragan_ns", loss="non_saturating", penalty=_DRAGAN),
)


def image_experiments() -> Iterator[config.Experiment]:
    """The grid."""
    for data in DATA:
        for variant in VARIANTS:
            yield config.Experiment(name=f"{data.name}_{variant.name}", data=data, variant=variant)
