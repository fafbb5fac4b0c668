"""What each mode of the command line does."""

import dataclasses
import fnmatch
import importlib
import pathlib

import tfpaths
from tfpaths import config, errors, experiments, kinds, progress, schema, startup
from tfpaths.runs.directory import RunDirectory

_OF_RUNS = ("steps", "batch_size", "seed", "set", "data_dir", "source", "strategy", "tpu", "precision")
# Mode -> the flags that it uses besides --exp, --workdir, --mode, --import and --list.
USED: dict[str, tuple[str, ...]] = {
    "train": (*_OF_RUNS, "profile"),
    "evaluate": _OF_RUNS,
    "sample": ("seed", "num_samples", "out", "interpolate"),
    "export": (),
    "report": ("out",),
}
# The field that a flag sets.
_FIELDS = {
    "steps": "schedule.steps",
    "batch_size": "schedule.batch_size",
    "seed": "seed",
    "source": "data.source",
    "precision": "precision",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """The values of the flags, as texts; None for a flag that is not given."""

    mode: str
    exp: str | None
    workdir: list[str]
    steps: str | None
    batch_size: str | None
    seed: str | None
    set: list[str]
    data_dir: str | None
    source: str | None
    strategy: str
    tpu: str | None
    precision: str | None
    profile: bool
    num_samples: str | None
    out: str | None
    interpolate: bool

    @property
    def assignments(self) -> list[str]:
        """The changes of the config: `path.to.field=text`."""
        texts = {field: getattr(self, flag) for flag, field in _FIELDS.items()}
        return [*(f"{field}={text}" for field, text in texts.items() if text is not None), *self.set]


def show(asked: Asked) -> int:
    """Lists the experiments whose names match `--exp`."""
    names = fnmatch.filter(experiments.names(), asked.exp or "*")
    if not names:
        raise errors.InputError(f"--exp: no experiment matches {asked.exp!r}; --list shows all of them.")
    for name in names:
        experiment = experiments.get(name)
        progress.say(f"{name:<24} {experiment.kind:<9} {kinds.of(experiment).describe(experiment)}")
    return 0


def run(asked: Asked, command: str) -> int:
    """Does what `--mode` says; returns the exit status.

    Args:
      asked: The flags.
      command: The command that continues a run, for its last lines.
    """
    base = None if asked.exp is None else experiments.EXPERIMENTS.lookup(asked.exp, path="--exp")
    paths = asked.workdir or ([] if base is None else [f"runs/{base.name}"])
    if not paths or (asked.mode == "train" and base is None):
        raise errors.InputError("--exp: expected the name of an experiment, received none; --list shows them.")
    if "" in paths or (len(paths) > 1 and asked.mode != "report"):
        raise errors.InputError(f"--workdir: expected one directory, received {', '.join(paths)!r}.")
    if asked.mode != "train" and base is not None:
        for path in paths:
            stored = RunDirectory(pathlib.Path(path)).stored()
            if stored is not None and stored.name != base.name:
                raise errors.InputError(f"--workdir: expected a run of {base.name!r}, received one of {stored.name!r}.")
    if asked.mode == "report":
        progress.say(f"Written: {tfpaths.report(paths, asked.out)}")
        return 0
    if asked.mode in ("sample", "export"):
        return _use(asked, paths[0])
    return _start(asked, base, paths[0], command)


def _use(asked: Asked, path: str) -> int:
    """Samples or exports."""
    num = errors.integer("--num_samples", asked.num_samples or "64", 1)
    seed = errors.integer("--seed", asked.seed or "0", 0)
    startup.import_tensorflow()
    if asked.mode == "export":
        progress.say(importlib.import_module("tfpaths.runs.exporting").message(tfpaths.export(path)))
    else:
        written = tfpaths.sample(path, asked.out or "", num=num, seed=seed, interpolate=asked.interpolate)
        progress.say(f"Written: {written}")
    return 0


def _start(asked: Asked, base: config.Experiment | None, path: str, command: str) -> int:
    """Trains or evaluates."""
    directory = RunDirectory(pathlib.Path(path))
    is_training = asked.mode == "train" and base is not None
    start: config.Experiment = base if asked.mode == "train" and base is not None else directory.known()
    value = schema.assign(start, asked.assignments)
    errors.choose("strategy", asked.strategy, config.STRATEGIES)
    if asked.data_dir == "":
        raise errors.InputError("--data_dir: expected a directory, received ''.")
    # Before TensorFlow is imported, which takes seconds: the likeliest mistakes are reported at once.
    directory.continued(value, is_complete=False)
    settings = kinds.Settings(data_dir=asked.data_dir, strategy=asked.strategy, tpu=asked.tpu, profile=asked.profile)
    kinds.of(value).check_settings(value, settings)
    startup.import_tensorflow(devices=not startup.joins_cluster(asked.strategy))
    if not is_training:
        summary = kinds.of(value).evaluate(value, path, settings)
        progress.say(importlib.import_module("tfpaths.runs.evaluation").table(summary))
        return 0
    outcome = kinds.of(value).train(value, path, settings)
    progress.say(outcome.message(command))
    # 128 + the signal's number, as a shell reports a process that a signal ended.
    return 0 if outcome.stopped_by is None else 128 + outcome.stopped_by
