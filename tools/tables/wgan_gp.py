"""The tables of the page about WGAN-GP's figures."""

from tools.tables import made, markdown, number, read, rendered

_VARIANTS = {"wgan": "clipping (WGAN)", "wgan_gp": "penalty (WGAN-GP)", "ns": "NS-GAN", "gan_gp": "GAN-GP"}
_DATA = {
    "eight_gaussians": "8 Gaussians",
    "twenty_five_gaussians": "25 Gaussians",
    "swiss_roll": "Swiss roll",
    "gaussian": "N(0, I/4)",
}


@rendered
def figure_surfaces() -> str:
    """Returns the tables of figure surfaces: the share of W_1 that critics see; their values and slopes."""
    results = read("figures/figure_surfaces")
    metrics = results["metrics"]

    def seen(prefix: str) -> str:
        middle, low, high = (f"{100 * metrics[f'{prefix}_seen{end}']:.0f}" for end in ("", "_low", "_high"))
        return f"{middle} ({low} to {high})"

    def value(prefix: str) -> str:
        return " / ".join(number(metrics[f"{prefix}_{name}"]) for name in ("value", "slope", "slope_mean", "slope_sd"))

    header = ("", *(f"{label}, W₁ = {metrics[f'{name}_w1']:.3f}" for name, label in _DATA.items()))
    tables = [
        markdown(
            header, [(label, *(cell(f"{variant}_{name}") for name in _DATA)) for variant, label in _VARIANTS.items()]
        )
        for cell in (seen, value)
    ]
    return "\n\n".join(
        [tables[0], "E D(x) − E D(x~) / largest slope / mean slope / its standard deviation:", tables[1]]
    ) + (f"\n\n{made(results, command=True)}")


@rendered
def figure_gradients() -> str:
    """Returns the table of figure gradients: factors from the last hidden layer to the first, weights at the clip."""
    results = read("figures/figure_gradients")
    metrics = results["metrics"]
    rows = []
    for name in (key.removesuffix("_decades") for key in metrics if key.endswith("_decades")):
        middle, low, high = (power(metrics[f"{name}_decades{end}"]) for end in ("", "_low", "_high"))
        shares = [metrics.get(f"{name}_at_clip{suffix}") for suffix in ("_first", "")]
        at_clip = ["" if share is None else f"{100 * share:.1f} %" for share in shares]
        label = "penalty" if name == "penalty" else f"c = {name.removeprefix('clip_')}"
        rows.append((label, power(metrics[f"{name}_decades_first"]), f"{middle} ({low} to {high})", *at_clip))
    factor = "factor from the last hidden layer to the first, after"
    header = ("", f"{factor} 1 step", "after 500 steps", "weights at ±c after 1 step", "after 500 steps")
    return f"{markdown(header, rows)}\n\n{made(results, command=True)}"


def power(decades: float, digits: int = 1) -> str:
    """Returns a power of ten as text.

    Example:
      >>> power(-13.94), power(0.61)
      ('10^−13.9', '10^0.6')
    """
    return f"10^{decades:.{digits}f}".replace("-", "−").replace("−0.0", "0.0")


@rendered
def figure_overfit() -> str:
    """Returns the table of figure overfit: the losses on both splits at the end, and the gaps."""
    results = read("figures/figure_overfit")
    metrics = results["metrics"]
    rows = []
    for variant in ("wgan", "wgan_gp", "gan_gp"):
        train, validation, low, high = (
            number(metrics[f"{variant}_{name}"], 3) for name in ("train", "validation", "gap_low", "gap_high")
        )
        errors = f"{metrics[f'{variant}_gap_errors']:.1f}".replace("-", "−")
        rows.append(
            (_VARIANTS[variant], train, validation, f"{number(metrics[f'{variant}_gap'], 3)} ({low} to {high})", errors)
        )
    header = (
        "",
        "−loss, training digits",
        "−loss, validation digits",
        "gap E D(train) − E D(validation)",
        "in its standard errors",
    )
    return f"{markdown(header, rows)}\n\n{made(results, command=True)}"


@rendered
def wgan_gp_claims() -> str:
    """Returns the table of the paper's claims beside ours."""
    surfaces, gradients, overfit = (
        read(f"figures/figure_{name}")["metrics"] for name in ("surfaces", "gradients", "overfit")
    )
    apart = sum(surfaces[f"wgan_{name}_seen_high"] < surfaces[f"wgan_gp_{name}_seen_low"] for name in _DATA)
    at_clip = [f"{100 * gradients[f'clip_0.01_at_clip{suffix}']:.1f} %" for suffix in ("_first", "")]
    changes = [power(gradients[f"clip_{c}_decades"]) for c in ("0.1", "0.01", "0.001")]
    gaps = [f"{overfit[f'{variant}_gap_errors']:.1f}".replace("-", "−") for variant in ("wgan", "wgan_gp", "gan_gp")]
    rows = [
        (
            "figure 1a: critics with clipped weights are simple approximations and ignore higher moments",
            f"clipping sees {_between(surfaces, 'wgan')} of W₁, the penalty {_between(surfaces, 'wgan_gp')}; on "
            f"{apart} of 4 data sets every run of the penalty sees more. On N(0, I/4), where the means agree, clipping "
            f"sees {100 * surfaces['wgan_gaussian_seen']:.0f} %",
            "simple: yes; ignore: no",
        ),
        (
            "corollary 1: the best critic has gradients of norm 1 between data and samples",
            f"with the penalty, mean norms of {_range(surfaces, 'wgan_gp', 'slope_mean')} at data and samples (GAN-GP: "
            f"{_range(surfaces, 'gan_gp', 'slope_mean')}); with clipping {_range(surfaces, 'wgan', 'slope_mean')}",
            "yes",
        ),
        (
            "figure 1b: with clipping the gradient vanishes or explodes with the depth, with the penalty it does not",
            f"{', '.join(changes)} over 11 layers for c = 0.1, 0.01, 0.001; {power(gradients['penalty_decades'])} with "
            "the penalty",
            "vanishes: yes; explodes: not here",
        ),
        (
            "figure 1b: clipping pushes weights towards ±c",
            f"for c = 0.01 {at_clip[0]} of them are there after one step and {at_clip[1]} after 500: the initial "
            "weights were clipped, and do not move",
            "only for c = 0.1",
        ),
        (
            "figure 5b: on 1,000 digits the losses on training and validation digits diverge, with clipping and with "
            "the penalty",
            f"gaps of {gaps[0]}, {gaps[1]} and {gaps[2]} standard errors with clipping, the penalty, and for GAN-GP",
            "with penalties: yes; with clipping: not in 6,000 updates",
        ),
    ]
    return markdown(("the paper", "ours", "holds?"), rows)


def _between(metrics: dict, variant: str) -> str:
    values = [100 * metrics[f"{variant}_{name}_seen"] for name in _DATA]
    return f"{min(values):.0f} to {max(values):.0f} %"


def _range(metrics: dict, variant: str, key: str) -> str:
    values = [metrics[f"{variant}_{name}_{key}"] for name in _DATA]
    return f"{min(values):.2f} to {max(values):.2f}"
