"""The experiments `<data>_mix_<variant>` of MIX+GAN, and their control, `<data>_<variant>_wide`.

Arora et al. 2017 (arXiv 1703.00573), section 5. A mix has three generators and three discriminators, as the paper on
MNIST and CelebA; it has five on CIFAR-10: `--set variant.game.size=5`. The entropy's weight of 0.1 is that of the
authors' code (`MIX-plus-GANs`, `cifar10/train_mixgan.py`). Everything else is that of the experiment without mix, so
that a comparison is one of games; in the paper it is Adam with 1e-4.

The control is one pair with three times the parameters of each player, within 1 %: wider layers of the same number. The
paper's control has five times the size, and is not tuned either.

    python -m tfpaths.launch --exp=color_mnist_ns
    python -m tfpaths.launch --exp=color_mnist_ns_wide
    python -m tfpaths.launch --exp=color_mnist_mix_ns
"""

from typing import cast

from tfpaths.config import Data, Evaluation, Game, Networks, Schedule, Training
from tfpaths.experiments import images, points  # noqa: F401 - they register the experiments without mix
from tfpaths.experiments.registry import EXPERIMENTS, register
from tfpaths.experiments.variants import VARIANTS as EVERY_VARIANT
from tfpaths.experiments.variants import with_rate

VARIANTS = ("ns", "wgan_gp", "dragan_ns")
MIX = Game(name="mix", size=3, entropy_weight=0.1)

# (generator_filters, discriminator_filters) instead of 64 and 64. Most weights between two maps grow with the square of
# the filters, 64 sqrt(3) = 111; those from the latents, and from the last map to the logit, with the filters.
_FILTERS = {
    "color_mnist": (146, 113),
    "stacked_mnist": (146, 113),
    "cifar10": (119, 111),
    "celeba": (115, 111),
    "folder": (115, 111),
}
# Width -> width: nearly sqrt(3) times.
_WIDTHS = {512: 888, 100: 175}


# A linear generator has 4 parameters for a latent of 1, and 12 for one of 5; the discriminator has 3 · 4,417 nearly.
_WIDE_LINE = {"latent_dim": 5, "width": 113}


def _register(data: str) -> None:
    for variant in VARIANTS:
        base = cast(Training, EXPERIMENTS[f"{data}_{variant}"])
        mixed = base.variant.replace(name=f"mix_{variant}", game=MIX)
        register(base.replace(name=f"{data}_mix_{variant}", variant=mixed))
        if data in _FILTERS:
            generator, discriminator = _FILTERS[data]
            wide = base.networks.replace(generator_filters=generator, discriminator_filters=discriminator)
        elif data == "mixline":
            wide = base.networks.replace(**_WIDE_LINE)
        else:
            wide = base.networks.replace(width=_WIDTHS[cast(int, base.networks.options["width"])])
        register(base.replace(name=f"{data}_{variant}_wide", networks=wide))


# Ours: linear generators, and everything else as in the studies of lines.
for _variant in EVERY_VARIANT:
    if _variant.name in VARIANTS:
        register(
            Training(
                name=f"mixline_{_variant.name}",
                data=Data(name="mixline"),
                variant=with_rate(_variant, 3e-3),
                networks=Networks(name="linear", latent_dim=1, width=64, depth=2),
                schedule=Schedule(steps=10_000, batch_size=128, sample_every=1_000, checkpoint_every=2_000),
                evaluation=Evaluation(samples=5_000, every=500, every_metrics=("mixture_mmd",)),
            )
        )

for _data in ("mixline", *_FILTERS, *points.TOYS):
    _register(_data)
