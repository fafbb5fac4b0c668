"""Scores in float32 and in mixed_bfloat16, for the performance page."""

from tools.tables import made, markdown, read, rendered

# Metric, heading, digits after the point.
_METRICS = (
    ("classifier_score", "classifier score", 1),
    ("frechet_classifier_distance", "Fréchet distance", 1),
    ("modes_covered", "modes of 70", 0),
)


@rendered
def precision() -> str:
    """Returns a row for each variant and precision with the values of each seed, beside floor and ceiling."""
    stored = read("precision")
    of: dict[tuple[str, str], list[dict]] = {}
    for row in stored["rows"]:
        of.setdefault((row["variant"], row["precision"]), []).append(row)
    lines = []
    for (variant, name), rows in of.items():
        cells = [
            ", ".join(f"{row['metrics'][metric]:.{digits}f}" for row in sorted(rows, key=lambda row: row["seed"]))
            for metric, _, digits in _METRICS
        ]
        lines.append([f"`{variant}`", name, *cells])
    for reference, label in (("real", "real images (floor)"), ("noise", "noise (ceiling)")):
        values = stored["rows"][0]["references"][reference]
        lines.append([label, "", *(f"{values[metric]:.{digits}f}" for metric, _, digits in _METRICS)])
    header = ("each seed", "precision", *(heading for _, heading, _ in _METRICS))
    return f"{markdown(header, lines)}\n\n{made(stored, command=True)}"
