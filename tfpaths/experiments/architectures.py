"""`robustness_architectures`: four variants on the same random architectures, after Gulrajani et al. 2017, section 5.1.

The axes are those of the paper's table 1 (arXiv 1704.00028): for each player its activation, its depth, whether it is
normalised, and its base filters. Ours, for two cores: depths of 4, 6, 8 and 12 layers for 4, 8, 12 and 20, a quarter of
the filters 32, 64 and 128, CIFAR-10 for ImageNet at 32 pixels, 1,000 steps for 100,000, and 50 architectures for 200.

NS-GAN and WGAN-GP have the paper's optimisers and numbers of updates. GAN-GP and DRAGAN-NS, which it has not, have
those of NS-GAN. A normalised discriminator has BatchNorm without a penalty and layer normalisation with one, as in the
paper. So on one draw

- GAN-GP and DRAGAN-NS differ only in the penalty;
- NS-GAN differs from both in the penalty, and if the draw normalises the discriminator in the normalisation;
- WGAN-GP differs from GAN-GP in the loss, the optimisers and the discriminator's updates.

The paper's weight decay of normalised discriminators, 1e-3, is left out.
"""

from tfpaths import config
from tfpaths.experiments.registry import register
from tfpaths.experiments.variants import VARIANTS
from tfpaths.space import Choice

_OF_NAME = {variant.name: variant for variant in VARIANTS}
_GAN_ADAM = config.Optimizer(name="adam", learning_rate=2e-4, beta_1=0.5, beta_2=0.999)
_WGAN_GP_ADAM = config.Optimizer(name="adam", learning_rate=1e-4, beta_1=0.0, beta_2=0.9)
# Ours, chosen before any measurement. A classifier of ten classes gives 1 to all-alike images, and at most 10.
_THRESHOLDS = (1.5, 2.0, 2.5, 3.0, 4.0, 5.0)
_ACTIVATIONS = (("relu",), ("leaky_relu",), ("softplus",), ("tanh",))


def _experiment(name: str) -> config.Training:
    adam = _WGAN_GP_ADAM if name == "wgan_gp" else _GAN_ADAM
    variant = _OF_NAME[name].replace(generator_optimizer=adam, discriminator_optimizer=adam)
    normalization = "batch" if variant.penalty is None else "layer"
    return config.Training(
        name=f"architectures_{name}",
        data=config.Data(name="cifar10"),
        variant=variant,
        networks=config.Networks(name="deep_dcgan", latent_dim=128, discriminator_normalization=normalization),
        schedule=config.Schedule(steps=1_000, sample_every=1_000, checkpoint_every=500),
        evaluation=config.Evaluation(metrics=("scores",), samples=5_000),
    )


register(
    config.Sweep(
        name="robustness_architectures",
        experiments=tuple(_experiment(name) for name in ("ns", "gan_gp", "dragan_ns", "wgan_gp")),
        space=(
            Choice(paths=("networks.generator_activation",), values=_ACTIVATIONS),
            Choice(paths=("networks.discriminator_activation",), values=_ACTIVATIONS),
            Choice(paths=("networks.generator_depth",), values=((4,), (6,), (8,), (12,))),
            Choice(paths=("networks.discriminator_depth",), values=((4,), (6,), (8,), (12,))),
            Choice(paths=("networks.generator_batch_norm",), values=((True,), (False,))),
            Choice(paths=("networks.discriminator_normalized",), values=((True,), (False,))),
            Choice(paths=("networks.generator_filters",), values=((8,), (16,), (32,))),
            Choice(paths=("networks.discriminator_filters",), values=((8,), (16,), (32,))),
        ),
        trials=50,
        thresholds=_THRESHOLDS,
    )
)
