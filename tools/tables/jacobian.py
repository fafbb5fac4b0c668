"""The tables of the page on the game's Jacobian."""

from collections.abc import Mapping, Sequence
from typing import Any

from tools.tables import made, markdown, number, read, rendered

_NAMES = {
    "ns": "NS-GAN",
    "gan_gp": "GAN-GP",
    "dragan_ns": "DRAGAN-NS",
    "r1": "R1",
    "r1_r2": "R1 and R2",
    "ns_noise": "with noise",
}
_STEPS = (100, 1_000, 4_000)
_LAST = _STEPS[-1]


def _table(results: Mapping[str, Any], columns: Mapping[str, Sequence[str]]) -> str:
    """Returns a row for each variant; a column is a heading and the metrics whose values are in its cells."""
    metrics = results["metrics"]
    rows = [
        [label, *(", ".join(number(metrics[f"{variant}_{name}"]) for name in names) for names in columns.values())]
        for variant, label in _NAMES.items()
    ]
    return markdown(["", *columns], rows)


@rendered
def jacobian_eigenvalues() -> str:
    """Returns the table of the eigenvalues during training."""
    results = read("figures/figure_jacobian")

    def of_steps(name: str) -> list[str]:
        return [f"d2_step_{step}_{name}" for step in _STEPS]

    columns = {
        "largest real part": of_steps("largest_real"),
        "share above zero": of_steps("positive_share"),
        "largest imaginary part": of_steps("largest_imaginary"),
        "its Im / Re": of_steps("rotation"),
        "d²": of_steps("squared_distance"),
    }
    return f"{_table(results, columns)}\n\n{made(results, command=True)}"


@rendered
def jacobian_slopes() -> str:
    """Returns the table of D's slopes, the generator's gradient and its motion, in the plane and in 8 dimensions."""
    results = read("figures/figure_jacobian")
    names = {
        "slope at the data": "slope",
        "slope at the samples": "generated_slope",
        "norm of the mean slope at the samples": "generated_mean_slope",
        "generator's gradient": "speed_generator",
        "its way in 200 updates": "displacement",
        "d²": "squared_distance",
    }
    columns = {heading: [f"d{d}_step_{_LAST}_{name}" for d in (2, 8)] for heading, name in names.items()}
    return f"{_table(results, columns)}\n\n{made(results, command=True)}"


@rendered
def jacobian_leaky() -> str:
    """Returns the table of the same game with LeakyReLU: runs whose slopes cancel, and the others."""
    results = read("figures/figure_jacobian_leaky")
    metrics = results["metrics"]
    rows = []
    for variant in ("ns", "gan_gp", "dragan_ns"):
        of = {
            name: metrics[f"{variant}_d2_step_{_LAST}_{name}"]
            for name in (
                "slope",
                "finite_runs",
                "cancelling_runs",
                *(
                    f"{which}_{what}"
                    for which in ("cancelling", "other")
                    for what in ("displacement", "squared_distance")
                ),
            )
        }
        rows.append(
            [
                _NAMES[variant],
                number(of["slope"]),
                f"{of['cancelling_runs'] * of['finite_runs']:.0f} of {of['finite_runs']:.0f}",
                *(
                    f"{number(of[f'{which}_displacement'])}, {number(of[f'{which}_squared_distance'])}"
                    for which in ("cancelling", "other")
                ),
            ]
        )
    header = ("", "slope at the data", "runs whose slopes cancel", "their way, d²", "the other runs' way, d²")
    return f"{markdown(header, rows)}\n\n{made(results, command=True)}"


@rendered
def jacobian_speed() -> str:
    """Returns the table of the time of the Jacobian."""
    stored = read("jacobian")
    rows = [
        (
            f"`{one['variant']}`",
            f"{one['runs']:,} × {one['parameters']}",
            f"{one['seconds']:.0f} s",
            f"{one['processor_seconds']:.0f} s",
            f"{one['seconds_of_first_call']:.0f} s",
            f"{one['load']:.1f}",
        )
        for one in stored["variants"]
    ]
    header = ("", "runs × parameters", "time", "processor time", "before, to compile", "load of the machine")
    return f"{markdown(header, rows)}\n\n{made(stored, command=True)}"
