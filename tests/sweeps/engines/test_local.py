"""The local engine: which processes run, what is heard of them, and how they end."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from helpers import ROOT

from tfpaths.sweeps.engines import ENGINES, local
from tfpaths.sweeps.engines.registry import Ended, Task

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: cores, /proc, and signals from the kernel")
# A task that saves on SIGTERM, as a trial does.
SAVES = """
    import os, signal, sys, time
    def save(*_):
        print("saved", flush=True)
        sys.exit(143)
    signal.signal(signal.SIGTERM, save)
    print(os.getpid(), flush=True)
    time.sleep(600)
"""
# A task that notes its start as a line of a file, and waits for another file.
WAITS = """
    import os, pathlib, sys, time
    folder = pathlib.Path({folder!r})
    print(os.getpid(), flush=True)
    while not (folder / {name!r}).exists():
        time.sleep(0.02)
"""


def task(name, code):
    return Task(name, ("-c", textwrap.dedent(code)), pathlib.Path(name))


def waits(name, folder):
    """A task that prints the number of its process and waits for the file with its name."""
    return task(name, WAITS.format(folder=str(folder), name=name))


def start(tasks, jobs=2, heard=lambda name, line: None, stopped=lambda: False):
    engine = ENGINES.lookup("local")(jobs)
    engine.check()
    return engine.run(tasks, heard=heard, stopped=stopped)


def run(*arguments, **keywords):
    return {ended.name: ended for ended in start(*arguments, **keywords)}


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


def test_a_line_is_heard_while_the_task_runs(tmp_path):
    # The task ends only after its line was heard.
    heard = []

    def hear(name, line):
        heard.append(name)
        (tmp_path / name).touch()

    assert run([waits("a", tmp_path)], heard=hear)["a"].status == 0
    assert heard == ["a"]


def test_results_come_in_the_order_of_their_ends(tmp_path):
    ends = start([waits(name, tmp_path) for name in ("a", "b", "c")], jobs=3)
    names = []
    for name in ("b", "c", "a"):
        (tmp_path / name).touch()
        names.append(next(ends).name)
    assert names == ["b", "c", "a"]


def test_at_most_jobs_at_once(tmp_path):
    # A task may end only while another runs, or as the last one.
    active, counts, started = [], [], []

    def hear(name, line):
        started.append(name)
        active.append(name)
        counts.append(len(active))
        if len(active) == 2 or len(started) == 5:
            for one in active:
                (tmp_path / one).touch()

    for ended in start([waits(str(number), tmp_path) for number in range(5)], jobs=2, heard=hear):
        active.remove(ended.name)
        if len(started) == 5:
            for one in active:
                (tmp_path / one).touch()
    assert max(counts) == 2
    assert sorted(started) == ["0", "1", "2", "3", "4"]


@LINUX
def test_processes_have_cores_of_their_own(tmp_path):
    code = "import os; print(sorted(os.sched_getaffinity(0)), os.environ['TF_NUM_INTRAOP_THREADS'])"
    ours, heard = sorted(os.sched_getaffinity(0)), {}
    run([task("a", code), task("b", code)], heard=lambda name, line: heard.update({name: line}))
    expected = [ours[0::2], ours[1::2]] if len(ours) > 1 else [ours, ours]
    assert list(dict(sorted(heard.items())).values()) == [f"{cores} {len(cores)}" for cores in expected]


def test_without_binding_tensorflow_gets_both_numbers_of_threads(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    threads = {"TF_NUM_INTRAOP_THREADS": "4", "TF_NUM_INTEROP_THREADS": "4"}
    assert local._place(0, 2, gpus=[]).variables == threads


@LINUX
def test_processes_are_no_more_than_tasks():
    code = "import os; print(len(os.sched_getaffinity(0)))"
    heard = []
    run([task("a", code)], jobs=8, heard=lambda name, line: heard.append(line))
    assert heard == [str(len(os.sched_getaffinity(0)))]


@pytest.mark.parametrize(("jobs", "shares"), [(None, False), (2, False), (4, True)])
def test_each_process_sees_one_gpu(monkeypatch, jobs, shares):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    monkeypatch.delenv("TF_FORCE_GPU_ALLOW_GROWTH", raising=False)
    heard = {}
    code = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'], os.environ.get('TF_FORCE_GPU_ALLOW_GROWTH'))"
    run([task(name, code) for name in "abcd"], jobs=jobs, heard=lambda name, line: heard.update({name: line}))
    # A process that shares its GPU must not reserve all of its memory.
    assert {"a": f"4 {'true' if shares else None}", "b": f"7 {'true' if shares else None}"}.items() <= heard.items()
    assert {line.split()[0] for line in heard.values()} == {"4", "7"}


@pytest.mark.parametrize(
    ("text", "names"), [("", []), ("-1", []), ("0", ["0"]), ("GPU-1, 3", ["GPU-1", "3"]), ("2,-1,3", ["2"])]
)
def test_gpus_that_may_be_used(monkeypatch, text, names):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", text)
    assert local.visible_gpus() == names


def test_gpus_of_the_machine(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    devices = ["nvidia10", "nvidia2", "nvidiactl", "nvidia-uvm", "nvidia0"]
    monkeypatch.setattr(pathlib.Path, "glob", lambda folder, pattern: [folder / name for name in devices])
    assert local.visible_gpus() == ["0", "2", "10"]


def test_a_killed_process_is_started_again(tmp_path):
    # From outside, at its first two starts.
    heard = []

    def hear(name, line):
        heard.append(line)
        if len([one for one in heard if one.isdigit()]) < 3:
            if line.isdigit():
                os.kill(int(line), signal.SIGKILL)
        else:
            (tmp_path / name).touch()

    assert run([waits("lost", tmp_path)], heard=hear) == {"lost": Ended("lost", 0, "")}
    assert [line for line in heard if not line.isdigit()] == [
        "killed by SIGKILL; it is started again",
        "killed by SIGKILL 2 times; it is started again",
    ]


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (signal.SIGKILL, "if the machine's memory was full, lower --jobs"),
        (signal.SIGSEGV, "check failed"),
        (signal.SIGABRT, "check failed"),
    ],
)
def test_a_process_that_is_killed_again_and_again(tmp_path, number, cause):
    code = f"""
        import os, sys
        with open({str(tmp_path / "starts")!r}, "a") as starts:
            starts.write("x")
        print("check failed", file=sys.stderr, flush=True)
        os.kill(os.getpid(), {int(number)})
    """
    assert run([task("lost", code)])["lost"] == Ended("lost", -number, f"killed by {number.name} 3 times; {cause}")
    assert (tmp_path / "starts").read_text() == "xxx"


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


def test_a_process_that_a_stop_kills_is_not_started_again(tmp_path):
    heard = []
    ended = run([waits("a", tmp_path)], heard=lambda *one: heard.append(one), stopped=lambda: bool(heard))
    assert ended == {"a": Ended("a", -signal.SIGTERM, "")}
    assert len(heard) == 1


@LINUX
def test_a_closed_generator_leaves_no_process(tmp_path):
    pids = {}
    tasks = [waits("short", tmp_path), waits("long", tmp_path)]

    def hear(name, line):
        pids[name] = int(line)
        if len(pids) == 2:
            (tmp_path / "short").touch()

    ends = start(tasks, heard=hear)
    assert next(ends).name == "short"
    assert exists(pids["long"])
    ends.close()
    assert not exists(pids["long"])


@LINUX
def test_an_error_of_the_caller_leaves_no_process():
    pids = []

    def hear(name, line):
        pids.append(int(line))
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run([task("a", SAVES)], heard=hear)
    assert not exists(pids[0])


@LINUX
def test_tasks_end_with_a_parent_that_is_killed(tmp_path):
    code = textwrap.dedent(SAVES).replace(
        'print("saved", flush=True)', f"open({str(tmp_path / 'saved')!r}, 'w').close()"
    )
    parent = f"""
        import pathlib
        from tfpaths.sweeps.engines import ENGINES
        from tfpaths.sweeps.engines.registry import Task
        task = Task("a", ("-c", {code!r}), pathlib.Path("a"))
        heard = lambda name, line: print(line, flush=True)
        list(ENGINES.lookup("local")(1).run([task], heard=heard, stopped=lambda: False))
    """
    command = [sys.executable, "-c", textwrap.dedent(parent)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        pid = int(process.stdout.readline())
        assert exists(pid)
        process.kill()
        wait_for(lambda: not exists(pid))
    assert (tmp_path / "saved").exists()


def test_a_process_of_a_task_does_not_delay_its_end():
    # It has the task's streams.
    code = """
        import subprocess, sys
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(process.pid, flush=True)
    """
    pids = []
    try:
        assert run([task("a", code)], heard=lambda name, line: pids.append(int(line))) == {"a": Ended("a", 0, "")}
        os.kill(pids[0], 0)  # It still runs.
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


def test_a_signal_of_the_terminal_does_not_reach_tasks():
    code = "import os; print(os.getpgrp() == os.getpid())"
    heard = []
    run([task("a", code)], heard=lambda name, line: heard.append(line))
    assert heard == ["True"]


def test_a_task_gets_the_environment_and_no_input(monkeypatch):
    monkeypatch.setenv("TFPATHS_OF_THE_PARENT", "here")
    heard = []
    code = "import os, sys; print(os.environ['TFPATHS_OF_THE_PARENT'], repr(sys.stdin.read()))"
    run([task("a", code)], heard=lambda name, line: heard.append(line))
    assert heard == ["here ''"]
