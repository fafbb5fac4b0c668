"""An experiment is a value: frozen dataclasses, checked at the door, with an exact JSON round trip. No TensorFlow."""

import dataclasses
import difflib
import math
import re
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
SOURCES = ("auto", "tfds", "embedded")
STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker", "tpu")
OPTIMIZERS = ("adam", "rmsprop", "sgd")
STARTS = ("random", "parallel")
NOISES = ("uniform", "centered_uniform", "gaussian")
METRICS = ("scores", "ms_ssim", "modes", "critic")
DRAWINGS = ("path", "gradients", "snapshots", "dimensions", "rises")


class InputError(ValueError):
    """A mistake of the caller: one line with what was expected, what came, and the nearest valid choice."""


class RunError(RuntimeError):
    """A run that cannot go on through no mistake in what was asked: one line, and what is left."""


def unknown(kind: str, received: str, choices: Iterable[str]) -> InputError:
    """The error for a name that is none of `choices`: it names the nearest of them."""
    choices = list(choices)
    # At this cutoff a misspelling finds its neighbour and an unrelated word finds none.
    nearest = difflib.get_close_matches(str(received), choices, n=1, cutoff=0.5)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
    listed = ", ".join(choices[:12]) + (f", … ({len(choices)} in all)" if len(choices) > 12 else "")
    return InputError(f"unknown {kind} {received!r}{hint} Expected one of: {listed}.")


def choose(kind: str, received: str, choices: Iterable[str]) -> str:
    """Returns `received` if it is one of `choices`; otherwise raises an InputError that names the nearest of them."""
    choices = list(choices)
    if received not in choices:
        raise unknown(kind, received, choices)
    return received


def integer(name: str, text: str, least: int) -> int:
    """The integer that a text says, from `least` to 2^31 - 1; otherwise raises an InputError."""
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value < 2**31:
        raise InputError(f"{name}: expected an integer from {least} to 2^31 - 1, received {text!r}.")
    return value


class _RangeError(InputError):
    """A field's value is out of its range; the field is named from the dataclass that holds it."""


def _require(condition: bool, field: str, expected: str, received: Any) -> None:
    if not condition:
        raise _RangeError(f"{field}: expected {expected}, received {received!r}.")


def _positive(owner: object, *fields: str) -> None:
    for field in fields:
        value = getattr(owner, field)
        # TensorFlow counts in 64 bits.
        _require(0 < value < (2**63 if type(value) is int else math.inf), field, "a number above zero", value)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """Which images: `name` in the table of `tfpaths.data`, where they come from, and a seed for what each one draws.

    `seed` fixes the colours of `color_mnist` and the triples of `stacked_mnist`. It is not the run's seed: runs that
    differ in their own seed see the same data set in another order, so that their scores can be compared.
    `path` and `image_size` belong to `folder`: the folder, and the side that its images are brought to.
    """

    name: str
    source: str = "auto"
    seed: int = 0
    path: str | None = None
    image_size: int = 64

    def __post_init__(self):
        choose("data.source", self.source, SOURCES)
        _require(0 <= self.seed < 2**31, "seed", "an integer in [0, 2^31)", self.seed)
        _positive(self, "image_size")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Penalty:
    """A gradient penalty: `name` in the table of `tfpaths.penalties`, and its options.

    An option that is none has the layer's own default; one that the layer does not have is refused when it is built.
    """

    name: str
    weight: float | None = None
    target: float | None = None
    one_sided: bool | None = None
    noise: str | None = None
    noise_scale: float | None = None
    interpolate: bool | None = None
    clip: bool | None = None
    on_probability: bool | None = None
    synchronized: bool | None = None

    def __post_init__(self):
        for field in ("weight", "noise_scale"):
            if getattr(self, field) is not None:
                _positive(self, field)
        if self.target is not None:
            _require(0 <= self.target < math.inf, "target", "a number of at least zero", self.target)
        if self.noise is not None:
            choose("noise", self.noise, NOISES)

    def options(self) -> dict[str, Any]:
        """The options that are set."""
        values = dataclasses.asdict(self)
        del values["name"]
        return {name: value for name, value in values.items() if value is not None}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optimizer:
    """One player's optimiser. `beta_1` and `beta_2` are Adam's and are not used by the others."""

    name: str = "adam"
    learning_rate: float = 1e-3
    beta_1: float = 0.5
    beta_2: float = 0.9

    def __post_init__(self):
        choose("optimizer", self.name, OPTIMIZERS)
        _positive(self, "learning_rate")
        for field in ("beta_1", "beta_2"):
            _require(0 <= getattr(self, field) < 1, field, "a number in [0, 1)", getattr(self, field))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant:
    """How the game is played: the loss, what constrains the discriminator, and how often it moves."""

    name: str
    loss: str
    penalty: Penalty | None = None
    weight_clip: float | None = None
    discriminator_steps: int = 1
    generator_optimizer: Optimizer = Optimizer()
    discriminator_optimizer: Optimizer = Optimizer()

    def __post_init__(self):
        _positive(self, "discriminator_steps")
        if self.weight_clip is not None:
            _positive(self, "weight_clip")
        if self.loss == "wasserstein" and self.penalty is None and self.weight_clip is None:
            raise _RangeError("loss: expected a penalty or a weight_clip beside 'wasserstein', received neither.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Networks:
    """The pair of networks: `name` in the table of `tfpaths.networks`, and their widths.

    `synchronized`: whether BatchNorm's statistics are those of the global batch, not of each replica's.
    """

    name: str = "dcgan"
    latent_dim: int = 64
    generator_filters: int = 64
    discriminator_filters: int = 64
    synchronized: bool = False

    def __post_init__(self):
        _positive(self, "latent_dim", "generator_filters", "discriminator_filters")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long, and how often something is written. A step is one generator update with its discriminator updates.

    `restarts` is how often a run in which something is NaN or infinite goes on from its last checkpoint, each time on
    other random numbers.
    """

    steps: int = 20_000
    batch_size: int = 64
    log_every: int = 100
    sample_every: int = 500
    checkpoint_every: int = 500
    steps_per_execution: int = 1
    restarts: int = 0

    def __post_init__(self):
        _positive(self, *(field.name for field in dataclasses.fields(self) if field.name != "restarts"))
        _require(0 <= self.restarts < 2**31, "restarts", "a number of at least zero", self.restarts)
        _require(
            self.steps % self.steps_per_execution == 0,
            "steps_per_execution",
            f"a divisor of the {self.steps} steps",
            self.steps_per_execution,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How good the samples are: what is measured, on how many, against which images. None of it changes the training.

    Attributes:
      metrics: `auto` for all that the data set has, `none`, or some of `METRICS` with commas between them: `scores`
        (classifier or Inception score, Fréchet and kernel distance), `ms_ssim`, `modes`, `critic`.
      extractor: whose features the scores take: `auto` for the digit or CIFAR-10 classifier where the data set has one
        and Inception where not; `digits`, `cifar10`, `inception` (TF-Hub's), `inception:FOLDER` for a local copy of it,
        or the folder of any SavedModel with the outputs `logits` and `pool_3`.
      split: the real images that samples are compared with; `auto` for `test`, or `train` in a folder without it.
      samples: how many are scored.
      mode_samples: how many are counted for mode coverage.
      critic_steps: how long the independent critic is trained.
      seed: of all samples, and of the critic.
      every: steps between evaluations while training; 0 for none but the last.
      every_metrics: the `metrics` of those; `auto` for all of `metrics` but the critic.
      every_samples: the `samples` of those, counted for modes too.
      references: whether floor (real against real) and ceiling (noise) are computed where they are not yet known.
    """

    metrics: str = "auto"
    extractor: str = "auto"
    split: str = "auto"
    samples: int = 10_000
    mode_samples: int = 26_000
    critic_steps: int = 2_000
    seed: int = 0
    every: int = 0
    every_metrics: str = "auto"
    every_samples: int = 2_000
    references: bool = False

    def __post_init__(self):
        _positive(self, "samples", "mode_samples", "critic_steps", "every_samples")
        for field in ("seed", "every"):
            _require(0 <= getattr(self, field) < 2**31, field, "an integer in [0, 2^31)", getattr(self, field))
        for field in ("metrics", "every_metrics"):
            if getattr(self, field) not in ("auto", "none"):
                for name in getattr(self, field).split(","):
                    choose(f"metric in evaluation.{field}", name, ("auto", "none", *METRICS))
                    _require(name in METRICS, field, f"{name!r} alone, or names of metrics", getattr(self, field))
                    once = getattr(self, field).split(",").count(name) == 1
                    _require(once, field, f"{name!r} once", getattr(self, field))
        _require(bool(self.extractor), "extractor", "a name or a folder", self.extractor)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
    """Many independent GANs on lines in R^d: the synthetic problem of `tfpaths.synthetic`.

    Attributes:
      dimension: d.
      latents: k, the generator's latent numbers; 1 is the data's own, more is more than it needs.
      runs: how many GANs, each with data, weights and random numbers of its own.
      start: of the generator: `random`, or `parallel` to the data's line at distance 1.
      width, depth: of the discriminator's hidden layers.
      block: how many runs a core trains at once; it changes speed and memory only.
      players: whether each row holds data and generator too: mean m, direction s, offset c, directions S.
    """

    dimension: int = 2
    latents: int = 1
    runs: int = 1000
    start: str = "random"
    width: int = 64
    depth: int = 2
    block: int = 32
    players: bool = False

    def __post_init__(self):
        _positive(self, "latents", "runs", "width", "depth", "block")
        _require(self.dimension >= 2, "dimension", "at least 2", self.dimension)
        choose("study.start", self.start, STARTS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure, drawn from studies.

    Attributes:
      drawing: what is drawn, one of `DRAWINGS`: `path` of one run's generator; `gradients` that the losses give;
        `snapshots` of one run of each study; final distance against `dimensions`; shares of `rises` on the way.
      studies: names of experiments with commas between them. Of each its variant and its latents count; all else about
        them is in the figure's own `study`, `schedule` and `seed`.
      dimensions: numbers with commas between them; each study is made in each of them, in place of `study.dimension`.
      shown_run: the run that is drawn, where it is one; none for that which the first study leaves furthest from its
        data.
    """

    drawing: str
    studies: str = ""
    dimensions: str = "2"
    shown_run: int | None = None

    def __post_init__(self):
        choose("figure.drawing", self.drawing, DRAWINGS)
        for text in self.dimensions.split(","):
            _require(text.isdecimal() and int(text) >= 2, "dimensions", "numbers of at least 2", self.dimensions)
        sizes = self.dimensions.split(",")
        _require(len(set(map(int, sizes))) == len(sizes), "dimensions", "each number once", self.dimensions)
        names = self.studies.split(",")
        _require(len(set(names)) == len(names), "studies", "each name once", self.studies)
        _require(self.drawing != "path" or len(names) == 1, "studies", "one name for a path", self.studies)
        formulas = self.drawing == "gradients"
        _require(formulas == (not self.studies), "studies", "names, or none for 'gradients' alone", self.studies)
        _require(self.drawing == "dimensions" or len(sizes) == 1, "dimensions", "one number", self.dimensions)
        plane = self.drawing in ("path", "snapshots")
        _require(not plane or sizes == ["2"], "dimensions", "'2' where a plane is drawn", self.dimensions)
        if self.shown_run is not None:
            _require(self.shown_run >= 0, "shown_run", "a number of at least zero", self.shown_run)


# What stands in the place of a variant in a figure, whose studies have their own.
OF_FIGURES = Variant(name="of_studies", loss="non_saturating")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """data × variant × networks × schedule, with a seed and a precision: everything that decides a run's numbers.

    `evaluation` says how they are judged afterwards. With a `study` it is no run on images but many on lines; with a
    `figure` it is what is drawn from some of those. What has no meaning there is not to be set.
    """

    name: str
    data: Data
    variant: Variant
    networks: Networks = Networks()
    schedule: Schedule = Schedule()
    evaluation: Evaluation = Evaluation()
    study: Study | None = None
    figure: Figure | None = None
    seed: int = 0
    precision: str = "float32"

    def __post_init__(self):
        # The name is a folder's too.
        _require(re.fullmatch("[a-z0-9][a-z0-9_]*", self.name) is not None, "name", "a-z, 0-9 and _", self.name)
        _require(0 <= self.seed < 2**31, "seed", "an integer in [0, 2^31)", self.seed)
        choose("precision", self.precision, PRECISIONS)
        if self.study is not None or self.figure is not None:
            kind = "study" if self.figure is None else "figure"
            unused = {"data": Data(name="line"), "networks": Networks(), "evaluation": Evaluation()}
            if self.figure is not None:
                unused["variant"] = OF_FIGURES
            for field, default in unused.items():
                _require(getattr(self, field) == default, field, f"nothing with a {kind}", getattr(self, field))
            _require(self.precision == "float32", "precision", f"'float32' with a {kind}", self.precision)
        if self.figure is not None:
            self._check_figure(self.figure)

    def _check_figure(self, figure: Figure) -> None:
        study = self.study
        _require(bool(figure.studies) == (study is not None), "study", "one beside figure.studies, and no other", study)
        if study is None:
            return
        placed = figure.drawing in ("path", "snapshots")
        _require(study.players == placed, "study.players", f"{placed} for {figure.drawing!r}", study.players)
        for field in ("dimension", "latents"):
            value, default = getattr(study, field), getattr(Study(), field)
            _require(value == default, f"study.{field}", "nothing with a figure, whose studies have theirs", value)
        run = figure.shown_run
        _require(run is None or run < study.runs, "figure.shown_run", f"one of the {study.runs} runs", run)


def to_dict(config: Any) -> dict[str, Any]:
    """The config as nested dictionaries of JSON values."""
    return dataclasses.asdict(config)


def from_dict(values: Mapping[str, Any], cls: type = Experiment, path: str = "") -> Any:
    """Reads what `to_dict` wrote.

    Raises:
      InputError: a field is missing, unknown, of the wrong type, or out of its range.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{path or 'config'}: expected an object, received {values!r}.")
    hints = typing.get_type_hints(cls)
    for name in values:
        choose(f"field {path}{name}" if path else "field", name, hints)
    for field in dataclasses.fields(cls):
        if field.name not in values:
            raise InputError(f"{path}{field.name}: expected a value, received none.")
    fields = {name: _typed(value, hints[name], f"{path}{name}") for name, value in values.items()}
    try:
        return cls(**fields)
    except _RangeError as error:
        raise InputError(f"{path}{error}") from None


def override(config: Any, texts: Mapping[str, str]) -> Any:
    """Returns `config` with the field at each path (`"variant.penalty.weight"`) replaced by its text, read as its type.

    The whole is checked once, at the end, so that fields that depend on each other can change together.

    Raises:
      InputError: a path leads nowhere, a text is not of the field's type, or a value is out of its range.
    """
    values = to_dict(config)
    for path, text in texts.items():
        _assign(values, type(config), path.split("."), text, path)
    return from_dict(values, type(config))


def differences(one: Any, other: Any) -> dict[str, tuple[Any, Any]]:
    """The fields in which two configs differ: path -> (value in `one`, value in `other`)."""
    found = {}
    for path in sorted(flat(one).keys() | flat(other).keys()):
        pair = (flat(one).get(path), flat(other).get(path))
        if pair[0] != pair[1]:
            found[path] = pair
    return found


def flat(config: Any, path: str = "") -> dict[str, Any]:
    """All fields of a config: path -> value, as in `"variant.penalty.weight"`."""
    leaves: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            leaves |= flat(value, f"{path}{field.name}.")
        else:
            leaves[path + field.name] = value
    return leaves


def _assign(values: dict[str, Any], cls: type, keys: list[str], text: str, path: str) -> None:
    hints = typing.get_type_hints(cls)
    try:
        key = choose("field", keys[0], hints)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if len(keys) == 1:
        values[key] = _parse(text, hints[key], path)
        return
    kind = _kind(hints[key])
    if not dataclasses.is_dataclass(kind):
        raise InputError(f"{path}: expected no field below {key!r}, which is {values[key]!r}.")
    if values[key] is None:
        # A part that the experiment lacks begins with its defaults; what has none must be given too.
        unset = dataclasses.MISSING
        values[key] = {f.name: f.default for f in dataclasses.fields(kind) if f.default is not unset}
    _assign(values[key], typing.cast(type, kind), keys[1:], text, path)


def _options(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def _kind(hint: Any) -> Any:
    """The type of a field that is set: `X` for `X` and for `X | None`."""
    return next(option for option in _options(hint) if option is not type(None))


def _parse(text: str, hint: Any, path: str) -> Any:
    if type(None) in _options(hint) and text.lower() in ("none", "null"):
        return None
    kind = _kind(hint)
    if dataclasses.is_dataclass(kind):
        fields = ", ".join(f"{path}.{field.name}" for field in dataclasses.fields(kind))
        raise InputError(f"{path}: expected one of its fields ({fields}), received {text!r} for the whole.")
    try:
        if kind is bool:
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        # 2e4 is an integer to a person.
        return int(float(text)) if kind is int and float(text).is_integer() and "e" in text.lower() else kind(text)
    except (KeyError, ValueError, OverflowError):
        raise InputError(f"{path}: expected {_NAMES[kind]}, received {text!r}.") from None


def _float(value: int, path: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise InputError(f"{path}: expected a number, received one of {len(str(value))} digits.") from None


def _typed(value: Any, hint: Any, path: str) -> Any:
    if value is None and type(None) in _options(hint):
        return None
    kind = _kind(hint)
    if dataclasses.is_dataclass(kind):
        return from_dict(value, typing.cast(type, kind), f"{path}.")
    if kind is float and type(value) is int:
        return _float(value, path)
    # `type is`, not isinstance: True is an int to Python, and a mistake to a reader of the config.
    if type(value) is not kind:
        raise InputError(f"{path}: expected {_NAMES[kind]}, received {value!r}.")
    return value


_NAMES = {int: "an integer", float: "a number", bool: "true or false", str: "a text"}
