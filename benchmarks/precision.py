"""Scores in float32 and in mixed_bfloat16: the same runs in both precisions.

    python -m benchmarks.precision --workdir=runs/precision

Trains `color_mnist_<variant>` for each variant, seed and precision, with half of the experiment's filters, and stores
the classifier score, the Fréchet distance, the modes and the median time of a step. Writes
`benchmarks/results/precision.json` after each run; a run that is finished is not made again. Takes some hours on
two cores.
"""

import argparse
import pathlib

from benchmarks import machine, store
from benchmarks.runs import scores

PRECISIONS = ("float32", "mixed_bfloat16")
FILTERS = 32


def row(variant, seed, precision, steps, workdir):
    """Trains a run and evaluates it, and returns its row."""
    path = workdir / f"color_mnist_{variant}_{precision}_{seed}"
    flags = [f"--seed={seed}", f"--steps={steps}", f"--precision={precision}"]
    flags += [f"--set=networks.{player}_filters={FILTERS}" for player in ("generator", "discriminator")]
    flags += ["--set=evaluation.metrics=scores,modes", "--set=evaluation.references=true"]
    found = scores(f"color_mnist_{variant}", path, *flags)
    return {
        "variant": variant,
        "seed": seed,
        "precision": precision,
        "steps": steps,
        **found,
    }


def listed(text):
    """Returns the parts between commas."""
    return text.split(",")


def numbers(text):
    """Returns the whole numbers between commas."""
    return [int(part) for part in listed(text)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", type=listed, default=["dragan_ns", "gan_gp", "wgan_gp"], help="a,b,…")
    parser.add_argument("--seeds", type=numbers, default=[0, 1, 2], help="0,1,…")
    parser.add_argument("--steps", type=int, default=5_000)
    parser.add_argument("--workdir", type=pathlib.Path, default=pathlib.Path("runs/precision"))
    arguments = parser.parse_args()
    rows = []
    for seed in arguments.seeds:
        for variant in arguments.variants:
            for precision in PRECISIONS:
                rows.append(row(variant, seed, precision, arguments.steps, arguments.workdir))
                store("precision", {**machine("tensorflow", "keras"), "filters": FILTERS, "rows": rows})


if __name__ == "__main__":
    main()
