"""The tables of a training step, for the performance page."""

import statistics
from collections.abc import Callable

from tools.tables import machine, made, markdown, number, ratios, read, rendered, share, spread, verdict

HALF = "tfpaths, mixed_bfloat16"


def fastest(seconds: dict, library: str, precision: str | None = "float32") -> str | None:
    """Returns the fastest contender of a library, by its median, in one precision or, with None, in any."""
    names = [
        name for name in seconds if name.startswith(library) and (precision is None or precision_of(name) == precision)
    ]
    return min(names, key=lambda name: statistics.median(seconds[name])) if names else None


def precision_of(contender: str) -> str:
    """Returns the precision of a contender, by its name."""
    return "bfloat16" if "bfloat16" in contender else "float32"


def _over_torch(seconds: dict, precision: str | None = "float32") -> list[float]:
    """Returns the ratio of each turn: PyTorch's fastest contender over our fastest, in one precision or in any."""
    return ratios(*(seconds[fastest(seconds, library, precision)] for library in ("PyTorch", "tfpaths")))


@rendered
def steps() -> str:
    """Returns the table of a float32 step of each variant at each size: our time, and PyTorch's as a ratio to it."""
    return _by_size(["PyTorch"], "tfpaths", lambda seconds: [fastest(seconds, "PyTorch")], command=True)


@rendered
def steps_bfloat16() -> str:
    """Returns the table of a step of each variant at each size in bfloat16: our time, and two ratios to it."""
    peers = lambda seconds: ["tfpaths", fastest(seconds, "PyTorch", None)]  # noqa: E731
    return _by_size(["our float32", "PyTorch"], HALF, peers)


def _by_size(headings: list[str], ours: str, peers: Callable[[dict], list[str]], command: bool = False) -> str:
    """Returns a table with a row for each variant and a group of columns for each size.

    Args:
      headings: The headings of the ratios.
      ours: The contender whose milliseconds are shown.
      peers: Contender -> seconds; returns the contenders whose ratios to `ours` are shown.
      command: Whether the command is below the table.
    """
    stored = read("steps")
    cells = {(step["variant"], step["side"]): step["seconds"] for step in stored["steps"]}
    if ours not in stored["steps"][0]["seconds"]:
        return f"*Not measured on {machine(stored)}: its float32 is faster.*"
    sides = sorted({side for _, side in cells})
    rows = []
    for variant in dict.fromkeys(variant for variant, _ in cells):
        row = [f"`{variant}`"]
        for side in sides:
            seconds = cells.get((variant, side))
            if seconds is None:
                row += [""] * (1 + len(headings))
                continue
            row.append(spread([1e3 * value for value in seconds[ours]]))
            row += [spread(ratios(seconds[peer], seconds[ours])) for peer in peers(seconds)]
        rows.append(row)
    header = ["", *(name for side in sides for name in (f"{side}×{side}, ms", *headings))]
    return f"{markdown(header, rows)}\n\n{made(stored, command=command)}"


def _dragan_ns() -> dict:
    """Returns the measurements of `dragan_ns` at 32×32."""
    return next(step for step in read("steps")["steps"] if (step["variant"], step["side"]) == ("dragan_ns", 32))


@rendered
def step_of_dragan_ns() -> str:
    """Returns the table of one step in detail: time, share of the peak, memory, first step."""
    step = _dragan_ns()
    seconds, about = step["seconds"], step["contenders"]
    rows = [
        (
            name.replace("tfpaths", "`tfpaths`"),
            spread([1e3 * value for value in seconds[name]]),
            spread(ratios(seconds[name], seconds["tfpaths"])) if name != "tfpaths" else "1",
            f"{_of_the_peak(step, name):.0%}".replace("%", " %"),
            f"{about[name]['memory'] / 2**20:.0f} MiB",
            f"{about[name]['first_step_seconds']:.1f} s",
        )
        for name in seconds
    ]
    header = ("", "ms", "over ours", "of the peak", "memory", "first step")
    return f"{markdown(header, rows)}\n\n{made(read('steps'))}"


def _of_the_peak(step: dict, name: str) -> float:
    """Returns a contender's rate as a share of the best matrix product's in its precision, the median over turns."""
    rates = step["product_flops"][precision_of(name)]
    turns = zip(step["seconds"][name], rates, strict=True)
    return statistics.median(step["operations"] / seconds / rate for seconds, rate in turns)


@rendered
def parts() -> str:
    """Returns the table of the operations and the time of each part of a step."""
    stored = read("parts")
    all_operations = sum(part["operations"] for part in stored["parts"].values())
    rows = [
        (
            name,
            f"{part['operations'] / 1e9:.1f}" if part["operations"] else "",
            f"{100 * part['operations'] / all_operations:.0f} %" if part["operations"] else "",
            f"{100 * part['share_of_time']:.1f} %",
        )
        for name, part in stored["parts"].items()
    ]
    header = (
        f"part of a `{stored['variant']}` step, {stored['side']}×{stored['side']}",
        "GFLOP",
        "of all",
        "of the time",
    )
    return f"{markdown(header, rows)}\n\n{made(stored, command=True)}"


@rendered
def goals() -> str:
    """Returns the table of goals for the step, with what was measured."""
    stored = read("steps")
    steps_by = {(step["variant"], step["side"]): step for step in stored["steps"]}
    step = steps_by["dragan_ns", 32]
    seconds = step["seconds"]
    over_torch = _over_torch(seconds)
    jax = read("steps_jax")["steps"][0]["seconds"]
    over_jax = ratios(jax["JAX"], jax["tfpaths"])
    best = {variant: _over_torch(steps_by[variant, 32]["seconds"], None) for variant in ("dragan_ns", "ns")}
    peak = _of_the_peak(step, "tfpaths")
    penalty = statistics.median(seconds["tfpaths"]) / statistics.median(steps_by["ns", 32]["seconds"]["tfpaths"])
    large = _over_torch(steps_by["ns", 64]["seconds"])
    all_best = [statistics.median(_over_torch(row["seconds"], None)) for row in stored["steps"]]
    all_float32 = [statistics.median(_over_torch(row["seconds"])) for row in stored["steps"]]
    memory, large_memory = (_memory(steps_by[key]) for key in (("dragan_ns", 32), ("ns", 64)))
    rows = [
        ("`dragan_ns` in float32 at least 1.3 times as fast as PyTorch", spread(over_torch), _met(over_torch, 1.3)),
        (
            "the same, each at its best precision, at least 1.5 times",
            spread(best["dragan_ns"]),
            _met(best["dragan_ns"], 1.5),
        ),
        ("`ns`, each at its best precision, at least 1.25 times", spread(best["ns"]), _met(best["ns"], 1.25)),
        _range("all of the tables above, each at its best precision, at least 1.1 times", all_best, 1.1),
        _range("the same in float32, not slower", all_float32, 1.0),
        ("`ns` at 64×64 in float32 at least 1.1 times as fast", spread(large), _met(large, 1.1)),
        ("`dragan_ns` at least 3 times as fast as JAX", spread(over_jax), _met(over_jax, 3)),
        ("at least 75 % of the float32 peak", share(peak), verdict(peak >= 0.75)),
        ("a step with the penalty at most 1.3 times one without", number(penalty, 3), verdict(penalty <= 1.3)),
        ("memory of a step at most 1.1 times PyTorch's", f"{number(memory, 2)} times", verdict(memory <= 1.1)),
        (
            "memory of an `ns` step at 64×64 at most PyTorch's",
            f"{number(large_memory, 3)} times",
            verdict(large_memory <= 1),
        ),
    ]
    if HALF in seconds:
        peak = _of_the_peak(step, HALF)
        rows.append(("at least 40 % of the bfloat16 peak", share(peak), verdict(peak >= 0.4)))
    sampling = read("sampling")
    if any(precision_of(name) == "bfloat16" for name in sampling["sides"][0]["seconds"]):
        sampled = [statistics.median(_over_torch(side["seconds"], "bfloat16")) for side in sampling["sides"]]
        rows.append(_range("samples of an export in bfloat16, at all sizes, at least 1.3 times as fast", sampled, 1.3))
    return f"{markdown(('goal, at 32×32', 'measured', ''), rows)}\n\n{made(stored, read('steps_jax'), sampling)}"


def _range(what: str, medians: list[float], goal: float) -> tuple[str, str, str]:
    text = f"{number(min(medians), 3)} to {number(max(medians), 3)} times"
    return what, text, verdict(min(medians) >= goal)


def _memory(step: dict) -> float:
    """Returns the memory of our float32 step over the least of PyTorch's float32 steps."""
    about = step["contenders"]
    peers = (
        entry["memory"]
        for name, entry in about.items()
        if name.startswith("PyTorch") and precision_of(name) == "float32"
    )
    return about["tfpaths"]["memory"] / min(peers)


def _met(values: list[float], goal: float) -> str:
    return verdict(statistics.median(values) >= goal)
