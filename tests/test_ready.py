"""A copy of the waiting process behaves as a new process of Python."""

import os
import pty
import signal
import subprocess
import sys

import pytest
import ready
from helpers import ROOT

_PROGRAM = """
import os, sys, warnings
{line}
"""


def run(tmp_path, line, *arguments, **env):
    file = tmp_path / "program.py"
    file.write_text(_PROGRAM.format(line=line))
    env = os.environ | {"PYTHONPATH": str(ROOT)} | env
    process = ready.start([sys.executable, str(file), *arguments], cwd=tmp_path, env=env)
    out, err = process.communicate(timeout=100)
    return process.returncode, out, err


def test_has_its_arguments_directory_environment_and_group(tmp_path):
    line = "print(sys.argv, os.getcwd(), os.environ['TF_CONFIG'], os.getpgid(0) == os.getpid(), sys.path[:2])"
    expected = f"{[str(tmp_path / 'program.py'), 'a']} {tmp_path} {{}} True {[str(tmp_path), str(ROOT)]}\n"
    assert run(tmp_path, line, "a", TF_CONFIG="{}") == (0, expected, "")


@pytest.mark.parametrize(
    ("line", "status", "error"),
    [
        ("sys.exit(3)", 3, ""),
        ("sys.exit('why')", 1, "why\n"),
        ("os.kill(os.getpid(), 9)", -signal.SIGKILL, ""),
        ("raise ValueError('why')", 1, "ValueError: why\n"),
        ("import atexit; atexit.register(print, 'end', file=sys.stderr)", 0, "end\n"),
        ("warnings.warn('old', DeprecationWarning)", 0, "warnings.warn('old', DeprecationWarning)\n"),
    ],
)
def test_ends_as_a_new_process_does(tmp_path, line, status, error):
    ended, out, err = run(tmp_path, line)
    assert (ended, out) == (status, "")
    assert err.endswith(error)
    assert bool(err) == bool(error)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux only")
def test_has_imported_tensorflow_and_found_no_device(tmp_path):
    line = "from tensorflow.python.eager import context; print('tfpaths.runs.training' in sys.modules, "
    line += "'tfpaths.launch' in sys.modules, context.context()._initialized)"
    assert run(tmp_path, line) == (0, "True False False\n", "")


def test_runs_a_line_of_code(tmp_path):
    code = "import os, sys; print(sys.argv, os.getcwd(), __name__)"
    command = [sys.executable, "-c", code, "a"]
    process = ready.start(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert process.communicate(timeout=100) == (f"['-c', 'a'] {tmp_path} __main__\n", "")
    assert process.returncode == 0


def test_has_a_terminal_until_it_is_closed(tmp_path):
    code = "import os, signal; print(*(os.isatty(number) for number in range(3))); signal.pause()"
    main, terminal = pty.openpty()
    process = ready.start(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, terminal=terminal
    )
    os.close(terminal)
    # A terminal may pass on a line in several parts.
    shown = b""
    while not shown.endswith(b"\n"):
        shown += os.read(main, 4096)
    assert shown == b"True True True\r\n"
    assert process.poll() is None
    os.close(main)
    assert process.wait(100) == -signal.SIGHUP


def test_is_killed_and_awaited():
    command = [sys.executable, "-m", "timeit", "-n1", "-r1", "while True: pass"]
    process = ready.start(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.2)
    assert process.poll() is None
    process.kill()
    process.communicate(timeout=100)
    assert process.returncode == process.poll() == -signal.SIGKILL


@pytest.mark.parametrize("env", [{"KERAS_HOME": "/none"}, {"PYTHONPATH": "/none"}])
def test_another_environment_needs_a_new_process(tmp_path, env):
    line = f"print('tensorflow' in sys.modules, os.environ[{next(iter(env))!r}])"
    assert run(tmp_path, line, **env) == (0, "False /none\n", "")
