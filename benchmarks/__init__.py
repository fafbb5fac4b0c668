"""Speed as ratios: measured in one run, in turns, as medians."""

import importlib.metadata
import json
import pathlib
import platform
import re
import statistics
from typing import Any


def spread(values: list[float]) -> str:
    """The median and the half range between the quartiles, as text."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3g} ± {(high - low) / 2:.2g}"


def machine(*packages: str) -> dict[str, Any]:
    """Of what a table is: the processor, its cores, Python, and the packages' versions, none for what is missing."""
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


def store(name: str, content: dict[str, Any]) -> None:
    """Writes `benchmarks/results/<name>.json`."""
    path = pathlib.Path(__file__).parent / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")
