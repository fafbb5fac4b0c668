"""The tables of the page about perfect discriminators."""

from tools.tables import made, markdown, number, read, rendered

_COLUMNS = {"epoch_1": "ours, epoch 1", "epoch_3": "ours, epoch 3", "control": "control"}


@rendered
def perfect_line() -> str:
    """Returns the table of the discriminator on two parallel lines: predicted and measured."""
    results = read("figures/perfect_line")
    metrics = results["metrics"]

    def predicted(name: str) -> float:
        return metrics[name] / metrics[f"{name}_ratio"]

    rows = [
        ("\\|w\\|", f"{predicted('weight'):.4f}", f"{metrics['weight']:.4f}"),
        ("growth of \\|w\\| for each unit of log t, last decade", "2", f"{metrics['weight_per_log']:.3f}"),
        ("slope of log D(G(z)) by log t, last decade", "−1", f"{metrics['d_fake_slope']:.4f}".replace("-", "−")),
        ("gradient of E log(1 - D)", f"{predicted('grad_minimax'):.3e}", f"{metrics['grad_minimax']:.3e}"),
        ("gradient of -E log D", f"{predicted('grad_ns'):.4f}", f"{metrics['grad_ns']:.4f}"),
        (
            "bound of theorem 2.4 / the first gradient",
            "above 1",
            f"{metrics['bound_ratio']:.2f}; {_bound(metrics['bound_holds'])}",
        ),
    ]
    deep = [
        (
            "hidden layers: slope of the log loss by log t, last decade",
            f"{metrics['mlp_loss_slope_predicted']:.3f}".replace("-", "−"),
            f"{metrics['mlp_loss_slope']:.3f}".replace("-", "−"),
        ),
        ("hidden layers: gradient of E log(1 - D)", "", f"{metrics['mlp_grad_minimax']:.3e}"),
        ("hidden layers: gradient of -E log D", "", f"{metrics['mlp_grad_ns']:.4f}"),
    ]
    table = markdown(("quantity", "predicted", "ours, 100,000 steps"), [*rows, *deep])
    return f"{table}\n\n{made(results, command=True)}"


def _bound(share: float) -> str:
    """Returns the share of the rows with a bound on which it holds, as text.

    Example:
      >>> _bound(1.0), _bound(0.987)
      ('above 1 on every row that has a bound', 'above 1 on 98.7 % of the rows that have a bound')
    """
    rows = "every row that has a bound" if share == 1 else f"{100 * share:.3g} % of the rows that have a bound"
    return f"above 1 on {rows}"


@rendered
def perfect_color_mnist() -> str:
    """Returns the table of fresh discriminators on Color MNIST beside the paper's figures, which are read by eye."""
    return _fresh("perfect_color_mnist")


@rendered
def perfect_cifar10() -> str:
    """Returns the same table of CIFAR-10."""
    return _fresh("perfect_cifar10")


def _fresh(name: str) -> str:
    results = read(name)
    metrics, steps = results["metrics"], results["step"]

    def cells(*names: str, digits: int = 3) -> list[str]:
        """Returns a cell for each column: the values of its metrics, empty if it has none."""
        columns = ([metrics.get(f"{prefix}_{name}") for name in names] for prefix in _COLUMNS)
        return [" / ".join(number(value, digits) for value in values if value is not None) for values in columns]

    after = [str(metrics.get(f"{prefix}_perfect_after", f"not in {steps:,}")) for prefix in _COLUMNS]
    largests = [
        number(metrics[f"{prefix}_grad_minimax"] * metrics[f"{prefix}_grad_minimax_fall"], 3) + " / "
        if f"{prefix}_grad_minimax" in metrics
        else ""
        for prefix in _COLUMNS
    ]
    starts = [
        number(metrics[f"{prefix}_grad_ns"] / metrics[f"{prefix}_grad_ns_growth"]) + " / "
        if f"{prefix}_grad_ns" in metrics
        else ""
        for prefix in _COLUMNS
    ]
    rows = [
        ("updates to 99 % accuracy on held-out images", "100 % by about 30 (epoch 1), 120 (10), 20 (25)", *after),
        (f"accuracy after {steps:,}, training / held out", "1.0", *cells("d_accuracy", "d_accuracy_heldout")),
        (
            "cross-entropy at the end, training / held out",
            "4e-6 after 4,000 (epoch 1)",
            *cells("d_loss", "d_loss_heldout", digits=2),
        ),
        (
            "gradient of E log(1 - D), largest row / end",
            "start 3 / 3e-4 after 4,000 (epoch 1)",
            *(largest + end for largest, end in zip(largests, cells("grad_minimax"), strict=True)),
        ),
        (
            "gradient of -E log D, start / end",
            "0 / 100 after 7,000 (epoch 1)",
            *(start + end for start, end in zip(starts, cells("grad_ns"), strict=True)),
        ),
    ]
    table = markdown(("quantity", "paper", *_COLUMNS.values()), rows)
    return f"{table}\n\n{made(results, command=True)}"
