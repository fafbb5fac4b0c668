"""The small studies of lines on the results page: the discriminator's lead, and the motion that remains with a penalty.

    python -m benchmarks.lines

Runs each study through the command line, prints its numbers and writes `benchmarks/results/lines.json`. Takes about
five minutes on two cores.
"""

import json
import pathlib
import shlex
import subprocess
import sys
import tempfile

from benchmarks import machine, store

_LEAD = "--steps=2000 --set study.runs=64 --set study.start=parallel --set variant.discriminator_steps={updates}"
_MOTION = {
    "4,000 steps": "--steps=4000",
    "both learning rates 1e-3, 8,000 steps": "--steps=8000 --set variant.generator_optimizer.learning_rate=1e-3 "
    "--set variant.discriminator_optimizer.learning_rate=1e-3",
    "discriminator's learning rate 1e-2, 4,000 steps": "--steps=4000 "
    "--set variant.discriminator_optimizer.learning_rate=1e-2",
    "five discriminator updates, 2,000 steps": "--steps=2000 --set variant.discriminator_steps=5",
}


def studies():
    """Yields each study: its table, its row, its command."""
    for variant in ("minimax", "ns"):
        for updates in (1, 5, 20):
            yield "lead", f"{variant}, {updates}", f"--exp=line1_{variant} {_LEAD.format(updates=updates)}"
    for name, flags in _MOTION.items():
        yield "motion", name, f"--exp=line1_gan_gp --set study.runs=64 {flags}"


def main():
    rows = []
    for table, name, flags in studies():
        with tempfile.TemporaryDirectory() as directory:
            command = [sys.executable, "-m", "tfpaths.launch", *shlex.split(flags), f"--workdir={directory}/study"]
            subprocess.run(command, check=True, capture_output=True)
            results = json.loads((pathlib.Path(directory) / "study" / "results.json").read_text())
        metrics = results["metrics"]
        print(
            f"{table}: {name}: median {metrics['distance_median']:.3g}, mean {metrics['distance_mean']:.3g}", flush=True
        )
        rows.append({"table": table, "row": name, "flags": flags, "metrics": metrics, "protocol": results["protocol"]})
        store("lines", {**machine("tensorflow", "keras"), "studies": rows})


if __name__ == "__main__":
    main()
