"""The table of the page on finite samples."""

from tools.tables import made, markdown, read, rendered

_DISTANCES = {
    "w1": "W₁",
    "js": "JS / log 2",
    "linear": "linear",
    "mlp": "MLP, its own samples",
    "mlp_fresh": "MLP, new samples",
}
_LOG_2 = 0.6931471805599453


@rendered
def figure_generalization() -> str:
    """Returns the table of figure generalization: each distance at the least and the largest m."""
    results = read("figures/figure_generalization")
    metrics = results["metrics"]
    rows = []
    for dimension in (2, 32, 512):
        for num in (64, 1024):
            cells = []
            for name in _DISTANCES:
                value, high = (metrics[f"d{dimension}_m{num}_{name}{end}"] for end in ("", "_high"))
                unit = _LOG_2 if name == "js" else 1.0
                cells.append(f"{value / unit:.3f} ± {(high - value) / unit:.3f}".replace("-", "−"))
            parameters = f"{metrics[f'd{dimension}_parameters']:,.0f}"
            rows.append((str(dimension), f"{num:,}", *cells[:3], f"{(2 / num) ** 0.5:.3f}", *cells[3:], parameters))
    labels = list(_DISTANCES.values())
    header = ("d", "m", *labels[:3], "√(2/m)", *labels[3:], "parameters of the MLP")
    return f"{markdown(header, rows)}\n\n{made(results, command=True)}"
