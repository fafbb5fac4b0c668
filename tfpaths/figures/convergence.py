"""Classifier score and Fréchet distance against steps and against time: clipping, the penalty, and NS-GAN."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import matplotlib.figure
import numpy as np

from tfpaths import config as config_lib
from tfpaths import data as data_lib
from tfpaths import errors, experiments, plotting, schema
from tfpaths.figures.figure import Drawing, Figure
from tfpaths.figures.registry import FIGURES
from tfpaths.figures.trained import Trained
from tfpaths.metrics import scores, sources
from tfpaths.metrics.context import Context
from tfpaths.metrics.evaluator import Evaluator
from tfpaths.runs.rows import Row as MutableRow

Row = Mapping[str, Any]
# Method -> its label, colour and dash, in the order of the paper's legend.
METHODS = {
    "wgan": ("clipping, RMSprop", plotting.LOOKS["wgan"].color, "--"),
    "wgan_gp_rmsprop": ("penalty, RMSprop", "#0072B2", "-."),
    "wgan_gp": ("penalty, Adam", plotting.LOOKS["wgan_gp"].color, "-"),
    "ns": ("NS-GAN, Adam", plotting.LOOKS["ns"].color, ":"),
}
_METRICS = ("scores",)


@FIGURES.register("convergence")
class Convergence(Figure):
    """The scores of four methods' samples during training, by generator steps and by time.

    Gulrajani et al. 2017 (arXiv 1704.00028), figure 3: CIFAR-10 with the DCGAN networks; weight clipping with RMSprop,
    the gradient penalty with RMSprop at the same rate, the penalty with Adam, and a standard GAN. Each is a training
    run in `runs/`. Variants are those of `<data>_wgan`, `<data>_wgan_gp` and `<data>_ns`, whose Adam for NS-GAN is
    ours. The paper has Inception's score and an axis to 2e4 steps, as printed; here features are those of the data
    set's extractor, the Fréchet distance is added, and the sizes are ours.

    Args:
      data: The data set, of images.
      source: The source of its examples, as `data.source`.
      methods: Some of `METHODS`.
      runs: Runs of each method. Run i has the figure's seed plus i.
      steps: Generator steps, a multiple of `every`.
      every: Steps between evaluations, even.
      samples: Samples of each evaluation, more than the extractor has features.
      filters: `generator_filters` and `discriminator_filters` of the networks.
      extractor: As `evaluation.extractor`.

    Example:
      >>> Convergence(data="color_mnist", methods=("ns",)).uses_studies
      False
    """

    uses_studies = False

    def __init__(
        self,
        *,
        data: str = "cifar10",
        source: str = "auto",
        methods: Annotated[
            config_lib.Names,
            schema.expects(
                f"names from {', '.join(METHODS)}, each once",
                lambda names: 0 < len(names) == len(set(names)) and set(names) <= set(METHODS),
            ),
        ] = tuple(METHODS),
        runs: schema.PositiveInt = 1,
        steps: schema.PositiveInt = 2_000,
        every: schema.PositiveInt = 100,
        samples: schema.PositiveInt = 2_000,
        filters: schema.PositiveInt = 32,
        extractor: str = "auto",
    ):
        super().__init__(studies=())
        self.data = data
        self.source = source
        self.methods = methods
        self.runs = runs
        self.steps = steps
        self.every = every
        self.samples = samples
        self.filters = filters
        self.extractor = extractor
        self._references: dict[str, tuple[float, float]] = {}

    def check(self, config: config_lib.Figure) -> None:
        super().check(config)
        if self.every % 2 or self.steps % self.every:
            raise errors.InputError(
                f"figure.every: expected an even divisor of the {self.steps} figure.steps, received {self.every}."
            )
        data_set = data_lib.DATA.lookup(self.data, path="figure.data")
        if data_set.example.name != "image":
            raise errors.InputError(f"figure.data: expected a data set of images, received {self.data!r}.")
        errors.choose("source", self.source, ("auto", *data_set.sources), path="figure.source")

    def trainings(self, config: config_lib.Figure) -> list[config_lib.Training]:
        return [self._training(name, config.seed + run) for run in range(self.runs) for name in self.methods]

    def read(self, data_dir: str | None) -> None:
        config = self._training(self.methods[0], 0)
        data_set = data_lib.of(config.data)
        names = [name for name in ("train", "test") if name in data_set.known_splits()]
        splits = [data_set.load(name, source=self.source, data_dir=data_dir) for name in names]
        try:
            dimensions = Context(config.data, config.evaluation, data_dir=data_dir, splits=splits).dimensions()
        except errors.InputError as error:
            raise self._unmeasured(error) from error
        if not scores.has_covariance(self.samples, dimensions):
            raise errors.InputError(
                f"figure.samples: expected more images than the extractor's {dimensions} features, received "
                f"{self.samples}."
            )
        try:
            evaluator = Evaluator(config.data, config.evaluation, data_dir=data_dir, splits=splits)
            found = {
                "real": evaluator.measure(sources.real(splits[0]), _METRICS, self.samples),
                "noise": evaluator.measure(sources.noise(data_set.shape, 0), _METRICS, self.samples),
            }
        except (errors.InputError, errors.RunError) as error:
            raise self._unmeasured(error) from error
        self._references = {name: pair(values) for name, values in found.items()}

    def _unmeasured(self, error: errors.InputError | errors.RunError) -> errors.InputError | errors.RunError:
        """Returns an error that names this figure's field, since the message names that of its runs."""
        return type(error)(f"figure.extractor={self.extractor}: {error}")

    def draw(self, config: config_lib.Figure, cells: Sequence[Trained]) -> Drawing:
        rows = [row for run in cells for row in rows_of(run, run.config.seed - config.seed)]
        found = metrics(rows)
        for name, (score, distance) in self._references.items():
            found |= {f"{name}_score": score, f"{name}_distance": distance}
        return Drawing(rows, plotting.png(picture, rows, self._references), found, finding(found, self.data))

    def _training(self, method: str, seed: int) -> config_lib.Training:
        """Returns the run of a method."""
        return config_lib.Training(
            name=f"{self.data}_{method}_{seed}",
            data=config_lib.Data(name=self.data, source=self.source),
            variant=variant(method),
            networks=config_lib.Networks(generator_filters=self.filters, discriminator_filters=self.filters),
            schedule=config_lib.Schedule(
                steps=self.steps,
                # The second of two rows between evaluations has their time alone: `Trained.seconds_per_step`.
                log_every=self.every // 2,
                sample_every=self.every,
                checkpoint_every=self.every,
            ),
            evaluation=config_lib.Evaluation(
                metrics="none",
                extractor=self.extractor,
                every=self.every,
                every_metrics=_METRICS,
                every_samples=self.samples,
            ),
            seed=seed,
        )


def variant(method: str) -> config_lib.Variant:
    """Returns the variant of a method: a registered one, or WGAN-GP with the optimisers of WGAN.

    Example:
      >>> variant("wgan_gp_rmsprop").generator_optimizer.name, variant("wgan_gp_rmsprop").penalty.weight
      ('rmsprop', 10.0)
    """
    wgan, registered = (experiments.get(f"cifar10_{name}") for name in ("wgan", method.removesuffix("_rmsprop")))
    assert isinstance(wgan, config_lib.Training)
    assert isinstance(registered, config_lib.Training)
    if method != "wgan_gp_rmsprop":
        return registered.variant
    return registered.variant.replace(
        name=method,
        generator_optimizer=wgan.variant.generator_optimizer,
        discriminator_optimizer=wgan.variant.discriminator_optimizer,
    )


def pair(values: Mapping[str, float]) -> tuple[float, float]:
    """Returns score and Fréchet distance of an evaluation, whose names depend on its extractor.

    Example:
      >>> pair({"inception_score": 2.0, "frechet_inception_distance": 90.0})
      (2.0, 90.0)
    """
    score, distance, _ = scores.names(is_inception="inception_score" in values)
    return values[score], values[distance]


def rows_of(trained: Trained, run: int) -> list[MutableRow]:
    """Returns a row for each evaluation of a run: `method`, `run`, `step`, `seconds`, `score`, `distance`.

    `seconds` is the step times `Trained.seconds_per_step`: the time of training alone.

    Args:
      trained: The run.
      run: Its number among those of its method.

    Raises:
      RunError: No evaluation succeeded.

    Example: `python -m tfpaths.launch --exp=figure_convergence`.
    """
    measured = [row for row in trained.rows if any(name.endswith("_score") for name in row)]
    if not measured:
        raise errors.RunError(f"{trained.config.name}: no evaluation during training has succeeded.")
    each = trained.seconds_per_step()
    rows: list[MutableRow] = []
    for row in measured:
        score, distance = pair(row)
        found = {"seconds": row["step"] * each, "score": score, "distance": distance}
        rows.append({"step": row["step"], "method": trained.variant, "run": run, **found})
    return rows


def metrics(rows: Sequence[Row]) -> dict[str, float]:
    """Returns, by method, medians over the runs.

    `steps` is the last step, the same for all methods. `<method>_score` and `_distance` are those of that step, with
    their ranges (`_low`, `_high`), `_seconds` is the time until then. `equal_seconds` is the shortest of these times,
    and `<method>_equal_score` and `_equal_distance` are those of the method's last evaluation until then, if there is
    one. `penalty_above_clipping` is the number of runs in which the penalty with RMSprop has the higher score at that
    step.

    Args:
      rows: The rows of `rows_of`.

    Raises:
      RunError: The last step at which all runs of a method were evaluated is not that of another method.

    Example:
      >>> row = {"step": 2, "run": 0, "distance": 9.0}
      >>> found = metrics([row | {"method": "ns", "seconds": 1.0, "score": 3.0},
      ...                  row | {"method": "wgan", "seconds": 2.0, "score": 2.0}])
      >>> found["equal_seconds"], found["ns_equal_score"], "wgan_equal_score" in found
      (1.0, 3.0, False)
    """
    methods = [name for name in METHODS if any(row["method"] == name for row in rows)]
    curves = {method: curve(rows, method) for method in methods}
    lasts = {method: int(each["step"][-1]) for method, each in curves.items()}
    if len(set(lasts.values())) > 1:
        received = ", ".join(f"{step} of {method}" for method, step in lasts.items())
        raise errors.RunError(
            f"the methods' last evaluations: expected the same step, received {received}. An evaluation during "
            "training has failed; the runs' warnings say why."
        )
    found = {"runs": 1.0 + max(row["run"] for row in rows), "steps": float(lasts[methods[0]])}
    found["equal_seconds"] = min(float(each["seconds"][-1]) for each in curves.values())
    for method, each in curves.items():
        for name in ("score", "distance"):
            ends = np.sort(each[f"all_{name}"][-1])
            found |= {f"{method}_{name}": float(np.median(ends))}
            found |= {f"{method}_{name}_low": float(ends[0]), f"{method}_{name}_high": float(ends[-1])}
        found[f"{method}_seconds"] = float(each["seconds"][-1])
        until = np.flatnonzero(each["seconds"] <= found["equal_seconds"])
        if until.size:
            found |= {f"{method}_equal_{name}": float(each[name][until[-1]]) for name in ("score", "distance")}
    if {"wgan", "wgan_gp_rmsprop"} <= set(methods):
        above = curves["wgan_gp_rmsprop"]["all_score"][-1] > curves["wgan"]["all_score"][-1]
        found["penalty_above_clipping"] = float(above.sum())
    return found


def curve(rows: Sequence[Row], method: str) -> dict[str, np.ndarray]:
    """Returns a method's course: `step`; medians over runs `seconds`, `score`, `distance` `[evaluations]`, and the
    values of all runs, `all_score` and `all_distance` `[evaluations, runs]`, in the order of the runs.

    Only steps at which all runs were evaluated are included.

    Args:
      rows: The rows of `rows_of`.
      method: The method.

    Raises:
      RunError: There is no such step.

    Example:
      >>> row = {"method": "ns", "step": 2, "seconds": 1.0, "distance": 9.0}
      >>> curve([row | {"run": 0, "score": 1.0}, row | {"run": 1, "score": 2.0}], "ns")["score"].tolist()
      [1.5]
    """
    own = {(row["step"], row["run"]): row for row in rows if row["method"] == method}
    runs = sorted({run for _, run in own})
    steps = [step for step in sorted({step for step, _ in own}) if all((step, run) in own for run in runs)]
    if not steps:
        raise errors.RunError(f"{method}: no step at which all {len(runs)} runs were evaluated.")
    names = ("seconds", "score", "distance")
    values = {name: np.array([[own[step, run][name] for run in runs] for step in steps]) for name in names}
    medians = {name: np.median(value, axis=1) for name, value in values.items()}
    return {"step": np.array(steps), **medians, "all_score": values["score"], "all_distance": values["distance"]}


def finding(found: Mapping[str, float], data: str) -> str:
    """Returns the sentence: what the paper says, and the scores of each method by steps and at equal time.

    Args:
      found: The `metrics`.
      data: The name of the data set.

    Example: `python -m tfpaths.launch --exp=figure_convergence`.
    """
    parts = []
    for name, (label, *_) in METHODS.items():
        if f"{name}_score" not in found:
            continue
        early = found.get(f"{name}_equal_score")
        then = "not yet evaluated" if early is None else f"{early:.2f}"
        parts.append(
            f"{label} {found[f'{name}_score']:.2f} and {found[f'{name}_distance']:.3g} after "
            f"{found[f'{name}_seconds']:,.0f} s ({then} after {found['equal_seconds']:,.0f} s)"
        )
    above = found.get("penalty_above_clipping")
    count = f"{found['runs']:.0f} run{'s' if found['runs'] > 1 else ''}"
    compared = (
        "" if above is None else f"; with RMSprop the penalty's score is above clipping's in {above:.0f} of {count}"
    )
    return (
        "The paper says that the penalty learns faster than clipping and scores higher, with RMSprop too, and that "
        "with Adam it ends near a DCGAN, more slowly in time but more stable; our scores and Fréchet distances on "
        f"{data} are, after {found['steps']:,.0f} steps, {'; '.join(parts)}{compared} "
        f"(medians of {count}, time of training alone)."
    )


def picture(rows: Sequence[Row], references: Mapping[str, tuple[float, float]]) -> matplotlib.figure.Figure:
    """Draws score (above) and Fréchet distance (below) by steps (left) and by time (right).

    Lines are medians over runs, bands are all runs; the dotted grey line is that of real images.

    Args:
      rows: The rows of `rows_of`.
      references: Score and distance by name; `real` is drawn.
    """
    figure = matplotlib.figure.Figure(figsize=(9.5, 6), layout="constrained")
    panels = figure.subplots(2, 2, sharex="col", sharey="row")
    for row, name in enumerate(("score", "distance")):
        for axes, at in zip(panels[row], ("step", "seconds"), strict=True):
            for method, (label, color, dash) in METHODS.items():
                if all(one["method"] != method for one in rows):
                    continue
                each = curve(rows, method)
                values = np.sort(each[f"all_{name}"], axis=1)
                axes.fill_between(each[at], values[:, 0], values[:, -1], color=color, alpha=0.2, linewidth=0)
                style = {"color": color, "linestyle": dash, "marker": ".", "markersize": 4}
                axes.plot(each[at], each[name], label=label, **style)
            if "real" in references:
                height = references["real"][row]
                axes.axhline(height, color=plotting.DATA_COLOR, linestyle=":", linewidth=1.2, label="real images")
    panels[0, 0].set_ylabel("score")
    panels[1, 0].set(ylabel="squared Fréchet distance", xlabel="generator steps", yscale="log")
    panels[1, 1].set_xlabel("seconds of training")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8)
    return figure
