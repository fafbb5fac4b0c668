"""The figures `dirac_<variant>`: fields and paths on the Dirac-GAN of Mescheder et al. 2018 (arXiv 1801.04406).

The start (1, 1), the rate of 0.2 and the 500 steps are those of the authors' notebook, as are the limit of 1 for WGAN,
the standard deviation of 0.7 of the noise, and the strengths of the penalties that are there: WGAN-GP's 0.7
(|psi| - 1) sgn(psi) is a weight of 0.35 here, R1's 0.3 psi a weight of 0.15. We give the other penalties of norm 1, and
R2, the same weights. `ns_roth` and `r3gan` have their own. With the weights for images, 10 and 5, a rate of 0.2 is too
large for these players: `--set figure.weight=10`.
"""

from typing import Any

from tfpaths.config import Drawing, Figure
from tfpaths.experiments.registry import register
from tfpaths.experiments.variants import VARIANTS

_OPTIONS: dict[str, dict[str, Any]] = {
    "wgan": {"weight_clip": 1.0},
    **{name: {"weight": 0.35} for name in ("wgan_gp", "gan_gp", "dragan", "dragan_ns")},
    **{name: {"noise": 0.7} for name in ("minimax_noise", "ns_noise")},
    **{name: {"weight": 0.15} for name in ("r1", "r1_r2")},
}

for _variant in VARIANTS:
    # A spectral norm of D(x) = psi x is |psi|, so that psi would have no effect.
    if not _variant.spectral_normalization and _variant.game.name == "gan":
        register(
            Figure(
                name=f"dirac_{_variant.name}",
                figure=Drawing(name="dirac", variant=_variant.name, **_OPTIONS.get(_variant.name, {})),
            )
        )
