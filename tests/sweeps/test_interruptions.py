"""A sweep whose processes are killed loses nothing, and its trials are those of single runs, bit for bit."""

import os
import pathlib
import signal
import sys
import time

import pytest
import ready
from helpers import ROOT, assert_same_state, finish, start, wait_for
from helpers import toy_command as command

from tfpaths.runs import results, rows

RATE = "variant.generator_optimizer.learning_rate"
LENGTH = {"schedule__steps": "40", "schedule__checkpoint_every": "4"}


def swept(workdir):
    return [*command(workdir, **LENGTH), f"--sweep={RATE}=1e-3,1e-2", "--jobs=2"]


def processes(directory):
    """The processes of a run directory's trial."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if f"--directory={directory}".encode() in words and state != "Z":
                found.append(int(entry.name))
    return found


def until(condition, process):
    end = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < end, "nothing happened in four minutes"
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_killed_trials_and_a_killed_driver_lose_nothing(tmp_path):
    sweep = tmp_path / "sweep"
    trials = [sweep / "trials" / f"color_mnist_dragan_ns-{number:05d}" for number in range(2)]
    process = start(swept(sweep))
    wait_for(trials[0] / "checkpoints" / "step-4.index", process)
    (first,) = processes(trials[0])
    os.kill(first, signal.SIGKILL)
    # The engine starts it again; the other one has not noticed.
    until(lambda: processes(trials[0]) not in ([], [first]), process)
    process.kill()
    process.communicate()
    # Linux tells the trials that the driver has ended: they save and end.
    end = time.monotonic() + 120
    while any(processes(trial) for trial in trials) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(processes(trial) for trial in trials)
    finish(swept(sweep))
    found = rows.read_rows(sweep / "trials.jsonl")
    assert [(row["trial"], row["status"], row["step"]) for row in found] == [(0, "finished", 40), (1, "finished", 40)]
    single = {**LENGTH, RATE.replace(".", "__"): "1e-2"}
    # With as many threads as each of two jobs has.
    env = os.environ | {"PYTHONPATH": str(ROOT), "TF_NUM_INTRAOP_THREADS": str(max(1, results.cores() // 2))}
    process = ready.start(command(tmp_path / "alone", **single), cwd=ROOT, env=env)
    _, err = process.communicate(timeout=400)
    assert process.returncode == 0, err
    assert_same_state(tmp_path / "alone", trials[1])
