"""MIX+GAN on lines: one linear pair, one pair of three times the parameters, and three pairs with weights.

    python -m benchmarks.mixline --workdir=runs/mixline

Trains `mixline_<variant>`, `mixline_<variant>_wide` and `mixline_mix_<variant>` for each seed, and stores the exact
MMD^2 after the last step, the smallest on the way, and the entropy of the generators' weights. Writes
`benchmarks/results/mixline.json` after each run. Takes about 20 minutes on one core.
"""

import argparse
import json
import pathlib

from benchmarks import machine, store
from benchmarks.runs import launch

VARIANTS = ("ns", "wgan_gp", "dragan_ns")
FORMS = {"single": "mixline_{}", "wide": "mixline_{}_wide", "mix": "mixline_mix_{}"}


def row(variant, form, seed, steps, workdir):
    """Trains a run, and returns its row."""
    experiment = FORMS[form].format(variant)
    path = workdir / f"{experiment}_{seed}"
    found = launch(experiment, path, f"--seed={seed}", f"--steps={steps}", "--set=evaluation.metrics=mixture_mmd")
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return {
        "variant": variant,
        "form": form,
        "seed": seed,
        "steps": steps,
        "mmd2": found["metrics"]["mixture_mmd2"],
        "least": min(one["mixture_mmd2"] for one in rows if "mixture_mmd2" in one),
        "entropy": found["metrics"].get("generator_entropy"),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--workdir", type=pathlib.Path, default=pathlib.Path("runs/mixline"))
    arguments = parser.parse_args()
    rows = []
    for variant in arguments.variants:
        for seed in arguments.seeds:
            for form in FORMS:
                rows.append(row(variant, form, seed, arguments.steps, arguments.workdir))
                store("mixline", {**machine("tensorflow", "keras"), "rows": rows})


if __name__ == "__main__":
    main()
