"""The trials of a sweep, and the jobs that train them: each job is one experiment in its own run directory."""

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfpaths import config as config_lib
from tfpaths import errors, kinds, schema, space

_Experiment = config_lib.Training | config_lib.Study
# What a directory's name may have of a value.
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.=+-]+")


@dataclasses.dataclass(frozen=True)
class Job:
    """One experiment that a sweep trains.

    Attributes:
      name: The name of its run directory below `trials/`.
      experiment: The name of the sweep's experiment of which it is a variation.
      config: The experiment: a training run with one setting, or a study whose runs have a setting each.
      trials: The numbers of the trials that it trains: one for each run of a study; several for a training run if they
        are the same for its experiment.
      settings: The fields of each trial, path -> value.

    Example: see `jobs`.
    """

    name: str
    experiment: str
    config: _Experiment
    trials: tuple[int, ...]
    settings: tuple[Mapping[str, Any], ...]


def trials(config: config_lib.Sweep) -> int:
    """Returns the number of settings of a sweep, which each of its experiments gets.

    Example:
      >>> from tfpaths import experiments
      >>> trials(experiments.get("robustness_color_mnist"))
      24
    """
    return config.trials or space.grid_size(config.space) or 0


def complete(config: config_lib.Sweep) -> config_lib.Sweep:
    """Returns a sweep whose experiments have all options filled in.

    Raises:
      InputError: An option of an experiment is invalid, no experiment has the field of an axis, or there are thresholds
        and an experiment measures no scores.

    Example:
      >>> from tfpaths import experiments
      >>> complete(experiments.get("robustness_line1")).experiments[1].variant.penalty.options["target"]
      1.0
    """
    filled = tuple(kinds.of(one).complete(one) for one in config.experiments)
    config = config.replace(experiments=filled)
    for path in (path for axis in config.space for path in axis.paths):
        if not any(_has(one, path) for one in filled):
            # The error of the first experiment says what its fields are.
            kinds.of(filled[0]).complete(schema.override(filled[0], {path: "0"}))
            raise errors.InputError(f"{path}: {', '.join(one.name for one in filled)} has no such field.")
    if config.thresholds:
        for one in filled:
            _check_scores(one)
    return config


def _check_scores(experiment: _Experiment) -> None:
    """Checks that an experiment ends with the scores that are compared with thresholds."""
    from tfpaths import metrics  # Imports TensorFlow.

    assert isinstance(experiment, config_lib.Training)
    evaluation = experiment.evaluation
    if evaluation.metrics != "auto" and "scores" not in evaluation.metrics:
        names = evaluation.metrics if evaluation.metrics == "none" else ",".join(evaluation.metrics)
        raise errors.InputError(
            f"thresholds: expected experiments that measure scores, received {experiment.name} with "
            f"evaluation.metrics={names}. To fix this: --set evaluation.metrics=scores."
        )
    context = metrics.Context(experiment.data, evaluation)
    reason = metrics.METRICS["scores"]().missing(context)
    if reason is not None:
        raise errors.InputError(
            f"thresholds: expected experiments that measure scores, received {experiment.name}; {context.data.name} "
            f"{reason}."
        )


def jobs(config: config_lib.Sweep) -> list[Job]:
    """Returns the jobs of a complete sweep, those of the first experiment first.

    All trials of a study that differ only in hyper-parameters of its runs are one job, since one program trains them.
    Trials that do not differ for an experiment, because it lacks a field, are one job too.

    Raises:
      InputError: A setting is invalid for an experiment.

    Example:
      >>> from tfpaths import experiments
      >>> texts = ("variant.generator_optimizer.learning_rate=log(1e-4,1e-2)", "study.width=8,16")
      >>> axes = tuple(space.parse(text) for text in texts)
      >>> sweep = config_lib.Sweep(name="mine", experiments=(experiments.get("line1_ns"),), space=axes, trials=5)
      >>> [(job.name, job.trials) for job in jobs(complete(sweep))]
      [('line1_ns-study.width=8', (0, 3, 4)), ('line1_ns-study.width=16', (1, 2))]
    """
    seed = None if config.trials is None else config.seed
    settings = [space.setting(config.space, trial, seed=seed) for trial in range(trials(config))]
    return [job for experiment in config.experiments for job in _jobs_of(experiment, config.space, settings)]


def _jobs_of(
    experiment: _Experiment, axes: Sequence[space.Axis], settings: Sequence[Mapping[str, Any]]
) -> Iterator[Job]:
    """Yields the jobs of one experiment: one for each choice of the fields that its runs cannot have for themselves."""
    kind = kinds.of(experiment)
    paths = [path for axis in axes for path in axis.paths if _has(experiment, path)]
    own = kind.own_fields(experiment)
    fixed = [path for path in paths if path not in own]
    groups: dict[tuple[str, ...], list[int]] = {}
    for trial, fields in enumerate(settings):
        groups.setdefault(tuple(str(fields[path]) for path in fixed), []).append(trial)
    # The first field of an axis names its choice, unless two choices have the same one.
    firsts = [path for axis in axes for path in axis.paths[:1] if path in fixed]
    short = {tuple(key[fixed.index(path)] for path in firsts) for key in groups}
    named = firsts if len(short) == len(groups) else fixed
    for key, members in groups.items():
        choice = dict(zip(fixed, key, strict=True))
        config = kind.complete(schema.override(experiment, space.texts(choice)))
        values = [{path: settings[trial][path] for path in paths} for trial in members]
        if own:
            of_runs = [{path: float(fields[path]) for path in paths if path in own} for fields in values]
            config = kind.complete(kind.of_trials(config, of_runs))
            name = "-".join([experiment.name, *(f"{path}={choice[path]}" for path in named)])
        else:
            name = f"{experiment.name}-{members[0]:05d}"
        yield Job(_NOT_IN_NAMES.sub("_", name), experiment.name, config, tuple(members), tuple(values))


def shard(text: str | None) -> tuple[int, int]:
    """Returns (i, n) of `i/n`; (0, 1) for None.

    Raises:
      InputError: The text has another form, or i is not below n.

    Example:
      >>> shard("1/4")
      (1, 4)
    """
    part, slash, count = (text or "0/1").partition("/")
    if not (slash and part.isdecimal() and count.isdecimal() and int(part) < int(count)):
        raise errors.InputError(f"--shard: expected i/n with i from 0 to n - 1, such as 0/4, received {text!r}.")
    return int(part), int(count)


def confirmation(experiment: str, trial: int) -> str:
    """Returns the name of the job that trains the setting of a trial again.

    More trials may have another best one: its job has another directory.

    Example:
      >>> confirmation("line1_ns", 7)
      'line1_ns-best-00007'
    """
    return f"{experiment}-best-{trial:05d}"


def confirmations(config: config_lib.Sweep, best: Mapping[str, tuple[int, Mapping[str, Any]]]) -> list[Job]:
    """Returns the jobs that train the best setting of each study again, with other random numbers in each run.

    Args:
      config: A complete sweep of studies.
      best: Name of the experiment -> the number of its best trial, and its fields.

    Example:
      >>> from tfpaths import experiments
      >>> sweep = complete(experiments.get("robustness_line1"))
      >>> (job,) = confirmations(sweep, {"line1_ns_d2": (7, {"study.width": 16})})
      >>> job.name, job.config.study.runs, job.config.study.width
      ('line1_ns_d2-best-00007', 1000, 16)
    """
    made = []
    for experiment in config.experiments:
        if experiment.name not in best or not isinstance(experiment, config_lib.Study):
            continue
        trial, fields = best[experiment.name]
        study: Any = kinds.of(experiment).complete(schema.override(experiment, space.texts(fields)))
        study = study.replace(study=study.study.replace(runs=config.confirmed), seed=experiment.seed + 1)
        made.append(Job(confirmation(experiment.name, trial), experiment.name, study, (), (fields,)))
    return made


def _has(experiment: _Experiment, path: str) -> bool:
    """Returns whether a complete experiment has a field, also one that is None, or that has fields itself."""
    *owners, field = path.split(".")
    value: Any = experiment
    for owner in owners:
        if isinstance(value, tuple):
            value = value[int(owner)] if owner.isdecimal() and int(owner) < len(value) else None
        else:
            value = getattr(value, owner, None)
    if not isinstance(value, schema.Value):
        return False
    return field in type(value).model_fields or field in (value.model_extra or {})


def compared(experiments: Sequence[_Experiment]) -> list[list[_Experiment]]:
    """Returns the groups of experiments that differ only in their variant, in the order of their first ones.

    Example:
      >>> from tfpaths import experiments
      >>> both = [experiments.get("line1_ns"), experiments.get("line1_wgan")]
      >>> [[one.name for one in group] for group in compared(both)]
      [['line1_ns', 'line1_wgan']]
    """

    def rest(experiment: _Experiment) -> str:
        return experiment.replace(name="any", variant=experiments[0].variant).model_dump_json()

    ordered = sorted(experiments, key=rest)
    groups = [list(group) for _, group in itertools.groupby(ordered, key=rest)]
    order = [one.name for one in experiments]
    for group in groups:
        group.sort(key=lambda one: order.index(one.name))
    return sorted(groups, key=lambda group: order.index(group[0].name))
