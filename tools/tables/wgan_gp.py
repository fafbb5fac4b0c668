"""The tables of the page about WGAN-GP's figures."""

from collections.abc import Mapping, Sequence

from tools.tables import made, markdown, number, read, rendered

_VARIANTS = {"wgan": "clipping (WGAN)", "wgan_gp": "penalty (WGAN-GP)", "ns": "NS-GAN", "gan_gp": "GAN-GP"}
_DATA = {
    "eight_gaussians": "8 Gaussians",
    "twenty_five_gaussians": "25 Gaussians",
    "swiss_roll": "Swiss roll",
    "gaussian": "N(0, I/4)",
}
_CLIPS = ("0.1", "0.01", "0.001")
_METHODS = {
    "wgan": "clipping, RMSprop",
    "wgan_gp_rmsprop": "penalty, RMSprop",
    "wgan_gp": "penalty, Adam",
    "ns": "NS-GAN, Adam",
}
_OVERFIT = {"wgan": "clipping", "wgan_gp": "penalty", "gan_gp": "GAN-GP"}
Metrics = Mapping[str, float]


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


def power(decades: float) -> str:
    """Returns a power of ten as text.

    Example:
      >>> power(-13.94), power(0.61)
      ('10^−13.9', '10^0.6')
    """
    return f"10^{decades:.1f}".replace("-", "−").replace("−0.0", "0.0")


@rendered
def figure_overfit() -> str:
    """Returns the table of figure overfit: the losses on both splits at the end, and the gaps."""
    results = read("figures/figure_overfit")
    metrics = results["metrics"]
    rows = []
    for variant in _OVERFIT:
        train, validation, low, high = (
            number(metrics[f"{variant}_{name}"], 3) for name in ("train", "validation", "gap_low", "gap_high")
        )
        errors = f"{metrics[f'{variant}_gap_errors']:.1f}".replace("-", "−")
        largest = f"{metrics[f'{variant}_gap_errors_largest']:.1f}"
        rows.append(
            (
                _VARIANTS[variant],
                train,
                validation,
                f"{number(metrics[f'{variant}_gap'], 3)} ({low} to {high})",
                errors,
                largest,
            )
        )
    header = (
        "",
        "negative loss, training digits",
        "negative loss, validation digits",
        "gap E D(train) − E D(validation)",
        "in its standard errors",
        "largest, any run and step",
    )
    return f"{markdown(header, rows)}\n\n{made(results, command=True)}"


@rendered
def figure_convergence() -> str:
    """Returns the table of figure convergence: scores at the last step and at equal time, beside floor and ceiling."""
    results = read("figures/figure_convergence")
    metrics = results["metrics"]
    rows = []
    for method, label in _METHODS.items():
        ends = [number(metrics[f"{method}_{name}"], 3) for name in ("score", "distance")]
        equal = [number(metrics[f"{method}_equal_{name}"], 3) for name in ("score", "distance")]
        rows.append((label, *ends, f"{metrics[f'{method}_seconds']:,.0f} s", *equal))
    for reference, label in (("real", "real images (floor)"), ("noise", "noise (ceiling)")):
        rows.append((label, *(number(metrics[f"{reference}_{name}"], 3) for name in ("score", "distance")), "", "", ""))
    header = (
        f"after {metrics['steps']:,.0f} steps",
        "score",
        "Fréchet distance",
        "training",
        f"score after {metrics['equal_seconds']:,.0f} s",
        "Fréchet distance",
    )
    return f"{markdown(header, rows)}\n\n{made(results, command=True)}"


@rendered
def wgan_gp_claims() -> str:
    """Returns the table of the paper's claims beside ours."""
    surfaces, gradients, overfit, convergence = (
        read(f"figures/figure_{name}")["metrics"] for name in ("surfaces", "gradients", "overfit", "convergence")
    )
    gaps = [f"{overfit[f'{variant}_gap_errors']:.1f}".replace("-", "−") for variant in _OVERFIT]
    rows = [
        (
            "figure 1a: critics with clipped weights are simple approximations and ignore higher moments",
            f"clipping sees {_between(surfaces, 'wgan')} of W₁, the penalty {_between(surfaces, 'wgan_gp')}. On "
            "N(0, I/4), whose samples have the same mean as the data, clipping sees "
            f"{100 * surfaces['wgan_gaussian_seen']:.0f} %",
            _simple(surfaces),
        ),
        (
            "corollary 1: the best critic has gradients of norm 1 between data and samples",
            f"with the penalty, mean norms of {_range(surfaces, 'wgan_gp', 'slope_mean')} at data and samples (GAN-GP: "
            f"{_range(surfaces, 'gan_gp', 'slope_mean')}); with clipping {_range(surfaces, 'wgan', 'slope_mean')}",
            _norm_one(surfaces),
        ),
        (
            "figure 1b: with clipping the gradient vanishes or explodes with the depth, with the penalty it does not",
            f"{', '.join(power(gradients[f'clip_{c}_decades']) for c in _CLIPS)} from the last hidden layer to the "
            f"first for c = {', '.join(_CLIPS)}; {power(gradients['penalty_decades'])} with the penalty",
            _vanishing(gradients),
        ),
        (
            "figure 1b: clipping pushes weights towards ±c",
            f"at ±c are {_at_clip(gradients, '_first')} of them after one step and {_at_clip(gradients, '')} at the "
            f"end, for c = {', '.join(_CLIPS)}",
            _pushed(gradients),
        ),
        (
            "figure 5b: on 1,000 digits the negative losses on training and validation digits diverge, with clipping "
            "and with the penalty, with which the first rises while the second falls",
            f"gaps of {gaps[0]}, {gaps[1]} and {gaps[2]} standard errors with clipping, the penalty, and for GAN-GP",
            _diverging(overfit),
        ),
        (
            "figure 3: on CIFAR-10 the penalty learns faster and scores higher than clipping, with RMSprop too",
            f"scores of {_of_methods(convergence, 'score', 'wgan_gp_rmsprop', 'wgan_gp', 'wgan')} after "
            f"{convergence['steps']:,.0f} steps for the penalty with RMSprop, with Adam, and clipping",
            _higher(convergence, "wgan"),
        ),
        (
            "figure 3: with Adam the penalty ends near a DCGAN, more slowly in time",
            f"scores of {_of_methods(convergence, 'score', 'wgan_gp', 'ns')} after as many steps, in "
            f"{_of_methods(convergence, 'seconds', 'wgan_gp', 'ns')} seconds, with the penalty and for NS-GAN",
            _near(convergence),
        ),
    ]
    return markdown(("the paper", "ours", "holds?"), rows)


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def _names(names: Sequence[str]) -> str:
    return f"for c = {', '.join(names)}" if names else "for none"


def _simple(surfaces: Metrics) -> str:
    """Returns on how many data sets each run of the penalty sees more; whether clipping sees less than a tenth there
    where only higher moments differ."""
    apart = sum(surfaces[f"wgan_{name}_seen_high"] < surfaces[f"wgan_gp_{name}_seen_low"] for name in _DATA)
    ignored = surfaces["wgan_gaussian_seen_high"] < 0.1
    return f"each run of the penalty sees more: on {apart} of {len(_DATA)} data sets; ignore: {_yes(ignored)}"


def _norm_one(surfaces: Metrics) -> str:
    """Returns for which variants all mean norms are within a tenth of 1."""
    near = {
        variant: all(abs(surfaces[f"{variant}_{name}_slope_mean"] - 1) < 0.1 for name in _DATA)
        for variant in ("wgan_gp", "gan_gp", "wgan")
    }
    return f"within 0.1: penalty {_yes(near['wgan_gp'])}, GAN-GP {_yes(near['gan_gp'])}, clipping {_yes(near['wgan'])}"


def _vanishing(gradients: Metrics) -> str:
    """Returns for which clips the gradient changes by a factor of ten or more in each run, and whether the penalty's
    does."""
    vanishes = [c for c in _CLIPS if gradients[f"clip_{c}_decades_high"] <= -1]
    explodes = [c for c in _CLIPS if gradients[f"clip_{c}_decades_low"] >= 1]
    stable = max(abs(gradients[f"penalty_decades_{end}"]) for end in ("low", "high")) < 1
    return (
        f"in each run tenfold or more: vanishes {_names(vanishes)}, explodes {_names(explodes)}; less than tenfold "
        f"with the penalty: {_yes(stable)}"
    )


def _pushed(gradients: Metrics) -> str:
    """Returns for which clips more weights are at the clip at the end than after the first step."""
    more = [c for c in _CLIPS if gradients[f"clip_{c}_at_clip"] > gradients[f"clip_{c}_at_clip_first"]]
    return f"more than after the first step: {_names(more)}"


def _diverging(overfit: Metrics) -> str:
    """Returns which gaps are above two standard errors, and whether a training value rises from the peak on."""
    wide = ", ".join(f"{label} {_yes(overfit[f'{variant}_gap_errors'] > 2)}" for variant, label in _OVERFIT.items())
    rises = [
        label
        for variant, label in _OVERFIT.items()
        if overfit[f"{variant}_train"] > overfit[f"{variant}_train_at_peak"]
    ]
    return f"above 2 standard errors: {wide}; the first rises: {', '.join(rises) or 'in none'}"


def _at_clip(gradients: Metrics, suffix: str) -> str:
    return ", ".join(f"{100 * gradients[f'clip_{c}_at_clip{suffix}']:.1f} %" for c in _CLIPS)


def _between(metrics: Metrics, variant: str) -> str:
    values = [100 * metrics[f"{variant}_{name}_seen"] for name in _DATA]
    return f"{min(values):.0f} to {max(values):.0f} %"


def _range(metrics: Metrics, variant: str, key: str) -> str:
    values = [metrics[f"{variant}_{name}_{key}"] for name in _DATA]
    return f"{min(values):.2f} to {max(values):.2f}"


def _of_methods(convergence: Metrics, name: str, *methods: str) -> str:
    values = [number(convergence[f"{method}_{name}"], 3) for method in methods]
    return f"{', '.join(values[:-1])} and {values[-1]}"


def _higher(convergence: Metrics, other: str) -> str:
    """Returns for which optimisers the penalty's score is higher, and its distance lower, than another method's."""
    found = []
    for label, method in (("RMSprop", "wgan_gp_rmsprop"), ("Adam", "wgan_gp")):
        higher = convergence[f"{method}_score"] > convergence[f"{other}_score"]
        closer = convergence[f"{method}_distance"] < convergence[f"{other}_distance"]
        found.append(f"{label}: higher score {_yes(higher)}, lower distance {_yes(closer)}")
    return f"{'; '.join(found)}; {_seeds(convergence)}"


def _near(convergence: Metrics) -> str:
    """Returns whether the penalty's score is within a tenth of NS-GAN's, and its training longer."""
    ours, theirs = (convergence[f"{method}_score"] for method in ("wgan_gp", "ns"))
    slower = convergence["wgan_gp_seconds"] > convergence["ns_seconds"]
    near = abs(ours - theirs) < 0.1 * theirs
    return f"within a tenth: {_yes(near)}; more slowly: {_yes(slower)}; {_seeds(convergence)}"


def _seeds(convergence: Metrics) -> str:
    count = convergence["runs"]
    return f"{count:.0f} seed{'s' if count > 1 else ''}"
