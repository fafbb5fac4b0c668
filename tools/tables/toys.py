"""The table of KL-WGAN's toys, for the page of that paper."""

import statistics

from tools.tables import made, markdown, read, rendered

# Song and Ermon 2020 (arXiv 1910.09779), the tables of their toys: value ± standard error, over 2 (log-likelihood) and
# 4 seeds (MMD^2 × 1,000).
_PRINTED = {
    "kde_log_likelihood": {
        "hinge_sn": ("-2.61 ± .03", "-3.59 ± .00", "-4.26 ± .01", "-3.71 ± .01", "-3.99 ± .01", "-3.57 ± .00"),
        "kl_code": ("-2.54 ± .00", "-3.61 ± .03", "-4.25 ± .00", "-3.71 ± .01", "-3.98 ± .00", "-3.57 ± .00"),
    },
    "mmd2": {
        "hinge_sn": ("21.70 ± 5.77", "2.94 ± .59", "2.25 ± .42", "2.05 ± .40", "1.23 ± .40", "1.27 ± .27"),
        "kl_code": ("7.03 ± 2.97", "1.61 ± .16", "1.33 ± .18", "1.18 ± .18", "1.20 ± .27", "1.26 ± .34"),
    },
}
_NAMES = {
    "hinge_sn": "`hinge_sn`",
    "kl_code": "KL-WGAN, the authors' code",
    "kl_objective": "KL-WGAN, the objective",
}
_SCALES = {"kde_log_likelihood": 1.0, "mmd2": 1_000.0}


def _cell(values: list[float], metric: str) -> str:
    """Returns mean ± standard error, as the authors print them; one value without an error."""
    scaled = [_SCALES[metric] * value for value in values]
    text = f"{statistics.mean(scaled):.2f}"
    if len(scaled) > 1:
        text += f" ± {statistics.stdev(scaled) / len(scaled) ** 0.5:.2f}"
    return text.replace("-", "−")


def _table(metric: str) -> str:
    stored = read("toys")
    toys = list(dict.fromkeys(row["toy"] for row in stored["rows"]))
    forms = [form for form in _NAMES if any(row["form"] == form for row in stored["rows"])]
    of = {(row["toy"], row["form"]): row for row in stored["rows"]}
    lines = []
    for form in forms:
        printed = _PRINTED[metric].get(form)
        if printed:
            lines.append([f"{_NAMES[form]}, printed", *(text.replace("-", "−") for text in printed[: len(toys)])])
        ours = [[one[metric] for one in of[toy, form]["metrics"]] if (toy, form) in of else [] for toy in toys]
        lines.append([f"{_NAMES[form]}, ours", *(_cell(values, metric) if values else "" for values in ours)])
    floors = [of[toy, forms[0]]["floor"][metric] for toy in toys]
    lines.append(["data against data (floor)", *(_cell([floor], metric) for floor in floors)])
    return f"{markdown(('', *toys), lines)}\n\n{made(stored, command=True)}"


@rendered
def toys_differences() -> str:
    """Returns KL-WGAN minus the hinge loss on each toy, with the standard error over the seeds of both."""
    stored = read("toys")
    toys = list(dict.fromkeys(row["toy"] for row in stored["rows"]))
    of = {(row["toy"], row["form"]): row["metrics"] for row in stored["rows"]}
    lines = []
    for metric, name in (("kde_log_likelihood", "log-likelihood"), ("mmd2", "MMD² × 1,000")):
        cells = []
        for toy in toys:
            pair = [[_SCALES[metric] * one[metric] for one in of[toy, form]] for form in ("kl_code", "hinge_sn")]
            difference = statistics.mean(pair[0]) - statistics.mean(pair[1])
            error = sum(statistics.variance(values) / len(values) for values in pair) ** 0.5
            cells.append(f"{difference:+.2f} ± {error:.2f} ({abs(difference) / error:.1f} errors)".replace("-", "−"))
        lines.append([name, *cells])
    return f"{markdown(('', *toys), lines)}\n\n{made(stored, command=True)}"


@rendered
def toys_log_likelihood() -> str:
    """Returns the log-likelihood of held-out data under a KDE of samples."""
    return _table("kde_log_likelihood")


@rendered
def toys_mmd() -> str:
    """Returns MMD^2 × 1,000 between samples and held-out data."""
    return _table("mmd2")
