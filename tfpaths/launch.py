"""The command line: `python -m tfpaths.launch --exp=color_mnist_dragan_ns`. `--list` shows what there is."""

import pathlib
import shlex
import signal
import sys
from collections.abc import Sequence

from absl import app, flags

from tfpaths import config, experiments, progress, results, startup

_MODES = ("train", "evaluate", "sample", "export", "report")
_EXP = flags.DEFINE_string("exp", None, "The experiment's name; --list shows them.")
_LIST = flags.DEFINE_bool("list", False, "List the experiments and stop.")
_MODE = flags.DEFINE_string("mode", "train", f"One of {', '.join(_MODES)}.")
_WORKDIR = flags.DEFINE_multi_string("workdir", [], "The run directory; repeatable with report. Default: runs/<exp>.")
_STEPS = flags.DEFINE_string("steps", None, "Generator updates. Default: the experiment's.")
_BATCH_SIZE = flags.DEFINE_string("batch_size", None, "The global batch size. Default: the experiment's.")
_SEED = flags.DEFINE_string("seed", None, "The run's seed. Default: the experiment's.")
_SET = flags.DEFINE_multi_string("set", [], "path.to.field=value for any other field of the config; repeatable.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Prepared TFDS data. Default: TFDS_DATA_DIR, then TFDS's own.")
_SOURCE = flags.DEFINE_string("source", None, f"Where digits come from: {', '.join(config.SOURCES)}. Default: auto.")
_STRATEGY = flags.DEFINE_string("strategy", "auto", f"One of {', '.join(config.STRATEGIES)}.")
_TPU = flags.DEFINE_string("tpu", None, "The TPU's name or address, with --strategy=tpu.")
_PRECISION = flags.DEFINE_string("precision", None, f"One of {', '.join(config.PRECISIONS)}. Default: float32.")
_PROFILE = flags.DEFINE_bool("profile", False, "With --mode=train: trace ten steps for TensorBoard's profiler.")
_NUM_SAMPLES = flags.DEFINE_string("num_samples", None, "With --mode=sample: how many images. Default: 64.")
_OUT = flags.DEFINE_string("out", None, "With sample: a .png, a .npz or a folder. With report: the .html file.")
_INTERPOLATE = flags.DEFINE_bool("interpolate", False, "With --mode=sample: rows from one latent to another.")

# Of the modes that use a run which is there and whose config is its own: the flags that they take.
_OF_USE = {
    "sample": ("exp", "workdir", "seed", "num_samples", "out", "interpolate"),
    "export": ("exp", "workdir"),
    "report": ("exp", "workdir", "out"),
}


def parse_flags(argv: Sequence[str]) -> list[str]:
    """Reads the flags; a mistake in them is one line and exit status 2."""
    own = _own_flags()
    if not {"--help", "-h", "-help", "-?"}.isdisjoint(argv):
        print(__doc__, *(f"  --{flag.name:<11} {flag.help}" for flag in own), sep="\n")
        sys.exit(0)
    try:
        return flags.FLAGS(argv)
    except flags.UnrecognizedFlagError as error:
        sys.exit(_refuse(config.unknown("flag", f"--{error.flagname}", [f"--{flag.name}" for flag in own])))
    except flags.Error as error:
        sys.exit(_refuse(error))


def _own_flags() -> list[flags.Flag]:
    return [flag for flag in flags.FLAGS.get_key_flags_for_module(sys.modules[__name__]) if flag.name != "flagfile"]


def _check_taken(mode: str) -> None:
    """Whether each flag that is given says something to the mode."""
    of_use = {name for names in _OF_USE.values() for name in names} - {"exp", "workdir", "seed"}
    for flag in _own_flags():
        unused = flag.name in of_use if mode not in _OF_USE else flag.name not in ("mode", "list", *_OF_USE[mode])
        if flag.present and unused:
            raise config.InputError(f"--{flag.name}: expected none with --mode={mode}, received {flag.value!r}.")
    if _PROFILE.value and mode != "train":
        raise config.InputError(f"--profile: expected none with --mode={mode}, received True.")
    if mode != "report" and len(_WORKDIR.value) > 1:
        raise config.InputError(f"--workdir: expected one with --mode={mode}, received {len(_WORKDIR.value)}.")
    if "" in _WORKDIR.value:
        raise config.InputError("--workdir: expected a folder, received ''.")


def _workdir() -> str | None:
    """The run directory that is named, or none."""
    return _WORKDIR.value[0] if _WORKDIR.value else None


def use(mode: str) -> None:
    """Samples, exports, or makes a report."""
    name = None if _EXP.value is None else experiments.get(_EXP.value).name
    places = _WORKDIR.value or ([f"runs/{name}"] if name else [])
    if not places:
        raise config.InputError("--workdir: expected the directory of a run, received none.")
    for place in places if name else []:
        known = results.RunDirectory(pathlib.Path(place)).stored()
        if known is not None and known.name != name:
            raise config.InputError(f"--workdir: expected a run of {name!r}, received one of {known.name!r}.")
    if mode == "report":
        from tfpaths import report

        progress.say(f"Written: {report.write(places, _OUT.value)}")
        return
    num, seed = (
        config.integer(f"--{flag.name}", flag.value or default, least)
        for flag, default, least in ((_NUM_SAMPLES, "64", 1), (_SEED, "0", 0))
    )
    startup.import_tensorflow()
    if mode == "export":
        from tfpaths import exporting

        progress.say(exporting.farewell(exporting.export(places[0])))
        return
    from tfpaths import sampling

    made = sampling.sample(places[0], _OUT.value or "", num=num, seed=seed, interpolate=_INTERPOLATE.value)
    progress.say(f"Written: {made}")


def experiment() -> config.Experiment:
    """The experiment that the flags describe: a registered one, or the one of a run that is to be evaluated."""
    base = None if _EXP.value is None else experiments.get(_EXP.value)
    if _MODE.value == "evaluate" and (base is not None or _workdir()):
        directory = results.RunDirectory(pathlib.Path(_workdir() or f"runs/{_EXP.value}"))
        known = directory.stored()
        if known is None:
            raise config.InputError(
                f"--workdir: expected the directory of a run, received {directory.path}: none there."
            )
        if base is not None and known.name != base.name:
            raise config.InputError(f"--workdir: expected a run of {base.name!r}, received one of {known.name!r}.")
        base = known
    if base is None:
        raise config.InputError("--exp: expected the name of an experiment, received none; --list shows them.")
    texts: dict[str, str] = {}
    named = {
        "schedule.steps": _STEPS,
        "schedule.batch_size": _BATCH_SIZE,
        "seed": _SEED,
        "data.source": _SOURCE,
        "precision": _PRECISION,
    }
    assignments = [f"{path}={flag.value}" for path, flag in named.items() if flag.value is not None]
    for assignment in [*assignments, *_SET.value]:
        path, equals, text = assignment.partition("=")
        if not path or not equals:
            raise config.InputError(f"--set: expected path.to.field=value, received {assignment!r}.")
        if path in texts:
            raise config.InputError(f"{path}: expected one value, received {texts[path]!r} and {text!r}.")
        texts[path] = text
    return config.override(base, texts)


def main(argv: Sequence[str]) -> int:
    """Runs what the flags ask for; returns the exit status."""
    try:
        if len(argv) > 1:
            raise config.InputError(f"expected flags only, received {argv[1]!r}; --help shows them.")
        if _LIST.value:
            print("\n".join(experiments.names()))
            return 0
        _check_taken(config.choose("mode", _MODE.value, _MODES))
        if _MODE.value in _OF_USE:
            use(_MODE.value)
            return 0
        config.choose("strategy", _STRATEGY.value, config.STRATEGIES)
        value = experiment()
        if _DATA_DIR.value == "":
            raise config.InputError("--data_dir: expected a folder, received ''.")
        workdir = _workdir() or f"runs/{value.name}"
        # Before TensorFlow is imported, which takes seconds: the likeliest refusal comes at once.
        results.RunDirectory(pathlib.Path(workdir)).continued(value)
        if value.study is not None or value.figure is not None:
            kind = "study" if value.figure is None else "figure"
            if _PROFILE.value:
                raise config.InputError(f"--profile: expected none, since {value.name} is a {kind}, received True.")
            if _MODE.value != "train":
                raise config.InputError(f"{value.name} is a {kind}: expected --mode=train, received {_MODE.value!r}.")
        startup.import_tensorflow(devices=not startup.joins_cluster(_STRATEGY.value))
        command = shlex.join(["python", "-m", "tfpaths.launch", *sys.argv[1:]])
        if value.figure is not None:
            from tfpaths import distribution, figures

            made = figures.run(value, workdir, devices=distribution.get(_STRATEGY.value, _TPU.value))
            progress.say(figures.farewell(made, command))
            return 0 if made.stopped_by is None else 128 + made.stopped_by
        if value.study is not None:
            from tfpaths import distribution, study

            outcome = study.run(value, workdir, devices=distribution.get(_STRATEGY.value, _TPU.value))
            progress.say(study.farewell(outcome, command))
            return 0 if outcome.finished or outcome.stopped_by is None else 128 + outcome.stopped_by
        from tfpaths import evaluation, training

        if _MODE.value == "evaluate":
            progress.say(evaluation.table(evaluation.evaluate(value, workdir, data_dir=_DATA_DIR.value)))
            return 0

        run = training.train(
            value,
            workdir,
            data_dir=_DATA_DIR.value,
            strategy=_STRATEGY.value,
            tpu=_TPU.value,
            profile=_PROFILE.value,
        )
        progress.say(training.farewell(run, command))
        # 128 + the signal's number, as a shell reports a process that a signal ended.
        return 0 if run.stopped_by is None else 128 + run.stopped_by
    except KeyboardInterrupt:
        # Training takes the first signal itself and saves. This is one before it begins, or a second one.
        print("\ntfpaths: interrupted; a checkpoint that was written before is kept.", file=sys.stderr)
        return 128 + signal.SIGINT
    except config.InputError as error:
        return _refuse(error)
    except config.RunError as error:
        return _refuse(error, status=1)
    except OSError as error:
        return _refuse(f"{error.filename or 'a file'}: {error.strerror or error}", status=1)


def _refuse(error: object, status: int = 2) -> int:
    print("tfpaths:", " ".join(str(error).split()), file=sys.stderr)
    return status


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
