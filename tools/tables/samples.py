"""The table of the scores of samples, for the results page."""

import statistics
from collections.abc import Callable

from tools.tables import made, markdown, read, rendered

# Label, metric, factor, digits after the point.
_ROWS: tuple[tuple[str, str, float, int], ...] = (
    ("classifier score, at most 70", "classifier_score", 1, 1),
    ("Fréchet classifier distance", "frechet_classifier_distance", 1, 2),
    ("kernel classifier distance × 1,000", "kernel_classifier_distance", 1_000, 1),
    ("MS-SSIM (of real images: {ms_ssim_real:.3f})", "ms_ssim", 1, 3),
    ("modes of 70", "modes_covered", 1, 0),
    ("KL(model \\|\\| data) over modes", "modes_kl", 1, 3),
    ("critic, on test images", "wasserstein_test", 1, 2),
    ("critic, test − train", "wasserstein_gap", 1, 2),
)


@rendered
def samples() -> str:
    """Returns the table of the scores on `color_mnist` after 5,000 steps."""
    stored = read("color_mnist_5000")
    runs = list(stored["runs"].values())
    experiments = list(dict.fromkeys(run["experiment"] for run in runs))
    references = runs[-1]["references"]
    header, columns = [""], []
    for experiment in experiments:
        values = [run["metrics"] for run in runs if run["experiment"] == experiment]
        seeds = f", {len(values)} seeds" if len(values) > 1 else ""
        header.append(f"`{experiment.removeprefix('color_mnist_')}`{seeds}")
        columns.append(values)
    header += ["real (floor)", "noise (ceiling)"]
    columns += [[references["real"]], [references["noise"]]]
    rows = [
        [
            label.format(**runs[0]["metrics"]),
            *(_cell([value[name] for value in column], factor, digits) for column in columns),
        ]
        for label, name, factor, digits in _ROWS
    ]
    return f"{markdown(header, rows)}\n\n{made(stored, command=True)}"


def _cell(values: list[float], factor: float, digits: int) -> str:
    form: Callable[[float], str] = lambda value: f"{value * factor:.{digits}f}".replace("-", "−")  # noqa: E731
    mean = form(statistics.mean(values))
    mean = mean.removeprefix("−") if not float(mean.replace("−", "-")) else mean
    return mean if len(values) == 1 else f"{mean} ± {form(statistics.stdev(values))}"
