"""Makes all tables, one after the other: `python -m benchmarks [NAME …]`, some hours on two cores.

Each table has its own command, such as `python -m benchmarks.steps --help`, which prints it and writes
`benchmarks/results/NAME.json`. If one fails, the others are made all the same.
"""

import pathlib
import subprocess
import sys
import time

from tfpaths.errors import InputError, choose

# The name of a file of results -> the module that makes it, and its flags.
TABLES: dict[str, tuple[str, ...]] = {
    "steps": ("steps", "--libraries=tensorflow,torch"),
    "steps_jax": ("steps", "--variants=dragan_ns", "--sizes=32", "--name=steps_jax"),
    **{
        name: (name,)
        for name in (
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
    },
}


def main(names):
    try:
        wanted = [choose("table", name, TABLES) for name in names] or list(TABLES)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    failed = []
    for name in wanted:
        print(f"\n{name}", flush=True)
        began = time.perf_counter()
        module, *flags = TABLES[name]
        command = [sys.executable, "-m", f"benchmarks.{module}", *flags]
        if subprocess.run(command, cwd=pathlib.Path(__file__).parents[1]).returncode:
            failed.append(name)
        print(f"({(time.perf_counter() - began) / 60:.1f} minutes)", flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
