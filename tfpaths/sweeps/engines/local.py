"""The engine `local`: processes of this machine, each with its own cores or its own GPU."""

import collections
import contextlib
import dataclasses
import functools
import itertools
import os
import pathlib
import re
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tfpaths.runs import results
from tfpaths.sweeps.engines.registry import ENGINES, Ended, Task

# How often a task that a signal killed is started again.
RESTARTS = 2
# The lines of standard error that are kept for the message, and the bytes of a line without an end.
_KEPT_LINES, _KEPT_BYTES = 50, 2**16
# What a process on Linux does before it becomes the task's; not as `preexec_fn`, which is unsafe beside other threads.
# Linux sends it a signal when its parent ends, even by SIGKILL. Other systems cannot do that: there, a task whose
# parent was killed by SIGKILL runs to its end.
_BECOME_TASK = """
import contextlib, ctypes, os, sys
parent, number, cores, *command = sys.argv[1:]
with contextlib.suppress(OSError, AttributeError):  # Another C library.
    ctypes.CDLL(None).prctl(1, int(number))  # PR_SET_PDEATHSIG of linux/prctl.h
if os.getppid() != int(parent):
    sys.exit("the parent ended first")
if cores:
    os.sched_setaffinity(0, [int(core) for core in cores.split(",")])
os.execv(command[0], command)
"""


@dataclasses.dataclass(frozen=True)
class Place:
    """What a process may use of its machine.

    Attributes:
      cores: The cores that it is bound to, where the system can do that; none for all of this process's cores.
      variables: Environment variables, in addition to those of this process.
      directory: Its working directory; None for that of this process.
      orphaned: The signal that it gets, on Linux, if this process ends before it; after SIGTERM, it saves.

    Example:
      >>> Place(cores=(0, 1), variables={"TF_NUM_INTRAOP_THREADS": "2"}).cores
      (0, 1)
    """

    cores: Sequence[int] = ()
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)
    directory: str | None = None
    orphaned: signal.Signals = signal.SIGTERM


@ENGINES.register("local")
class Local:
    """Runs tasks as processes of this machine.

    The cores are divided among them: each process is bound to its own, where the system can do that, and its TensorFlow
    has a thread for each. With GPUs, a process sees one of them. More processes than cores or GPUs share them.

    Args:
      jobs: How many processes run at once; None for one on each GPU, or on each core if there is no GPU.

    Example:
      >>> task = Task("hello", ("-c", "print('step 1/1')"), pathlib.Path("hello"))
      >>> list(Local(1).run([task], heard=print, stopped=lambda: False))
      hello step 1/1
      [Ended(name='hello', status=0, message='')]
    """

    def __init__(self, jobs: int | None):
        self._jobs = jobs

    def check(self) -> None:
        """Every machine can start processes."""

    def run(
        self, tasks: Sequence[Task], *, heard: Callable[[str, str], None], stopped: Callable[[], bool]
    ) -> Iterator[Ended]:
        gpus = visible_gpus()
        count = max(1, min(self._jobs or len(gpus) or results.cores(), len(tasks)))
        places = [_place(index, count, gpus) for index in range(count)]
        yield from run_processes(tasks, places, heard=heard, stopped=stopped)


def run_processes(
    tasks: Sequence[Task],
    places: Sequence[Place],
    *,
    heard: Callable[[str, str], None],
    stopped: Callable[[], bool],
) -> Iterator[Ended]:
    """Runs tasks as processes of this machine, one at a time in each place; yields how each ended.

    No process outlives the generator: if it is closed, or fails, the processes get SIGTERM, and it waits for them.

    Args:
      tasks: The tasks.
      places: The places.
      heard: See `Engine.run`; it also hears that a task is started again.
      stopped: See `Engine.run`; it is asked about once a second.

    Example:
      >>> tasks = [Task(name, ("-c", "pass"), pathlib.Path(name)) for name in ("a", "b")]
      >>> ended = run_processes(tasks, [Place()], heard=print, stopped=lambda: False)
      >>> [one.name for one in ended]
      ['a', 'b']
    """
    waiting, free = collections.deque(tasks), collections.deque(places)
    running: list[_Process] = []
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or running:
                if stopped():
                    waiting.clear()
                    for process in running:
                        process.stop()
                while waiting and free:
                    running.append(_Process(waiting.popleft(), free.popleft(), selector))
                _read(selector, running, heard)
                for process in [one for one in running if one.has_ended(heard)]:
                    if process.is_lost():
                        heard(process.task.name, f"{process.killed()}; it is started again")
                        process.start()
                        continue
                    running.remove(process)
                    free.append(process.place)
                    yield process.ended()
        finally:
            for process in running:
                process.stop()
            # Reads on, since a process with a full pipe does not end.
            while running:
                _read(selector, running, _ignore)
                running = [process for process in running if not process.has_ended(_ignore)]


def _read(selector: selectors.BaseSelector, running: Sequence["_Process"], heard: Callable[[str, str], None]) -> None:
    """Reads what processes have written; waits for it for a second, since `stopped` may change."""
    if running:
        # A process closes its streams just before it ends, which nothing announces.
        for key, _ in selector.select(0.02 if any(process.is_closed() for process in running) else 1.0):
            key.data(heard)


def _ignore(name: str, line: str) -> None:
    pass


class _Process:
    """A task's process, which is started again if a signal kills it."""

    def __init__(self, task: Task, place: Place, selector: selectors.BaseSelector):
        self.task, self.place = task, place
        self._selector = selector
        self._starts = 0
        self._is_stopped = False
        self.start()

    def start(self) -> None:
        self._starts += 1
        self._errors: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
        command = [sys.executable, *self.task.arguments]
        if sys.platform == "linux":
            # Isolated and without packages, so that it takes milliseconds.
            isolated = [sys.executable, "-I", "-S", "-c", _BECOME_TASK]
            cores = ",".join(map(str, self.place.cores))
            command = [*isolated, str(os.getpid()), str(int(self.place.orphaned)), cores, *command]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=self.place.directory,
            env={**os.environ, **self.place.variables},
            # Ctrl-C in a terminal reaches this process only, which then stops the tasks.
            start_new_session=True,
        )
        self._readers: dict[Any, Callable[[Callable[[str, str], None]], bool]] = {}
        for stream, is_error in ((self._process.stdout, False), (self._process.stderr, True)):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            self._readers[stream] = functools.partial(self._read, stream, is_error, bytearray())
            self._selector.register(stream, selectors.EVENT_READ, self._readers[stream])

    def _read(self, stream: Any, is_error: bool, rest: bytearray, heard: Callable[[str, str], None]) -> bool:
        """Reads a part of what a stream has, whose last line may not be complete; returns whether there may be more."""
        content = stream.read(2**16)
        if content is None:
            return False
        rest += content or b"\n"
        *lines, last = rest.split(b"\n")
        rest[:] = last[-_KEPT_BYTES:]
        if not content:
            self._close(stream)
        for line in lines:
            text = line.decode(errors="replace").rstrip()
            if text and is_error:
                self._errors.append(text)
            elif text:
                heard(self.task.name, text)
        return bool(content)

    def _close(self, stream: Any) -> None:
        self._selector.unregister(stream)
        stream.close()
        del self._readers[stream]

    def is_closed(self) -> bool:
        """Whether it has closed its streams."""
        return not self._readers

    def has_ended(self, heard: Callable[[str, str], None]) -> bool:
        """Whether the process has ended; if so, reads the rest of what it wrote."""
        if self._process.poll() is None:
            return False
        for stream, read in list(self._readers.items()):
            while read(heard):
                pass
            # A process that this one started may still have the stream.
            if stream in self._readers:
                self._close(stream)
        return True

    def is_lost(self) -> bool:
        """Whether a signal killed it that nobody here sent, and it may be started again."""
        return self._process.returncode < 0 and not self._is_stopped and self._starts <= RESTARTS

    def killed(self) -> str:
        times = f" {self._starts} times" if self._starts > 1 else ""
        return f"killed by {_signal_name(-self._process.returncode)}{times}"

    def ended(self) -> Ended:
        status, message = self._process.returncode, self._errors[-1] if self._errors else ""
        if status < 0 and not self._is_stopped:
            # SIGKILL comes from outside, so that the last line says nothing about it.
            memory = "; if the machine's memory was full, lower --jobs"
            cause = memory if -status == signal.SIGKILL else f"; {message}" if message else ""
            message = f"{self.killed()}{cause}"
        return Ended(self.task.name, status, message.removeprefix("tfpaths: "))

    def stop(self) -> None:
        if not self._is_stopped:
            self._is_stopped = True
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # A real-time signal has no name.
        return f"signal {number}"


def visible_gpus() -> list[str]:
    """Returns the names of the NVIDIA devices that this process may use, without asking the driver.

    Example:
      >>> from unittest import mock
      >>> with mock.patch.dict(os.environ, CUDA_VISIBLE_DEVICES="2,3"):
      ...     visible_gpus()
      ['2', '3']
    """
    asked = os.environ.get("CUDA_VISIBLE_DEVICES")
    if asked is not None:
        # As CUDA reads it: what follows an invalid name is invisible.
        names = (name.strip() for name in asked.split(","))
        return list(itertools.takewhile(lambda name: name not in ("", "-1"), names))
    devices = pathlib.Path("/dev").glob("nvidia*")
    return sorted((found[1] for path in devices if (found := re.fullmatch(r"nvidia(\d+)", path.name))), key=int)


def _place(index: int, count: int, gpus: Sequence[str]) -> Place:
    """Returns the place of the `index`-th of `count` processes."""
    can_bind = hasattr(os, "sched_getaffinity")
    cores = sorted(os.sched_getaffinity(0)) if can_bind else list(range(results.cores()))
    # More processes than cores share them.
    cores = cores[index::count] or [cores[index % len(cores)]]
    variables = {"TF_NUM_INTRAOP_THREADS": str(len(cores))}
    if not can_bind:
        # Otherwise, TensorFlow takes this number from the cores that the process is bound to.
        variables["TF_NUM_INTEROP_THREADS"] = str(len(cores))
    if gpus:
        variables["CUDA_VISIBLE_DEVICES"] = gpus[index % len(gpus)]
        if count > len(gpus):
            variables["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    return Place(cores, variables)
