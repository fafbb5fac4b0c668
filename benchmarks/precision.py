"""Scores in float32 and in mixed_bfloat16: the same runs in both precisions.

    python -m benchmarks.precision --workdir=runs/precision

Trains `color_mnist_<variant>` for each variant, seed and precision, with half of the experiment's filters, and stores
the classifier score, the Fréchet distance, the modes and the median time of a step. Writes
`benchmarks/results/precision.json` after each run; a run that is finished is not made again. Takes about 50 minutes on
two cores with bfloat16 matrix units.
"""

import argparse
import json
import pathlib
import statistics

from benchmarks import machine, store
from benchmarks.dcd import launch

PRECISIONS = ("float32", "mixed_bfloat16")
FILTERS = 32


def row(variant, seed, precision, steps, workdir):
    """Trains a run and evaluates it, and returns its row."""
    path = workdir / f"color_mnist_{variant}_{precision}_{seed}"
    flags = [f"--seed={seed}", f"--steps={steps}", f"--precision={precision}"]
    flags += [f"--set=networks.{player}_filters={FILTERS}" for player in ("generator", "discriminator")]
    flags += ["--set=evaluation.metrics=scores,modes", "--set=evaluation.references=true"]
    found = launch(f"color_mnist_{variant}", path, *flags)
    rates = [json.loads(line)["examples_per_second"] for line in (path / "metrics.jsonl").read_text().splitlines()]
    config = json.loads((path / "config.json").read_text())
    return {
        "variant": variant,
        "seed": seed,
        "precision": precision,
        "steps": steps,
        "metrics": found["metrics"],
        "references": found["references"],
        "seconds": config["schedule"]["batch_size"] / statistics.median(rates),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", nargs="+", default=["dragan_ns", "gan_gp", "wgan_gp"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
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
