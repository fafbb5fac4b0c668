"""The tables of README and docs. Each is a function that reads stored results and returns Markdown."""

import importlib
import json
import pathlib
import pkgutil
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

RESULTS = pathlib.Path(__file__).parent.parent.parent / "benchmarks" / "results"
TABLES: dict[str, Callable[[], str]] = {}


def rendered(function: Callable[[], str]) -> Callable[[], str]:
    """Registers a table under its function's name."""
    TABLES[function.__name__] = function
    return function


def read(name: str) -> dict[str, Any]:
    """Returns stored results; their name is the path below `benchmarks/results` without `.json`."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table.

    Example:
      >>> print(markdown(["", "ms"], [["ours", "157"]]))
      | | ms |
      | --- | --- |
      | ours | 157 |
    """
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *rows)).replace(
        "  ", " "
    )


def number(value: float, digits: int = 2) -> str:
    """Returns a number with that many significant digits, and no exponent for ordinary ones.

    Example:
      >>> number(0.00095558), number(1485.7, 3), number(0.0), number(0.5025)
      ('0.00096', '1,490', '0', '0.50')
    """
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    if abs(rounded) >= 10 ** (digits - 1):
        return f"{rounded:,.0f}".replace("-", "−")
    text = f"{rounded:#.{digits}g}".rstrip(".")
    return text.replace("-", "−") if "e" not in text else f"{rounded:g}"


def share(value: float) -> str:
    """Returns a share in per cent with one digit after the point, as many as a thousand runs justify.

    Example:
      >>> share(0.244), share(0.0), share(0.378), share(0.877)
      ('24.4 %', '0 %', '37.8 %', '87.7 %')
    """
    return f"{100 * value:.1f}".removesuffix(".0") + " %"


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Returns the median and half the range between the quartiles, as text.

    Example:
      >>> spread([1.0, 1.1, 1.2])
      '1.10 ± 0.10'
    """
    low, middle, high = statistics.quantiles(values, n=4)
    half = (high - low) / 2
    return f"{number(middle, digits)} ± {number(half, 1)}" if half else number(middle, digits)


def ratios(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Returns the ratio of each turn, whose two values were measured right after each other."""
    return [value / other for value, other in zip(values, others, strict=True)]


def verdict(is_met: bool) -> str:
    """Returns whether a goal is reached, as text.

    Example:
      >>> verdict(True), verdict(False)
      ('reached', '**not reached**')
    """
    return "reached" if is_met else "**not reached**"


def made(*results: Mapping[str, Any], command: bool = False) -> str:
    """Returns the line below a table with the versions, machines and dates of its rows.

    Args:
      *results: The stored results.
      command: Whether the line has their commands too.
    """
    versions = sorted({result["made"]["version"] for result in results})
    dates = sorted({result["made"]["date"] for result in results})
    machines = sorted({machine(result) for result in results})
    span = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    if len(versions) == 1:
        text = f"Made by version {versions[0]} on {' and '.join(machines)}, {span}"
    else:
        text = f"Rows made by different versions, {' and '.join(versions)}, on {' and '.join(machines)}, {span}"
    commands = dict.fromkeys(result["made"]["command"] for result in results) if command else {}
    return f"*{text}{': ' if commands else ''}{', '.join(f'`{line}`' for line in commands)}.*"


def machine(result: Mapping[str, Any]) -> str:
    """Returns the machine of a result: its cores and its CPU."""
    processor, cores = result["made"]["processor"], result["made"]["cores"]
    count = f"{cores} core{'' if cores == 1 else 's'}"
    return f"{count} of {f'an {processor}'.replace('(R)', '') if processor else 'an unrecorded CPU'}"


# Importing a module registers its tables.
for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    importlib.import_module(_module.name)
