"""The local engine: which processes run, what is heard of them, and how they end."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from tfpaths.sweeps.engines import ENGINES, local
from tfpaths.sweeps.engines.registry import Ended, Task

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="binds processes to cores")


def task(name, code):
    return Task(name, ("-c", textwrap.dedent(code)), pathlib.Path(name))


def run(tasks, jobs=2, heard=lambda name, line: None, stopped=lambda: False):
    engine = ENGINES.lookup("local")(jobs)
    engine.check()
    return {ended.name: ended for ended in engine.run(tasks, heard=heard, stopped=stopped)}


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in a minute"
        time.sleep(0.02)


def exists(pid):
    """Whether a process exists and is not one that has ended and waits for its parent."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_lines_and_statuses():
    lines = []
    ended = run(
        [
            task("well", "print('step 1/2'); print(); print('step 2/2', end='')"),
            task(
                "badly", "import sys; print('tfpaths: first\\ntfpaths: out of memory.', file=sys.stderr); sys.exit(3)"
            ),
        ],
        heard=lambda *heard: lines.append(heard),
    )
    assert lines == [("well", "step 1/2"), ("well", "step 2/2")]
    assert ended == {"well": Ended("well", 0, ""), "badly": Ended("badly", 3, "out of memory.")}


def test_much_output_does_not_block():
    code = "import sys\nfor stream in (sys.stdout, sys.stderr):\n    stream.write('x' * 3_000_000 + '\\n' + 'last\\n')"
    lines = []
    ended = run([task("loud", code)], heard=lambda name, line: lines.append(line))
    assert ended["loud"] == Ended("loud", 0, "last")
    assert lines[-1] == "last"


def test_at_most_so_many_at_once(tmp_path):
    # Each task notes how many run while it does.
    code = f"""
        import os, pathlib, time
        folder = pathlib.Path({str(tmp_path)!r})
        mine = folder / f"{{os.getpid()}}.running"
        mine.touch()
        time.sleep(0.3)
        print(len(list(folder.glob("*.running"))), flush=True)
        mine.unlink()
    """
    counts = []
    run([task(str(number), code) for number in range(5)], jobs=2, heard=lambda name, line: counts.append(int(line)))
    assert max(counts) <= 2
    assert len(counts) == 5


@LINUX
def test_processes_have_cores_of_their_own():
    code = "import os; print(sorted(os.sched_getaffinity(0)), os.environ['TF_NUM_INTRAOP_THREADS'])"
    # The process is bound just after its start.
    code = "import time; time.sleep(0.5)\n" + code
    ours, heard = sorted(os.sched_getaffinity(0)), {}
    run([task("a", code), task("b", code)], heard=lambda name, line: heard.update({name: line}))
    expected = [ours[0::2], ours[1::2]] if len(ours) > 1 else [ours, ours]
    assert sorted(heard.values()) == sorted(f"{cores} {len(cores)}" for cores in expected)


def test_each_process_sees_one_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    heard = {}
    code = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'], os.environ['TF_FORCE_GPU_ALLOW_GROWTH'])"
    run([task("a", code), task("b", code)], jobs=None, heard=lambda name, line: heard.update({name: line}))
    assert sorted(heard.values()) == ["4 true", "7 true"]


@pytest.mark.parametrize(("text", "names"), [("", []), ("-1", []), ("0", ["0"]), ("GPU-1, 3", ["GPU-1", "3"])])
def test_gpus_that_may_be_used(monkeypatch, text, names):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", text)
    assert local.visible_gpus() == names


def test_a_killed_process_is_started_again(tmp_path):
    # Killed at its first two starts.
    code = f"""
        import os, pathlib, signal
        count = pathlib.Path({str(tmp_path / "count")!r})
        before = len(count.read_text()) if count.exists() else 0
        count.write_text("x" * (before + 1))
        if before < 2:
            os.kill(os.getpid(), signal.SIGKILL)
    """
    assert run([task("lost", code)]) == {"lost": Ended("lost", 0, "")}
    assert (tmp_path / "count").read_text() == "xxx"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_is_killed_again_and_again(number):
    ended = run([task("lost", f"import os; os.kill(os.getpid(), {int(number)})")])["lost"]
    assert ended.status == -number
    assert ended.message.startswith(f"killed by {number.name} 3 times")
    assert ("lower --jobs" in ended.message) == (number == signal.SIGKILL)


SAVES = """
    import signal, sys, time
    def save(*_):
        print("saved", flush=True)
        sys.exit(143)
    signal.signal(signal.SIGTERM, save)
    print("ready", flush=True)
    time.sleep(600)
"""


def test_a_stop_lets_processes_save_and_starts_no_others():
    lines = []
    ended = run(
        [task("first", SAVES), task("second", SAVES), task("third", SAVES)],
        heard=lambda *heard: lines.append(heard),
        stopped=lambda: len(lines) >= 2,
    )
    assert {name: one.status for name, one in ended.items()} == {"first": 143, "second": 143}
    assert ("first", "saved") in lines
    assert ("second", "saved") in lines


@LINUX
def test_a_closed_generator_leaves_no_process(tmp_path):
    note = tmp_path / "pid"
    long = f"import os, pathlib, time; pathlib.Path({str(note)!r}).write_text(str(os.getpid())); time.sleep(600)"
    short = f"""
        import pathlib, time
        while not pathlib.Path({str(note)!r}).exists():
            time.sleep(0.02)
    """
    tasks = [task("short", short), task("long", long)]
    running = ENGINES.lookup("local")(2).run(tasks, heard=lambda name, line: None, stopped=lambda: False)
    assert next(running).name == "short"
    assert exists(int(note.read_text()))
    running.close()
    assert not exists(int(note.read_text()))


@LINUX
def test_trials_end_with_the_process_that_started_them(tmp_path):
    # A parent that starts a process as a trial's, and is killed.
    child = """
import os, time
from tfpaths import trial
trial._end_with_parent()
print(os.getpid(), flush=True)
time.sleep(600)
"""
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        assert exists(pid)
        process.kill()
        wait_for(lambda: not exists(pid))
