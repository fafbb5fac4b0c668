"""The jobs of a sweep: which trials one program trains, what each trial's config is, and what is refused."""

import pytest

from tfpaths import config, errors, experiments, schema, space
from tfpaths.sweeps import plan

RATE = "variant.generator_optimizer.learning_rate"
WEIGHT = "variant.penalty.weight"


def of_training(*names, axes, trials=None):
    swept = tuple(experiments.get(name) for name in names)
    return plan.complete(config.Sweep(name="toy", experiments=swept, space=axes, trials=trials))


def test_trials_of_one_program_are_one_job(toy):
    sweep = plan.complete(toy(trials=6))
    jobs = plan.jobs(sweep)
    widths = [space.setting(sweep.space, trial, seed=0)["study.width"] for trial in range(6)]
    assert set(widths) == {8, 16}
    for experiment in ("line1_ns", "line1_gan_gp"):
        of_one = {job.config.study.width: job for job in jobs if job.experiment == experiment}
        assert {width: job.trials for width, job in of_one.items()} == {
            width: tuple(trial for trial in range(6) if widths[trial] == width) for width in (8, 16)
        }
        for job in of_one.values():
            (setting,) = job.config.settings
            assert setting.path == RATE
            assert list(setting.values) == [fields[RATE] for fields in job.settings]
            assert job.config.study.runs == len(job.trials)
            assert job.name == f"{experiment}-study.width={job.config.study.width}"


def test_all_experiments_have_the_same_settings(toy):
    axes = (space.Range(paths=(RATE,), scale="log", low=1e-3, high=1e-1), space.parse(f"{WEIGHT}=1,10"))
    ns, gan_gp = plan.jobs(plan.complete(toy(axes=axes)))
    assert ns.settings == tuple({RATE: fields[RATE]} for fields in gan_gp.settings)
    assert all(WEIGHT in fields for fields in gan_gp.settings)


def test_more_trials_add_to_those_before(toy):
    few, many = ({job.name: job for job in plan.jobs(plan.complete(toy(trials=count)))} for count in (4, 9))
    for name, job in few.items():
        assert many[name].trials[: len(job.trials)] == job.trials
        assert many[name].settings[: len(job.settings)] == job.settings


def test_training_runs_are_a_job_each():
    sweep = of_training("color_mnist_gan_gp", axes=(space.parse(f"{RATE}=1e-4,1e-3"), space.parse(f"{WEIGHT}=1,10")))
    jobs = plan.jobs(sweep)
    assert [job.name for job in jobs] == [f"color_mnist_gan_gp-{trial:05d}" for trial in range(4)]
    rates = [
        (job.config.variant.generator_optimizer.learning_rate, job.config.variant.penalty.options["weight"])
        for job in jobs
    ]
    assert rates == [(1e-4, 1.0), (1e-4, 10.0), (1e-3, 1.0), (1e-3, 10.0)]
    only_rate = schema.differences(sweep.experiments[0], jobs[0].config)
    assert set(only_rate) == {RATE, WEIGHT}


def test_equal_trials_are_trained_once():
    # The non-saturating GAN has no weight, so that the trials differ in their rate only.
    axes = (space.parse(f"{RATE}=1e-4,1e-3"), space.parse(f"{WEIGHT}=1,10"))
    ns, ns_fast, *others = plan.jobs(of_training("color_mnist_ns", "color_mnist_gan_gp", axes=axes))
    assert (ns.trials, ns_fast.trials) == ((0, 1), (2, 3))
    assert [job.trials for job in others] == [(0,), (1,), (2,), (3,)]


def test_names_differ_where_the_first_fields_do_not(toy):
    axes = (space.Choice(paths=("study.width", "study.depth"), values=((8, 1), (8, 2))),)
    jobs = plan.jobs(plan.complete(toy(names=("line1_ns",), axes=axes, trials=None)))
    assert [job.name for job in jobs] == [f"line1_ns-study.width=8-study.depth={depth}" for depth in (1, 2)]


def test_a_penalty_itself_can_be_swept():
    jobs = plan.jobs(of_training("color_mnist_ns", axes=(space.parse("variant.penalty=r1,dragan,none"),)))
    assert [job.config.variant.penalty and job.config.variant.penalty.name for job in jobs] == ["r1", "dragan", None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("variant.penaltie=1,2", "variant.penaltie: unknown field 'penaltie'; did you mean 'penalty'?"),
        ("variant.penalty.wait=1,2", "variant.penalty.wait: 'interpolation' has no option 'wait'; did you mean"),
        (f"{WEIGHT}=1,-2", f"{WEIGHT}: expected a number above zero, received -2.0."),
        (f"{WEIGHT}=1,two", f"{WEIGHT}: expected a number, received 'two'."),
        ("schedule.steps=uniform(1,9)", "schedule.steps: expected an integer, received"),
        ("variant.weight_clip.x=1,2", "variant.weight_clip.x: 'weight_clip' is a single value and has no fields."),
    ],
)
def test_invalid_axes(text, message):
    trials = 3 if "(" in text else None
    with pytest.raises(errors.InputError) as error:
        plan.jobs(of_training("color_mnist_gan_gp", axes=(space.parse(text),), trials=trials))
    assert str(error.value).startswith(message)


def test_the_best_setting_is_trained_again_with_other_random_numbers(toy):
    sweep = plan.complete(toy(confirmed=7))
    (job,) = plan.confirmations(sweep, {"line1_gan_gp": (3, {RATE: 0.02, "study.width": 16})})
    assert (job.name, job.trials, job.config.study.runs, job.config.study.width) == (
        "line1_gan_gp-best-00003",
        (),
        7,
        16,
    )
    assert job.config.variant.generator_optimizer.learning_rate == 0.02
    assert job.config.seed == sweep.experiments[1].seed + 1


@pytest.mark.parametrize("text", ["1", "1/", "/2", "2/2", "-1/2", "a/b", "1/2/3"])
def test_invalid_shards(text):
    with pytest.raises(errors.InputError, match="--shard: expected i/n with i from 0 to n - 1"):
        plan.shard(text)
