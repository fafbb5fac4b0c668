"""The experiments on points in the plane, `<points>_<variant>`: the toys of two papers with every variant.

The toys of Gulrajani et al. 2017 (arXiv 1704.00028) have the networks, the batch, the penalty's weight of 0.1 and the
optimisers of `wgan` and `wgan_gp` of their code (`gan_toy.py`), which trains 100,000 steps. Those of Song and Ermon
2020 (arXiv 1910.09779) have the networks, the batch, the 5,000 examples, the 10,000 steps and, for `kl_wgan` and
`hinge_sn`, the optimiser and the five updates of their code (`synthetic/kl_wgan.py`), which repeats one real batch in
the five updates. The rest is ours.
"""

from tfpaths.config import Data, Evaluation, Networks, Optimizer, Penalty, Schedule, Training, Variant
from tfpaths.experiments.registry import register
from tfpaths.experiments.variants import VARIANTS, with_rate

_WGAN_GP_TOYS = ("eight_gaussians", "twenty_five_gaussians", "swiss_roll")
_KL_WGAN_TOYS = ("mog", "banana", "ring", "square", "cosine", "funnel")
TOYS = (*_WGAN_GP_TOYS, *_KL_WGAN_TOYS)

_RMSPROP = Optimizer(name="rmsprop", learning_rate=2e-4)
_RATE = 1e-4
_WEIGHT = 0.1
# The sizes of the toy tables of Song and Ermon.
_EVALUATION = Evaluation(samples=5_000, references=True)


def _of_points(variant: Variant) -> Variant:
    """Returns a variant with the settings of the toys."""
    changes: dict = {}
    if variant.spectral_normalization:
        changes |= {"generator_optimizer": _RMSPROP, "discriminator_optimizer": _RMSPROP, "discriminator_steps": 5}
    elif variant.weight_clip is None:
        variant = with_rate(variant, _RATE)
    if isinstance(variant.penalty, Penalty) and variant.penalty.name in ("interpolation", "dragan"):
        changes["penalty"] = variant.penalty.replace(weight=_WEIGHT)
    return variant.replace(**changes)


def _register(name: str, variant: Variant, examples: int, networks: Networks) -> None:
    register(
        Training(
            name=f"{name}_{variant.name}",
            data=Data(name=name, examples=examples),
            variant=_of_points(variant),
            networks=networks,
            schedule=Schedule(steps=10_000, batch_size=256, sample_every=1_000, checkpoint_every=2_000),
            evaluation=_EVALUATION,
        )
    )


for _variant in VARIANTS:
    for _name in _WGAN_GP_TOYS:
        _register(_name, _variant, 100_000, Networks(name="mlp", latent_dim=2, width=512, depth=3))
    for _name in _KL_WGAN_TOYS:
        _register(
            _name,
            _variant,
            5_000,
            Networks(name="mlp", latent_dim=2, width=100, depth=2, negative_slope=0.01, initial="pytorch"),
        )
