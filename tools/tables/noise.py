"""The tables of the page about instance noise."""

from tools.tables import made, markdown, number, read, rendered, share


@rendered
def figure_bound() -> str:
    """Returns the table of figure bound: W, and the least value of each bound."""
    results = read("figures/figure_bound")
    metrics = results["metrics"]
    rows = []
    for distance in ("0.1", "1"):
        prefix = f"distance_{distance}"
        cells = []
        for name in ("theorem", "root_two", "variation"):
            value, noise = (metrics[f"{prefix}_{name}{end}"] for end in ("", "_noise"))
            cells.append(f"{number(value, 3)} ({f'a = {number(noise)}' if noise else 'no noise'})")
        rows.append((distance, *cells, number(metrics[f"{prefix}_trivial"], 3)))
    header = ("W = \\|v\\|", "theorem 3.3, 2 C", "√2 C", "C TV, before Pinsker", "diameter of the supports")
    return f"{markdown(header, rows)}\n\n{made(results, command=True)}"


@rendered
def figure_cauchy() -> str:
    """Returns the table of figure cauchy: the slopes, and what remains of the spread."""
    results = read("figures/figure_cauchy")
    metrics = results["metrics"]
    rows = []
    for name, label in (
        ("model", "noise model of the theorem"),
        ("towards_the_data", "networks, towards the data"),
        ("along_the_line", "networks, along the line"),
    ):
        slopes = [f"{metrics[f'{name}_{quantity}_slope'] + 0.0:.2f}" for quantity in ("within", "pooled")]
        left = [
            share(metrics[f"{name}_{quantity}_last"] / metrics[f"{name}_{quantity}_first"])
            for quantity in ("within", "pooled")
        ]
        cells = [f"{left_over}, {slope}" for left_over, slope in zip(left, slopes, strict=True)]
        between = metrics.get(f"{name}_between_share")
        rows.append((label, *cells, "none exists" if between is None else share(between)))
    header = (
        "",
        "batches of one network: IQR left at n = 1,024, slope",
        "batches of all networks: the same",
        "share of the variance between networks",
    )
    table = markdown(header, rows).replace("-0.00", "0.00").replace(", -", ", −")
    return f"{table}\n\n{made(results, command=True)}"


@rendered
def figure_noise() -> str:
    """Returns the table of figure noise: failed runs and median d^2 by loss, updates and noise."""
    results = read("figures/figure_noise")
    metrics = results["metrics"]
    noises = {"off": "no noise", "fixed": "fixed", "annealed": "annealed"}
    rows = []
    for variant, name in (("minimax", "minimax GAN"), ("ns", "NS-GAN")):
        for updates in (1, 5, 20):
            prefix = f"{variant}_{updates}"
            if f"{prefix}_off_failed_share" not in metrics:
                continue
            of_noise = {
                noise: [metrics[f"{prefix}_{noise}_{end}"] for end in ("failed_share", "distance_median")]
                for noise in noises
            }
            cells = [f"{share(failed)}, {number(median)}" for failed, median in of_noise.values()]
            rows.append((name, str(updates), *cells))
    header = ("", "discriminator updates a step", *noises.values())
    return f"{markdown(header, rows)}\n\n{made(results, command=True)}"
