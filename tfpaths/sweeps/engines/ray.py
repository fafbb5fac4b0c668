"""The engine `ray`: tasks on the machines of a Ray cluster that is running, which share a disk."""

import collections
import contextlib
import importlib.util
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tfpaths import errors
from tfpaths.sweeps.engines.registry import ENGINES, Ended, Task

# How often Ray starts a task again whose machine or process was lost.
_RETRIES = 3
# The variables that a task gets from this process; all others are those of its machine.
_PASSED = ("PYTHONPATH", "TFDS_DATA_DIR", "TFPATHS_CACHE_DIR", "XLA_FLAGS")
_POLL_SECONDS = 1.0


@ENGINES.register("ray")
class Ray:
    """Runs tasks on a Ray cluster: that of `RAY_ADDRESS`, or the one that runs on this machine.

    Each task is a process of its own on one machine, and asks Ray for one GPU if the cluster has GPUs, otherwise for
    one CPU. More `jobs` than GPUs share them in equal parts; fewer jobs than CPUs have several CPUs each. All machines
    see the sweep's directory under the same path. The lines of a running task stay on its machine.

    Args:
      jobs: How many tasks run at once; None for as many as the cluster has GPUs, or CPUs.

    Example: `RAY_ADDRESS=head:6379 python -m tfpaths.launch --exp=robustness_color_mnist --engine=ray`.
    """

    def __init__(self, jobs: int | None):
        self._jobs = jobs

    def check(self) -> None:
        if importlib.util.find_spec("ray") is None:
            raise errors.InputError("--engine=ray: Ray is not installed. To fix this: pip install 'tfpaths[ray]'.")
        import ray

        if ray.is_initialized():
            return
        address = os.environ.get("RAY_ADDRESS", "auto")
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise errors.InputError(
                f"--engine=ray: found no Ray cluster at {address!r}. To fix this: start one with `ray start --head`, "
                "or set RAY_ADDRESS to the address of its head."
            ) from error

    def run(
        self, tasks: Sequence[Task], *, heard: Callable[[str, str], None], stopped: Callable[[], bool]
    ) -> Iterator[Ended]:
        import ray

        share = resources(ray.cluster_resources(), self._jobs)
        start = ray.remote(num_cpus=share["CPU"], num_gpus=share["GPU"], max_retries=_RETRIES, max_calls=1)(_process)
        env = {name: os.environ[name] for name in _PASSED if name in os.environ}
        env["TF_NUM_INTRAOP_THREADS"] = str(max(1, int(share["CPU"])))
        waiting, is_cancelled = collections.deque(tasks), False
        running: dict[Any, Task] = {}
        try:
            while waiting or running:
                if stopped() and not is_cancelled:
                    is_cancelled = True
                    waiting.clear()
                    for reference in running:
                        ray.cancel(reference)
                while waiting and len(running) < (self._jobs or len(tasks)):
                    task = waiting.popleft()
                    running[start.remote(sys.executable, task.arguments, env, os.getcwd())] = task
                ended, _ = ray.wait(list(running), timeout=_POLL_SECONDS) if running else ([], None)
                for reference in ended:
                    yield _ended(running.pop(reference), reference)
        finally:
            for reference in running:
                ray.cancel(reference)


def resources(cluster: Mapping[str, float], jobs: int | None) -> dict[str, float]:
    """Returns what each task asks for.

    Args:
      cluster: Resource -> its amount in the whole cluster, as Ray says it.
      jobs: How many tasks run at once, or None.

    Example:
      >>> resources({"CPU": 16.0, "GPU": 2.0}, jobs=4)  # two tasks on each GPU
      {'CPU': 4.0, 'GPU': 0.5}
      >>> resources({"CPU": 16.0}, jobs=None)
      {'CPU': 1.0, 'GPU': 0.0}
    """
    cpus, gpus = cluster.get("CPU", 1.0), cluster.get("GPU", 0.0)
    at_once = jobs or int(gpus) or int(cpus) or 1
    # Ray has parts of a GPU in ten-thousandths, and whole ones above one.
    gpu = 0.0 if not gpus else 1.0 if at_once <= gpus else int(1e4 * gpus / at_once) / 1e4
    return {"CPU": float(max(1, int(cpus // at_once))), "GPU": gpu}


def _process(python: str, arguments: Sequence[str], env: Mapping[str, str], folder: str) -> tuple[int, str]:
    """Runs a task on a machine of the cluster; returns its exit status and the last line of its standard error."""
    process = subprocess.Popen(
        [python, *arguments],
        env={**os.environ, **env},
        cwd=folder if os.path.isdir(folder) else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    text = None
    try:
        while text is None:
            # Again and again, because Ray cancels a task by a KeyboardInterrupt that waits for Python to run.
            with contextlib.suppress(subprocess.TimeoutExpired):
                _, text = process.communicate(timeout=_POLL_SECONDS)
    except BaseException:
        process.terminate()  # It saves.
        process.wait()
        raise
    lines = [line for line in text.splitlines() if line.strip()]
    return process.returncode, lines[-1] if lines else ""


def _ended(task: Task, reference: Any) -> Ended:
    import ray

    try:
        status, message = ray.get(reference)
    except ray.exceptions.TaskCancelledError:
        return Ended(task.name, 128 + signal.SIGTERM, "")
    except ray.exceptions.RayError as error:
        why = str(error).strip().splitlines()
        return Ended(task.name, -signal.SIGKILL, f"lost with its machine or process: {why[0] if why else ''}")
    return Ended(task.name, status, message.removeprefix("tfpaths: "))
