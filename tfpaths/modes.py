"""The modes of the command line: list, train, evaluate, sample, export and report."""

import dataclasses
import fnmatch
import importlib

import tfpaths
from tfpaths import config, errors, experiments, files, kinds, progress, startup
from tfpaths.runs.directory import RunDirectory

_OF_RUNS = ("steps", "batch_size", "seed", "set", "data_dir", "source", "strategy", "tpu", "precision")
_OF_SWEEPS = ("sweep", "trials", "engine", "jobs", "shard", "yes")
# Mode -> the flags that it uses besides --exp, --workdir, --mode, --import and --list.
USED: dict[str, tuple[str, ...]] = {
    "train": (*_OF_RUNS, "cluster_timeout", "profile", *_OF_SWEEPS),
    "evaluate": (*_OF_RUNS, "trust"),
    "sample": ("seed", "num_samples", "out", "interpolate", "refine", "member", "overwrite", "trust"),
    "export": ("member",),
    "report": ("out", "overwrite"),
}
# Sweeps of more trials need --yes.
_MANY = 100_000
# Flag -> the field of the config that it sets.
_FIELDS = {
    "steps": "schedule.steps",
    "batch_size": "schedule.batch_size",
    "seed": "seed",
    "source": "data.source",
    "precision": "precision",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """The values of the flags, as texts; None for a flag without a default that is not given."""

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
    cluster_timeout: str | None
    precision: str | None
    profile: bool
    sweep: list[str]
    trials: str | None
    engine: str | None
    jobs: str | None
    shard: str | None
    yes: bool
    imports: tuple[str, ...]
    num_samples: str | None
    out: str | None
    interpolate: bool
    refine: str | None
    member: str | None
    overwrite: bool
    trust: bool

    @property
    def assignments(self) -> list[str]:
        """The changes of the config, as `path.to.field=text`; those of `--set` are last."""
        texts = {field: getattr(self, flag) for flag, field in _FIELDS.items()}
        return [*(f"{field}={text}" for field, text in texts.items() if text is not None), *self.set]


def show(asked: Asked) -> int:
    """Lists the experiments whose names match `--exp`; returns the exit status.

    Raises:
      InputError: No name matches.
    """
    names = fnmatch.filter(experiments.names(), asked.exp or "*")
    if not names:
        raise errors.InputError(f"--exp: no experiment matches {asked.exp!r}; --list shows all of them.")
    for name in names:
        experiment = experiments.get(name)
        progress.say(f"{name:<24} {experiment.kind:<9} {kinds.of(experiment).describe(experiment)}")
    return 0


def run(asked: Asked, command: str) -> int:
    """Runs the mode of `--mode`; returns the exit status.

    Args:
      asked: The flags.
      command: The command that resumes the run, for the summary.

    Raises:
      InputError: A flag, or a combination of flags, is invalid.
      RunError: The run cannot continue.
    """
    base = None if asked.exp is None else experiments.EXPERIMENTS.lookup(asked.exp, path="--exp")
    paths = asked.workdir or ([] if base is None else [f"runs/{base.name}"])
    if not paths or (asked.mode == "train" and base is None):
        raise errors.InputError("--exp: expected the name of an experiment, received none; --list shows them.")
    if "" in paths or (len(paths) > 1 and asked.mode != "report"):
        raise errors.InputError(f"--workdir: expected one directory, received {', '.join(paths)!r}.")
    if asked.mode != "train" and base is not None:
        for path in paths:
            stored = RunDirectory(files.path(path)).stored()
            if stored is not None and stored.name != base.name:
                raise errors.InputError(f"--workdir: expected a run of {base.name!r}, received one of {stored.name!r}.")
    if asked.mode == "report":
        progress.say(f"Written: {tfpaths.report(paths, asked.out, overwrite=asked.overwrite)}")
        return 0
    if asked.mode in ("sample", "export"):
        return _use(asked, paths[0])
    return _start(asked, base, paths[0], command)


def _use(asked: Asked, path: str) -> int:
    """Samples or exports a run."""
    num = errors.integer("--num_samples", asked.num_samples or "64", 1)
    seed = errors.integer("--seed", asked.seed or "0", 0)
    member = None if asked.member is None else errors.integer("--member", asked.member, 0)
    startup.import_tensorflow()
    if asked.mode == "export":
        exported = tfpaths.export(path, member=member)
        progress.say(importlib.import_module("tfpaths.runs.exporting").message(exported))
    else:
        refine = None if asked.refine is None else errors.integer("--refine", asked.refine, 0)
        how = {name: getattr(asked, name) for name in ("interpolate", "overwrite", "trust")}
        written = tfpaths.sample(path, asked.out or "", num=num, seed=seed, refine=refine, member=member, **how)
        progress.say(f"Written: {written}")
    return 0


def _start(asked: Asked, base: config.Experiment | None, path: str, command: str) -> int:
    """Trains or evaluates a run."""
    directory = RunDirectory(files.path(path))
    is_training = asked.mode == "train" and base is not None
    if asked.mode == "train" and base is not None:
        value = _asked_for(asked, base)
    else:
        value = directory.changed(asked.assignments, trust=asked.trust)
    errors.choose("strategy", asked.strategy, config.STRATEGIES)
    if asked.data_dir == "":
        raise errors.InputError("--data_dir: expected a directory, received ''.")
    # The likeliest mistakes are reported before TensorFlow is imported, which takes seconds.
    directory.continued(value, is_complete=False)
    timeout = asked.cluster_timeout
    settings = kinds.Settings(
        data_dir=asked.data_dir,
        strategy=asked.strategy,
        tpu=asked.tpu,
        cluster_timeout=None if timeout is None else errors.integer("--cluster_timeout", timeout, 1),
        profile=asked.profile,
        engine=asked.engine,
        jobs=None if asked.jobs is None else errors.integer("--jobs", asked.jobs, 1),
        shard=asked.shard,
        imports=asked.imports,
    )
    kinds.of(value).check_settings(value, settings)
    startup.import_tensorflow(devices=not startup.joins_cluster(asked.strategy))
    if not is_training:
        summary = kinds.of(value).evaluate(value, path, settings)
        progress.say(importlib.import_module("tfpaths.runs.evaluation").table(summary))
        return 0
    outcome = kinds.of(value).train(value, path, settings)
    progress.say(outcome.message(command))
    # As in a shell, the exit status after a signal is 128 + the signal's number.
    return 0 if outcome.stopped_by is None else 128 + outcome.stopped_by


def _asked_for(asked: Asked, base: config.Experiment) -> config.Experiment:
    """Returns the experiment of `--exp` with the changes of the flags: the sweep over it, if `--sweep` is given."""
    trials = None if asked.trials is None else errors.integer("--trials", asked.trials, 1)
    value = kinds.of(base).swept(kinds.of(base).changed(base, asked.assignments), asked.sweep, trials)
    count = kinds.of(value).trials(value)
    if count > _MANY and not asked.yes:
        raise errors.InputError(f"--trials: {count:,} trials are more than {_MANY:,}; if you mean it, add --yes.")
    return value
