"""Makes all tables, one after the other: `python -m benchmarks [NAME …]`, three hours on two cores.

Each table has its own command, `python -m benchmarks.NAME --help`, which prints it and writes
`benchmarks/results/NAME.json`. If one fails, the others are made all the same.
"""

import pathlib
import subprocess
import sys
import time

from tfpaths.errors import InputError, choose

TABLES = (
    "steps",
    "parts",
    "overhead",
    "sampling",
    "refinement",
    "text",
    "mix",
    "instance_noise",
    "evaluation",
    "ensemble",
    "points",
    "scaling",
    "determinism",
)


def main(names):
    try:
        wanted = [choose("table", name, TABLES) for name in names] or TABLES
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    failed = []
    for name in wanted:
        print(f"\n{name}", flush=True)
        began = time.perf_counter()
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        if subprocess.run(command, cwd=pathlib.Path(__file__).parents[1]).returncode:
            failed.append(name)
        print(f"({(time.perf_counter() - began) / 60:.1f} minutes)", flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
