"""Successes above thresholds, counted by hand, and a sweep of random architectures that ends with the table."""

import collections
import json

import pytest

from tfpaths import errors, experiments, kinds, schema, space
from tfpaths import trial as trial_lib
from tfpaths.runs import report
from tfpaths.runs.directory import RunDirectory
from tfpaths.runs.rows import read_rows
from tfpaths.sweeps import plan, runner, scores, successes
from tfpaths.sweeps.engines.registry import Ended
from tfpaths.sweeps.kind import KIND

SWEEP = experiments.get("robustness_architectures")
NS, GAN_GP, DRAGAN_NS, WGAN_GP = (one.name for one in SWEEP.experiments)
SCORES = {
    NS: [1.0, 2.0, 3.0, 4.0, 1.5, None],
    GAN_GP: [1.0, 3.5, 2.5, 4.5, 3.5, 2.1],
}


@pytest.fixture
def planted():
    """A sweep of two experiments with six settings, of which the first experiment failed at one, and its rows."""
    sweep = KIND.changed(SWEEP, [f"experiments={NS},{GAN_GP}", "thresholds=2,3", "trials=6"])
    rows = [
        {"step": 1, "trial": trial, "experiment": name, "status": "failed" if score is None else "finished"}
        | ({} if score is None else {"classifier_score": score})
        for name, values in SCORES.items()
        for trial, score in enumerate(values)
    ]
    return sweep, rows


def test_counts_by_hand(planted):
    above_two, above_three = successes.counted(*planted)
    # NS is above 2 at the settings 2 and 3 (2.0 is not above 2), GAN-GP at all but the first.
    assert {name: (one.count, one.trials) for name, one in above_two.shares.items()} == {NS: (2, 6), GAN_GP: (5, 6)}
    pair = above_two.pairs[NS, GAN_GP]
    assert (pair.only_first, pair.only_second, pair.both, pair.neither) == (0, 3, 2, 1)
    assert pair.p == pytest.approx(2 / 2**3)
    # Above 3: NS at 3; GAN-GP at 1, 3 and 4.
    pair = above_three.pairs[NS, GAN_GP]
    assert (pair.only_first, pair.only_second, pair.both, pair.neither) == (0, 2, 1, 3)
    assert pair.p == pytest.approx(2 / 2**2)
    # Holm: 0.25 twice, and 0.5 is not below that.
    assert above_two.adjusted[NS, GAN_GP] == pytest.approx(0.5)
    assert above_three.adjusted[NS, GAN_GP] == pytest.approx(0.5)


def test_nan_is_no_success_and_inception_score_comes_first(planted):
    sweep, rows = planted
    rows = [{**row, "inception_score": float("nan") if row["trial"] else 9.0} for row in rows]
    assert [one.count for one in successes.counted(sweep, rows)[0].shares.values()] == [1, 1]


def test_numbers_rows_and_finding(planted, tmp_path):
    sweep, rows = planted
    drawn = scores.drawn(sweep, rows, tmp_path)
    start = f"{GAN_GP}_against_{NS}_above_2"
    found = [
        drawn.metrics[f"{start}_{what}"]
        for what in ("only_compared_with", "only_experiment", "both", "neither", "p_holm")
    ]
    assert found == [0, 3, 2, 1, pytest.approx(0.5)]
    # Clopper and Pearson: the share whose P(at least 5 of 6) is 0.025.
    low = drawn.metrics[f"{GAN_GP}_above_2_low"]
    assert 6 * low**5 * (1 - low) + low**6 == pytest.approx(0.025)
    (row,) = [row for row in drawn.rows if row.get("compared_with") == NS and row["threshold"] == 2.0]
    assert (row["experiment"], row["only_experiment"], row["neither"]) == (GAN_GP, 3, 1)
    assert "\nClassifier score above 2 (95 % interval): NS-GAN 2 of 6 (4 to 78 %), GAN-GP 5 of 6" in drawn.finding
    assert "Only NS-GAN 0, only GAN-GP 3, both 2, neither 1 (p = 0.25, 0.5 by Holm)." in drawn.finding


def test_sweeps_without_thresholds_or_scores(planted, tmp_path):
    sweep, rows = planted
    assert "above" not in scores.drawn(sweep.replace(thresholds=()), rows, tmp_path).finding
    rows = [{name: value for name, value in row.items() if name != "classifier_score"} for row in rows]
    assert scores.drawn(sweep, rows, tmp_path).finding.endswith("No trial has a classifier score to compare with the "
                                                                "thresholds.")  # fmt: skip


def test_a_draw_is_a_function_of_seed_and_trial_and_the_same_for_every_variant():
    sweep = plan.complete(SWEEP)
    settings = collections.defaultdict(dict)
    for job in plan.jobs(sweep):
        for trial, fields in zip(job.trials, job.settings, strict=True):
            settings[trial][job.experiment] = fields
            drawn = space.setting(SWEEP.space, trial, seed=0)
            assert dict(fields) == drawn
            flat = schema.flat(job.config)
            assert {path: flat[path] for path in drawn} == drawn
    assert set(settings) == set(range(50))
    assert all(set(of_trial) == {NS, GAN_GP, DRAGAN_NS, WGAN_GP} for of_trial in settings.values())
    assert space.setting(SWEEP.space, 7, seed=1) != space.setting(SWEEP.space, 7, seed=0)
    # Of 50 draws, every value of every axis has some.
    for axis in SWEEP.space:
        assert {of_trial[NS][axis.paths[0]] for of_trial in settings.values()} == {value for (value,) in axis.values}


def test_a_penalised_discriminator_has_layer_normalisation():
    found = {one.name: one.networks.options["discriminator_normalization"] for one in SWEEP.experiments}
    assert found == {NS: "batch", GAN_GP: "layer", DRAGAN_NS: "layer", WGAN_GP: "layer"}
    same = [one.variant.replace(name="x", penalty=None) for one in SWEEP.experiments[:3]]
    assert same[0] == same[1] == same[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("thresholds=3,2", "^thresholds: expected finite numbers in ascending order"),
        ("thresholds=1,1", "^thresholds: expected finite numbers in ascending order"),
        ("thresholds=inf", "^thresholds: expected finite numbers in ascending order"),
        ("thresholds=many", "^thresholds: expected a number, received 'many'"),
    ],
)
def test_invalid_thresholds(change, message):
    with pytest.raises(errors.InputError, match=message):
        KIND.changed(SWEEP, [change])


def test_thresholds_of_studies_are_refused(toy):
    with pytest.raises(errors.InputError, match="thresholds: expected none for studies"):
        toy().replace(thresholds=(1.0,))


@pytest.mark.parametrize(
    ("name", "metrics", "message"),
    [
        ("architectures_ns", "none", "received architectures_ns with evaluation.metrics=none. To fix this: --set eval"),
        ("architectures_ns", "ms_ssim,modes", "received architectures_ns with evaluation.metrics=ms_ssim,modes. To"),
        ("mog_ns", "auto", "received mog_ns; mog has no feature extractor.$"),
    ],
)
def test_thresholds_without_scores_are_refused(name, metrics, message, tmp_path):
    base = SWEEP.experiments[0] if name == "architectures_ns" else experiments.get(name)
    experiment = schema.override(base, {"evaluation.metrics": metrics})
    sweep = SWEEP.replace(experiments=(experiment,), space=(space.parse("networks.latent_dim=2,3"),), trials=None)
    with pytest.raises(errors.InputError, match=f"^thresholds: expected experiments that measure scores, {message}"):
        runner.run(sweep, tmp_path / "run", kinds.Settings())
    assert not (tmp_path / "run").exists()
    plan.complete(sweep.replace(thresholds=()))


# Four runs are trained in this process, and the score is put into their rows, so that no classifier is trained.
def test_a_sweep_ends_with_the_table_and_thresholds_may_change(pretender, tmp_path, monkeypatch):
    texts = [
        *(f"experiments={NS},{GAN_GP}", "trials=2", "thresholds=2", "data=color_mnist", "data.source=embedded"),
        *("schedule.steps=2", "schedule.log_every=1", "schedule.batch_size=4", "schedule.sample_every=2"),
        *("evaluation.metrics=ms_ssim", "evaluation.samples=8", "networks.latent_dim=4"),
    ]
    sweep = KIND.changed(SWEEP, texts)
    axes = {
        "networks.generator_filters": ((2,), (3,)),
        "networks.discriminator_filters": ((2,), (3,)),
        "networks.generator_depth": ((3,), (4,)),
        "networks.discriminator_depth": ((3,), (4,)),
    }
    sweep = sweep.replace(
        space=tuple(axis.replace(values=axes.get(axis.paths[0], axis.values)) for axis in sweep.space)
    )
    add = runner.Ledger.add

    def with_score(self, job, directory, **kwargs):
        results = RunDirectory(directory).results
        content = json.loads(results.read_text())
        content["metrics"]["classifier_score"] = 3.0 if job.experiment == GAN_GP else 1.0
        results.write_text(json.dumps(content))
        add(self, job, directory, **kwargs)

    monkeypatch.setattr(runner.Ledger, "add", with_score)
    monkeypatch.setattr(plan, "_check_scores", lambda experiment: None)
    pretender.before = lambda task: Ended(task.name, trial_lib.main(task.arguments[2:]), "")
    outcome = runner.run(sweep, tmp_path / "run", kinds.Settings())
    assert {row["status"] for row in read_rows(tmp_path / "run" / "trials.jsonl")} == {"finished"}
    start = f"{GAN_GP}_against_{NS}_above"
    assert "Only NS-GAN 0, only GAN-GP 2, both 0, neither 0 (p = 0.5" in outcome.finding
    assert json.loads((tmp_path / "run" / "results.json").read_text())["metrics"][f"{start}_2_only_experiment"] == 2
    report.write([str(tmp_path / "run")], str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text()
    assert "settings with a classifier score above a threshold" in page
    assert "2 of 2 (15.8 to 100.0 %)" in page  # 0.025^(1/2)
    # Other thresholds train nothing.
    monkeypatch.setattr(runner.Ledger, "add", None)
    runner.run(sweep.replace(thresholds=(0.5, 3.5)), tmp_path / "run", kinds.Settings())
    metrics = json.loads((tmp_path / "run" / "results.json").read_text())["metrics"]
    assert (metrics[f"{start}_0.5_both"], metrics[f"{start}_3.5_neither"]) == (2, 2)
