"""A meeting of all tasks of a cluster, before TensorFlow connects them. No TensorFlow.

TensorFlow waits for a missing task without a word, and meanwhile holds Python's lock, so that no other thread can speak
either. Here each task listens on its own port until it has reached all others, and says whom it waits for.
"""

import contextlib
import errno
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

from tfpaths import errors, files, progress
from tfpaths.runs.cluster import Cluster, Task

# Seconds that a task waits for the others, unless `--cluster_timeout` says otherwise.
TIMEOUT = 300
_SAY_SECONDS, _ASK_SECONDS, _CONNECT_SECONDS = 10.0, 0.5, 5.0
# Tasks that a message names; it counts the others.
_NAMED = 8
# The start of TensorFlow's server, after a length of 3 bytes: an HTTP/2 frame SETTINGS without flags, of stream 0.
_OF_TENSORFLOW = b"\x04\x00\x00\x00\x00\x00"
_GREETING = re.compile(rb"tfpaths: ((?:chief|worker) \d+ of \d+) (waits|is ready)\n")


def meet(
    cluster: Cluster, timeout: float = TIMEOUT, *, say_every: float = _SAY_SECONDS, ask_every: float = _ASK_SECONDS
) -> None:
    """Waits until all tasks of the cluster have reached each other; every ten seconds it says who is missing.

    A task is ready when all others answer it, and all are done when all are ready: where one task cannot reach another,
    none starts TensorFlow, which would wait. A task that has started TensorFlow answers with TensorFlow's server.

    Args:
      cluster: The cluster.
      timeout: How long it waits, in seconds.
      say_every: Seconds between two lines.
      ask_every: Seconds between two attempts to reach a task.

    Raises:
      RunError: This task's port is in use, or a task could not be reached in time.

    Example:
      >>> with socket.create_server(("127.0.0.1", 0)) as listener:
      ...     port = listener.getsockname()[1]
      >>> own = Task("worker", 0, f"127.0.0.1:{port}")
      >>> meet(Cluster(own, (own,)))
    """
    with _listener(cluster.own) as listener:
        if cluster.others:
            progress.say(f"{cluster.own.name} waits for all {len(cluster.tasks)} workers of the cluster")
            with _Meeting(cluster).held(listener, ask_every) as meeting:
                meeting.wait(timeout, say_every)
            progress.say(f"all {len(cluster.tasks)} workers are there; TensorFlow connects them")


def _listener(own: Task) -> socket.socket:
    """Returns a socket that listens where TensorFlow's server will: on all interfaces, for IPv6 and IPv4.

    It may be bound while connections of another one on this port are in TIME_WAIT, as TensorFlow's after it.
    """
    dual = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual else socket.AF_INET
    try:
        return socket.create_server(("", own.port), family=family, backlog=128, dualstack_ipv6=dual)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            reason = os.strerror(error.errno) if error.errno else files.reason(error)
            raise errors.RunError(f"{own.name} cannot listen on port {own.port}: {reason}.") from error
        raise errors.RunError(
            f"{own.name} cannot listen on port {own.port}: another process on this machine uses it. To fix this: end "
            "that process, perhaps an earlier run, or choose another port in TF_CONFIG, on all machines."
        ) from error


class _Answer(NamedTuple):
    """What the last attempt to reach a task found.

    Attributes:
      is_there: Whether the task answered.
      problem: Why it is not ready; empty if it is.
    """

    is_there: bool
    problem: str


class _Meeting:
    """This task's view of the others: the last answer of each."""

    def __init__(self, cluster: Cluster) -> None:
        self._answers = dict.fromkeys(cluster.others, _Answer(False, "not asked yet"))
        self._own, self._size = cluster.own, len(cluster.tasks)
        self._ended = threading.Event()

    @contextlib.contextmanager
    def held(self, listener: socket.socket, ask_every: float) -> Iterator["_Meeting"]:
        """Answers and asks the other tasks, in threads, until the end of the `with` block."""
        answering = threading.Thread(target=self._answer, args=(listener,), daemon=True)
        # A thread for each task, so that a name or a machine that does not answer delays neither the others nor Ctrl-C.
        asking = [threading.Thread(target=self._ask, args=(task, ask_every), daemon=True) for task in self._answers]
        try:
            for thread in (answering, *asking):
                thread.start()
            yield self
        finally:
            self._ended.set()
            if answering.is_alive():  # Not if Ctrl-C came while it started.
                # As long as it accepts, the port is in use.
                answering.join()

    def _answer(self, listener: socket.socket) -> None:
        """Tells each task that connects who this one is, and whether all others are there."""
        listener.settimeout(0.1)
        while not self._ended.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    is_ready = all(answer.is_there for answer in self._answers.values())
                    state = "is ready" if is_ready else "waits"
                    connection.sendall(f"tfpaths: {self._own.name} of {self._size} {state}\n".encode())

    def _ask(self, task: Task, every: float) -> None:
        """Tries to reach a task until it is ready."""
        while self._answers[task].problem and not self._ended.is_set():
            self._answers[task] = _asked(task, self._size)
            if self._answers[task].problem:
                self._ended.wait(every)

    def wait(self, timeout: float, say_every: float) -> None:
        """Waits until all tasks are ready."""
        start = time.monotonic()
        next_line = start + say_every
        while any(answer.problem for answer in self._answers.values()):
            now = time.monotonic()
            if now >= start + timeout:
                raise errors.RunError(
                    f"{self._own.name} waited {timeout} s for {self._missing()}. To fix this: start what is missing, "
                    "check the addresses in TF_CONFIG and the firewall, or raise --cluster_timeout."
                )
            if now >= next_line:
                progress.say(f"{self._own.name} waits for {self._missing()}")
                next_line = now + say_every
            time.sleep(0.05)

    def _missing(self) -> str:
        """Returns the tasks that are missing, or those that wait for others, with their addresses and problems."""
        is_complete = all(answer.is_there for answer in self._answers.values())
        found = [
            f"{task.name} ({task.address}: {answer.problem})"
            for task, answer in self._answers.items()
            if answer.problem and (is_complete or not answer.is_there)
        ]
        more = [f"{len(found) - _NAMED} more"] if len(found) > _NAMED else []
        there = 1 + sum(answer.is_there for answer in self._answers.values())
        return f"{', '.join(found[:_NAMED] + more)}; {there} of {self._size} {'is' if there == 1 else 'are'} there"


def _asked(task: Task, size: int) -> _Answer:
    """Returns what a task answers.

    Args:
      task: The task.
      size: The number of tasks in the cluster.
    """
    try:
        with socket.create_connection((task.host, task.port), timeout=_CONNECT_SECONDS) as connection:
            answer = connection.recv(1024)
    except (OSError, UnicodeError) as error:  # A name of the wrong form is a UnicodeError.
        return _Answer(False, files.reason(error))
    if answer[3:9] == _OF_TENSORFLOW:
        return _Answer(True, "")
    greeting = _GREETING.fullmatch(answer)
    if greeting is None:
        return _Answer(False, "another program answers there" if answer else "the connection was closed")
    name = greeting[1].decode()
    if name != f"{task.name} of {size}":
        return _Answer(False, f"{name} answers there")
    return _Answer(True, "" if greeting[2] == b"is ready" else "it waits for others")
