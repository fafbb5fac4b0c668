"""The toys of KL-WGAN: six data sets, three losses, several seeds, beside the numbers that its authors print.

    python -m benchmarks.toys --seeds=4 --workdir=runs/toys

Each row is a sweep over the seeds, `python -m tfpaths.launch --exp=mog_hinge_sn --sweep seed=0,1,2,3`, in its own
directory below `--workdir`; what is there already is not trained again. Writes `benchmarks/results/toys.json` after
each row. Takes about an hour and a half on two cores.
"""

import argparse
import json
import pathlib
import subprocess
import sys

from benchmarks import machine, store

TOYS = ("mog", "banana", "ring", "square", "cosine", "funnel")
# Name -> (variant, flags): the authors' code for their two rows, and the objective as their paper states it.
FORMS = {
    "hinge_sn": ("hinge_sn", ()),
    "kl_code": ("kl_wgan", ("--set", "variant.loss.hinge=true", "--set", "variant.loss.detach=false")),
    "kl_objective": ("kl_wgan", ()),
}


def rows(forms, seeds, workdir, jobs):
    """Yields each row: toy, form, and the metrics and floors of each seed, as the sweep and its trials stored them."""
    for toy in TOYS:
        for form in forms:
            variant, flags = FORMS[form]
            path = workdir / f"{toy}_{form}"
            command = [sys.executable, "-m", "tfpaths.launch", f"--exp={toy}_{variant}", *flags]
            command += ["--sweep", f"seed={','.join(map(str, range(seeds)))}", f"--workdir={path}"]
            subprocess.run([*command, *([f"--jobs={jobs}"] if jobs else [])], check=True)
            stored = [json.loads(file.read_text()) for file in sorted(path.glob("trials/*/results.json"))]
            yield {
                "toy": toy,
                "form": form,
                "steps": stored[0]["step"],
                "metrics": [one["metrics"] for one in stored],
                "floor": stored[0]["references"]["real"],
            }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4, help="as many as in the authors' table")
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument("--jobs", type=int, help="processes at once; by default one for each core")
    parser.add_argument("--workdir", type=pathlib.Path, default=pathlib.Path("runs/toys"))
    arguments = parser.parse_args()
    made = []
    for row in rows(arguments.forms, arguments.seeds, arguments.workdir, arguments.jobs):
        made.append(row)
        store("toys", {**machine("tensorflow", "keras"), "rows": made})


if __name__ == "__main__":
    main()
