"""The picture, the numbers and the sentence about fresh discriminators, from their rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.axes
import matplotlib.figure

from tfpaths import config as config_lib

Row = Mapping[str, Any]
# The accuracy on held-out images from which a discriminator counts as perfect; ours.
PERFECT = 0.99
# The accuracy is drawn up to this update, as in figure 1 of the paper.
_SHOWN = 500
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# What the last row of each comparison says.
_LAST = ("d_loss", "d_loss_heldout", "d_accuracy", "d_accuracy_heldout", "grad_minimax", "grad_ns", "grad_ns_sd")


def by_comparison(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Returns the rows of each comparison, the control last.

    Example:
      >>> list(by_comparison([{"against": "control"}, {"against": "epoch 1"}]))
      ['epoch 1', 'control']
    """
    names = sorted(dict.fromkeys(row["against"] for row in rows), key=lambda name: name == "control")
    return {name: [row for row in rows if row["against"] == name] for name in names}


def metrics(rows: Sequence[Row]) -> dict[str, float]:
    """Returns the numbers of each comparison, such as `epoch_10_d_accuracy_heldout`, those of its last row.

    `perfect_after` is the first logged update with an accuracy of at least 0.99 on held-out images; it is missing if
    there is none. `grad_minimax_fall` is the largest value of `grad_minimax` divided by the last one, and
    `grad_ns_growth` the last value of `grad_ns` divided by the one before the first update.

    Example: `tests/perfect/test_drawing.py`.
    """
    found: dict[str, float] = {}
    for name, own in by_comparison(rows).items():
        first, last, prefix = own[0], own[-1], name.replace(" ", "_")
        values = {quantity: last[quantity] for quantity in _LAST if last[quantity] is not None}
        perfect = [row["step"] for row in own if row["d_accuracy_heldout"] >= PERFECT]
        if perfect:
            values["perfect_after"] = perfect[0]
        if last["grad_minimax"]:
            values["grad_minimax_fall"] = max(row["grad_minimax"] for row in own) / last["grad_minimax"]
        if first["grad_ns"]:
            values["grad_ns_growth"] = last["grad_ns"] / first["grad_ns"]
        found |= {f"{prefix}_{quantity}": value for quantity, value in values.items()}
    return found


def finding(config: config_lib.Perfect, found: Mapping[str, float]) -> str:
    """Returns a sentence about the fresh discriminators.

    Example: `tests/perfect/test_drawing.py`.
    """
    names = [f"epoch_{epochs}" for epochs in config.epochs]

    def listed(quantity: str, form: str, missing: str = "none") -> str:
        values = (found.get(f"{name}_{quantity}") for name in names)
        return ", ".join(missing if value is None else format(value, form) for value in values)

    return (
        f"Frozen at epoch{'s' if len(names) > 1 else ''} {', '.join(map(str, config.epochs))} of {config.base.name}: "
        f"a fresh discriminator reaches {PERFECT:.0%} accuracy on held-out images after "
        f"{listed('perfect_after', ',', 'more than all')} of {config.fresh.steps:,} updates and ends at "
        f"{listed('d_accuracy_heldout', '.3f')}; the gradient of E log(1 - D) ends "
        f"{listed('grad_minimax_fall', '.3g')} times below its largest row, that of -E log D at "
        f"{listed('grad_ns_growth', '.3g')} times its start. The control, training against test images: accuracy "
        f"{found['control_d_accuracy']:.3f} on the images it trains on, "
        f"{found['control_d_accuracy_heldout']:.3f} on held-out ones."
    )


def picture(rows: Sequence[Row]) -> matplotlib.figure.Figure:
    """Draws loss, accuracy and both gradients by update, on the axes of the paper's figures 1 to 3.

    Example: see `runner.run`.
    """
    figure = matplotlib.figure.Figure(figsize=(10, 7), layout="constrained")
    (loss, accuracy), (minimax, ns) = figure.subplots(2, 2)
    comparisons = by_comparison(rows)
    colors = {name: _COLORS[index % len(_COLORS)] for index, name in enumerate(comparisons)} | {"control": "#777777"}
    for name, own in comparisons.items():
        for axes, quantity in ((loss, "d_loss"), (accuracy, "d_accuracy")):
            _curve(axes, own, quantity, colors[name], "-", name)
            _curve(axes, own, f"{quantity}_heldout", colors[name], "--")
        _curve(minimax, own, "grad_minimax", colors[name], "-", name)
        _curve(ns, own, "grad_ns", colors[name], "-", name)
        _band(ns, own, colors[name])
    last = max(row["step"] for row in rows)
    for axes, title, label in (
        (loss, "Cross-entropy of the fresh discriminator", "nats"),
        (accuracy, "Its accuracy", "accuracy"),
        (minimax, "Gradient of E log(1 − D) by the generator", "norm"),
        (ns, "Gradient of −E log D by the generator, ± sd over batches", "norm"),
    ):
        axes.set(title=title, xlabel="updates of the fresh discriminator", ylabel=label, xlim=(0, last))
    for axes in (loss, minimax):
        axes.set_yscale("log")
    accuracy.set(xlim=(0, min(_SHOWN, last)), ylim=(None, 1.02))
    ns.set_ylim(0, None)
    loss.plot([], [], color="black", linestyle="--", label="held-out images")
    loss.legend()
    return figure


def _curve(
    axes: matplotlib.axes.Axes, rows: Sequence[Row], name: str, color: str, dash: str, label: str | None = None
) -> None:
    # A loss of exactly 0 has no place on a logarithmic axis.
    points = [(row["step"], row[name]) for row in rows if row[name]]
    if points:
        axes.plot(*zip(*points, strict=True), color=color, linestyle=dash, label=label, linewidth=1.2)


def _band(axes: matplotlib.axes.Axes, rows: Sequence[Row], color: str) -> None:
    rows = [row for row in rows if row["grad_ns"] is not None]
    low, high = ([row["grad_ns"] + sign * row["grad_ns_sd"] for row in rows] for sign in (-1, 1))
    axes.fill_between([row["step"] for row in rows], low, high, color=color, alpha=0.2, linewidth=0)
