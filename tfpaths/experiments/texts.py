"""The experiments on texts, `<texts>_<variant>`: four data sets with every variant.

The settings of `lm1b_wgan_gp` are those of the character model of Gulrajani et al. 2017 (arXiv 1704.00028), as in their
code (`gan_language.py`): strings of 32 characters, batches of 64, ten updates of the critic in each step (a comment
says that 5 should do as well), a penalty of weight 10, Adam with 1e-4 and (0.5, 0.9), 128 latent numbers and networks
of width 512. The code trains 200,000 steps; the length of 20,000 is ours, as for images.

The other variants have the same networks, and the same rate of 1e-4 but for clipping, whose optimiser is that of
Arjovsky et al.; variants whose critic makes five updates on images make ten. That is ours, as are the widths for the
other data sets: 128 for `text` and `text_file`, 64 for `markov`. A comment in the code recommends smaller widths for
smaller data sets.
"""

from tfpaths.config import Data, Networks, Schedule, Training, Variant
from tfpaths.experiments.registry import register
from tfpaths.experiments.variants import VARIANTS, with_rate

_RATE = 1e-4
_CRITIC_STEPS = 10
_WIDTHS = {"text": 128, "markov": 64, "text_file": 128, "lm1b": 512}


def _of_texts(variant: Variant) -> Variant:
    """Returns a variant with the settings of texts."""
    if variant.discriminator_steps > 1:
        variant = variant.replace(discriminator_steps=_CRITIC_STEPS)
    return variant if variant.weight_clip is not None else with_rate(variant, _RATE)


for _name, _width in _WIDTHS.items():
    for _variant in VARIANTS:
        register(
            Training(
                name=f"{_name}_{_variant.name}",
                data=Data(name=_name),
                variant=_of_texts(_variant),
                networks=Networks(name="residual_text", latent_dim=128, width=_width, blocks=5),
                schedule=Schedule(steps=20_000, batch_size=64),
            )
        )
