import dataclasses
import json
import subprocess
import sys

import pytest

from tfpaths import config, experiments

EVERY = [experiments.get(name) for name in experiments.names()]


@pytest.mark.parametrize("experiment", EVERY, ids=lambda e: e.name)
def test_json_round_trip_is_exact(experiment):
    text = json.dumps(config.to_dict(experiment))
    assert config.from_dict(json.loads(text)) == experiment


def test_the_main_experiment_is_as_long_as_promised():
    schedule = experiments.get("color_mnist_dragan_ns").schedule
    assert (schedule.steps, schedule.batch_size) == (20_000, 64)


def test_replace_makes_another_and_registering_it_needs_a_new_name():
    base = experiments.get("color_mnist_ns")
    other = dataclasses.replace(base, seed=3)
    with pytest.raises(config.InputError, match="color_mnist_ns"):
        experiments.register(other)
    assert experiments.get("color_mnist_ns") is base


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("schedule.steps", "12", 12),
        ("schedule.steps", "2e4", 20_000),
        ("variant.penalty.weight", "5", 5.0),
        ("variant.penalty.one_sided", "true", True),
        ("variant.penalty", "none", None),
        ("data.source", "embedded", "embedded"),
        ("variant.weight_clip", "0.01", 0.01),
    ],
)
def test_override_reads_the_fields_type(path, text, value):
    found = config.override(experiments.get("color_mnist_dragan_ns"), {path: text})
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("schedul.steps", "1", "did you mean 'schedule'"),
        ("schedule.step", "1", "did you mean 'steps'"),
        ("schedule.steps", "ten", "schedule.steps: expected an integer, received 'ten'"),
        ("schedule.steps", "1.5", "schedule.steps: expected an integer, received '1.5'"),
        ("schedule.steps", "0", "schedule.steps: expected a number above zero, received 0"),
        ("schedule.steps_per_execution", "3", "divisor of the 20000 steps"),
        ("variant.penalty.weight", "nan", "variant.penalty.weight: expected a number above zero"),
        ("variant.penalty.one_sided", "maybe", "expected true or false"),
        ("variant.penalty", "dragan", "expected one of its fields"),
        ("variant.penalty.weight.x", "1", "expected no field below 'weight'"),
        ("variant.penalty.noise", "gauss", "did you mean 'gaussian'"),
        ("variant.generator_optimizer.name", "adma", "did you mean 'adam'"),
        ("variant.generator_optimizer.beta_1", "1", r"expected a number in \[0, 1\)"),
        ("variant.penalty.target", "inf", "variant.penalty.target: expected a number of at least zero"),
        ("schedule.steps", "1" + "0" * 400, "schedule.steps: expected a number above zero"),
        ("name", "../x", "name: expected a-z, 0-9 and _, received '../x'"),
        ("name", "", "name: expected a-z, 0-9 and _, received ''"),
        ("seed", "-1", r"seed: expected an integer in \[0, 2\^31\)"),
        ("precision", "float16", "did you mean"),
        ("data.source", "tdfs", "did you mean 'tfds'"),
    ],
)
def test_a_wrong_override_is_one_line_that_says_what_is_right(path, text, message):
    with pytest.raises(config.InputError, match=message) as caught:
        config.override(experiments.get("color_mnist_dragan_ns"), {path: text})
    assert "\n" not in str(caught.value)


def test_a_part_that_is_missing_can_be_set():
    made = config.override(experiments.get("color_mnist_ns"), {"variant.penalty.name": "r1"})
    assert made.variant.penalty == config.Penalty(name="r1")
    with pytest.raises(config.InputError, match="variant.penalty.name: expected a value, received none"):
        config.override(experiments.get("color_mnist_ns"), {"variant.penalty.weight": "1"})


def test_overrides_are_checked_together():
    texts = {"schedule.steps_per_execution": "3", "schedule.steps": "9"}
    assert config.override(experiments.get("color_mnist_ns"), texts).schedule.steps == 9


def test_wasserstein_needs_a_constraint():
    with pytest.raises(config.InputError, match="wasserstein"):
        config.Variant(name="bare", loss="wasserstein")
    with pytest.raises(config.InputError, match="variant.loss"):
        config.override(experiments.get("color_mnist_wgan_gp"), {"variant.penalty": "none"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(sead=1), "did you mean 'seed'"),
        (lambda v: v.pop("seed"), "seed: expected a value, received none"),
        (lambda v: v.update(seed=True), "seed: expected an integer, received True"),
        (lambda v: v["schedule"].update(steps="9"), "schedule.steps: expected an integer"),
        (lambda v: v.update(schedule=3), "schedule.: expected an object"),
    ],
)
def test_reading_a_config_is_strict(change, message):
    values = config.to_dict(experiments.get("color_mnist_ns"))
    change(values)
    with pytest.raises(config.InputError, match=message):
        config.from_dict(values)


def test_differences_name_the_fields():
    base = experiments.get("color_mnist_dragan_ns")
    other = config.override(base, {"variant.penalty.weight": "5", "seed": "1"})
    assert config.differences(base, other) == {"seed": (0, 1), "variant.penalty.weight": (10.0, 5.0)}


def test_the_registry_and_the_flags_need_no_tensorflow():
    code = "import sys, tfpaths.launch; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
