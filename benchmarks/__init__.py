"""Speed as ratios: measured in one run, in turns, as medians."""

import json
import pathlib
import statistics
from typing import Any


def spread(values: list[float]) -> str:
    """The median and the half range between the quartiles, as text."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3g} ± {(high - low) / 2:.2g}"


def store(name: str, content: dict[str, Any]) -> None:
    """Writes `benchmarks/results/<name>.json`."""
    path = pathlib.Path(__file__).parent / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")
