"""The variants: the rows of the paper's comparison, each a value.

The losses, the penalties, their weight of 10 and the critic's five updates are those of the cited papers. The
optimisers, widths and lengths are ours, because the paper's are not known. We chose Adam's learning rate of 1e-3 by
measurement: after 1,500 steps, coloured digits are legible with 1e-3, and not yet with the usual 2e-4.
"""

from tfpaths.config import Loss, Optimizer, Penalty, Variant

_INTERPOLATION = Penalty(name="interpolation", weight=10.0, target=1.0)
# As in the authors' notebook, with every option explicit.
_DRAGAN = Penalty(
    name="dragan",
    weight=10.0,
    target=1.0,
    noise="uniform",
    noise_scale=0.5,
    interpolate=True,
    clip=False,
    on_probability=False,
)
# The betas are those of Gulrajani et al.'s code; their algorithm 1 says 0 and 0.9.
_ADAM = Optimizer(name="adam", learning_rate=1e-3, beta_1=0.5, beta_2=0.9)
# The learning rate, and the five updates below, are those of Gulrajani et al. 2017, algorithm 1.
_WGAN_GP_ADAM = _ADAM.replace(learning_rate=1e-4)
# Arjovsky et al. 2017, algorithm 1; the weight limit of 0.01 too.
_WGAN_RMSPROP = Optimizer(name="rmsprop", learning_rate=5e-5)


def _variant(
    name: str,
    loss: str,
    penalty: Penalty | None = None,
    *,
    weight_clip: float | None = None,
    discriminator_steps: int = 1,
    optimizer: Optimizer = _ADAM,
) -> Variant:
    return Variant(
        name=name,
        loss=Loss(name=loss),
        penalty=penalty,
        weight_clip=weight_clip,
        discriminator_steps=discriminator_steps,
        generator_optimizer=optimizer,
        discriminator_optimizer=optimizer,
    )


VARIANTS = (
    _variant("minimax", "minimax"),
    _variant("ns", "non_saturating"),
    _variant("wgan", "wasserstein", weight_clip=0.01, discriminator_steps=5, optimizer=_WGAN_RMSPROP),
    _variant("wgan_gp", "wasserstein", _INTERPOLATION, discriminator_steps=5, optimizer=_WGAN_GP_ADAM),
    _variant("gan_gp", "non_saturating", _INTERPOLATION),
    _variant("dragan", "minimax", _DRAGAN),
    _variant("dragan_ns", "non_saturating", _DRAGAN),
)
