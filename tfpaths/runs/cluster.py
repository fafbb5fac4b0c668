"""The start of a cluster: `TF_CONFIG`, this task's port, and a meeting of all tasks before TensorFlow connects them.

TensorFlow waits for a missing task without a word, and meanwhile holds Python's lock, so that no other thread can speak
either. Here each task listens on its own port until it has reached all others, and says whom it waits for. The module
does not import TensorFlow.
"""

import contextlib
import dataclasses
import errno
import ipaddress
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

import pydantic
import pydantic_core

from tfpaths import errors, files, progress, schema

# Seconds that a task waits for the others, unless `--cluster_timeout` says otherwise.
TIMEOUT = 300
_SAY_SECONDS, _ASK_SECONDS, _CONNECT_SECONDS = 10.0, 0.5, 5.0
# Tasks that a message names; it counts the others.
_NAMED = 8
# What TensorFlow's resolver reads too, and what the services add that write TF_CONFIG.
_OTHERS_KEYS = {"environment", "job", "rpc_layer", "session_master"}
_OTHERS_KEYS_OF_TASK = {"cloud", "trial"}
_ADDRESS = re.compile(r"(?:\[([^\s\[\]]+)\]|([\w.-]+)):([0-9]{1,5})")
# The start of TensorFlow's server, after a length of 3 bytes: an HTTP/2 frame SETTINGS without flags, of stream 0.
_OF_TENSORFLOW = b"\x04\x00\x00\x00\x00\x00"
_GREETING = re.compile(rb"tfpaths: ((?:chief|worker) \d+ of \d+) (waits|is ready)\n")


@dataclasses.dataclass(frozen=True)
class Task:
    """One process of a cluster.

    Attributes:
      job: `"chief"` or `"worker"`.
      index: Its number in the job, from 0 on.
      address: `host:port`.

    Example:
      >>> task = Task("worker", 1, "[::1]:2222")
      >>> task.name, task.host, task.port
      ('worker 1', '::1', 2222)
    """

    job: str
    index: int
    address: str

    @property
    def name(self) -> str:
        """The job and the number."""
        return f"{self.job} {self.index}"

    @property
    def host(self) -> str:
        """The name or the number of the machine, without brackets."""
        return _split(self.address)[0]

    @property
    def port(self) -> int:
        """The port on which the task listens."""
        return _split(self.address)[1]


@dataclasses.dataclass(frozen=True)
class Cluster:
    """All tasks of a cluster.

    Attributes:
      own: The task of this process.
      tasks: All of them, this one too.

    Example: see `read`.
    """

    own: Task
    tasks: tuple[Task, ...]

    @property
    def others(self) -> tuple[Task, ...]:
        """All tasks but this process's."""
        return tuple(task for task in self.tasks if task != self.own)


def _split(address: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(address)
    assert found is not None
    return found[1] or found[2], int(found[3])


def _is_address(text: str) -> bool:
    found = _ADDRESS.fullmatch(text)
    if found is None or not 1 <= int(found[3]) <= 65535:
        return False
    try:
        return found[1] is None or bool(ipaddress.IPv6Address(found[1]))
    except ValueError:
        return False


def _problem(field: str, expected: str, received: Any) -> pydantic_core.PydanticCustomError:
    """Returns an error of a whole value, about one of its fields; see `tfpaths.explanations`."""
    context = {"expected": expected, "field": field, "received": received}
    return pydantic_core.PydanticCustomError("expected", "{expected}", context)


def _without(values: Any, names: set[str]) -> Any:
    return {name: value for name, value in values.items() if name not in names} if isinstance(values, dict) else values


_Addresses = Annotated[
    tuple[Annotated[str, schema.expects("host:port with a port from 1 to 65535", _is_address)], ...],
    pydantic.Strict(False),
]


class _Jobs(schema.Value):
    """`cluster` in TF_CONFIG."""

    chief: Annotated[_Addresses, schema.expects("a list of one host:port", lambda value: len(value) == 1)] = ()
    worker: Annotated[_Addresses, schema.expects("a list of at least one host:port", bool)]

    @pydantic.model_validator(mode="before")
    @classmethod
    def _check_names(cls, jobs: Any) -> Any:
        for name in jobs if isinstance(jobs, dict) else ():
            if name not in cls.model_fields:
                raise _problem(name, "only the jobs chief and worker, which --strategy=multi_worker has", name)
        return jobs

    @pydantic.model_validator(mode="after")
    def _check_distinct(self) -> "_Jobs":
        paths: dict[tuple[str, int], str] = {}
        for task in self.tasks():
            path = f"{task.job}.{task.index}"
            first = paths.setdefault((task.host.lower(), task.port), path)
            if first != path:
                raise _problem(path, f"another address than that of cluster.{first}", task.address)
        return self

    def tasks(self) -> tuple[Task, ...]:
        """Returns all tasks, the chief first."""
        jobs = {"chief": self.chief, "worker": self.worker}
        return tuple(Task(job, index, text) for job, texts in jobs.items() for index, text in enumerate(texts))


def _integer(value: Any) -> Any:
    """Returns a text of digits as an integer, as TensorFlow reads it: a shell script may write the index so."""
    return int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value) else value


class _Task(schema.Value):
    """`task` in TF_CONFIG."""

    type: Literal["chief", "worker"]
    index: Annotated[int, pydantic.BeforeValidator(_integer)]

    @pydantic.model_validator(mode="before")
    @classmethod
    def _drop_others(cls, values: Any) -> Any:
        return _without(values, _OTHERS_KEYS_OF_TASK)


class _Config(schema.Value):
    """TF_CONFIG."""

    cluster: _Jobs
    task: _Task

    @pydantic.model_validator(mode="before")
    @classmethod
    def _drop_others(cls, values: Any) -> Any:
        return _without(values, _OTHERS_KEYS)

    @pydantic.model_validator(mode="after")
    def _check_task(self) -> "_Config":
        job, index = self.task.type, self.task.index
        count = len(getattr(self.cluster, job))
        if not count:
            raise _problem("task.type", "worker, because the cluster has no chief", job)
        if not 0 <= index < count:
            expected = "0" if count == 1 else f"an integer from 0 to {count - 1}"
            raise _problem("task.index", f"{expected}, the tasks of cluster.{job}", index)
        return self


def read(text: str | None) -> Cluster:
    """Returns the cluster that `TF_CONFIG` describes.

    The keys of other readers are ignored: `environment`, `rpc_layer`, `session_master`, `job`, and in the task `cloud`
    and `trial`.

    Args:
      text: The value of `TF_CONFIG`, or None if it is not set.

    Raises:
      InputError: It is missing or invalid. The message has the path of what is wrong.

    Example:
      >>> jobs = {"worker": ["machine-0:2222", "machine-1:2222"]}
      >>> cluster = read(json.dumps({"cluster": jobs, "task": {"type": "worker", "index": 1}}))
      >>> cluster.own
      Task(job='worker', index=1, address='machine-1:2222')
      >>> [task.name for task in cluster.others]
      ['worker 0']
      >>> read(json.dumps({"cluster": jobs, "task": {"type": "worker", "index": 2}}))
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: TF_CONFIG: task.index: expected an integer from 0 to 1, the tasks of cluster.worker...
    """
    try:
        values = json.loads(text or "")
    except ValueError:
        values = None
    if not values or not isinstance(values, dict):
        raise errors.InputError(
            "TF_CONFIG: expected JSON with a cluster and this process's task, as launch/multi_worker.sh writes it: "
            '{"cluster": {"worker": ["machine-0:2222", "machine-1:2222"]}, "task": {"type": "worker", "index": 0}}, '
            f"received {repr(text) if text else 'none'}."
        )
    try:
        config = _Config(**values)
    except errors.InputError as error:
        raise errors.InputError(f"TF_CONFIG: {error}") from None
    tasks = config.cluster.tasks()
    (own,) = (task for task in tasks if (task.job, task.index) == (config.task.type, config.task.index))
    return Cluster(own, tasks)


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
