"""A checkpoint is restored into its own run only; other versions, devices and threads are warned about."""

import functools
import shutil

import pytest
from helpers import saving_toy as toy
from helpers import state

from tfpaths import errors, evaluate, schema
from tfpaths.networks import NETWORKS
from tfpaths.runs import build, checkpoints, identity, loading, training


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "toy"
    training.train(toy(), path)
    return path


def with_checkpoints_of(source, path, **texts):
    """A run of two steps whose checkpoints are replaced by those of another."""
    training.train(toy(schedule__steps="2", **texts), path)
    shutil.rmtree(path / "checkpoints")
    shutil.copytree(source / "checkpoints", path / "checkpoints")
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


OTHERS = {
    "seed": ({"seed": "7"}, r"seed is 0 there and 7 here"),
    "loss": ({"variant__loss": "hinge"}, r"variant\.loss\.name is 'non_saturating' there and 'hinge' here"),
    "width": (
        {"networks__generator_filters": "5"},
        r"networks\.generator_filters is 4 there and 5 here",
    ),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_runs_checkpoints_are_refused_in_every_mode(finished, tmp_path, other):
    texts, difference = OTHERS[other]
    before = with_checkpoints_of(finished, tmp_path, **texts)
    line = rf"^.*step-4: expected a checkpoint of this run, received one of another: {difference}\. To fix this: "
    for use in (
        lambda: training.train(toy(**texts), tmp_path),
        lambda: loading.load(tmp_path),
        lambda: evaluate(tmp_path, ["evaluation.metrics=ms_ssim"]),
    ):
        with pytest.raises(errors.InputError, match=line):
            use()
    assert {file: file.read_bytes() for file in before} == before


DESCRIPTIONS = ["", "5", "null", "[]", '"x"', "[" * 100_000, '{"config": 5}', '{"variables": {"generator": 5}}']
DESCRIPTIONS += ['{"versions": 5}', '{"versions": {"numpy": 2}}', '{"threads": "2"}', '{"device": ["CPU"]}']


@pytest.mark.parametrize("number", range(len(DESCRIPTIONS)))
def test_a_checkpoint_with_another_description_is_damaged(tmp_path, number, caplog):
    gan = build.build(toy(), (28, 28, 3))
    description = identity.essence(toy(), gan)
    saved = checkpoints.Checkpoints(tmp_path, gan, description=description)
    saved._config_text.text = DESCRIPTIONS[number]
    saved.save()
    with pytest.raises(checkpoints.DamagedCheckpointError, match="none of the checkpoints in .* can be read"):
        checkpoints.Checkpoints(tmp_path, gan, description=description).restore()
    assert "what it says about its run is not in the form that tfpaths writes" in caplog.text


def test_a_checkpoint_under_another_steps_name_is_refused(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    for file in (tmp_path / "run" / "checkpoints").glob("step-4.*"):
        file.rename(file.with_name(file.name.replace("step-4", "step-9")))
    with pytest.raises(errors.InputError, match=r"step-9: expected a checkpoint of step 9, received one of 4\."):
        training.train(toy(schedule__steps="12"), tmp_path / "run")


def test_changed_networks_are_not_called_damaged(finished, tmp_path, monkeypatch, caplog):
    shutil.copytree(finished, tmp_path / "run")
    family = NETWORKS["dcgan"]
    before = family.__init__

    @functools.wraps(before)
    def wider(self, **options):
        before(self, **options)
        self.generator_filters *= 2

    monkeypatch.setattr(family, "__init__", wider)
    with pytest.raises(errors.InputError, match=r"step-4: expected a checkpoint of these networks: in generator, "):
        loading.load(tmp_path / "run")
    assert "damaged" not in caplog.text


def test_length_and_evaluation_do_not_make_another_run(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    outcome = training.train(toy(schedule__steps="5", schedule__checkpoint_every="5"), tmp_path / "run")
    assert (outcome.start, outcome.step) == (4, 5)


def test_other_conditions_are_a_warning(finished, tmp_path, monkeypatch, caplog):
    shutil.copytree(finished, tmp_path / "run")
    monkeypatch.setattr(identity.results, "instructions", lambda: "sse2")
    monkeypatch.setattr(identity.devices_lib, "threads", lambda: 99)
    training.train(toy(schedule__steps="6"), tmp_path / "run")
    (warning,) = [record.getMessage() for record in caplog.records if "other conditions" in record.getMessage()]
    assert "and 99 here; instructions " in warning
    assert " there and sse2 here): the run continues, but perhaps not bit for bit" in warning
    assert state(tmp_path / "run")


def test_the_same_conditions_are_no_warning(finished, tmp_path, caplog):
    shutil.copytree(finished, tmp_path / "run")
    training.train(toy(schedule__steps="6"), tmp_path / "run")
    assert "other conditions" not in caplog.text


def test_shapes_follow_the_state():
    gan = build.build(toy(), (28, 28, 3))
    found = identity.shapes(gan)
    assert list(found) == list(gan.state)
    assert found["steps"] == [[]]
    assert found["generator"] == [list(variable.shape) for variable in gan.generator.variables]


@pytest.mark.parametrize(
    ("stored", "current", "text"),
    [
        ({"a": [[1]]}, {"a": [[1]], "b": []}, "b exists here only"),
        ({"a": [[1]], "b": []}, {"a": [[1]]}, "b exists there only"),
        ({"a": [[1], [2]]}, {"a": [[1]]}, "a has 2 variables there and 1 here"),
        ({"a": [[1], [2]]}, {"a": [[1], [3]]}, "in a, variable 1 has the shape [2] there and [3] here"),
    ],
)
def test_first_difference_of_architectures_is_named(tmp_path, stored, current, text):
    with pytest.raises(errors.InputError) as caught:
        identity.check(tmp_path / "step-1", {"variables": stored}, {"variables": current})
    assert f"networks: {text}. To fix this" in str(caught.value)


def test_a_config_of_another_version_is_refused(tmp_path):
    config = schema.to_dict(toy())
    with pytest.raises(errors.InputError, match="step-1: expected a checkpoint of this version of tfpaths: .*novelty"):
        identity.check(tmp_path / "step-1", {"config": {**config, "novelty": 1}}, {"config": config})


def test_what_a_checkpoint_lacks_is_not_compared(tmp_path):
    identity.check(tmp_path / "step-1", {}, {"config": schema.to_dict(toy()), "variables": {}})
    assert identity.changes({}, {"threads": 2, "versions": {"numpy": "2.0"}}) == ""
