"""Running a sweep: rows and results, what is missing, what failed, what was lost, and several processes."""

import json
import shutil

import numpy as np
import pytest

from tfpaths import config, errors, experiments, kinds, schema, space, trial
from tfpaths.lines import statistics, study
from tfpaths.runs.directory import RunDirectory
from tfpaths.runs.rows import read_rows
from tfpaths.sweeps import ledger, plan, runner
from tfpaths.sweeps.engines.registry import Ended

RATE = "variant.generator_optimizer.learning_rate"
RATES = space.Range(paths=(RATE,), scale="log", low=1e-3, high=1e-1)


def run(sweep, path, **settings):
    return runner.run(sweep, path, kinds.Settings(**settings))


def trials(path):
    return read_rows(path / "trials.jsonl")


def test_rows_results_and_picture(toy, pretender, tmp_path):
    outcome = run(toy(trials=5, confirmed=3), tmp_path)
    assert (outcome.trials, outcome.ended, outcome.stopped_by) == (10, 10, None)
    rows = trials(tmp_path)
    assert [(row["experiment"], row["trial"]) for row in rows] == [
        (name, trial) for name in ("line1_ns", "line1_gan_gp") for trial in range(5)
    ]
    # Each row is what the statistics of its study's rows say about its run.
    row = rows[3]
    job = RunDirectory(tmp_path / "trials" / row["job"])
    config = job.stored()
    place = [float(value) for value in config.settings[0].values].index(row[RATE])
    expected = statistics.outcomes(read_rows(job.metrics), config.study.runs)[place]
    assert {name: row[name] for name in expected} == expected
    assert row["study.width"] == config.study.width
    stored = json.loads((tmp_path / "results.json").read_text())
    finals = [row["final"] for row in rows[:5]]
    assert stored["metrics"]["line1_ns_final_median"] == pytest.approx(np.median(finals))
    assert stored["metrics"]["line1_ns_best_runs"] == 3
    assert stored["finding"] == outcome.finding
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert "results.json" in outcome.message("the command")


def test_a_finished_sweep_trains_nothing_and_more_trials_are_added(toy, pretender, tmp_path):
    run(toy(trials=3), tmp_path)
    before, first = trials(tmp_path), list(pretender.started)
    run(toy(trials=3), tmp_path)
    assert pretender.started == first
    run(toy(trials=6), tmp_path)
    after = trials(tmp_path)
    assert len(after) == 12
    for row in before:
        again = next(one for one in after if (one["experiment"], one["trial"]) == (row["experiment"], row["trial"]))
        assert again == pytest.approx(row)


def test_a_trial_is_trained_by_the_command_of_its_task(toy, pretender, tmp_path):
    # Truly trained, in this process: each run of the job is that of a study with its setting.
    pretender.before = lambda task: Ended(task.name, trial.main(task.arguments[2:]), "")
    run(toy(names=("line1_gan_gp",), trials=2, axes=(RATES,), study__depth="1"), tmp_path)
    (job,) = {row["job"] for row in trials(tmp_path)}
    directory = RunDirectory(tmp_path / "trials" / job)
    ends = [row["squared_distance"] for row in read_rows(directory.metrics) if row["step"] == 4]
    value = directory.stored()
    for number, row in enumerate(trials(tmp_path)):
        alone = schema.override(value.replace(settings=()), {RATE: repr(row[RATE])})
        block = study.build(alone, 2)
        block.reset(0)
        assert block.advance(4).distance[number] == np.float32(ends[number])
        assert row["final"] == pytest.approx(ends[number] / row["initial"])


def test_a_failed_trial_is_a_result(toy, pretender, tmp_path):
    pretender.before = lambda task: (
        Ended(task.name, 3, "out of memory.") if task.name == "line1_ns-study.width=8" else None
    )
    outcome = run(toy(), tmp_path)
    assert outcome.finding is not None
    failed = [row for row in trials(tmp_path) if row["status"] == "failed"]
    assert {(row["job"], row["why"]) for row in failed} == {("line1_ns-study.width=8", "out of memory.")}
    assert len(failed) < 4
    assert all("final" not in row for row in failed)
    # A failed trial does not succeed: the share is over all four.
    metrics = json.loads((tmp_path / "results.json").read_text())["metrics"]
    assert metrics["line1_ns_trials"] == 4
    assert metrics["line1_ns_not_finite_share"] == len(failed) / 4
    pretender.before = lambda task: pytest.fail("A failed trial is not trained again.")
    run(toy(), tmp_path)


@pytest.mark.parametrize("status", [1, 2, -9])
def test_a_lost_job_is_trained_by_the_next_call(toy, pretender, tmp_path, status):
    pretender.before = lambda task: Ended(task.name, status, "lost") if "gp-study.width=8" in task.name else None
    with pytest.raises(errors.RunError, match=r"1 job did not finish \(line1_gan_gp-study.width=8: lost\)"):
        run(toy(), tmp_path)
    assert not (tmp_path / "results.json").exists()
    done = trials(tmp_path)
    pretender.started.clear()
    pretender.before = lambda task: None
    run(toy(), tmp_path)
    assert pretender.started == ["line1_gan_gp-study.width=8"]
    assert len(trials(tmp_path)) == 8 > len(done)


def test_shards_share_the_jobs(toy, pretender, tmp_path):
    started = []
    for shard in ("0/2", "1/2"):
        outcome = run(toy(), tmp_path, shard=shard)
        started.append(list(pretender.started))
        pretender.started.clear()
    assert sorted(started[0] + started[1]) == sorted({row["job"] for row in trials(tmp_path)})
    assert all(started)
    # The last shard finds that nothing is missing.
    assert outcome.finding is not None


def test_one_process_for_a_shard(toy, pretender, tmp_path):
    pretender.before = lambda task: inner(task)

    def inner(task):
        pretender.before = lambda task: None
        with pytest.raises(errors.InputError, match="another process trains 0/2"):
            run(toy(), tmp_path, shard="0/2")
        with pytest.raises(errors.InputError, match="another process trains a shard"):
            run(toy(), tmp_path)

    run(toy(), tmp_path, shard="0/2")


def test_two_sweeps_in_one_directory_are_refused(toy, pretender, tmp_path):
    run(toy(), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for other in (toy(names=("line1_ns",)), toy(study__depth="1"), toy().replace(seed=3)):
        with pytest.raises(errors.InputError, match="holds another experiment"):
            run(other, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_training_runs_have_their_results_as_values(toy, pretender, tmp_path, tiny_run, monkeypatch):
    from tfpaths.runs.results import read_results

    def trained(task):
        # As if the job had been trained: training is tested elsewhere.
        shutil.copy(tiny_run / "results.json", task.directory / "results.json")
        return Ended(task.name, 0, "")

    pretender.before = trained
    experiment = RunDirectory(tiny_run).stored()
    axes = (space.parse(f"{RATE}=1e-4,1e-3"),)
    outcome = run(config.Sweep(name="rates", experiments=(experiment,), space=axes), tmp_path)
    expected = read_results(tiny_run / "results.json")["metrics"]
    rows = trials(tmp_path)
    assert [row[RATE] for row in rows] == [1e-4, 1e-3]
    for row in rows:
        assert {name: row[name] for name in expected} == expected
    assert "2 settings, none failed" in outcome.finding


def test_another_best_setting_is_confirmed_in_another_directory(toy, pretender, tmp_path):
    sweep = toy(names=("line1_ns",), trials=2, confirmed=3)
    run(sweep, tmp_path)
    first = json.loads((tmp_path / "results.json").read_text())["metrics"]
    # More trials have a better one; its new runs are not taken for those of the first one.
    run(sweep.replace(trials=30), tmp_path)
    rows = trials(tmp_path)
    best = min(rows, key=lambda row: row["final"])["trial"]
    assert best >= 2
    names = {path.name for path in (tmp_path / "trials").glob("*-best-*")}
    assert names == {plan.confirmation("line1_ns", min(rows[:2], key=lambda row: row["final"])["trial"]),
                     plan.confirmation("line1_ns", best)}  # fmt: skip
    expected = json.loads((tmp_path / "trials" / plan.confirmation("line1_ns", best) / "results.json").read_text())
    metrics = json.loads((tmp_path / "results.json").read_text())["metrics"]
    assert metrics["line1_ns_best_distance_mean"] == expected["metrics"]["distance_mean"]
    assert metrics["line1_ns_best_distance_mean"] != first["line1_ns_best_distance_mean"]


def test_a_finished_job_without_results_is_not_a_result(toy, pretender, tmp_path, tiny_run):
    experiment = RunDirectory(tiny_run).stored()
    sweep = config.Sweep(name="rates", experiments=(experiment,), space=(space.parse(f"{RATE}=1e-4,1e-3"),))
    pretender.before = lambda task: Ended(task.name, 0, "")
    with pytest.raises(errors.RunError, match="results.json is missing or not valid"):
        run(sweep, tmp_path)
    assert trials(tmp_path) == []


def test_an_error_in_the_users_code_is_not_a_result(toy, pretender, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise ZeroDivisionError("a bug")

    pretender.before = lambda task: Ended(task.name, trial.main(task.arguments[2:]), "")
    monkeypatch.setattr(study, "run", fail)
    with pytest.raises(errors.RunError, match="did not finish"):
        run(toy(), tmp_path)
    assert trials(tmp_path) == []


def test_a_shard_says_who_trains_the_rest(toy, pretender, tmp_path):
    message = run(toy(), tmp_path, shard="0/2").message("the command")
    assert message.endswith("trials have ended and are kept. The other shards than 0/2 train the rest.")


def test_the_ledger_keeps_the_rows_of_other_processes(toy, tmp_path):
    first, second, *others = plan.jobs(plan.complete(toy()))
    one, other = ledger.Ledger(tmp_path), ledger.Ledger(tmp_path)
    for book, job in ((one, first), (other, second), (one, first)):
        book.add(job, tmp_path, why="out of memory.")
    assert [row["trial"] for row in one.rows] == [*first.trials, *second.trials]
    assert ledger.missing([first, second, *others], one.rows) == others


def test_a_row_after_an_incomplete_one_is_whole(toy, tmp_path):
    first, second, *_ = plan.jobs(plan.complete(toy()))
    book = ledger.Ledger(tmp_path)
    book.add(first, tmp_path, why="out of memory.")
    with open(tmp_path / "trials.jsonl", "a") as file:
        file.write('{"step": 4, "tri')  # A process was killed here.
    book.add(second, tmp_path, why="out of memory.")
    assert [row["trial"] for row in book.rows] == [*first.trials, *second.trials]


def test_a_trial_finds_the_source_of_its_data_itself(tmp_path):
    toy_ = {"networks.width": "2", "schedule.steps": "2", "schedule.batch_size": "8", "evaluation.metrics": "none"}
    one = schema.override(experiments.get("mog_ns"), toy_)
    assert one.data.source == "auto"
    directory = RunDirectory(tmp_path)
    directory.write_config(kinds.of(one).complete(one))
    assert trial.main([f"--directory={tmp_path}"]) == 0
    assert directory.stored().data.source == "drawn"
    # A finished trial is left as it is.
    assert trial.main([f"--directory={tmp_path}"]) == 0
