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
}


@rendered
def figures() -> str:
    """Returns the table of all figures: content, runs, time."""
    results = {name: read(f"figures/{name}") for name in _CONTENTS}
    rows = [
        (
            f"[`{name}`](#{name.replace('figure_', 'figure-') if name != 'figure_paths' else name})",
            content,
            f"{results[name]['protocol']['runs']:,}" if "runs" in results[name]["protocol"] else "none",
            f"{results[name]['made']['minutes']} min" if results[name]["made"]["minutes"] else "seconds",
        )
        for name, content in _CONTENTS.items()
    ]
    return markdown(("`--exp`", "content", "runs of each study", "time"), rows) + "\n\n" + made(*results.values())


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
