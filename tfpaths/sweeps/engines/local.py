"""The engine `local`: processes of this machine, each with cores, or a GPU, of its own."""

import collections
import contextlib
import functools
import os
import pathlib
import re
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tfpaths.runs import results
from tfpaths.sweeps.engines.registry import ENGINES, Ended, Task

# How often a task that a signal killed is started again.
_RESTARTS = 2
# The lines of standard error that are kept for the message.
_KEPT = 50


@ENGINES.register("local")
class Local:
    """Runs tasks as processes of this machine.

    The cores are divided among them: each process is bound to its own, where the system can do that, and its TensorFlow
    has a thread for each. With GPUs, a process sees one of them.

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
        waiting = collections.deque(tasks)
        running: dict[str, _Process] = {}
        try:
            with selectors.DefaultSelector() as selector:
                while waiting or running:
                    is_stopped = stopped()
                    for process in running.values() if is_stopped else ():
                        process.stop()
                    while waiting and places and not is_stopped:
                        process = _Process(waiting.popleft(), places.pop(0), selector)
                        running[process.task.name] = process
                    if not running:
                        return
                    # A second at most, since a signal may have arrived.
                    for key, _ in selector.select(1.0):
                        key.data(heard)
                    for process in [one for one in running.values() if one.has_ended()]:
                        if process.is_lost() and not stopped():
                            process.start()
                            continue
                        del running[process.task.name]
                        places.append(process.place)
                        yield process.ended()
        finally:
            for process in running.values():
                process.stop()
            for process in running.values():
                process.wait()


class _Process:
    """A task's process, started again if a signal kills it."""

    def __init__(self, task: Task, place: dict[str, Any], selector: selectors.BaseSelector):
        self.task, self.place = task, place
        self._selector = selector
        self._starts = 0
        self._is_stopped = False
        self.start()

    def start(self) -> None:
        self._starts += 1
        self._errors: collections.deque[str] = collections.deque(maxlen=_KEPT)
        self._open = 2
        self._process = subprocess.Popen(
            [sys.executable, *self.task.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **self.place["env"]},
            # Ctrl-C in a terminal reaches this process only, which then stops the tasks.
            start_new_session=True,
        )
        if hasattr(os, "sched_setaffinity"):
            # From here, and not in the child before its program: that is unsafe in a process with threads.
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(self._process.pid, self.place["cores"])
        for stream, is_error in ((self._process.stdout, False), (self._process.stderr, True)):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            read = functools.partial(self._read, stream, is_error, bytearray())
            self._selector.register(stream, selectors.EVENT_READ, read)

    def _read(self, stream: Any, is_error: bool, rest: bytearray, heard: Callable[[str, str], None]) -> None:
        """Reads what a stream has; its last line may not be complete."""
        content = stream.read(2**16)
        if content is None:
            return
        rest += content or b"\n"
        *lines, last = rest.split(b"\n")
        rest[:] = last[-(2**16) :]
        for line in lines:
            text = line.decode(errors="replace").rstrip()
            if text and is_error:
                self._errors.append(text)
            elif text:
                heard(self.task.name, text)
        if not content:
            self._selector.unregister(stream)
            stream.close()
            self._open -= 1

    def has_ended(self) -> bool:
        return self._open == 0 and self._process.poll() is not None

    def is_lost(self) -> bool:
        """Whether a signal killed it that nobody here sent, and it may be started again."""
        return self._process.returncode < 0 and not self._is_stopped and self._starts <= _RESTARTS

    def ended(self) -> Ended:
        status, message = self._process.returncode, self._errors[-1] if self._errors else ""
        if status < 0 and not self._is_stopped:
            name = signal.Signals(-status).name
            memory = "; perhaps the memory was full: lower --jobs" if -status == signal.SIGKILL else ""
            message = f"killed by {name} {self._starts} times{memory}"
        return Ended(self.task.name, status, message.removeprefix("tfpaths: "))

    def stop(self) -> None:
        if not self._is_stopped:
            self._is_stopped = True
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    def wait(self) -> None:
        # Reads on, so that a full pipe does not keep the process from ending.
        self._process.communicate()


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
        return [name.strip() for name in asked.split(",") if name.strip() not in ("", "-1")]
    devices = pathlib.Path("/dev").glob("nvidia*")
    return sorted(found[1] for path in devices if (found := re.fullmatch(r"nvidia(\d+)", path.name)))


def _place(index: int, count: int, gpus: Sequence[str]) -> dict[str, Any]:
    """Returns the cores and the environment of the `index`-th of `count` processes."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(results.cores()))
    # More processes than cores share them.
    own = cores[index::count] or [cores[index % len(cores)]]
    env = {"TF_NUM_INTRAOP_THREADS": str(len(own))}
    if gpus:
        env |= {"CUDA_VISIBLE_DEVICES": gpus[index % len(gpus)], "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    return {"cores": own, "env": env}
