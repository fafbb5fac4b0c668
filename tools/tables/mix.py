"""The speed of a step of MIX+GAN, and its lines, for its page."""

import statistics

from benchmarks import spread
from tools.tables import made, markdown, number, read, rendered


@rendered
def mixline() -> str:
    """Returns the exact MMD^2 of one pair, of a wide one, and of a mix."""
    stored = read("mixline")
    forms = {"single": "`mixline_{}`", "wide": "`mixline_{}_wide`", "mix": "`mixline_mix_{}`"}
    lines = []
    for row in stored["rows"]:
        entropy = "" if row["entropy"] is None else f"{row['entropy']:.3f}"
        values = [number(row["mmd2"]), number(row["least"]), entropy]
        lines.append([forms[row["form"]].format(row["variant"]), str(row["seed"]), f"{row['steps']:,}", *values])
    header = ("experiment", "seed", "steps", "MMD² at the end", "its least value", "H(w) at the end")
    return f"{markdown(header, lines)}\n\n{made(stored, command=True)}"


@rendered
def mix_speed() -> str:
    """Returns the times of a step, and the ratios of `benchmarks.mix`."""
    stored = read("mix")
    names = {
        "base": "without mix",
        "mix": f"mix, T = {stored['players']}",
    }
    lines = [[name, f"{1e3 * statistics.median(stored['seconds'][key]):.0f} ms"] for key, name in names.items()]
    what = {
        "mix / arithmetic": f"the mix beside its arithmetic, {stored['work']:.2f} times that without mix",
        "stacked / graph, 100 wide": "dense layers of 100 units with an axis of players, beside separate networks",
        "stacked / graph, 512 wide": "the same, 512 units",
    }
    lines += [[what[key], spread(values)] for key, values in stored["ratios"].items()]
    clock = "processor time over all cores" if stored["clock"] == "processor" else "time"
    head = f"{stored['variant']}, {stored['side']}×{stored['side']}, batch 64: {clock} of a step; ratios"
    return f"{markdown((head, ''), lines)}\n\n{made(stored, command=True)}"
