"""The table of the paper's claims and our measurements, for the README and the results page."""

import statistics

from tools.tables import made, markdown, number, read, rendered, share


@rendered
def claims() -> str:
    """Returns the table: the paper's claim | what we measured | command."""
    figure_1, figure_2, figure_4 = (read(f"figures/figure_{index}") for index in (1, 2, 4))
    figure_5, paths, samples, lines = (
        read(name) for name in ("figures/figure_5", "figures/figure_paths", "color_mnist_5000", "lines")
    )
    first, fourth, fifth = (results["metrics"] for results in (figure_1, figure_4, figure_5))
    lead = {row["row"]: row["metrics"] for row in lines["studies"] if row["table"] == "lead"}
    frechet = {
        name: [
            run["metrics"]["frechet_classifier_distance"]
            for run in samples["runs"].values()
            if run["experiment"] == name
        ]
        for name in ("color_mnist_dragan_ns", "color_mnist_ns", "color_mnist_gan_gp", "color_mnist_wgan_gp")
    }
    robustness = read("robustness_line1_d2")
    near = {
        variant: share(robustness["metrics"][f"line1_{variant}_d2_success_share"])
        for variant in ("ns", "gan_gp", "dragan_ns", "r1")
    }
    best = frechet["color_mnist_dragan_ns"]
    failed = {
        (variant, d): fifth[f"latents_1_d_{d}_{variant}_failed_share"]
        for variant in ("ns", "gan_gp", "dragan_ns")
        for d in (2, 8, 32)
    }
    rows = [
        (
            "NS-GAN closes a gap where the Jensen-Shannon divergence has no gradient",
            f"holds: median d² of {first['runs']:,} runs from 1 to {number(first['distance_median'])}; "
            f"{share(first['failed_share'])} fail",
            "`--exp=figure_1`",
        ),
        (
            "the minimax GAN stalls there",
            f"holds when the discriminator is ahead: with 5 updates a step {share(lead['minimax, 5']['failed_share'])} "
            f"of {lead['minimax, 5']['runs']} runs fail, with 1 update {share(lead['minimax, 1']['failed_share'])}",
            "[results](docs/results.md#minimax-and-the-discriminators-lead)",
        ),
        (
            "the minimax generator gets no gradient from a confident discriminator",
            f"holds: {number(figure_2['metrics']['minimax_gradient_at_samples'])} against "
            f"{number(figure_2['metrics']['non_saturating_gradient_at_samples'], 1)} for the non-saturating loss",
            "`--exp=figure_2`",
        ),
        (
            "NS-GAN collapses from some starts if the generator has more latents than it needs",
            "does not hold at our settings: "
            f"{round(fourth['line2_ns_failed_share'] * fourth['line2_ns_runs'])} of {fourth['line2_ns_runs']:,} runs",
            "`--exp=figure_4`",
        ),
        (
            "penalties make the game more robust",
            "depends on d: in the plane "
            f"{share(failed['gan_gp', 2])} (GAN-GP) and {share(failed['dragan_ns', 2])} (DRAGAN-NS) of runs fail, and "
            f"{share(failed['ns', 2])} of NS-GAN's; in 32 dimensions {share(failed['gan_gp', 32])}, "
            f"{share(failed['dragan_ns', 32])} and {share(failed['ns', 32])}",
            "`--exp=figure_5`",
        ),
        (
            "penalties make the game robust to hyper-parameters",
            "does not hold in the plane, in 2,000 discriminator updates, for penalties with target 1: of 1,000 "
            f"settings {near['gan_gp']} (GAN-GP), "
            f"{near['dragan_ns']} (DRAGAN-NS), {near['ns']} (NS-GAN) and {near['r1']} (NS-GAN with R1) end near the "
            "data",
            "[sweeps](docs/sweeps.md#robustness-to-hyper-parameters)",
        ),
        (
            "penalties improve the samples",
            f"on `color_mnist`, 5,000 steps: Fréchet distance {statistics.mean(best):.2f} ± "
            f"{statistics.stdev(best):.2f} (DRAGAN-NS, {len(best)} seeds), "
            + ", ".join(
                f"{frechet[f'color_mnist_{name}'][0]:.2f} ({label})"
                for name, label in (("ns", "NS"), ("gan_gp", "GAN-GP"), ("wgan_gp", "WGAN-GP"))
            ),
            "[results](docs/results.md#samples-of-color_mnist-after-5000-steps)",
        ),
        (
            "GANs reach equilibrium although a distance rises on the way",
            f"holds: {share(paths['metrics']['ns_rose_arriving_share'])} of the NS-GANs that find the data move away "
            "from it on the way",
            "`--exp=figure_paths`",
        ),
    ]
    sources = (robustness, figure_1, figure_2, figure_4, figure_5, paths, samples, lines)
    return markdown(("the paper's claim", "what we measured", "command"), rows) + "\n\n" + made(*sources)


@rendered
def claims_of_the_results_page() -> str:
    """Returns the same table with links that work in docs/."""
    return claims().replace("[results](docs/results.md#", "[below](#").replace("](docs/", "](")
