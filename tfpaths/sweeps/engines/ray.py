"""The engine `ray`: tasks on the machines of a Ray cluster that is running, which share a disk."""

import collections
import contextlib
import importlib
import logging
import os
import signal
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tfpaths import errors
from tfpaths.sweeps.engines.local import Place, run_processes
from tfpaths.sweeps.engines.registry import ENGINES, Ended, Task

# How often a task is started again that was lost with its machine, or with Ray's process on it. That is no fault of the
# task: machines that may be preempted are lost often.
_RETRIES = 10
# The variables that a task gets from this process; all others are those of its machine.
_PASSED = ("PYTHONPATH", "TFDS_DATA_DIR", "TFPATHS_CACHE_DIR", "XLA_FLAGS")
_TURN_SECONDS = 1.0
_CONNECT_SECONDS = 5.0
# The lines that wait for this process.
_KEPT_LINES = 1000


@ENGINES.register("ray")
class Ray:
    """Runs tasks on a Ray cluster: that of `RAY_ADDRESS`, or the one that runs on this machine.

    Each task is a process on one machine, started there as by the engine `local`. It asks Ray for a GPU if
    the cluster has GPUs, and for a share of the CPUs. More `jobs` than GPUs share them in equal parts. All machines
    need this package, and the working directory and the sweep's directory under the same paths.
    Of a machine that is lost, Ray prints the last lines of its log.

    Args:
      jobs: How many tasks run at once; None for as many as the cluster has GPUs, or CPUs if it has no GPU. In a cluster
        that grows, a number lets it grow.

    Example: `RAY_ADDRESS=head:6379 python -m tfpaths.launch --exp=robustness_color_mnist --engine=ray`.
    """

    def __init__(self, jobs: int | None):
        self._jobs = jobs

    def check(self) -> None:
        _connected()

    def run(
        self, tasks: Sequence[Task], *, heard: Callable[[str, str], None], stopped: Callable[[], bool]
    ) -> Iterator[Ended]:
        cluster = _Cluster(_connected(), self._jobs, len(tasks))
        waiting, running = collections.deque(tasks), cluster.running
        try:
            while waiting or running:
                is_stopped = stopped()
                if is_stopped:
                    waiting.clear()
                    cluster.stop()
                while waiting and len(running) < cluster.count:
                    cluster.start(waiting.popleft())
                ended = cluster.wait(heard)
                for reference in ended:
                    task = running.pop(reference)
                    result = cluster.result(reference, task)
                    if result is not None:
                        yield result
                    elif not is_stopped and cluster.starts[task.name] <= _RETRIES:
                        heard(task.name, "lost with its machine; it is started again")
                        cluster.divide()
                        cluster.start(task)
                    else:
                        yield Ended(
                            task.name, -signal.SIGKILL, f"lost with its machine {cluster.starts[task.name]} times"
                        )
        finally:
            cluster.stop()
            while running:
                for reference in cluster.wait(lambda name, line: None):
                    del running[reference]


class _Cluster:
    """The tasks that are on the cluster.

    Attributes:
      count: How many tasks run at once.
      running: Reference of Ray -> its task.
      starts: Name of a task -> how often it was started.
    """

    def __init__(self, ray: Any, jobs: int | None, tasks: int):
        self._ray, self._jobs, self._tasks = ray, jobs, tasks
        self.running: dict[Any, Task] = {}
        self.starts: collections.Counter[str] = collections.Counter()
        self._is_stopped = False
        self._environment = {"env_vars": {name: os.environ[name] for name in _PASSED if name in os.environ}}
        # On this machine and no other, which may be lost.
        strategies: Any = importlib.import_module("ray.util.scheduling_strategies")
        here = strategies.NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        again = {"max_restarts": -1, "max_task_retries": -1}
        board = ray.remote(num_cpus=0, runtime_env=self._environment, scheduling_strategy=here, **again)(_Board)
        self._board = board.remote()
        self.divide()

    def divide(self) -> None:
        """Divides the machines that the cluster has now among the tasks."""
        machines = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        total = {name: sum(int(machine.get(name, 0)) for machine in machines) for name in ("CPU", "GPU")}
        self.count = max(1, min(self._jobs or total["GPU"] or total["CPU"], self._tasks))
        self._share = shares(machines, self.count)

    def start(self, task: Task) -> None:
        self.starts[task.name] += 1
        threads = str(max(1, int(self._share["CPU"])))
        variables = {"TF_NUM_INTRAOP_THREADS": threads, "TF_NUM_INTEROP_THREADS": threads}
        if 0 < self._share["GPU"] < 1:
            variables["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
        # If Ray's process is killed, the task may be started elsewhere at once: it must not be saving then.
        place = Place(variables=variables, directory=os.getcwd(), orphaned=signal.SIGKILL)
        remote = self._ray.remote(
            num_cpus=self._share["CPU"], num_gpus=self._share["GPU"], max_retries=0, runtime_env=self._environment
        )(_run_task)
        start = f"{self.starts[task.name]} {task.name}"
        self.running[remote.options(name=task.name).remote(self._board, start, task, place)] = task

    def stop(self) -> None:
        """Lets the tasks that have started save and end, and removes the others."""
        if not self._is_stopped:
            self._is_stopped = True
            started, _ = self._ray.get(self._board.take.remote(True))
            for reference, task in self.running.items():
                if f"{self.starts[task.name]} {task.name}" not in started:
                    self._ray.cancel(reference)

    def wait(self, heard: Callable[[str, str], None]) -> list[Any]:
        """Waits until a task has ended, at most a second, and hears lines; returns the references that have ended."""
        if not self.running:
            return []
        ended, _ = self._ray.wait(list(self.running), timeout=_TURN_SECONDS)
        _, lines = self._ray.get(self._board.take.remote(self._is_stopped))
        for name, line in lines:
            heard(name, line)
        return ended

    def result(self, reference: Any, task: Task) -> Ended | None:
        """Returns how a task ended; None if it was lost."""
        errors_of_ray = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors_of_ray.TaskCancelledError:
            return Ended(task.name, 128 + signal.SIGTERM, "")
        except errors_of_ray.RayTaskError as error:
            # The function has failed and not the task's process: there is no such directory, or not this package.
            return Ended(task.name, errors.RunError.status, str(error).strip().splitlines()[-1])
        except errors_of_ray.RayError:
            return None


class _Board:
    """An actor through which tasks say their lines and learn that they are to stop."""

    def __init__(self) -> None:
        self._lines: collections.deque[tuple[str, str]] = collections.deque(maxlen=_KEPT_LINES)
        self._started: set[str] = set()
        self._is_stopped = False

    def say(self, start: str, lines: Sequence[tuple[str, str]]) -> bool:
        """Takes the new lines of a start of a task; returns whether it is to stop."""
        self._started.add(start)
        self._lines.extend(lines)
        return self._is_stopped

    def take(self, is_stopped: bool) -> tuple[set[str], list[tuple[str, str]]]:
        """Says whether the sweep was stopped; returns the starts that were heard of, and their new lines."""
        self._is_stopped = is_stopped
        lines = list(self._lines)
        self._lines.clear()
        return self._started, lines


def _run_task(board: Any, start: str, task: Task, place: Place) -> Ended:
    """Runs a task on its machine, in a process of Ray."""
    ray: Any = importlib.import_module("ray")
    lines: list[tuple[str, str]] = []
    said, is_stopped = -_TURN_SECONDS, False

    def stopped() -> bool:
        nonlocal said, is_stopped
        if time.monotonic() - said >= _TURN_SECONDS:
            is_stopped = ray.get(board.say.remote(start, lines[-_KEPT_LINES:]))
            lines.clear()
            said = time.monotonic()
        return is_stopped

    ended = list(run_processes([task], [place], heard=lambda *line: lines.append(line), stopped=stopped))
    ray.get(board.say.remote(start, lines[-_KEPT_LINES:]))
    # Nothing has ended if the sweep was stopped before the process was started.
    return ended[0] if ended else Ended(task.name, 128 + signal.SIGTERM, "")


def shares(machines: Sequence[Mapping[str, float]], count: int) -> dict[str, float]:
    """Returns what each of `count` equal tasks asks for, so that all of them run at once and leave little unused.

    Args:
      machines: Resource -> its amount, for each machine.
      count: How many tasks run at once.

    Example:
      >>> shares([{"CPU": 16.0, "GPU": 2.0}], count=4)  # two tasks on each GPU
      {'CPU': 4.0, 'GPU': 0.5}
      >>> shares([{"CPU": 8.0}, {"CPU": 2.0}], count=2)  # both on the first machine
      {'CPU': 4.0, 'GPU': 0.0}
    """
    gpu = _share([machine.get("GPU", 0.0) for machine in machines], count, most=1)
    if not gpu:
        return {"CPU": _share([machine.get("CPU", 0.0) for machine in machines], count) or 1.0, "GPU": 0.0}
    # Each machine has CPUs for all tasks that have its GPUs.
    cpus = [
        _share([machine.get("CPU", 0.0)], _tasks(machine["GPU"], gpu)) for machine in machines if machine.get("GPU")
    ]
    return {"CPU": min(cpus), "GPU": gpu}


def _share(amounts: Sequence[float], count: int, most: int | None = None) -> float:
    """Returns the largest of …, 3, 2, 1, 1/2, 1/3, … of which `count` fit into the amounts; 0 if there are none."""
    largest = int(max(amounts, default=0))
    if not largest:
        return 0.0
    for whole in range(min(largest, most or largest), 0, -1):
        if sum(_tasks(amount, whole) for amount in amounts) >= count:
            return float(whole)
    # 1/k fits k times into each unit. Ray counts in ten-thousandths.
    parts = -(-count // sum(int(amount) for amount in amounts))
    return int(1e4 / parts) / 1e4


def _tasks(amount: float, share: float) -> int:
    """Returns how many tasks with this share an amount is enough for."""
    return int(amount // share) if share >= 1 else int(amount) * int(1 / share)


def _connected() -> Any:
    """Returns Ray's module, connected to the cluster.

    Raises:
      InputError: Ray is not installed, or there is no cluster.
    """
    try:
        # By its name, since it is an extra: neither BUILD nor the type checker needs it.
        ray: Any = importlib.import_module("ray")
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise errors.InputError(
            "--engine=ray: Ray is not installed. To fix this: pip install 'tfpaths[ray]'."
        ) from error
    if ray.is_initialized():
        return ray
    address = os.environ.get("RAY_ADDRESS") or "auto"
    try:
        _check_port(address)
        with _own_sigterm(), warnings.catch_warnings(action="ignore"):
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError as error:
        raise errors.InputError(
            f"--engine=ray: found no Ray cluster at {address!r}. To fix this: start one with `ray start --head`, or "
            "set RAY_ADDRESS to the address of its head, such as 10.0.0.1:6379."
        ) from error
    except (RuntimeError, ValueError) as error:
        # Other versions of Ray or Python, or an address that is none.
        why = " ".join(str(error).split()).rstrip(".")
        raise errors.InputError(f"--engine=ray: cannot use the Ray cluster at {address!r}: {why}.") from error
    return ray


def _check_port(address: str) -> None:
    """Raises ConnectionError if nothing listens at an address `host:port`, which Ray finds out after minutes only."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise ConnectionError(str(error)) from error


@contextlib.contextmanager
def _own_sigterm() -> Iterator[None]:
    """Restores what SIGTERM does, which Ray replaces."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
