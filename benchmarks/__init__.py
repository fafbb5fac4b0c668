"""Benchmarks: contenders take turns in one run; ratios are of one turn, and tables have the medians."""

import importlib.metadata
import json
import pathlib
import platform
import statistics
from typing import Any

from tfpaths.runs import results

RESULTS = pathlib.Path(__file__).parent / "results"


def spread(values: list[float]) -> str:
    """Returns the median and half the range between the quartiles, as text."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3g} ± {(high - low) / 2:.2g}"


def machine(*packages: str) -> dict[str, Any]:
    """Returns what a table depends on besides `results.made`: Python's and the packages' versions (None if missing)."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    about: dict[str, Any] = {
        # Decides whether bfloat16 is fast.
        "bfloat16_arithmetic": any(flag in text.split() for flag in ("avx512_bf16", "amx_bf16")),
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
    """Writes `benchmarks/results/<name>.json`: the content, and the version, date, command and machine behind it."""
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"made": results.made(), **content}, indent=2) + "\n")
