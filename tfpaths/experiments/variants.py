"""The variants: the rows of the paper's comparison, each a value.

The losses, the penalties, their weight of 10 and the critic's five updates are those of the cited papers. The
optimisers, widths and lengths are ours, because the paper's are not known. We chose Adam's learning rate of 1e-3 by
measurement: after 1,500 steps, coloured digits are legible with 1e-3, and not yet with the usual 2e-4.

`kl_wgan` is the objective of Song and Ermon 2020 (arXiv 1910.09779). Their code for samples has another form:
`variant.loss.hinge=true` and `variant.loss.detach=false`. `hinge_sn` is what their tables call WGAN.

`ns_noise` and `minimax_noise` have instance noise (Sønderby et al. 2016; Arjovsky and Bottou 2017), which decays to
zero in the training; scale and schedule are ours, because neither paper has them. `ns_roth` has its analytic form (Roth
et al. 2017), with the gamma of 2 and the decay of its code, over 10,000 steps. `r1` and `r1_r2` have the weights of
Mescheder et al. 2018 (gamma / 2 with gamma = 10); `r3gan` is the relativistic pair with R1 and R2 of Huang et al. 2025,
with their gamma of 1, Adam's betas (0, 0.99) and learning rate 2e-4; their schedules of gamma and beta are left out.
"""

from tfpaths.config import InstanceNoise, Loss, Optimizer, Penalty, Variant

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
_KL = Loss(name="kl_wasserstein", temperature=1.0, hinge=False, detach=True, per_replica=False)
_NOISE = InstanceNoise(scale=0.5, end=0.0, schedule="linear")
_R1 = Penalty(name="r1", weight=5.0)
_R2 = Penalty(name="r2", weight=5.0)
# The betas are those of Gulrajani et al.'s code; their algorithm 1 says 0 and 0.9.
_ADAM = Optimizer(name="adam", learning_rate=1e-3, beta_1=0.5, beta_2=0.9)
# The learning rate, and the five updates below, are those of Gulrajani et al. 2017, algorithm 1.
_WGAN_GP_ADAM = _ADAM.replace(learning_rate=1e-4)
# Arjovsky et al. 2017, algorithm 1; the weight limit of 0.01 too.
_WGAN_RMSPROP = Optimizer(name="rmsprop", learning_rate=5e-5)


def _variant(
    name: str,
    loss: str | Loss,
    penalty: Penalty | tuple[Penalty, ...] | None = None,
    *,
    weight_clip: float | None = None,
    spectral_normalization: bool = False,
    discriminator_steps: int = 1,
    optimizer: Optimizer = _ADAM,
    instance_noise: InstanceNoise | None = None,
) -> Variant:
    return Variant(
        name=name,
        loss=Loss(name=loss) if isinstance(loss, str) else loss,
        penalty=penalty,
        weight_clip=weight_clip,
        spectral_normalization=spectral_normalization,
        instance_noise=instance_noise,
        discriminator_steps=discriminator_steps,
        generator_optimizer=optimizer,
        discriminator_optimizer=optimizer,
    )


def with_rate(variant: Variant, learning_rate: float) -> Variant:
    """Returns a variant in which both players have this learning rate, for a study that compares only the games.

    Example:
      >>> with_rate(VARIANTS[0], 0.5).discriminator_optimizer.learning_rate
      0.5
    """
    names = ("generator_optimizer", "discriminator_optimizer")
    return variant.replace(**{name: getattr(variant, name).replace(learning_rate=learning_rate) for name in names})


VARIANTS = (
    _variant("minimax", "minimax"),
    _variant("ns", "non_saturating"),
    _variant("wgan", "wasserstein", weight_clip=0.01, discriminator_steps=5, optimizer=_WGAN_RMSPROP),
    _variant("wgan_gp", "wasserstein", _INTERPOLATION, discriminator_steps=5, optimizer=_WGAN_GP_ADAM),
    _variant("gan_gp", "non_saturating", _INTERPOLATION),
    _variant("dragan", "minimax", _DRAGAN),
    _variant("dragan_ns", "non_saturating", _DRAGAN),
    _variant("kl_wgan", _KL, spectral_normalization=True),
    _variant("hinge_sn", "hinge", spectral_normalization=True),
    _variant("minimax_noise", "minimax", instance_noise=_NOISE),
    _variant("ns_noise", "non_saturating", instance_noise=_NOISE),
    _variant("ns_roth", "non_saturating", Penalty(name="roth", weight=1.0, decay=0.01, decay_steps=10_000)),
    _variant("r1", "non_saturating", _R1),
    _variant("r1_r2", "non_saturating", (_R1, _R2)),
    _variant(
        "r3gan",
        "relativistic",
        (_R1.replace(weight=0.5), _R2.replace(weight=0.5)),
        optimizer=_ADAM.replace(learning_rate=2e-4, beta_1=0.0, beta_2=0.99),
    ),
)
