"""The table of the Dirac-GAN: eigenvalues and factors of a step, predicted and measured."""

from collections.abc import Mapping
from typing import Any

from tools.tables import made, markdown, number, read, rendered

# The results below `benchmarks/results/dirac/`, in the order of the table -> the method.
METHODS = {
    "minimax": "minimax",
    "ns": "non-saturating",
    "wgan": "WGAN, ψ clipped to [-1, 1]",
    "two_rates": "minimax, G ten times as slow",
    "noise": "instance noise, σ = 0.7",
    "roth": "Roth's penalty, γ = 2",
    "r1": "R1, γ = 0.3",
    "r1_critical": "R1, γ = 1 (critical)",
    "r1_images": "R1, γ = 10 (for images)",
    "r1_r2": "R1 and R2, γ = 0.3",
    "r3gan": "R3GAN, γ = 1",
    "optimistic": "WGAN, optimistic descent",
    "optimistic_ns": "optimistic descent",
    "consensus": "consensus, weight 1",
    "gradient_norm": "gradient norm, weight 1",
    "wgan_gp": "WGAN-GP, weight 0.35",
    "gan_gp": "GAN-GP, weight 0.35",
    "dragan": "DRAGAN, weight 0.35",
    "gan_gp_small": "GAN-GP, weight 10, rate 0.02, 5,000 steps",
    "gan_gp_images": "GAN-GP, weight 10",
}
_UPDATES = ("simultaneous", "alternating")


def eigenvalues(metrics: Mapping[str, float], prefix: str = "") -> str:
    """Returns the pair of eigenvalues in the metrics of a figure; a dash if it has none.

    Example:
      >>> eigenvalues({"real_0": -0.25, "real_1": -0.25, "imaginary_0": 0.5, "imaginary_1": -0.5})
      '−0.25 ± 0.5i'
    """
    if f"{prefix}real_0" not in metrics:
        return "–"
    first, second, size = (metrics[f"{prefix}{name}"] for name in ("real_0", "real_1", "imaginary_0"))
    if abs(size) < 1e-3:
        text = f"{first:.3g}, {second:.3g}"
    else:
        text = f"{f'{first:.3g} ' if abs(first) > 1e-3 else ''}± {'' if round(size, 3) == 1 else f'{size:.3g}'}i"
    return text.replace("-", "−")


def command(result: Mapping[str, Any]) -> str:
    """Returns the command of a result without the parts that all commands have."""
    parts = result["made"]["command"].split()
    shown = [part.replace("--set=", "--set ") for part in parts if part.startswith(("--exp", "--set"))]
    return f"`{' '.join(shown)}`"


def _factors(metrics: Mapping[str, float], updates: str) -> str:
    names = (f"{updates}_expected_factor", f"{updates}_factor")
    return " / ".join(f"{metrics[name]:.4f}" if name in metrics else "–" for name in names)


def _distance(metrics: Mapping[str, float], updates: str) -> str:
    low, high = metrics[f"{updates}_lowest"], metrics[f"{updates}_highest"]
    if high > 100:
        return f"diverges ({metrics[f'{updates}_distance']:.0e} at step {metrics[f'{updates}_steps']:.0f})"
    return f"{metrics[f'{updates}_distance']:.0e}" if high < 0.05 else f"{number(low, 3)} to {number(high, 3)}"


@rendered
def dirac() -> str:
    """Returns the table: method | eigenvalues | factor of a step | distance in the second half | command."""
    results = {name: read(f"dirac/{name}") for name in METHODS}
    rows = []
    for name, method in METHODS.items():
        metrics = results[name]["metrics"]
        pair = f"{eigenvalues(metrics, 'expected_')} / {eigenvalues(metrics)}"
        rows.append(
            (
                method,
                "no equilibrium" if pair == "– / –" else pair,
                *(_factors(metrics, updates) for updates in _UPDATES),
                *(_distance(metrics, updates) for updates in _UPDATES),
                command(results[name]),
            )
        )
    of_updates = (f"{what}, {updates}" for what in ("factor", "distance") for updates in _UPDATES)
    header = ("method", "eigenvalues", *of_updates, "command")
    return f"{markdown(header, rows)}\n\n{made(*results.values())}"
