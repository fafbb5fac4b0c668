"""The tables of the sweeps over hyper-parameters, for the page about sweeps."""

from tools.tables import made, markdown, number, read, rendered, share

_NAMES = {
    "ns": "NS-GAN",
    "gan_gp": "GAN-GP",
    "dragan_ns": "DRAGAN-NS",
    "wgan_gp": "WGAN-GP",
    "minimax": "minimax GAN",
    "r1": "NS-GAN with R1",
}


@rendered
def robustness_line1_d2() -> str:
    """Returns the share of settings that succeed, by variant, on the line in the plane."""
    stored = read("robustness_line1_d2")
    metrics = stored["metrics"]
    rows = []
    for variant, name in _NAMES.items():
        lead = f"line1_{variant}_d2"
        interval = f"{share(metrics[f'{lead}_success_low'])} to {share(metrics[f'{lead}_success_high'])}"
        rows.append(
            (
                name,
                f"{metrics[f'{lead}_trials']:,.0f}",
                share(metrics[f"{lead}_success_share"]),
                interval,
                share(metrics[f"{lead}_reached_share"]),
                number(metrics[f"{lead}_final_median"]),
            )
        )
    header = ("variant", "settings", "succeed", "95 % interval", "near at some row", "median of final / initial d²")
    return f"{markdown(header, rows)}\n\n{made(stored, command=True)}"


@rendered
def robustness_line1_d2_differences() -> str:
    """Returns each variant against NS-GAN: McNemar's test, the decades of both rates, and the runs that left."""
    stored = read("robustness_line1_d2")
    metrics = stored["metrics"]
    rows = []
    for variant, name in _NAMES.items():
        lead = f"line1_{variant}_d2"
        trials = metrics[f"{lead}_trials"]
        # A trial that is near at the last row was near at a row.
        near = [round(trials * metrics[f"{lead}_{what}_share"]) for what in ("reached", "success")]
        left = f"{near[0] - near[1]} of {near[0]}"
        if variant == "ns":
            rows.append((name, "", "", "", left))
            continue
        regions = [row for row in stored["regions"] if row["experiment"] == lead]
        significant = [row["share"] > row["share_compared"] for row in regions if row["p_holm"] < 0.05]
        rows.append(
            (
                name,
                f"{100 * metrics[f'{lead}_minus_line1_ns_d2']:+.1f} points".replace("-", "−"),
                f"{metrics[f'{lead}_minus_line1_ns_d2_p']:.1g}",
                f"{sum(significant)} and {len(significant) - sum(significant)} of {len(regions)}",
                left,
            )
        )
    header = ("variant", "against NS-GAN", "p (McNemar, exact)", "decades better and worse", "left the equilibrium")
    return markdown(header, rows)
