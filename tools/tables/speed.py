"""The tables for the performance page."""

import statistics

from tools.tables import machine, made, markdown, number, ratios, read, rendered, share, spread


def _peer(seconds: dict, library: str, precision: str | None = "float32") -> str | None:
    """Returns the fastest contender of a library, by its median, in one precision or, with None, in any."""
    names = [
        name for name in seconds if name.startswith(library) and (precision is None or _precision(name) == precision)
    ]
    return min(names, key=lambda name: statistics.median(seconds[name])) if names else None


def _precision(contender: str) -> str:
    return "bfloat16" if "bfloat16" in contender else "float32"


def _over_torch(seconds: dict, precision: str | None = "float32") -> list[float]:
    """Returns the ratio of each turn: PyTorch's fastest contender over our fastest, in one precision or in any."""
    return ratios(*(seconds[_peer(seconds, library, precision)] for library in ("PyTorch", "tfpaths")))


@rendered
def steps() -> str:
    """Returns the table of a float32 step of each variant at each size: our time, and PyTorch's as a ratio to it."""
    stored = read("steps")
    cells = {(step["variant"], step["side"]): step["seconds"] for step in stored["steps"]}
    sides = sorted({side for _, side in cells})
    header, rows = [""], []
    for side in sides:
        header += [f"{side}×{side}, ms", "PyTorch"]
    for variant in dict.fromkeys(variant for variant, _ in cells):
        row = [f"`{variant}`"]
        for side in sides:
            if seconds := cells.get((variant, side)):
                row += [spread([1e3 * value for value in seconds["tfpaths"]]), spread(_over_torch(seconds))]
            else:
                row += ["", ""]
        rows.append(row)
    return f"{markdown(header, rows)}\n\n{made(stored, command=True)}"


@rendered
def steps_bfloat16() -> str:
    """Returns the table of a step of each variant at each size in bfloat16: our time, and two ratios to it."""
    stored = read("steps")
    cells = {(step["variant"], step["side"]): step["seconds"] for step in stored["steps"]}
    sides = sorted({side for _, side in cells})
    ours = "tfpaths, mixed_bfloat16"
    if ours not in stored["steps"][0]["seconds"]:
        return f"*Not measured on {machine(stored)}: its float32 is faster.*"
    header = ["", *(name for side in sides for name in (f"{side}×{side}, ms", "our float32", "PyTorch"))]
    rows = []
    for variant in dict.fromkeys(variant for variant, _ in cells):
        row = [f"`{variant}`"]
        for side in sides:
            seconds = cells.get((variant, side))
            if not seconds:
                row += ["", "", ""]
                continue
            row.append(spread([1e3 * value for value in seconds[ours]]))
            for peer in ("tfpaths", _peer(seconds, "PyTorch", None)):
                row.append(spread(ratios(seconds[peer], seconds[ours])))
        rows.append(row)
    return f"{markdown(header, rows)}\n\n{made(stored)}"


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
            "`tfpaths`" if name == "tfpaths" else name,
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
    rates = step["product_flops"][_precision(name)]
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
        ("at least 75 % of the float32 peak", share(peak), _verdict(peak >= 0.75)),
        ("a step with the penalty at most 1.3 times one without", number(penalty, 3), _verdict(penalty <= 1.3)),
        ("memory of a step at most 1.1 times PyTorch's", f"{number(memory, 2)} times", _verdict(memory <= 1.1)),
        (
            "memory of an `ns` step at 64×64 at most PyTorch's",
            f"{number(large_memory, 3)} times",
            _verdict(large_memory <= 1),
        ),
    ]
    if (half := "tfpaths, mixed_bfloat16") in seconds:
        peak = _of_the_peak(step, half)
        rows.append(("at least 40 % of the bfloat16 peak", share(peak), _verdict(peak >= 0.4)))
    return f"{markdown(('goal, at 32×32', 'measured', ''), rows)}\n\n{made(stored, read('steps_jax'))}"


def _range(what: str, medians: list[float], goal: float) -> tuple[str, str, str]:
    text = f"{number(min(medians), 3)} to {number(max(medians), 3)} times"
    return what, text, _verdict(min(medians) >= goal)


def _memory(step: dict) -> float:
    """Returns the memory of our float32 step over the least of PyTorch's float32 steps."""
    about = step["contenders"]
    peers = (
        entry["memory"] for name, entry in about.items() if name.startswith("PyTorch") and _precision(name) == "float32"
    )
    return about["tfpaths"]["memory"] / min(peers)


def _met(values: list[float], goal: float) -> str:
    return _verdict(statistics.median(values) >= goal)


def _verdict(is_met: bool) -> str:
    return "reached" if is_met else "**not reached**"


@rendered
def overhead() -> str:
    """Returns the table of everything around the step."""
    stored = read("overhead")
    rows = []
    for name, values in stored.items():
        what, _, goal = name.partition(" (goal: ")
        if goal:
            rows.append((what, goal.removesuffix(")"), spread(values)))
    return f"{markdown(('what', 'goal', 'measured'), rows)}\n\n{made(stored, command=True)}"


@rendered
def sampling() -> str:
    """Returns the table of an exported run's images per second."""
    stored = read("sampling")
    sides = stored["sides"]
    rows = []
    for ours in ("tfpaths, exported", "tfpaths, exported, mixed_bfloat16"):
        if ours not in sides[0]["seconds"]:
            continue
        precision = _precision(ours)
        rates = (spread([stored["batch"] / seconds for seconds in side["seconds"][ours]]) for side in sides)
        rows.append([f"`tfpaths`, exported, {precision}: images a second", *rates])
        for name in sides[0]["seconds"]:
            if not name.startswith("tfpaths") and _precision(name) == precision:
                rows.append([f"times {name}", *(spread(ratios(s["seconds"][name], s["seconds"][ours])) for s in sides)])
        if precision == "float32":
            shares = [
                statistics.median(
                    stored["batch"] * side["operations"] / seconds / rate
                    for seconds, rate in zip(side["seconds"][ours], side["product_flops"], strict=True)
                )
                for side in sides
            ]
            rows.append(["of the float32 peak", *(f"{100 * value:.0f} %" for value in shares)])
    header = ("", *(f"{side['side']}×{side['side']}" for side in sides))
    return f"{markdown(header, rows)}\n\n{made(stored, command=True)}"


@rendered
def refinement() -> str:
    """Returns the table of refinement: its time over that of as many passes through the networks."""
    stored = read("refinement")
    rows = []
    for case in stored["cases"]:
        ours, passes = (case["seconds"][name] for name in ("refinement", "passes"))
        times = (spread([1e3 * value for value in values]) for values in (ours, passes))
        ratio = statistics.median(ratios(ours, passes))
        name = f"{case['networks']}, `{case['dynamics']}`"
        rows.append((name, *times, spread(ratios(ours, passes)), _verdict(ratio <= stored["goal"])))
    header = ("", f"{stored['steps']} steps, {_milli(stored)}", "passes alone", "ratio", f"goal: {stored['goal']}")
    return f"{markdown(header, rows)}\n\n{made(stored, command=True)}"


@rendered
def instance_noise() -> str:
    """Returns the table of a step with instance noise beside one without."""
    stored = read("instance_noise")
    times = stored["milliseconds"]
    low, high = stored["interval"]
    ratio = f"{stored['ratio']:.3f} ({low:.3f} to {high:.3f})"
    row = ("28×28, batch 64", times["ns_noise"], times["ns"], ratio, _verdict(high <= stored["goal"]))
    unit = _milli(stored)
    header = ("", f"with noise, {unit}", f"without, {unit}", "ratio, 95 % interval", f"goal: {stored['goal']}")
    return f"{markdown(header, [row])}\n\n{made(stored, command=True)}"


@rendered
def text() -> str:
    """Returns the time of a step on texts, and of PyTorch's over it."""
    stored = read("text")
    seconds, own = stored["seconds"], stored["seconds"]["tfpaths"]
    rows = []
    for name, values in seconds.items():
        over = "" if name == "tfpaths" else spread(ratios(values, own))
        verdict = _verdict(statistics.median(ratios(values, own)) >= 1.3) if name == stored["best"] else ""
        rows.append((name, spread(values), over, verdict))
    unit = _milli(stored, "s")
    header = (
        f"width {stored['width']}, {len(own)} turns",
        f"{unit} a step",
        "times ours",
        "the best of PyTorch, goal: 1.3",
    )
    return f"{markdown(header, rows)}\n\n{made(stored, command=True)}"


def _milli(stored: dict, unit: str = "ms") -> str:
    """Returns the unit of measured times, with the clock if it is not the wall's."""
    return f"{unit} of processor time" if stored["clock"] == "processor" else unit


@rendered
def points() -> str:
    """Returns the table of studies on points beside those on lines."""
    stored = read("points")
    rows = []
    for case in stored["cases"]:
        seconds, operations = case["seconds_per_run_and_step"], case["operations"]
        for name, values in seconds.items():
            of_line = ratios(values, seconds["line"])
            row = [f"`{case['variant']}`, {name}", spread([1e6 * value for value in values])]
            if name == "line":
                rows.append([*row, "1", "1", ""])
                continue
            counted = number(operations["points"] / operations["line"], 3)
            verdict = _verdict(statistics.median(of_line) <= stored["goal"])
            rows.append([*row, spread(of_line), counted, verdict if name == "points" else ""])
    header = (
        "",
        f"{_milli(stored, 'µs')} for a run and step",
        "over the line's",
        "operations",
        f"goal: {stored['goal']}",
    )
    return f"{markdown(header, rows)}\n\n{made(stored, command=True)}"


@rendered
def ensemble() -> str:
    """Returns the table of many small GANs: microseconds for each run and step."""
    stored = read("ensemble")
    seconds = stored["seconds_per_run_and_step"]
    goals = {"JAX, vmap and scan": "at least 1.5", "PyTorch, stacked matrices": "at least 2"}
    goals["PyTorch, one run at a time"] = "at least 20"
    rows = [
        (
            f"`{name}`" if name == "tfpaths" else name,
            str(stored["runs_at_once"][name]),
            spread([1e6 * value for value in values]),
            spread(ratios(values, seconds["tfpaths"])) if name != "tfpaths" else "1",
            goals.get(name, ""),
        )
        for name, values in seconds.items()
    ]
    header = ("", "runs at once", "µs for a run and step", "over ours", "goal")
    return f"{markdown(header, rows)}\n\n{made(stored, command=True)}"


@rendered
def evaluation() -> str:
    """Returns the table of the seconds of each part of an evaluation, beside TorchMetrics'."""
    stored = read("evaluation")
    rows = []
    for name, by in stored["seconds"].items():
        ours, peer = by["ours"], [value for value in by["torchmetrics"] if value is not None]
        rows.append(
            (
                name.replace("_", " "),
                spread(ours),
                spread(peer) if peer else "",
                spread(ratios(peer, ours)) if peer else "",
            )
        )
    return f"{markdown(('', 'seconds', 'TorchMetrics', 'ratio'), rows)}\n\n{made(stored, command=True)}"


@rendered
def scaling() -> str:
    """Returns the table of a step of one worker, of two workers, and of a cluster of two."""
    stored = read("scaling")
    rows = [(name, f"{spread([1e3 * v for v in values])} ms") for name, values in stored["seconds_per_step"].items()]
    rows += [(name, spread(values)) for name, values in stored["ratios"].items()]
    return f"{markdown(('', 'a step, or a ratio'), rows)}\n\n{made(stored, command=True)}"
