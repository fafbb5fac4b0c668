"""Experiments as values: read, checked, changed, written."""

import json
import subprocess
import sys

import pytest

from tfpaths import config, errors, experiments, schema

EVERY = [experiments.get(name) for name in experiments.names()]


@pytest.mark.parametrize("experiment", EVERY, ids=lambda e: e.name)
def test_json_round_trip_is_exact(experiment):
    text = json.dumps(schema.to_dict(experiment))
    assert config.from_dict(json.loads(text)) == experiment


def test_main_experiment_has_20000_steps():
    schedule = experiments.get("color_mnist_dragan_ns").schedule
    assert (schedule.steps, schedule.batch_size) == (20_000, 64)


def test_registering_a_used_name_is_refused():
    base = experiments.get("color_mnist_ns")
    other = base.replace(seed=3)
    with pytest.raises(errors.InputError, match="color_mnist_ns"):
        experiments.register(other)
    assert experiments.get("color_mnist_ns") is base


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("schedule.steps", "12", 12),
        ("schedule.steps", "2e4", 20_000),
        ("variant.penalty.weight", "5", "5"),
        ("variant.penalty.one_sided", "true", "true"),
        ("variant.penalty", "none", None),
        ("variant.penalty", "r1", config.Penalty(name="r1")),
        ("variant.penalty", "r1,r2", (config.Penalty(name="r1"), config.Penalty(name="r2"))),
        ("variant.loss", "hinge", config.Loss(name="hinge")),
        ("evaluation.metrics", "none", "none"),
        ("evaluation.metrics", "scores,ms_ssim", ("scores", "ms_ssim")),
        ("evaluation.metrics", "scores", ("scores",)),
        ("evaluation.critic_steps", "20", "20"),
        ("data.path", "pictures", "pictures"),
        ("data.source", "embedded", "embedded"),
        ("variant.weight_clip", "0.01", 0.01),
    ],
)
# An option remains a text until `complete` converts it.
def test_override_reads_the_fields_type(path, text, value):
    found = schema.override(experiments.get("color_mnist_dragan_ns"), {path: text})
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("schedul.steps", "1", "schedul.steps: unknown field 'schedul'; did you mean 'schedule'"),
        ("schedule.step", "1", "did you mean 'steps'"),
        ("schedule.steps", "ten", "schedule.steps: expected an integer, received 'ten'"),
        ("schedule.steps", "1.5", "schedule.steps: expected an integer, received '1.5'"),
        ("schedule.steps", "0", "schedule.steps: expected a number above zero, received 0"),
        ("schedule.steps_per_execution", "3", "divisor of the 20000 steps"),
        ("variant.penalty.weight.x", "1", "variant.penalty.weight.x: 'weight' is a single value and has no fields"),
        ("variant.weight_clip", "nan", "variant.weight_clip: expected a number above zero, received nan"),
        ("variant.generator_optimizer.learning_rate", "0", "learning_rate: expected a number above zero, received 0.0"),
        ("variant", "ns", "variant: expected one of its fields \\(variant.name, variant.loss, "),
        ("evaluation.references", "maybe", "evaluation.references: expected true or false, received 'maybe'"),
        ("evaluation.extractor", "", "evaluation.extractor: expected a name or a directory, received ''"),
        ("kind", "study", "kind: expected one of training, received 'study'"),
        ("schedule.steps", "1" + "0" * 400, "schedule.steps: expected a number above zero"),
        ("name", "../x", "name: expected a-z, 0-9 and _, received '../x'"),
        ("name", "", "name: expected a-z, 0-9 and _, received ''"),
        ("seed", "-1", r"seed: expected an integer in \[0, 2\^31\)"),
        ("precision", "float16", "precision: expected one of .*, received 'float16'; did you mean"),
    ],
)
def test_invalid_override_gives_a_one_line_error(path, text, message):
    with pytest.raises(errors.InputError, match=message) as caught:
        schema.override(experiments.get("color_mnist_dragan_ns"), {path: text})
    assert "\n" not in str(caught.value)


def test_missing_part_can_be_set():
    made = schema.override(experiments.get("color_mnist_ns"), {"variant.penalty.name": "r1"})
    assert made.variant.penalty == config.Penalty(name="r1")
    with pytest.raises(
        errors.InputError,
        match="variant.penalty.name: expected a name, received none. To fix this: --set variant.penalty=NAME",
    ):
        schema.override(experiments.get("color_mnist_ns"), {"variant.penalty.weight": "1"})


def test_overrides_are_checked_together():
    texts = {"schedule.steps_per_execution": "3", "schedule.steps": "9"}
    assert schema.override(experiments.get("color_mnist_ns"), texts).schedule.steps == 9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(sead=1), "sead: unknown field; did you mean 'seed'"),
        (lambda v: v.pop("name"), "name: expected a value, received none"),
        (lambda v: v.pop("kind"), "kind: expected a value, received none; version 0.1 wrote no kind"),
        (lambda v: v.update(kind="stduy"), "kind: unknown kind of experiment 'stduy'; did you mean 'study'"),
        (lambda v: v.update(seed=True), "seed: expected an integer, received True"),
        (lambda v: v["schedule"].update(steps="9"), "schedule.steps: expected an integer, received '9'"),
        (lambda v: v["schedule"].update(stps=9), "schedule.stps: unknown field; did you mean 'steps'"),
        (lambda v: v.update(schedule=3), "schedule: expected an object, received 3"),
        (
            lambda v: v["variant"].update(penalty=[{"name": "r1"}, {"nam": 1}]),
            "variant.penalty.1.name: expected a name",
        ),
        (
            lambda v: v["variant"]["penalty"].update(noise={"a": 1}),
            "variant.penalty.noise: expected .* a text or a list",
        ),
        (lambda v: v["evaluation"].update(metrics=["scores", 1]), "evaluation.metrics.1: expected a text, received 1"),
        (lambda v: v["variant"].pop("loss"), "variant.loss: expected a value, received none"),
    ],
)
def test_reading_a_config_is_strict(change, message):
    values = schema.to_dict(experiments.get("color_mnist_dragan_ns"))
    change(values)
    with pytest.raises(errors.InputError, match=message) as caught:
        config.from_dict(values)
    assert "\n" not in str(caught.value)


def test_config_must_be_an_object():
    for values in ([], "x", None, 3):
        with pytest.raises(errors.InputError, match="config: expected an object"):
            config.from_dict(values)


def test_several_penalties():
    base = experiments.get("color_mnist_dragan_ns")
    both = base.replace(
        variant=base.variant.replace(penalty=(config.Penalty(name="r1"), config.Penalty(name="r2", weight=3.0)))
    )
    assert config.from_dict(json.loads(json.dumps(schema.to_dict(both)))) == both
    assert hash(both) == hash(config.from_dict(schema.to_dict(both)))
    assert [one.name for one in both.variant.penalties] == ["r1", "r2"]
    changed = schema.override(both, {"variant.penalty.1.weight": "7"})
    assert changed.variant.penalty[1] == config.Penalty(name="r2", weight="7")
    for path in ("variant.penalty.2.weight", "variant.penalty.weight"):
        with pytest.raises(errors.InputError, match=f"{path}: expected a number below 2"):
            schema.override(both, {path: "7"})


def test_spectral_normalization_is_described_and_stored():
    assert experiments.get("line1_hinge_sn").variant.describe() == "hinge loss, spectral normalisation"
    both = schema.override(experiments.get("cifar10_wgan"), {"variant.spectral_normalization": "true"})
    assert both.variant.describe() == "wasserstein loss, weights clipped to 0.01, spectral normalisation"
    values = json.loads(json.dumps(schema.to_dict(both)))
    assert config.from_dict(values) == both
    # The config of a run from before has no such field.
    del values["variant"]["spectral_normalization"]
    assert config.from_dict(values).variant == experiments.get("cifar10_wgan").variant


def test_each_kind_has_only_its_fields():
    study, figure = (set(schema.flat(experiments.get(name))) for name in ("line1_ns", "figure_2"))
    assert not {path.split(".")[0] for path in study} & {"data", "networks", "evaluation", "precision", "figure"}
    assert figure == {"kind", "name", "figure.name", "seed"}


def test_differences_name_the_fields():
    base = experiments.get("color_mnist_dragan_ns")
    other = schema.override(base, {"variant.penalty.weight": "5", "seed": "1"})
    assert schema.differences(base, other) == {"seed": (0, 1), "variant.penalty.weight": (10.0, "5")}


def test_the_registry_and_the_flags_need_no_tensorflow():
    code = "import sys, tfpaths.launch; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
