"""A signal ends a run after the current step, and only a run in the main thread."""

import concurrent.futures
import signal

import pytest
from helpers import assert_same_run
from helpers import saving_toy as toy

from tfpaths.runs import callbacks, distribution, signals, training


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "toy"
    training.train(toy(), path)
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_and_the_run_resumes(finished, tmp_path, number, monkeypatch, capfd):
    act = callbacks.Rows.act

    def acting(self, step, logs):
        act(self, step, logs)
        if step == 3:
            signal.raise_signal(number)

    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(callbacks.Rows, "act", acting)
        run = training.train(toy(), tmp_path)
    assert signal.getsignal(number) is before
    assert (run.step, run.stopped_by) == (3, number)
    assert not (tmp_path / "results.json").exists()
    message = run.message("python -m tfpaths.launch --exp=toy")
    assert (
        f"Stopped by {number.name} at step 3, and saved. To continue:\n  python -m tfpaths.launch --exp=toy" in message
    )
    assert "results" not in message
    assert "Stopping after this step" in capfd.readouterr().err
    training.train(toy(), tmp_path)
    assert_same_run(finished, tmp_path)


def test_another_thread_leaves_the_handlers_as_they_are():
    def handler():
        with signals.StopOnSignal():
            return signal.getsignal(signal.SIGINT)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        assert pool.submit(handler).result() is signal.getsignal(signal.SIGINT)


@pytest.mark.parametrize(("executed", "agreements"), [(1, 12), (3, 4)])
def test_workers_agree_once_an_execution(executed, agreements, tmp_path, monkeypatch):
    # With several workers, each agreement is a sum over them.
    asked = []
    monkeypatch.setattr(distribution, "any_worker", lambda flag, strategy: asked.append(flag) or flag)
    wanted = {"steps": 12, "steps_per_execution": executed, "log_every": 12, "sample_every": 12, "checkpoint_every": 12}
    training.train(toy(**{f"schedule__{name}": str(value) for name, value in wanted.items()}), tmp_path)
    # The first compares the experiments of the workers.
    assert asked == [False] * (1 + agreements)
