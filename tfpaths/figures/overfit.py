"""What a critic's loss says of images that it was not trained on: 1,000 digits, with clipping and with a penalty."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import matplotlib.axes
import matplotlib.figure
import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import errors, experiments, plotting, schema
from tfpaths.data import digits as digits_lib
from tfpaths.figures.figure import Cell, Drawing, Figure, number
from tfpaths.figures.registry import FIGURES
from tfpaths.figures.toys import MEASURED, Toys
from tfpaths.runs.rows import Row as MutableRow
from tfpaths.streams import Stream

Row = Mapping[str, Any]
VARIANTS = ("wgan", "wgan_gp", "gan_gp")
_LATENTS = 64
# As in the authors' code for MNIST (`gan_mnist.py`).
_BATCH = 50
# The splits, with the dash of their lines.
_SPLITS = {"train": "-", "validation": "--"}


@FIGURES.register("overfit")
class Overfit(Figure):
    """E D(x) - E D(G(z)), the critic's loss with the other sign, on training and on validation images.

    Gulrajani et al. 2017 (arXiv 1704.00028), figure 5b: "large unregularised" WGANs on 1,000 digits of MNIST. The paper
    does not give the networks; here they are perceptrons of three hidden layers on the 784 pixels. Losses, five
    updates, optimisers and the penalty's weight of 10 are those of `color_mnist_wgan` and `color_mnist_wgan_gp`, and
    the batch that of the code. `gan_gp` is ours, with the optimiser of `wgan_gp`; its loss is the cross-entropy.

    Args:
      runs: Games of each variant. Run i has the same initial weights for each.
      updates: The number of the discriminator's updates, a multiple of five.
      rows: How many times they are measured; `updates` is a multiple of five times it.
      digits: Training digits; as many validation digits, or all of them if there are fewer.
      width: Units of each hidden layer.
      source: The source of the digits, as `data.source`.

    Example:
      >>> Overfit(runs=1).uses_studies
      False
    """

    uses_studies = False

    def __init__(
        self,
        *,
        runs: schema.PositiveInt = 3,
        updates: schema.PositiveInt = 6_000,
        rows: schema.PositiveInt = 20,
        digits: Annotated[int, schema.expects("a number of at least 2", lambda count: count >= 2)] = 1_000,
        width: schema.PositiveInt = 256,
        source: Literal["auto", "tfds", "embedded"] = "auto",
    ):
        super().__init__(studies=())
        self.runs = runs
        self.updates = updates
        self.rows = rows
        self.digits = digits
        self.width = width
        self.source = source
        self._digits: dict[str, digits_lib.Digits] = {}

    def check(self, config: config_lib.Figure) -> None:
        super().check(config)
        at_once = self.rows * max(_variant(name).discriminator_steps for name in VARIANTS)
        if self.updates % at_once:
            raise errors.InputError(
                f"figure.updates: expected a multiple of {at_once}, five updates a step for each of figure.rows, "
                f"received {self.updates}."
            )

    def read(self, data_dir: str | None) -> None:
        self._digits = {name: digits_lib.load(name, source=self.source, data_dir=data_dir) for name in _SPLITS}

    def draw(self, config: config_lib.Figure, cells: Sequence[Cell]) -> Drawing:
        splits = {name: Subset(digits, self.digits) for name, digits in self._digits.items()}
        rows: list[MutableRow] = []
        for name in VARIANTS:
            variant = _variant(name)
            toys = Toys(
                variant,
                [splits["train"]],
                copies=self.runs,
                width=self.width,
                depth=3,
                batch_size=_BATCH,
                seed=config.seed,
                latents=_LATENTS,
            )
            rows += [{"variant": name, **row} for row in measure(toys, splits, 0)]
            for part in range(1, self.rows + 1):
                steps = self.updates // (self.rows * variant.discriminator_steps)
                toys.play(steps, f"{config.name}, {plotting.label(name)}, {part} of {self.rows}")
                updates = part * self.updates // self.rows
                rows += [{"variant": name, **row} for row in measure(toys, splits, updates)]
        source = splits["train"].source
        rows = [{**row, "source": source} for row in rows]
        found = metrics(rows) | {f"{name}_digits": float(split.size) for name, split in splits.items()}
        return Drawing(rows, plotting.png(picture, rows), found, finding(found, source))


def _variant(name: str) -> config_lib.Variant:
    base, adam = (experiments.get(f"color_mnist_{each}") for each in (name, "wgan_gp"))
    assert isinstance(base, config_lib.Training)
    assert isinstance(adam, config_lib.Training)
    if name != "gan_gp":
        return base.variant
    optimizer = adam.variant.discriminator_optimizer
    return base.variant.replace(generator_optimizer=optimizer, discriminator_optimizer=optimizer)


class Subset:
    """The first digits of a split, as flat images in [-1, 1].

    Args:
      digits: The digits of the split.
      size: How many of them, at most.

    Attributes:
      images: `[size, pixels]`.
      size: Their number.
      shape: The shape of one image: its pixels.
      source: `tfds` or `embedded`.

    Example:
      >>> subset = Subset(digits_lib.embedded("train"), 100)
      >>> subset.size, subset.shape
      (100, (784,))
    """

    def __init__(self, digits: digits_lib.Digits, size: int):
        pixels = digits.images[:size].reshape(min(size, len(digits.images)), -1)
        self.images = tf.constant(pixels.astype(np.float32) / 127.5 - 1)
        self.size, pixels_of_one = self.images.shape
        self.shape = (pixels_of_one,)
        self.source = digits.source

    def draw(self, stream: Stream, shape: Sequence[int]) -> tf.Tensor:
        """Draws images with replacement, `[*shape, pixels]`; the stream is that of an ensemble."""
        chosen = tf.cast(stream.uniform(shape) * self.size, tf.int32)
        return tf.gather(self.images, chosen)


def measure(toys: Toys, splits: Mapping[str, Subset], updates: int) -> list[MutableRow]:
    """Returns a row for each run after so many updates.

    It has `run`, for each split the loss with the other sign (`train`, `validation`), and
      `gap`: E D(x) of the training images minus that of the validation images;
      `gap_error`: its standard error, by the number of images of both.

    Args:
      toys: The games.
      splits: The digits.
      updates: The number of updates, which is the row's step.

    Example: `python -m tfpaths.launch --exp=figure_overfit`.
    """
    fake = toys.gan.draw(max(split.size for split in splits.values()), toys.stream(MEASURED))
    discriminator, loss = toys.gan.discriminator, toys.gan.loss_pair
    logits = {
        name: discriminator(tf.tile(split.images[tf.newaxis], [toys.runs, 1, 1])) for name, split in splits.items()
    }
    of_fake = discriminator(fake)  # [runs, digits, 1]
    rows: list[MutableRow] = []
    for run in range(toys.runs):
        # As many samples as images: TF-GAN's losses take batches of one size.
        losses = {
            name: -float(loss.discriminator(real[run], of_fake[run, : splits[name].size]))
            for name, real in logits.items()
        }
        of_run = [real[run].numpy().astype(np.float64) for real in logits.values()]
        gap = float(of_run[0].mean() - of_run[1].mean())
        error = float(np.sqrt(sum(values.var(ddof=1) / values.size for values in of_run)))
        rows.append({"step": updates, "run": run, **losses, "gap": gap, "gap_error": error})
    return rows


def metrics(rows: Sequence[Row]) -> dict[str, float]:
    """Returns, by variant, medians over runs at the last step, and the ranges of the gap.

    `<variant>_gap_errors` is the gap in its standard errors, and `<variant>_gap_errors_largest` the largest of its
    absolute values over all runs and steps; `<variant>_validation_peak` is the largest median of the validation images
    over all steps, `<variant>_peak_step` its step, and `<variant>_train_at_peak` the training images' median there.

    Args:
      rows: The rows of `measure`, with `variant`.

    Example: `python -m tfpaths.launch --exp=figure_overfit`.
    """
    found = {"runs": 1.0 + max(row["run"] for row in rows)}
    steps = sorted({row["step"] for row in rows})
    for variant in VARIANTS:
        last = [row for row in rows if (row["variant"], row["step"]) == (variant, steps[-1])]
        for name in (*_SPLITS, "gap"):
            found[f"{variant}_{name}"] = float(np.median([row[name] for row in last]))
        gaps = [row["gap"] for row in last]
        found |= {f"{variant}_gap_low": min(gaps), f"{variant}_gap_high": max(gaps)}
        found[f"{variant}_gap_errors"] = float(np.median([_in_errors(row) for row in last]))
        found[f"{variant}_gap_errors_largest"] = max(abs(_in_errors(row)) for row in rows if row["variant"] == variant)
        medians = np.array([np.median(values_of(rows, variant, "validation", step)) for step in steps])
        peak = steps[int(medians.argmax())]
        found |= {f"{variant}_validation_peak": float(medians.max()), f"{variant}_peak_step": float(peak)}
        found[f"{variant}_train_at_peak"] = float(np.median(values_of(rows, variant, "train", peak)))
    return found


def _in_errors(row: Row) -> float:
    """Returns the gap of a row in its standard errors."""
    return row["gap"] / max(row["gap_error"], 1e-30)


def values_of(rows: Sequence[Row], variant: str, name: str, step: int) -> np.ndarray:
    """Returns a value of each run of a variant at a step, in order of the runs.

    Example:
      >>> values_of([{"variant": "wgan", "step": 5, "gap": 0.5}], "wgan", "gap", 5).tolist()
      [0.5]
    """
    return np.array([row[name] for row in rows if (row["variant"], row["step"]) == (variant, step)])


def finding(found: Mapping[str, float], source: str) -> str:
    """Returns the sentence: the losses on both splits, and the gaps in their standard errors.

    Args:
      found: The `metrics`, with the number of digits of each split.
      source: `tfds` or `embedded`.

    Example: `python -m tfpaths.launch --exp=figure_overfit`.
    """
    parts = [
        f"{plotting.label(name)} {number(found[f'{name}_train'])} and {number(found[f'{name}_validation'])}, a gap of "
        f"{found[f'{name}_gap_errors']:.1f} standard errors"
        for name in VARIANTS
    ]
    name = "digits of MNIST" if source == "tfds" else "of the embedded digits"
    return (
        f"On {found['train_digits']:,.0f} {name} the critic's loss, with the other sign, ends at these "
        f"values on training and on {found['validation_digits']:,.0f} validation digits: {'; '.join(parts)}. Medians "
        f"of {found['runs']:.0f} runs."
    )


def picture(rows: Sequence[Row]) -> matplotlib.figure.Figure:
    """Draws a column for each variant: the values on both splits, and below them the gap in its standard errors.

    Lines are medians over runs, bands are all runs; the grey band is ±2 standard errors.

    Args:
      rows: The rows of `measure`, with `variant`.
    """
    figure = matplotlib.figure.Figure(figsize=(10, 5.2), layout="constrained")
    panels = figure.subplots(2, len(VARIANTS), sharex=True, height_ratios=[1.4, 1])
    rows = [{**row, "gap_errors": _in_errors(row)} for row in rows]
    for (upper, lower), variant in zip(panels.T, VARIANTS, strict=True):
        color = plotting.look(variant).color
        of_variant = [row for row in rows if row["variant"] == variant]
        for name, dash in _SPLITS.items():
            shade = color if name == "train" else "#555555"
            _draw(upper, of_variant, variant, name, {"color": shade, "linestyle": dash, "label": name})
        _draw(lower, of_variant, variant, "gap_errors", {"color": color})
        lower.axhspan(-2, 2, color=plotting.DATA_COLOR, alpha=0.15, linewidth=0, label="±2 standard errors")
        upper.set(title=plotting.label(variant))
        lower.set(xlabel="updates of the critic")
    panels[0, 0].set_ylabel("negative loss of the critic")
    panels[1, 0].set_ylabel("(train − validation)\n/ its standard error")
    panels[0, 0].legend(fontsize=8)
    # In the last column the median leaves the corner free.
    panels[1, -1].legend(fontsize=8, loc="upper left")
    return figure


def _draw(axes: matplotlib.axes.Axes, rows: Sequence[Row], variant: str, name: str, style: Mapping[str, Any]) -> None:
    steps = sorted({row["step"] for row in rows})
    values = np.array([np.sort(values_of(rows, variant, name, step)) for step in steps])  # [steps, runs]
    axes.fill_between(steps, values[:, 0], values[:, -1], color=style["color"], alpha=0.2, linewidth=0)
    axes.plot(steps, np.median(values, axis=1), **style)
