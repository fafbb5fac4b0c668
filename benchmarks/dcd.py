"""Discriminator contrastive divergence: scores by the number of refinement steps, beside the control.

    python -m benchmarks.dcd --workdir=runs/dcd

For each data set, a run of `<data>_hinge_sn`, and from it two runs of `<data>_dcd` with equally many updates of the
discriminator: `dcd`, from refined samples, and `control`, from unrefined ones (`variant.game.refinement_steps=0`). Each
is evaluated after k refinement steps; with k = 0 both have the scores of the first run. Writes
`benchmarks/results/dcd.json` after each evaluation; what is there already is not trained again. Takes about two hours
on one core.
"""

import argparse
import pathlib

from benchmarks import machine, store
from benchmarks.runs import launch

STEPS = (0, 5, 10, 20, 40)
# Data set -> (steps of the first run, steps of dcd, flags of all, flags of the evaluations).
DATA = {
    "twenty_five_gaussians": (
        10_000,
        1_000,
        (),
        ("--set", "evaluation.metrics=auto", "--set", "evaluation.samples=5000"),
    ),
    "color_mnist": (
        1_500,
        100,
        ("--set", "networks.generator_filters=32", "--set", "networks.discriminator_filters=32"),
        ("--set", "evaluation.metrics=scores,modes", "--set", "evaluation.samples=5000"),
    ),
    "cifar10": (
        1_500,
        100,
        ("--set", "networks.generator_filters=32", "--set", "networks.discriminator_filters=32"),
        ("--set", "evaluation.metrics=scores", "--set", "evaluation.samples=5000"),
    ),
}
FORMS = {"dcd": (), "control": ("--set", "variant.game.refinement_steps=0")}


def rows(data, workdir, seed):
    """Yields a row for each form and k: data, form, k, the metrics, and the floor."""
    base_steps, steps, flags, evaluated = DATA[data]
    seeded = (*flags, f"--seed={seed}")
    base = workdir / f"{data}_hinge_sn_{seed}"
    own = (*seeded, *evaluated, f"--steps={base_steps}", "--set", "evaluation.references=true")
    first = launch(f"{data}_hinge_sn", base, *own)
    for form, changes in FORMS.items():
        path = workdir / f"{data}_{form}_{seed}"
        own = (*seeded, *changes, "--set", f"networks.weights_of={base}")
        launch(f"{data}_dcd", path, *own, f"--steps={steps}", "--set", "evaluation.metrics=none")
        for k in STEPS:
            flags_of_k = (*evaluated, "--mode=evaluate", "--set", f"evaluation.refine={k}")
            found = launch(f"{data}_dcd", path, *own, *flags_of_k)
            yield {
                "data": data,
                "form": form,
                "k": k,
                "seed": seed,
                "steps": [base_steps, steps],
                "metrics": found["metrics"],
                "first": first["metrics"],
                "floor": first["references"]["real"],
            }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--workdir", type=pathlib.Path, default=pathlib.Path("runs/dcd"))
    arguments = parser.parse_args()
    made = []
    for data in arguments.data:
        for seed in arguments.seeds:
            for row in rows(data, arguments.workdir, seed):
                made.append(row)
                store("dcd", {**machine("tensorflow", "keras"), "rows": made})


if __name__ == "__main__":
    main()
