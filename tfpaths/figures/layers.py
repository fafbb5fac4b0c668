"""The gradient's way through a deep critic, with clipped weights and with a penalty, and where the weights end."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import keras
import matplotlib.axes
import matplotlib.figure
import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import experiments, losses, plotting, schema
from tfpaths.figures.figure import Cell, Drawing, Figure, percent
from tfpaths.figures.registry import FIGURES
from tfpaths.figures.toys import MEASURED, Toys
from tfpaths.lines.points import data_of
from tfpaths.networks.ensembles import EnsembleDense
from tfpaths.runs.rows import Row as MutableRow

Row = Mapping[str, Any]
_Steps = Annotated[
    tuple[schema.PositiveInt, ...],
    schema.expects("steps, each larger than the one before", lambda steps: steps == tuple(sorted(set(steps))) != ()),
]
_Clips = Annotated[
    tuple[schema.Positive, ...],
    schema.expects(
        "limits, each smaller than the one before", lambda c: c == tuple(sorted(set(c), reverse=True)) != ()
    ),
]
# A weight is at the clip if it is beyond this share of it.
_AT_CLIP = 0.99
# The colours and dashes of the clips, in turn.
_COLORS = ("#D55E00", "#E69F00", "#56B4E9", "#CC79A7", "#0072B2", "#999933")
_DASHES = ("-", "--", "-.", ":")
_BINS = 81


@FIGURES.register("layers")
class Layers(Figure):
    """The norm of the gradient of the critic's loss by the activations of each layer, and the critic's weights.

    Gulrajani et al. 2017 (arXiv 1704.00028), figure 1b: WGANs on the Swiss roll whose generator and critic have 12
    layers of ReLU and no normalisation, with c = 0.1, 0.01, 0.001 and with a penalty. The paper names neither width nor
    optimiser nor step: width, batch and length are ours; the losses, the five updates, the optimisers and the penalty's
    weight are those of `swiss_roll_wgan` and `swiss_roll_wgan_gp`. The gradients of all variants are those of E D(x~) -
    E D(x), without the penalty.

    Args:
      clips: c, the largest weights.
      runs: Games of each setting. Run i has the same initial weights and batches in each.
      steps: The steps after which they are measured; the last one is the length, and is drawn.
      width: Units of each hidden layer.
      depth: The number of hidden layers, of both networks.
      batch_size: Examples in a batch.

    Example:
      >>> Layers(runs=1).uses_studies
      False
    """

    uses_studies = False

    def __init__(
        self,
        *,
        clips: _Clips = (0.1, 0.01, 0.001),
        runs: schema.PositiveInt = 3,
        steps: _Steps = (1, 100, 500),
        width: schema.PositiveInt = 64,
        depth: schema.PositiveInt = 12,
        batch_size: schema.PositiveInt = 64,
    ):
        super().__init__(studies=())
        self.clips = clips
        self.runs = runs
        self.steps = steps
        self.width = width
        self.depth = depth
        self.batch_size = batch_size

    def draw(self, config: config_lib.Figure, cells: Sequence[Cell]) -> Drawing:
        rows: list[MutableRow] = []
        weights: dict[str, np.ndarray] = {}
        settings = {"wgan": [Setting(clip) for clip in self.clips], "wgan_gp": [Setting(None)]}
        for variant, of_variant in settings.items():
            base = experiments.get(f"swiss_roll_{variant}")
            assert isinstance(base, config_lib.Training)
            toys = Toys(
                base.variant,
                [data_of(base.data)] * len(of_variant),
                copies=self.runs,
                width=self.width,
                depth=self.depth,
                batch_size=self.batch_size,
                seed=config.seed,
                clips=self.clips if variant == "wgan" else None,
            )
            done = 0
            for step in self.steps:
                toys.play(step - done, f"{config.name}, {plotting.label(variant)}")
                done = step
                rows += [{"step": step, **row} for row in measure(toys, of_variant, self.batch_size)]
            kernels = kernels_of(toys.gan.discriminator)
            weights |= {each.name: kernels[i * self.runs :][: self.runs] for i, each in enumerate(of_variant)}
        found = metrics(rows)
        names = [each.name for group in settings.values() for each in group]
        return Drawing(rows, plotting.png(picture, rows, weights), found, finding(found, names))


@dataclasses.dataclass(frozen=True)
class Setting:
    """What bounds the critic's slope.

    Attributes:
      clip: c; None for the penalty.

    Example:
      >>> Setting(0.01).name, Setting(None).name
      ('clip_0.01', 'penalty')
    """

    clip: float | None

    @property
    def name(self) -> str:
        """The setting's name in the rows."""
        return "penalty" if self.clip is None else f"clip_{self.clip:g}"


def measure(toys: Toys, settings: Sequence[Setting], batch_size: int) -> list[MutableRow]:
    """Returns a row for each run and layer: `setting`, `run`, `layer` (1, 2, …; the last one is the output), `norm`.

    The rows of a run also have `at_clip`, the share of its weights with |w| >= 0.99 c; null with a penalty.

    Args:
      toys: The games.
      settings: The setting of each group of runs.
      batch_size: Examples in the batch whose loss is differentiated.

    Example: `python -m tfpaths.launch --exp=figure_gradients`.
    """
    stream, runs = toys.stream(MEASURED), toys.runs // len(settings)
    real = toys.real(batch_size, stream.fold(0))
    fake = toys.gan.draw(batch_size, stream.fold(1))
    norms = gradient_norms(toys.gan.discriminator, real, fake, toys.gan.loss_pair)
    kernels = kernels_of(toys.gan.discriminator)
    rows: list[MutableRow] = []
    for index in range(toys.runs):
        setting = settings[index // runs]
        share = None if setting.clip is None else at_clip(kernels[index], setting.clip)
        row: MutableRow = {"setting": setting.name, "run": index % runs, "at_clip": share}
        rows += [{**row, "layer": layer, "norm": float(norm)} for layer, norm in enumerate(norms[index], start=1)]
    return rows


def gradient_norms(discriminator: keras.Model, real: tf.Tensor, fake: tf.Tensor, loss: losses.Loss) -> np.ndarray:
    """Returns the norms of the gradient of each run's loss by the activations of each layer, `[runs, layers]`, float64.

    A norm is over all examples and units. Activations are those behind the ReLU; the last layer's are the logits.

    Args:
      discriminator: A `toys.network`.
      real: `[runs, batch, inputs]`.
      fake: Likewise.
      loss: The pair of losses.

    Example:
      >>> from tfpaths.figures.toys import network
      >>> model = network(1, 2, width=3, depth=1, name="critic")  # of zero weights
      >>> points = tf.ones([1, 2, 2])
      >>> gradient_norms(model, points, points, losses.get("wasserstein"))  # of the logits: ±1/2 for four of them
      array([[0., 1.]])
    """
    ends = [layer for layer in discriminator.layers if isinstance(layer, keras.layers.ReLU)]
    outputs = [layer.output for layer in ends] + [discriminator.output]
    activations = keras.Model(discriminator.input, outputs)
    runs, batch = real.shape[0], real.shape[1]
    points = tf.concat([real, fake], axis=1)
    with tf.GradientTape() as tape:
        tape.watch(points)
        values = activations(points)
        # The mean over runs, times their number: each run's own loss.
        total = runs * loss.discriminator(values[-1][:, :batch], values[-1][:, batch:])
    gradients = tape.gradient(total, values)
    # In float64: the squares of a vanished gradient are below float32.
    return np.stack([np.linalg.norm(g.numpy().astype(np.float64), axis=(1, 2)) for g in gradients], axis=1)


def kernels_of(discriminator: keras.Model) -> np.ndarray:
    """Returns all weights but the biases of each run, `[runs, weights]`.

    Example:
      >>> from tfpaths.figures.toys import network
      >>> kernels_of(network(3, 2, width=4, depth=1, name="critic")).shape  # 2 · 4 + 4 · 1
      (3, 12)
    """
    layers = [layer for layer in discriminator.layers if isinstance(layer, EnsembleDense)]
    return np.concatenate([layer.kernel.numpy().reshape(layer.kernel.shape[0], -1) for layer in layers], axis=1)


def at_clip(weights: np.ndarray, clip: float) -> float:
    """Returns the share of weights with |w| >= 0.99 c.

    Example:
      >>> at_clip(np.array([0.01, -0.01, 0.00991, 0.005]), 0.01)
      0.75
    """
    return float(np.mean(np.abs(weights) >= _AT_CLIP * clip))


def metrics(rows: Sequence[Row]) -> dict[str, float]:
    """Returns, by setting, medians over runs at the last step, and with the suffix `_first` those at the first one.

    `<setting>_decades` is log10 of the norm at the first layer over that at the last hidden one: below zero the
    gradient vanishes on its way back, above zero it explodes. `_low` and `_high` are its range over runs;
    `<setting>_per_layer` is its part of one layer; `<setting>_at_clip` the share of weights at the clip.

    Args:
      rows: The rows of `measure`, with `step`.

    Example: `python -m tfpaths.launch --exp=figure_gradients`.
    """
    steps = [row["step"] for row in rows]
    found = {"runs": 1.0 + max(row["run"] for row in rows)}
    for suffix, step in (("", max(steps)), ("_first", min(steps))):
        of_step = [row for row in rows if row["step"] == step]
        hidden = max(row["layer"] for row in of_step) - 1
        for name in dict.fromkeys(row["setting"] for row in of_step):
            logs = np.log10(np.maximum([_norms(of_step, name, layer) for layer in (1, hidden)], 1e-300))
            decades = logs[0] - logs[1]
            found[f"{name}_decades{suffix}"] = float(np.median(decades))
            found |= {f"{name}_decades_low{suffix}": decades.min(), f"{name}_decades_high{suffix}": decades.max()}
            found[f"{name}_per_layer{suffix}"] = float(np.median(decades)) / max(hidden - 1, 1)
            shares = [row["at_clip"] for row in of_step if (row["setting"], row["layer"]) == (name, 1)]
            if None not in shares:
                found[f"{name}_at_clip{suffix}"] = float(np.median(shares))
    return {name: float(value) for name, value in found.items()}


def _norms(rows: Sequence[Row], setting: str, layer: int) -> np.ndarray:
    return np.array([row["norm"] for row in rows if (row["setting"], row["layer"]) == (setting, layer)])


def finding(found: Mapping[str, float], names: Sequence[str]) -> str:
    """Returns the sentence: how the gradient changes on its way back, and the share of weights at the clip.

    Args:
      found: The `metrics`.
      names: The names of the settings.

    Example: `python -m tfpaths.launch --exp=figure_gradients`.
    """
    clips = [name for name in names if name != "penalty"]
    factor = {name: f"10^{round(found[f'{name}_decades'], 1) + 0.0:+.1f}" for name in names}  # never -0.0
    ways = ", ".join(f"{factor[name]} for c = {name.removeprefix('clip_')}" for name in clips)
    last, first = (", ".join(percent(found[f"{name}_at_clip{suffix}"]) for name in clips) for suffix in ("", "_first"))
    return (
        f"From the last to the first hidden layer the gradient of the critic's loss changes by a factor of {ways}, and "
        f"{factor['penalty']} with the penalty (medians of {found['runs']:.0f} runs). Of the clipped "
        f"weights {last} are at ±c at the end, and {first} at the first measured step."
    )


def picture(rows: Sequence[Row], weights: Mapping[str, np.ndarray]) -> matplotlib.figure.Figure:
    """Draws norms by layer on the left, clipped weights in the middle, those with a penalty on the right.

    Args:
      rows: The rows of `measure`, with `step`; the last step is drawn: medians, and bands of all runs.
      weights: The critic's weights of each setting, of any shape.
    """
    last = [row for row in rows if row["step"] == max(row["step"] for row in rows)]
    figure = matplotlib.figure.Figure(figsize=(10, 3.5), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=[1.35, 1, 1])
    layers = sorted({row["layer"] for row in last})
    found = metrics(last)
    for index, (name, of_setting) in enumerate(weights.items()):
        is_penalty = name == "penalty"
        color = "#009E73" if is_penalty else _COLORS[index % len(_COLORS)]
        label = "penalty" if is_penalty else f"c = {name.removeprefix('clip_')}"
        style: Any = {"color": color, "linestyle": "-" if is_penalty else _DASHES[1:][index % 3], "label": label}
        norms = np.array([np.sort(_norms(last, name, layer)) for layer in layers])  # [layers, runs]
        left.fill_between(layers, norms[:, 0], norms[:, -1], color=color, alpha=0.2, linewidth=0)
        left.plot(layers, np.median(norms, axis=1), marker="o", markersize=3, **style)
        if is_penalty:
            _draw_weights(right, of_setting, 0.5, style)
        else:
            share = f"{label}: {100 * found[f'{name}_at_clip']:.3g} % at ±c"
            _draw_weights(middle, of_setting / float(name.removeprefix("clip_")), 1.2, {**style, "label": share})
    left.set(title="Gradient of the critic's loss", ylabel="norm by the layer's activations", yscale="log")
    left.set(xlabel=f"layer ({layers[-1]}: the output)", xticks=layers[::2])
    left.legend(fontsize=8)
    middle.set(title="Weights, clipped", xlabel="w / c", ylabel="share of the weights", ylim=(None, 8))
    middle.legend(fontsize=8, loc="upper center")
    right.set(title="Weights, penalty", xlabel="w", ylabel="share of the weights")
    return figure


def _draw_weights(axes: matplotlib.axes.Axes, weights: np.ndarray, reach: float, style: Mapping[str, Any]) -> None:
    edges = np.linspace(-reach, reach, _BINS + 1)
    counts, _ = np.histogram(weights, bins=edges)
    shares = counts / weights.size
    axes.stairs(shares, edges, color=style["color"], alpha=0.15, fill=True)
    axes.stairs(shares, edges, color=style["color"], linestyle=style["linestyle"], label=style["label"])
    axes.set(yscale="log", xlim=(-reach, reach))
