"""Studies: rows and results, resuming, and refusals."""

import itertools
import json
import pathlib
import shutil

import numpy as np
import pytest
from helpers import registered

from tfpaths import config, errors, schema
from tfpaths.games import GAMES
from tfpaths.gan import GAN
from tfpaths.lines import study
from tfpaths.runs import results
from tfpaths.runs.rows import read_rows


@pytest.fixture(scope="module")
def run(small):
    """Trains five runs of six steps."""

    def trained(path, **texts):
        toy = {"schedule__steps": "6", "schedule__log_every": "2", "study__runs": "5", "study__block": "2"}
        toy |= {"study__depth": "1"}  # One layer less to compile; `test_ensemble.py` has two.
        return study.run(small(**(toy | texts)), path)

    return trained


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory):
    """The outcome of five runs of six steps, read-only."""
    return run(tmp_path_factory.mktemp("studies") / "whole")


@pytest.fixture
def copy(whole, tmp_path):
    """A copy of the directory of five runs of six steps."""
    return pathlib.Path(shutil.copytree(whole.directory.path, tmp_path / "copy"))


def rows(path):
    return read_rows(path / "metrics.jsonl")


def test_rows_and_results(whole):
    path = whole.directory.path
    assert (whole.done, whole.finished, whole.stopped_by) == (5, True, None)
    made = rows(path)
    assert [(row["run"], row["step"]) for row in made] == list(itertools.product(range(5), (0, 2, 4, 6)))
    stored = results.read_results(path / "results.json")
    ends = [row["squared_distance"] for row in made if row["step"] == 6]
    assert stored["metrics"]["distance_mean"] == pytest.approx(np.mean(ends))
    assert stored["metrics"]["distance_median"] == pytest.approx(np.median(ends))
    half = 1.96 * np.std(ends, ddof=1) / 5**0.5
    assert stored["metrics"]["distance_mean_high"] == pytest.approx(np.mean(ends) + half)
    assert stored["made"]["device"] == "CPU"
    assert stored["protocol"] == {
        "data": "line",
        "data_source": "drawn",
        "batch_size": 32,
        "precision": "float32",
        "activation": "leaky_relu",
        "failed_above": 0.1,
        "dimension": 3,
        "latents": 1,
        "runs": 5,
        "start": "random",
        "width": 16,
        "depth": 1,
        "generator_scale": 1.0,
        "discriminator_scale": 1.0,
        "players": False,
    }
    message = whole.message("the command")
    assert message.startswith("Finished 5 runs.\n")
    assert str(path / "results.json") in message


def test_the_stored_config_is_complete(whole):
    stored = json.loads(whole.directory.config.read_text())
    assert (stored["kind"], stored["variant"]["generator_optimizer"]["beta_1"]) == ("study", 0.5)


def test_block_size_does_not_change_the_runs(run, whole, tmp_path):
    run(tmp_path, study__block="5")
    for one, other in zip(rows(whole.directory.path), rows(tmp_path), strict=True):
        assert one == pytest.approx(other, rel=1e-4)


def test_cores_share_the_runs(run, whole, tmp_path, monkeypatch):
    # Two blocks at once need separate blocks; one of them trains the fifth run too.
    built, build = [], study.build.__wrapped__
    monkeypatch.setattr(study, "build", lambda *args: built.append(build(*args)) or built[-1])
    monkeypatch.setattr(study, "cores", lambda: 2)
    run(tmp_path)
    assert [block.runs for block in built] == [2, 2]
    for one, other in zip(rows(whole.directory.path), rows(tmp_path), strict=True):
        assert one == pytest.approx(other, rel=1e-4)


def test_more_runs_are_added(run, whole, tmp_path):
    run(tmp_path, study__runs="3")
    before = rows(tmp_path)
    run(tmp_path)
    after = rows(tmp_path)
    assert after[: len(before)] == before
    for one, other in zip(after, rows(whole.directory.path), strict=True):
        assert one == pytest.approx(other, rel=1e-4)


# 14 is in the middle of run 3, 16 the first row of run 4; a cut at -1 removes the end of the last row.
@pytest.mark.parametrize(("line", "cut"), [(14, 20), (16, 20), (16, 0), (19, -1)])
def test_interrupted_runs_are_trained_again(run, line, cut, copy):
    lines = (copy / "metrics.jsonl").read_text().splitlines(keepends=True)
    (copy / "metrics.jsonl").write_text("".join(lines[:line]) + lines[line][:cut])
    run(copy)
    for one, other in zip(rows(copy), map(json.loads, lines), strict=True):
        assert one == pytest.approx(other, rel=1e-4)


def test_a_stopped_study_says_how_to_continue(tmp_path):
    outcome = study.Outcome(study.RunDirectory(tmp_path), 3, False, study.signal.SIGINT)
    message = outcome.message("python -m tfpaths.launch --exp=line1_ns")
    assert message == (
        "Stopped by SIGINT after 3 runs, which are kept. The same command continues:\n"
        "  python -m tfpaths.launch --exp=line1_ns"
    )


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"networks__latent_dim": "3"}, "networks.latent_dim: unknown field 'networks'"),
        ({"study__dimension": "1"}, "study.dimension: expected at least 2, received 1"),
        ({"study__start": "paralel"}, "study.start: expected one of random, parallel, .* did you mean 'parallel'"),
        ({"schedule__restarts": "1"}, "schedule.restarts: unknown field 'restarts'"),
    ],
)
def test_invalid_fields_are_refused(small, texts, message):
    with pytest.raises(errors.InputError, match=message):
        small(**texts)


def test_invalid_option_writes_nothing(small, tmp_path):
    value = small("line1_gan_gp", variant__penalty__weigth="3")
    with pytest.raises(errors.InputError, match=r"variant.penalty.weigth: .* did you mean 'weight'"):
        study.run(value, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_another_study_is_refused(run, copy):
    before = (copy / "config.json").read_text()
    with pytest.raises(errors.InputError, match=r"schedule.steps=6 .* received 8"):
        run(copy, schedule__steps="8")
    with pytest.raises(errors.InputError, match=r"schedule.log_every=2; .* received 6 and 3"):
        run(copy, schedule__log_every="3")
    with pytest.raises(errors.InputError, match="holds another experiment: study.width"):
        run(copy, study__width="8")
    assert (copy / "config.json").read_text() == before


@pytest.mark.parametrize("variant", ["kl_wgan", "hinge_sn"])
def test_variants_with_spectral_normalization_train(variant, small, tmp_path):
    toy = {"schedule__steps": "6", "schedule__log_every": "6", "study__runs": "4", "study__block": "2"}
    toy |= {"study__depth": "1"}
    assert study.run(small(f"line1_{variant}", **toy), tmp_path).finished
    start, end = ([row["squared_distance"] for row in rows(tmp_path) if row["step"] == step] for step in (0, 6))
    assert np.abs(np.subtract(start, end)).min() > 1e-4
    # Runs 1 and 2, which the study trained in two blocks, in one block of the same size.
    block = study.build(config.from_dict(json.loads((tmp_path / "config.json").read_text())), 2)
    block.reset(1)
    np.testing.assert_array_equal(block.advance(6).distance, np.float32(end[1:3]))


def test_study_uses_the_variants_game(small):
    class Patient(GAN):
        def __init__(self, *args, patience: schema.PositiveInt = 2, **kwargs):
            super().__init__(*args, **kwargs)
            self.patience = patience

    with registered(GAMES, "patient", Patient):
        gan = study.build(small(variant__game__name="patient", variant__game__patience="3", seed="4"), 2).gan
    assert type(gan) is Patient
    assert (gan.patience, gan.runs, gan.seed) == (3, 2, 4)
