"""Processes that start with TensorFlow imported, which saves each of them the seconds that its import takes.

`python tests/ready.py` imports TensorFlow and the package, without finding devices, and then waits. `start` asks it to
copy itself (`os.fork`), and the copy runs a module or a file as `python` would. A test of the start itself, of the
interpreter's flags, or of an environment variable that TensorFlow reads while it is imported needs a new process.
"""

import atexit
import contextlib
import fcntl
import functools
import json
import os
import pathlib
import runpy
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import warnings

ROOT = pathlib.Path(__file__).parent.parent
# Variables that are read after the imports. If another one differs, the process must be a new one: PYTHONPATH, for
# example, can put another TensorFlow first.
# Data and caches are looked for when they are used, in the home directory too.
_READ_LATE = {"PYTEST_CURRENT_TEST", "PATH", "TF_CONFIG", "WORKERS"}
_READ_LATE |= {"HOME", "HTTPS_PROXY", "TFDS_DATA_DIR", "TFPATHS_CACHE_DIR"}


class Process:
    """A copy of the waiting process, with what the tests use of `subprocess.Popen`; texts only."""

    def __init__(self, command, pid, ended, stdout, stderr):
        self.args, self.pid, self.returncode = command, pid, None
        self.stdout, self.stderr = stdout, stderr
        self._ended = ended

    def wait(self, timeout=None):
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = int(self._ended.readline())
            self._ended.close()
        return self.returncode

    def poll(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout=None):
        read = {}
        readers = [
            threading.Thread(target=lambda one=one: read.update({one: one.read()}), daemon=True)
            for one in (self.stdout, self.stderr)
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(timeout)
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout)
        self.wait(timeout)
        self.stdout.close()
        self.stderr.close()
        return read[self.stdout], read[self.stderr]


def start(command, *, cwd, env, terminal=None):
    """Starts a command of Python in a new session: `-m module …`, `-c code …` or `file …`.

    It is a new process where none can be copied: on another system than Linux, or with another environment than the
    waiting process has.

    Args:
      command: The command, which begins with `sys.executable`.
      cwd: Its working directory.
      env: Its whole environment.
      terminal: A descriptor of the terminal that is its input, its output and its errors; by default its output and
        its errors are pipes.
    """
    if sys.platform != "linux" or needs_new(env):
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        if terminal is not None:
            streams = {"stdin": terminal, "stdout": terminal, "stderr": terminal, "preexec_fn": _take_terminal}
        return subprocess.Popen(command, cwd=cwd, env=env, start_new_session=True, **streams)
    request = {"command": command[1:], "cwd": str(cwd), "env": env, "has_terminal": terminal is not None}
    pipes = [os.pipe() for _ in range(3 if terminal is None else 1)]
    written = [write for _, write in pipes]
    streams = written[:-1] if terminal is None else [terminal, terminal]
    socket.send_fds(server(), [json.dumps(request).encode()], [*streams, written[-1]])
    for write in written:
        os.close(write)
    *streams, ended = (os.fdopen(read) for read, _ in pipes)
    return Process(command, int(ended.readline()), ended, *(streams or (None, None)))


def _take_terminal():
    """Makes standard input the terminal that controls this process, which gets SIGHUP when it is closed."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # The tests may run under nohup, which ignores it.
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def needs_new(env):
    """The variables for which a process with this environment must be a new one."""
    ours = _environment()
    return {name for name in env.keys() | ours.keys() if env.get(name) != ours.get(name)} - _READ_LATE


@functools.cache
def _environment():
    """The environment of the waiting process: that of this one when a test first asks for it, and the repository."""
    return dict(os.environ) | {"PYTHONPATH": str(ROOT)}


@functools.cache
def server():
    """The socket to this process' own waiting process, which ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
    command = [sys.executable, __file__, str(theirs.fileno())]
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=_environment(), cwd=ROOT)
    theirs.close()
    atexit.register(lambda: (ours.close(), process.wait()))
    return ours


def _prepare():
    """Imports what the commands import, but finds no device: TensorFlow would start threads, which no copy has."""
    from absl import app

    from tfpaths import startup

    startup.import_tensorflow(devices=False)
    import_package()
    enlarge_digits()
    # TensorFlow asks absl to call it when a program begins; a program that imports TensorFlow later does not see that.
    app._init_callbacks.clear()


def import_package():
    """Imports all modules of the package but the command line's, which `run_module` imports as `__main__`."""
    import importlib
    import pkgutil

    import tfpaths

    for module in pkgutil.walk_packages(tfpaths.__path__, "tfpaths."):
        if module.name != "tfpaths.launch":
            importlib.import_module(module.name)


def enlarge_digits():
    """Enlarges the embedded digits for this process and its copies, each of which would take a third of a second."""
    from tfpaths.data import digits

    if hasattr(digits.embedded, "__wrapped__"):
        return
    made = {split: digits.embedded(split) for split in ("train", "validation", "test")}
    for each in made.values():
        each.images.flags.writeable = each.labels.flags.writeable = False  # All loads share them.
    digits.embedded = functools.wraps(digits.embedded)(lambda split: made[split])


def _next_request(channel):
    """Copies this process for every request; returns the request in the copy, and None in this process at the end."""
    while True:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        message, received, *_ = socket.recv_fds(channel, 2**20, 3)
        if not message:
            return None
        if not fork():
            break
        for one in received:
            os.close(one)
    # A process that waits for the copy and reports its end.
    channel.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    out, err, ended = received
    pid = fork()
    if pid:
        os.close(out)
        os.close(err)
        os.write(ended, f"{pid}\n".encode())
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        # Nobody reads it any more if the test has failed or the tests have ended.
        with contextlib.suppress(BrokenPipeError):
            os.write(ended, f"{status}\n".encode())
        os._exit(0)
    os.setsid()
    for number, one in ((1, out), (2, err)):
        os.dup2(one, number)
        os.close(one)
    os.close(ended)
    request = json.loads(message)
    if request.pop("has_terminal"):
        os.dup2(1, 0)
        _take_terminal()
        # As Python does where standard output is a terminal.
        sys.stdout.reconfigure(line_buffering=True)
    return request


def fork():
    """Copies this process, which must not have started TensorFlow."""
    with warnings.catch_warnings():
        # NumPy's threads are the only others; they wait for work.
        warnings.filterwarnings("ignore", ".*multi-threaded, use of fork.*", DeprecationWarning)
        return os.fork()


def _run(command, cwd, env):
    """Runs `-m module …`, `-c code …` or `file …`."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    is_file = command[0] not in ("-m", "-c")
    sys.path[0] = str(pathlib.Path(command[0]).parent) if is_file else str(cwd)
    sys.argv = command if is_file else command[1:]
    if is_file:
        runpy.run_path(command[0], run_name="__main__")
    elif command[0] == "-m":
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv[0] = "-c"
        exec(compile(command[1], "<string>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    _prepare()
    with socket.socket(fileno=int(sys.argv[1])) as _channel:
        _request = _next_request(_channel)
    if _request is not None:
        _run(**_request)
