"""Speed as ratios: measured in one run, in turns, as medians."""

import datetime
import importlib.metadata
import json
import pathlib
import platform
import re
import shlex
import statistics
import sys
from typing import Any

from tfpaths.version import __version__

RESULTS = pathlib.Path(__file__).parent / "results"


def spread(values: list[float]) -> str:
    """The median and the half range between the quartiles, as text."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3g} ± {(high - low) / 2:.2g}"


def machine(*packages: str) -> dict[str, Any]:
    """Returns what a table depends on: the CPU, its cores, Python, and the packages' versions (None if missing)."""
    from benchmarks import turns

    cpuinfo = pathlib.Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    model = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    about: dict[str, Any] = {
        "processor": model.group(1) if model else platform.processor(),
        # What decides how fast bfloat16 is.
        "bfloat16_arithmetic": any(flag in text.split() for flag in ("avx512_bf16", "amx_bf16")),
        "cores": turns.CORES,
        "python": platform.python_version(),
        "versions": {},
    }
    for package in packages:
        try:
            about["versions"][package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            about["versions"][package] = None
    return about


def made() -> dict[str, str]:
    """Returns what made a result: the version of tfpaths, the date, the command."""
    module = sys.modules["__main__"].__spec__
    command = ["python", "-m", module.name if module else sys.argv[0], *sys.argv[1:]]
    return {"version": __version__, "date": datetime.date.today().isoformat(), "command": shlex.join(command)}


def store(name: str, content: dict[str, Any]) -> None:
    """Writes `benchmarks/results/<name>.json`, with what made it."""
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"made": made(), **content}, indent=2) + "\n")
