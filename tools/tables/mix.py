"""MIX+GAN: its scores on lines and on images beside its controls, and the speed of a step, for its page."""

import statistics

from benchmarks import spread
from tools.tables import made, markdown, number, read, rendered


@rendered
def mixline() -> str:
    """Returns the exact MMD^2 of one pair, of a wide one, and of a mix."""
    stored = read("mixline")
    forms = {"single": "`mixline_{}`", "wide": "`mixline_{}_wide`", "mix": "`mixline_mix_{}`"}
    of: dict[tuple[str, str], list[dict]] = {}
    for row in stored["rows"]:
        of.setdefault((row["variant"], row["form"]), []).append(row)
    lines = []
    for (variant, form), rows in of.items():
        cells = [", ".join(number(row[key]) for row in rows) for key in ("mmd2", "least")]
        entropies = ", ".join(f"{row['entropy']:.3f}" for row in rows if row["entropy"] is not None)
        lines.append([forms[form].format(variant), *cells, entropies])
    header = ("experiment", "MMD² at the end, each seed", "its least value", "H(w) at the end")
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


_DATA = {"color_mnist": "Color MNIST", "cifar10": "CIFAR-10, the subset"}
_FORMS = {"single": "`{}_{}`", "wide": "`{}_{}_wide`", "mix": "`{}_mix_{}`"}
# Metric, heading, digits after the point.
_SCORES = (
    ("classifier_score", "classifier score", 2),
    ("frechet_classifier_distance", "Fréchet distance", 2),
    ("modes_covered", "modes of 70", 0),
)


@rendered
def mix_images() -> str:
    """Returns the scores of one pair, of a wide one, and of a mix on images: mean ± standard deviation over seeds."""
    stored = read("mix_images")
    tables = []
    for data in dict.fromkeys(row["data"] for row in stored["rows"]):
        of_data = [row for row in stored["rows"] if row["data"] == data]
        scores = [score for score in _SCORES if score[0] in of_data[0]["metrics"]]
        lines = []
        for form, name in _FORMS.items():
            rows = [row for row in of_data if row["form"] == form]
            if not rows:
                continue
            cells = [_mean([row["metrics"][metric] for row in rows], digits) for metric, _, digits in scores]
            seconds = min(row["seconds"] for row in rows)
            births = ", ".join(_birthday(row["metrics"]) for row in rows)
            lines.append([name.format(data, rows[0]["variant"]), *cells, births, f"{1e3 * seconds:.0f}"])
        for reference, name in (("real", "real (floor)"), ("noise", "noise (ceiling)")):
            values = of_data[0]["references"][reference]
            cells = [_mean([values[metric]], digits) for metric, _, digits in scores]
            lines.append([name, *cells, _birthday(values), ""])
        header = (
            _DATA[data],
            *(heading for _, heading, _ in scores),
            "birthday, each seed",
            "ms a step, the fastest run",
        )
        tables.append(markdown(header, lines))
    return "\n\n".join([*tables, made(stored, command=True)])


def _mean(values: list[float], digits: int) -> str:
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{digits or 1}f}"


def _birthday(metrics: dict[str, float]) -> str:
    """Returns s of the birthday test, or its lower bound if no two samples were duplicates."""
    if "birthday" in metrics:
        return f"{metrics['birthday']:,.0f}"
    return f"above {metrics['birthday_low']:,.0f}"
