"""The tables of everything but the training step, for the performance page."""

import statistics

from tools.tables import made, markdown, number, ratios, read, rendered, spread, verdict
from tools.tables.steps import fastest, precision_of

# The goal of a step on texts.
_TEXT_GOAL = 1.3


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
        precision = precision_of(ours)
        rates = (spread([stored["batch"] / seconds for seconds in side["seconds"][ours]]) for side in sides)
        rows.append([f"`tfpaths`, exported, {precision}: images a second", *rates])
        for name in sides[0]["seconds"]:
            if not name.startswith("tfpaths") and precision_of(name) == precision:
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
        rows.append((name, *times, spread(ratios(ours, passes)), verdict(ratio <= stored["goal"])))
    header = ("", f"{stored['steps']} steps, {_milli(stored)}", "passes alone", "ratio", f"goal: {stored['goal']}")
    return f"{markdown(header, rows)}\n\n{made(stored, command=True)}"


@rendered
def instance_noise() -> str:
    """Returns the table of a step with instance noise beside one without."""
    stored = read("instance_noise")
    times = stored["milliseconds"]
    low, high = stored["interval"]
    ratio = f"{stored['ratio']:.3f} ({low:.3f} to {high:.3f})"
    row = ("28×28, batch 64", times["ns_noise"], times["ns"], ratio, verdict(high <= stored["goal"]))
    unit = _milli(stored)
    header = ("", f"with noise, {unit}", f"without, {unit}", "ratio, 95 % interval", f"goal: {stored['goal']}")
    return f"{markdown(header, [row])}\n\n{made(stored, command=True)}"


@rendered
def text() -> str:
    """Returns the time of a step on texts, and of PyTorch's over it, in one precision and at each library's best."""
    stored = read("text")
    seconds = stored["seconds"]
    quickest = {library: fastest(seconds, library, None) for library in ("tfpaths", "PyTorch")}
    rows = []
    for name, values in seconds.items():
        own = fastest(seconds, "tfpaths", precision_of(name))
        over = "" if name == own else spread(ratios(values, seconds[own]))
        rows.append((name, spread(values), over))
    best = ratios(seconds[quickest["PyTorch"]], seconds[quickest["tfpaths"]])
    same = ratios(seconds[fastest(seconds, "PyTorch")], seconds[fastest(seconds, "tfpaths")])
    goals = [
        (f"each at its best precision, {quickest['PyTorch']} over {quickest['tfpaths']}", best),
        ("in float32, the fastest PyTorch over ours", same),
    ]
    count = len(next(iter(seconds.values())))
    header = (f"width {stored['width']}, {count} turns", f"{_milli(stored, 's')} a step", "over ours in this precision")
    reached = [(label, spread(values), verdict(statistics.median(values) >= _TEXT_GOAL)) for label, values in goals]
    return "\n\n".join(
        [
            markdown(header, rows),
            made(stored, command=True),
            markdown((f"goal: at least {_TEXT_GOAL} times as fast", "measured", ""), reached),
        ]
    )


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
            reached = verdict(statistics.median(of_line) <= stored["goal"])
            rows.append([*row, spread(of_line), counted, reached if name == "points" else ""])
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
