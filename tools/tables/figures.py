"""The tables of the figures page."""

import json

from tools.tables import RESULTS, made, markdown, number, read, rendered, share

NAMES = {"ns": "NS-GAN", "gan_gp": "GAN-GP", "dragan_ns": "DRAGAN-NS", "wgan_gp": "WGAN-GP, 800 steps"}
_CONTENTS = {
    "figure_1": "NS-GAN from the parallel start, with the distance and the Jensen-Shannon divergence beside it",
    "figure_2": "the gradient through a confident discriminator; both generator losses",
    "figure_3": "experiment 1 in the plane: NS-GAN, GAN-GP, DRAGAN-NS at steps 0, 5,000 and 10,000",
    "figure_4": "the same for experiment 2, the run that NS-GAN leaves furthest from its data",
    "figure_5": "final distance and share of failed runs against the dimension",
    "figure_paths": "ours: how often and how far the distance rises on the way",
    "figure_ratio": "KL-WGAN's: density ratios that f-GAN's and KL-WGAN's critics learn, where the true ones are known",
    "figure_langevin": "refinement on a quadratic energy: mean and variance by step, beside their exact laws",
    "figure_refine": "refinement by the optimal discriminator on the line with noise: distance by step",
    "figure_surfaces": "WGAN-GP's 1a: critics of data against noisy data, clipped or penalised, beside exact W₁",
    "figure_gradients": "WGAN-GP's 1b: the gradient by layer of 12-layer critics, and the weights at the clip",
    "figure_overfit": "WGAN-GP's 5b: the critic's loss on training and on validation digits",
    "figure_convergence": "WGAN-GP's 3: scores by steps and by time for clipping, the penalty and NS-GAN",
}
# Figures with a section on another page than the table's.
_ELSEWHERE = {
    "figure_surfaces": "wgan_gp.md#value-surfaces",
    "figure_gradients": "wgan_gp.md#the-gradient-through-a-deep-critic",
    "figure_overfit": "wgan_gp.md#overfitting",
    "figure_convergence": "wgan_gp.md#convergence",
}
_PAIRS = {
    "three_rings": "ring; rings of radius 1, 3, 5",
    "same": "two Gaussians; the same",
    "half_ring": "ring; half square, half ring",
    "tenth_ring": "square; 0.9 square, 0.1 ring",
}
_ESTIMATORS = {"f_gan": "f-GAN", "kl_wgan": "KL-WGAN"}


@rendered
def figures() -> str:
    """Returns the table of all figures: content, runs, time."""
    results = {name: read(f"figures/{name}") for name in _CONTENTS}
    rows = [
        (
            f"[`{name}`]({_ELSEWHERE.get(name) or _anchor(name)})",
            content,
            _runs(results[name]),
            f"{results[name]['made']['minutes']} min" if results[name]["made"]["minutes"] else "seconds",
        )
        for name, content in _CONTENTS.items()
    ]
    return markdown(("`--exp`", "content", "runs", "time"), rows) + "\n\n" + made(*results.values())


@rendered
def path_angle() -> str:
    """Returns the table of the path angle before and behind the end of a run."""
    results = read("figures/figure_paths_angle")
    rows = [
        (name, *(f"{results['metrics'][f'{variant}_angle_{share}']:.2f}".replace("-", "−") for share in ("0.9", "1.1")))
        for variant, name in NAMES.items()
    ]
    table = markdown(("median cosine of field and way", "at 0.9 of the way", "at 1.1"), rows)
    return f"{table}\n\n{made(results, command=True)}"


def _anchor(name: str) -> str:
    return "#" + (name.replace("figure_", "figure-") if name[-1].isdigit() else name)


def _runs(results: dict) -> str:
    runs = results["protocol"].get("runs") or results["metrics"].get("runs")
    return f"{runs:,.0f}" if runs else "none"


@rendered
def figure_1() -> str:
    """Returns the sentence of figure 1."""
    return _sentence("figure_1")


@rendered
def figure_2() -> str:
    """Returns the sentence of figure 2."""
    return _sentence("figure_2")


def _sentence(name: str) -> str:
    results = read(f"figures/{name}")
    return f"> {results['finding']}\n\n{made(results, command=True)}"


@rendered
def figure_3() -> str:
    """Returns the table of figure 3: experiment 1 in the plane."""
    return _snapshots("figure_3", "line1")


@rendered
def figure_4() -> str:
    """Returns the table of figure 4: experiment 2 in the plane."""
    return _snapshots("figure_4", "line2")


def _snapshots(name: str, study: str) -> str:
    results = read(f"figures/{name}")
    metrics = results["metrics"]
    rows = [
        (
            NAMES[variant],
            number(metrics[f"{study}_{variant}_distance_median"]),
            number(metrics[f"{study}_{variant}_distance_mean"]),
            share(metrics[f"{study}_{variant}_failed_share"]),
            share(metrics[f"{study}_{variant}_never_near_share"]),
        )
        for variant in ("ns", "gan_gp", "dragan_ns")
    ]
    table = markdown(("", "median d²", "mean d²", "failed", "never near at any logged step"), rows)
    return f"{table}\n\n{made(results, command=True)}"


@rendered
def figure_5() -> str:
    """Returns the tables of figure 5, one for each number of latents: final distances and failures by dimension."""
    results = read("figures/figure_5")
    rows = [json.loads(line) for line in (RESULTS / "figures" / "figure_5_rows.jsonl").read_text().splitlines()]
    parts = []
    for experiment in dict.fromkeys(row["experiment"] for row in rows):
        cells = {(row["variant"], row["dimension"]): row for row in rows if row["experiment"] == experiment}
        dimensions = sorted({dimension for _, dimension in cells})
        variants = list(dict.fromkeys(variant for variant, _ in cells))
        start = [number(cells[variants[0], d]["initial_distance_mean"]) for d in dimensions]
        body = [["random generator, mean", *start]]
        for variant in variants:
            best = [min(cells[other, d]["distance_mean"] for other in variants) for d in dimensions]
            body.append(
                [
                    NAMES[variant],
                    *(_cell(cells[variant, d], best[index]) for index, d in enumerate(dimensions)),
                ]
            )
        parts.append(markdown((experiment[0].lower() + experiment[1:], *(f"d = {d}" for d in dimensions)), body))
    return "\n\n".join([*parts, made(results, command=True)])


def _cell(row: dict, best: float) -> str:
    mean = number(row["distance_mean"])
    if row["distance_mean"] == best:
        mean = f"**{mean}**"
    interval = f"({number(row['distance_mean_low'])} to {number(row['distance_mean_high'])})"
    shares = f"{share(row['failed_share'])}, {share(row['never_near_share'])}"
    return f"{mean} {interval}, {number(row['distance_median'])}; {shares}"


@rendered
def figure_paths() -> str:
    """Returns the table of figure paths: how often and how far the distance rose."""
    results = read("figures/figure_paths")
    metrics = results["metrics"]

    def interval(name: str, form) -> str:
        low, middle, high = (form(metrics[f"{name}_{percentile}"]) for percentile in (5, 50, 95))
        return f"{middle} ({low} to {high})"

    rows = [
        (
            NAMES[variant],
            f"{metrics[f'{variant}_near_runs']:,.0f}",
            share(metrics[f"{variant}_rose_arriving_share"]),
            interval(f"{variant}_rises_arriving", share),
            interval(f"{variant}_rises", share),
            interval(f"{variant}_climbed", number),
        )
        for variant in ("ns", "gan_gp", "dragan_ns", "wgan_gp")
    ]
    header = (
        "",
        f"runs of {results['protocol']['runs']:,} that end near",
        "that rose on the way",
        "share of steps, on the way",
        "share of all steps",
        "all rises / net descent",
    )
    return f"{markdown(header, rows)}\n\n{made(results, command=True)}"


@rendered
def figure_ratio() -> str:
    """Returns the tables of figure ratio: the L1 errors, then the mean ratios and the estimated divergences."""
    results = read("figures/figure_ratio")
    metrics = results["metrics"]
    steps = (400, 4_000)
    cells = [(step, estimator) for step in steps for estimator in _ESTIMATORS]
    heads = [f"{_ESTIMATORS[estimator]}, {step:,} steps" for step, estimator in cells]
    errors = [
        (name, number(metrics[f"{pair}_start_error"]), *(_error(metrics, pair, *cell) for cell in cells))
        for pair, name in _PAIRS.items()
    ]
    rest = [
        (name, f"{metrics[f'{pair}_divergence']:.3f}", *(_bounds(metrics, pair, *cell) for cell in cells))
        for pair, name in _PAIRS.items()
    ]
    tables = [markdown(("p; q", "r = 1", *heads), errors), markdown(("p; q", "true KL", *heads), rest)]
    return "\n\n".join([*tables, made(results, command=True)])


def _error(metrics: dict, pair: str, step: int, estimator: str) -> str:
    prefix = f"{pair}_step_{step}"
    middle, low, high = (f"{metrics[f'{prefix}_{estimator}_error{end}']:.2f}" for end in ("", "_low", "_high"))
    in_all = metrics[f"{prefix}_nearer"] == (metrics["runs"] if estimator == "kl_wgan" else 0)
    return f"{f'**{middle}**' if in_all else middle} ({low} to {high})"


def _bounds(metrics: dict, pair: str, step: int, estimator: str) -> str:
    prefix = f"{pair}_step_{step}_{estimator}"
    bound, estimate = (f"{metrics[f'{prefix}_{name}']:.3f}" for name in ("bound", "estimate"))
    return f"{metrics[f'{prefix}_mean_ratio']:.2f}; {bound}, {estimate}".replace("-", "−")


@rendered
def figure_langevin() -> str:
    """Returns the table of figure langevin: step size, temperature and variance of each form."""
    results = read("figures/figure_langevin")
    metrics = results["metrics"]
    rows = [
        (
            text,
            f"{step_size:g}",
            f"{metrics[f'{form}_temperature']:.3g}",
            *(number(metrics[f"{form}_{name}"], 3) for name in ("variance", "expected_variance")),
        )
        for form, text, step_size in (
            ("langevin", "`langevin`, `ddls`", 0.01),
            ("code_example", "`code_example`", 2),
            ("code_latent", "`code_latent`", 1),
        )
    ]
    header = ("", "step size e", "temperature T", "variance of 10,000 chains", "of their exact law")
    return f"{markdown(header, rows)}\n\n{made(results, command=True)}"


@rendered
def figure_refine() -> str:
    """Returns the table of figure refine: distances and divergences of each form."""
    results = read("figures/figure_refine")
    metrics = results["metrics"]

    def pair(form: str, name: str) -> str:
        return " / ".join(number(metrics[f"{form}_{prefix}{name}"]) for prefix in ("", "expected_"))

    rows = [("not refined", "", *(pair("unrefined", name) for name in ("squared_distance", "divergence")))]
    for form in ("ddls", "langevin", "code_latent"):
        least, step = metrics[f"{form}_least_squared_distance"], metrics[f"{form}_least_step"]
        last = [pair(form, name) for name in ("squared_distance", "divergence")]
        rows.append((f"`{form}`", f"{number(least)} at step {step:.0f}", *last))
    header = ("", "least d² of the measured steps", "d² / exact, step 200", "KL / exact, step 200")
    return f"{markdown(header, rows)}\n\n{made(results, command=True)}"
