"""Every mode ends with the true cause, the right exit status, and the traceback in `error.log`."""

import json
import os
import pathlib
import pty
import re
import select
import shlex
import signal
import subprocess
import sys

import pytest
import ready
import tensorflow as tf
from helpers import ROOT, finish, launch
from helpers import saving_toy as toy
from helpers import toy_command as command

from tfpaths import errors, failures, files
from tfpaths.runs import training


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "toy"
    training.train(toy(schedule__steps="2"), path)
    return path


PACKAGE, INSTALLED = ROOT / "tfpaths" / "gan.py", pathlib.Path(tf.__file__)


def raised_in(path, body, value=None):
    """The error of a line of code that uses `value`, as if the line were in the file at `path`."""
    names = {}
    exec(compile(f"import pathlib\ndef use(value):\n    {body}\n", str(path), "exec"), names)
    try:
        names["use"](value)
    except Exception as error:
        return error.with_traceback(error.__traceback__.tb_next)


def reported(error, *workdirs, capsys, **options):
    """The exit status and the lines of an error of this package."""
    if error.__traceback__ is None:
        error = raised_in(PACKAGE, "raise value", error)
    status = failures.report(error, list(map(str, workdirs)), **options)
    out, err = capsys.readouterr()
    assert out == ""
    return status, err.splitlines()


@pytest.fixture
def run(tmp_path):
    files.write_json(tmp_path / "run" / "config.json", {})
    return tmp_path / "run"


# Error -> exit status, and the line before the log's name.
LINES = {
    "invalid": (errors.InputError("--seed: expected 1."), 2, "--seed: expected 1."),
    "outside": (errors.RunError("the disk is full."), 1, "the disk is full. Details: LOG"),
    "final": (errors.FinalError("NaN."), 3, "NaN. Details: LOG"),
    "disk": (OSError(28, "No space left on device", "a.png"), 1, "a.png: No space left on device. Details: LOG"),
    "memory": (MemoryError(), 3, r"out of memory\. To fix this: lower --batch_size, .* Details: LOG"),
    "tensorflow": (
        tf.errors.DataLossError(None, None, "Checksum does not match"),
        1,
        r"Checksum does not match \(DataLossError\)\. Details: LOG",
    ),
    "control characters": (errors.RunError("a\x1b[31m"), 1, r"a\\x1b\[31m\. Details: LOG"),
}


@pytest.mark.parametrize("name", LINES)
def test_known_causes_are_one_line(name, run, capsys):
    error, expected, text = LINES[name]
    status, lines = reported(error, run, capsys=capsys)
    log = run / "error.log"
    assert status == expected
    assert len(lines) == 1, lines
    assert re.fullmatch(f"tfpaths: {text}".replace("LOG", re.escape(str(log))), lines[0]), lines
    assert log.exists() == (name != "invalid")
    if log.exists():
        content = log.read_text()
        assert content.rstrip().endswith(f"{error!s}".rstrip()), content
        assert "Traceback (most recent call last):" in content
        assert "command: python" in content


@pytest.mark.parametrize("error", [RecursionError("maximum recursion depth exceeded"), KeyError("z"), AssertionError()])
def test_errors_of_code_keep_their_traceback(error, run, capsys):
    status, lines = reported(error, run, capsys=capsys)
    assert status == errors.FinalError.status
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2].startswith(type(error).__name__)
    assert lines[-1] == f"tfpaths: Details: {run / 'error.log'}"


MISSING = "pathlib.Path('/none/a.csv').read_text()"


@pytest.mark.parametrize(
    ("path", "body", "is_one_line"),
    [
        ("/home/me/mine.py", "open('/none/a.csv')", False),
        ("/home/me/mine.py", MISSING, False),  # The innermost frames are the standard library's.
        (PACKAGE, MISSING, True),
        (INSTALLED, MISSING, True),
        ("/home/me/tfpaths/mine.py", MISSING, False),
    ],
)
def test_file_errors_of_the_users_code_keep_their_traceback(path, body, is_one_line, run, capsys):
    status, lines = reported(raised_in(path, body), run, capsys=capsys)
    assert (status == 1) == is_one_line
    if is_one_line:
        assert lines == [f"tfpaths: /none/a.csv: No such file or directory. Details: {run / 'error.log'}"]
    else:
        assert status == errors.FinalError.status
        assert f'  File "{path}", line 3, in use' in lines
        assert lines[-2] == "FileNotFoundError: [Errno 2] No such file or directory: '/none/a.csv'"


def test_file_error_of_this_package_in_the_users_code_is_one_line(run, capsys):
    error = raised_in("/home/me/mine.py", "value(pathlib.Path('/dev/null/a.json'), {})", files.write_json)
    status, lines = reported(error, run, capsys=capsys)
    assert status == errors.RunError.status
    assert lines == [f"tfpaths: /dev/null: File exists. Details: {run / 'error.log'}"]


def test_debug_shows_the_traceback_of_every_error(run, capsys):
    _, lines = reported(errors.RunError("gone."), run, capsys=capsys, debug=True)
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].startswith("tfpaths: gone. Details: ")


def test_no_log_is_written_beside_other_files(tmp_path, capsys):
    status, lines = reported(errors.RunError("gone."), tmp_path, capsys=capsys)
    assert (status, lines) == (1, ["tfpaths: gone."])
    assert not list(tmp_path.iterdir())


def test_a_log_that_cannot_be_written_changes_nothing(run, capsys, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(files, "write_bytes", full)
    assert reported(errors.RunError("gone."), run, capsys=capsys) == (1, ["tfpaths: gone."])


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ({"type": "worker", "index": 0}, "error.log"),
        ({"type": "worker", "index": 2}, "error_worker_2.log"),
        ({"type": "worker", "index": "x"}, "error.log"),
    ],
)
def test_each_worker_has_its_own_log(task, name, run, capsys, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": ["a:1", "b:2", "c:3"]}, "task": task}))
    reported(errors.RunError("gone."), run, capsys=capsys)
    assert [file.name for file in run.glob("error*")] == [name]


def test_the_details_of_an_error_are_shown_and_logged(run, capsys):
    error = errors.FinalError("shapes differ.", detail="Traceback of the operation")
    _, lines = reported(error, run, capsys=capsys)
    assert lines[0] == "Traceback of the operation"
    assert "Traceback of the operation\n\nTraceback (most" in (run / "error.log").read_text()


def test_a_flag_twice_is_refused(tmp_path):
    made = launch("--exp=color_mnist_ns", "--seed=1", "--seed=2", f"--workdir={tmp_path}/run")
    assert made.returncode == 2
    assert made.stderr == "tfpaths: flag --seed=2: already defined as 1\n"
    assert not (tmp_path / "run").exists()


# As Python starts where these descriptors are closed.
CLOSED = """
import os, runpy, sys
for number in map(int, sys.argv.pop(1).split()):
    os.close(number)
    name = ("stdin", "stdout", "stderr")[number]
    setattr(sys, name, None)
    setattr(sys, f"__{name}__", None)
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("closed", ["1", "2", "1 2", "0 1 2"])
def test_closed_descriptors_do_not_reach_files(closed, tmp_path):
    words = command(tmp_path / "run", schedule__steps="2")
    if closed == "0 1 2":
        # All of them in a new process.
        text = f"{shlex.join(words)} 0<&- 1>&- 2>&-"
        made = subprocess.run(text, shell=True, cwd=ROOT, check=False, capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
    else:
        finish([sys.executable, "-c", CLOSED, closed, *words[2:]])
    for file in (tmp_path / "run").rglob("*"):
        if file.is_file():
            assert b"Computing on" not in file.read_bytes(), file
    assert json.loads((tmp_path / "run" / "results.json").read_text())["step"] == 2


def run_in_terminal(words, until):
    """Starts a command in a new terminal, closes it after the output matches `until`, and returns the exit status."""
    main, terminal = pty.openpty()
    process = ready.start(words, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, terminal=terminal)
    os.close(terminal)
    shown = b""
    while not re.search(until, shown):
        if not select.select([main], [], [], 120)[0]:
            raise AssertionError(shown.decode(errors="replace"))
        shown += os.read(main, 4096)
    os.close(main)  # The session's processes get SIGHUP, and their writes fail.
    return process.wait(120)


def test_a_closed_terminal_saves_the_run(tmp_path):
    words = command(tmp_path / "run", schedule__steps="100000", schedule__log_every="1")
    # After a step: the bar need not show each of them.
    assert run_in_terminal(words, until=rb"[1-9]/100000") == 128 + signal.SIGHUP
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert (tmp_path / "run" / "checkpoints" / f"step-{rows[-1]['step']}.index").exists()


FORK = """
import multiprocessing, sys, warnings
import tfpaths
from tfpaths import errors, startup
startup.import_tensorflow(devices={devices})
import tfpaths.runs.training
warnings.simplefilter("ignore")

def use():
    try:
        tfpaths.load(sys.argv[1]).sample(1)
        tfpaths.evaluate(sys.argv[1], ["evaluation.metrics=ms_ssim", "evaluation.samples=8"])
    except errors.InputError as error:
        print("refused:", error)
    else:
        print("sampled")

process = multiprocessing.get_context("fork").Process(target=use)
process.start()
process.join(100)
print("exit", process.exitcode)
process.kill()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(
    ("devices", "line"),
    [(True, "refused: this process is a copy (os.fork) of one in which TensorFlow"), (False, "sampled")],
)
def test_a_fork_says_what_to_use(finished, devices, line):
    out, err = finish([sys.executable, "-c", FORK.format(devices=devices), str(finished)])
    assert line in out, out + err
    assert out.endswith("exit 0\n")


@pytest.mark.parametrize("mode", ["sample", "evaluate", "export"])
def test_networks_beyond_the_memory_are_one_line(finished, tmp_path, mode):
    config = json.loads((finished / "config.json").read_text())
    config["networks"]["generator_filters"] = 10**9
    run = tmp_path / "run"
    files.write_json(run / "config.json", config)
    files.write_bytes(run / "checkpoints" / "step-2.index", b"")
    extra = {"sample": [f"--out={tmp_path}/a.png"], "evaluate": ["--set=evaluation.metrics=ms_ssim"], "export": []}[
        mode
    ]
    made = launch(f"--mode={mode}", f"--workdir={run}", *extra)
    assert made.returncode == errors.FinalError.status, made.stderr
    assert "Traceback" not in made.stderr
    line = made.stderr.splitlines()[-1]  # TensorFlow's allocator warns before it.
    assert line.startswith("tfpaths: the networks of this config do not fit into this machine's memory.")
    assert pathlib.Path(line.split("Details: ")[1]) == run / "error.log"
