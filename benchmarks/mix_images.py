"""MIX+GAN on images: one pair, one pair of three times the parameters, and three pairs with weights.

    python -m benchmarks.mix_images --workdir=runs/mix_images

Trains `<data>_<variant>`, `<data>_<variant>_wide` and `<data>_mix_<variant>` for each data set and seed, with half of
the experiments' filters, and stores the scores and the median time of a step. Writes
`benchmarks/results/mix_images.json` after each run; what is there already is not trained again. Takes about an hour on
two cores.
"""

import argparse
import pathlib

from benchmarks import machine, store
from benchmarks.runs import scores

# Data set -> its metrics, and the filters of the wide pair: three times the parameters of 32 and 32, within 1.1 %.
DATA = {"color_mnist": ("scores,modes,birthday", (80, 57)), "cifar10": ("scores,birthday", (63, 56))}
FORMS = {"single": "{}_{}", "wide": "{}_{}_wide", "mix": "{}_mix_{}"}
FILTERS = (32, 32)


def row(data, variant, form, seed, steps, workdir):
    """Trains a run and evaluates it, and returns its row."""
    metrics, wide = DATA[data]
    experiment = FORMS[form].format(data, variant)
    path = workdir / f"{experiment}_{seed}"
    players = zip(("generator_filters", "discriminator_filters"), wide if form == "wide" else FILTERS, strict=True)
    flags = [f"--seed={seed}", f"--steps={steps}"]
    flags += [f"--set=networks.{name}={filters}" for name, filters in players]
    flags += [
        f"--set=evaluation.metrics={metrics}",
        "--set=evaluation.samples=5000",
        "--set=evaluation.references=true",
    ]
    found = scores(experiment, path, *flags)
    return {
        "data": data,
        "variant": variant,
        "form": form,
        "seed": seed,
        "steps": steps,
        **found,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--variants", nargs="+", default=["ns"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--workdir", type=pathlib.Path, default=pathlib.Path("runs/mix_images"))
    arguments = parser.parse_args()
    rows = []
    for variant in arguments.variants:
        for seed in arguments.seeds:
            for data in arguments.data:
                for form in FORMS:
                    rows.append(row(data, variant, form, seed, arguments.steps, arguments.workdir))
                    store("mix_images", {**machine("tensorflow", "keras"), "filters": FILTERS, "rows": rows})


if __name__ == "__main__":
    main()
