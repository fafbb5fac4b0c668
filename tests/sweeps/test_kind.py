"""Sweeps as a kind of experiment, and on the command line: changes of fields, and what is refused."""

import pytest
from helpers import launch, launch_here, refused

from tfpaths import config, errors, experiments, kinds, space
from tfpaths.sweeps.kind import KIND

RATE = "variant.generator_optimizer.learning_rate"
LINE = ["--exp=line1_ns", "--sweep=study.width=8,16"]


def test_describe():
    described = KIND.describe(experiments.get("robustness_line1"))
    assert described == "1,000 settings of 18 experiments: learning_rate, weight, beta_1, …"


def test_a_change_of_a_field_reaches_every_experiment_that_has_it():
    sweep = KIND.changed(
        experiments.get("robustness_color_mnist"),
        ["schedule.steps=60", "variant.penalty.weight=3", "seed=7", "trials=5"],
    )
    assert (sweep.trials, sweep.seed) == (5, 7)
    assert {(one.schedule.steps, one.seed) for one in sweep.experiments} == {(60, 7)}
    weights = [one.variant.penalty and float(one.variant.penalty.options["weight"]) for one in sweep.experiments]
    assert weights == [None, 3.0, 3.0, 3.0]


def test_some_of_the_experiments_are_kept():
    sweep = experiments.get("robustness_color_mnist")
    kept = KIND.changed(sweep, ["experiments=color_mnist_dragan_ns,color_mnist_ns", "schedule.steps=60"])
    assert [one.name for one in kept.experiments] == ["color_mnist_dragan_ns", "color_mnist_ns"]
    assert {one.schedule.steps for one in kept.experiments} == {60}
    with pytest.raises(
        errors.InputError, match="^experiments: unknown experiment of this sweep 'color_mnist_n'; did you"
    ):
        KIND.changed(sweep, ["experiments=color_mnist_n"])
    with pytest.raises(errors.InputError, match="^experiments: expected a different name for each"):
        KIND.changed(sweep, ["experiments=color_mnist_ns,color_mnist_ns"])


def test_a_change_that_no_experiment_can_have():
    with pytest.raises(errors.InputError, match="^schedule.stps: unknown field 'stps'; did you mean 'steps'"):
        KIND.changed(experiments.get("robustness_line1"), ["schedule.stps=5"])


@pytest.mark.parametrize(
    ("path", "may_change"), [("trials", True), ("confirmed", True), ("seed", False), ("space.0.low", False)]
)
def test_may_change(path, may_change):
    assert KIND.may_change(path) == may_change


@pytest.mark.parametrize("path", ["name", "kind", "study.runs", "study.block", "settings.0.path"])
def test_fixed_fields_are_refused(path):
    sweep = experiments.get("robustness_line1")
    axis = space.Choice(paths=(path,), values=((1,), (2,)))
    with pytest.raises(errors.InputError, match=f"^--sweep {path}: this field cannot be swept"):
        KIND.check_settings(sweep.replace(space=(axis,), trials=None), kinds.Settings())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--sweep=study.widht=8,16"], "study.widht: unknown field 'widht'; did you mean 'width'?"),
        (["--sweep=study.width=8,wide"], "study.width: expected an integer, received 'wide'."),
        (["--sweep=study.width="], "--sweep study.width: expected values that are separated by commas"),
        (["--sweep=study.width"], "--sweep: expected path.to.field=v1,v2"),
        (["--sweep=name=a,b"], "--sweep name: this field cannot be swept."),
        ([f"--sweep={RATE}=log(0,1)", "--trials=2"], f"--sweep {RATE}: low: expected a number above zero"),
        ([f"--sweep={RATE}=log(1e-4,1e-2)"], "trials: expected a number of trials, because a field is drawn"),
        (["--sweep=study.width=8,16", "--sweep=study.width=32"], "space: expected axes for different fields"),
        (["--sweep=study.width=8,16", "--trials=0"], "--trials: expected an integer from 1 to"),
        (["--sweep=study.width=8,16", "--trials=100001"], "--trials: 100,001 trials are more than 100,000"),
        (["--sweep=study.width=8,16", "--engine=rey"], "--engine: unknown engine 'rey'; did you mean 'ray'?"),
        (["--sweep=study.width=8,16", "--jobs=0"], "--jobs: expected an integer from 1 to"),
        (["--sweep=study.width=8,16", "--shard=2/2"], "--shard: expected i/n with i from 0 to n - 1"),
        (["--sweep=study.width=8,16", "--profile"], "--profile: line1_ns is a sweep"),
        (["--sweep=study.width=8,16", "--strategy=mirrored"], "--strategy: a sweep's trials train on one device each"),
        (["--trials=3"], "--trials: line1_ns is a study; expected a sweep, or --sweep."),
        (["--engine=local"], "--engine: line1_ns is a study; only a sweep has several trials."),
        (["--shard=0/2"], "--shard: line1_ns is a study; only a sweep has several trials."),
    ],
)
def test_invalid_flags_are_one_line(tmp_path, flags, message):
    line = refused(launch_here("--exp=line1_ns", f"--workdir={tmp_path / 'run'}", *flags))
    assert line.startswith(f"tfpaths: {message}"), line
    assert not (tmp_path / "run").exists()


def test_a_sweep_over_a_sweep_is_refused(tmp_path):
    flags = ["--exp=figure_2", "--sweep=seed=1,2", f"--workdir={tmp_path / 'run'}"]
    assert "--sweep: figure_2 is a figure; expected a training run or a study." in refused(launch_here(*flags))
    flags[0] = "--exp=robustness_line1"
    assert "robustness_line1 is a sweep" in refused(launch_here(*flags))


def test_two_sweeps_in_one_directory_are_refused(tmp_path):
    # The second one is compared before TensorFlow is imported, and before anything is written.
    from tfpaths import schema, space
    from tfpaths.runs.directory import RunDirectory
    from tfpaths.sweeps import plan

    axes = (space.parse("study.width=8,16"),)
    sweep = plan.complete(config.Sweep(name="line1_ns", experiments=(experiments.get("line1_ns"),), space=axes))
    tmp_path.joinpath("run").mkdir()
    RunDirectory(tmp_path / "run").write_config(sweep)
    line = refused(launch_here("--exp=line1_ns", "--sweep=study.width=8,32", f"--workdir={tmp_path / 'run'}"))
    assert "holds another experiment: space.0.values is (('8',), ('16',)) there" in line
    line = refused(launch_here("--exp=line1_ns", f"--workdir={tmp_path / 'run'}"))
    assert "holds a sweep, 'line1_ns'" in line
    assert schema.differences(RunDirectory(tmp_path / "run").stored(), sweep) == {}


def test_a_sweep_is_not_evaluated_or_loaded(tmp_path):
    with pytest.raises(errors.InputError, match="is a sweep, which has no samples to evaluate"):
        KIND.evaluate(experiments.get("robustness_line1"), tmp_path, kinds.Settings())
    with pytest.raises(errors.InputError, match="is a sweep, which has no sampler"):
        KIND.load(tmp_path, experiments.get("robustness_line1"))


# Two processes, each with an import of TensorFlow: as a user runs it.
def test_a_sweep_from_the_command_line(tmp_path):
    flags = [
        "--set=schedule.batch_size=8",
        "--set=schedule.log_every=2",
        "--steps=4",
        "--jobs=2",
        "--set=study.depth=1",
    ]
    axis = f"--sweep={RATE}=log(1e-3,1e-1)"
    run = launch("--exp=line1_ns", axis, "--trials=3", *flags, f"--workdir={tmp_path / 'run'}")
    assert (run.returncode, run.stderr) == (0, "")
    assert "line1_ns 3/3  line1_ns has ended" in run.stdout
    assert "share of settings that end near equilibrium" in run.stdout
    made = {path.name for path in (tmp_path / "run").iterdir() if not path.name.startswith(".")}
    assert made == {"config.json", "trials", "trials.jsonl", "metrics.jsonl", "results.json", "figure.png"}
