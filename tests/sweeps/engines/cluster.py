"""What tasks do on a Ray cluster of two nodes, for test_ray.py: `python cluster.py FOLDER` writes seen.json.

Its own process, since Ray's driver has threads and files that last as long as its process.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import ray
from ray.cluster_utils import Cluster

from tfpaths.sweeps.engines import ENGINES
from tfpaths.sweeps.engines.registry import Task

FOLDER = pathlib.Path(sys.argv[1])
# A task notes its start, prints its process and that of Ray, and waits for a file. On SIGTERM it saves.
TASK = """
import os, pathlib, signal, sys, time
name, status, folder = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
def save(*_):
    (folder / f"{name}.saved").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
with open(folder / f"{name}.starts", "a") as notes:
    notes.write("x")
print(os.getpid(), os.getppid(), flush=True)
while not (folder / f"{name}.go").exists():
    time.sleep(0.05)
names = ("TF_NUM_INTRAOP_THREADS", "CUDA_VISIBLE_DEVICES", "TF_FORCE_GPU_ALLOW_GROWTH", "TFPATHS_CACHE_DIR")
print(*(os.environ.get(name) for name in names), os.getcwd())
print(f"tfpaths: the end of {name}", file=sys.stderr)
sys.exit(status)
"""
# A sweep in another process.
DRIVER = """
import sys
from tfpaths.sweeps.engines import ENGINES
from tfpaths.sweeps.engines.registry import Task
task = Task("orphan", ("-c", *sys.argv[1:]), None)
list(ENGINES.lookup("ray")(None).run([task], heard=lambda _, line: print(line, flush=True), stopped=lambda: False))
"""


def arguments(name, status=0):
    return (TASK, name, str(status), str(FOLDER))


def task(name, status=0):
    return Task(name, ("-c", *arguments(name, status)), FOLDER / name)


def starts(*names):
    files = [FOLDER / f"{name}.starts" for name in names]
    return sum(len(file.read_text()) for file in files if file.exists())


def go(*names):
    for name in names:
        (FOLDER / f"{name}.go").touch()


def wait_for(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in two minutes"
        time.sleep(0.05)


def exists(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Sweep:
    """A sweep that hears all lines; `at` is called after each."""

    def __init__(self, tasks, jobs=None, at=lambda name, line: None, stopped=lambda: False):
        self.lines = []
        self._at = at
        self.ends = ENGINES.lookup("ray")(jobs).run(tasks, heard=self._hear, stopped=stopped)

    def _hear(self, name, line):
        self.lines.append((name, line))
        self._at(name, line)

    def ended(self):
        return sorted((one.name, one.status, one.message) for one in self.ends)


def statuses_and_lines():
    go("well", "badly")
    sweep = Sweep([task("well"), task("badly", 3)])
    ended = sweep.ended()
    return {"ended": ended, "last_lines": [line for _, line in sorted(sweep.lines) if "cache" in line]}


def killed_process_of_ray():
    pids, both_run = [], []

    def at(name, line):
        if not line.replace(" ", "").isdigit():
            return  # Not the line with the processes.
        pid, parent = map(int, line.split())
        pids.append(pid)
        if len(pids) == 1:
            os.kill(parent, signal.SIGKILL)
        else:
            both_run.append(exists(pids[0]))
            go(name)

    return {"ended": Sweep([task("killed")], at=at).ended(), "starts": starts("killed"), "both_run": both_run}


def stop():
    ended = Sweep([task("a"), task("b"), task("c")], stopped=lambda: bool(starts("a") and starts("b"))).ended()
    return {"ended": ended, "saved": sorted(path.stem for path in FOLDER.glob("?.saved")), "starts": starts("c")}


@ray.remote(num_cpus=1)
def occupy(name):
    (FOLDER / f"{name}.occupied").touch()
    while not (FOLDER / "free").exists():
        time.sleep(0.05)


def stop_without_a_machine():
    others = [occupy.remote(name) for name in "ab"]
    wait_for(lambda: len(list(FOLDER.glob("*.occupied"))) == 2)
    asked = []
    ended = Sweep([task("waiting")], stopped=lambda: asked.append(1) or len(asked) > 1).ended()
    (FOLDER / "free").touch()
    ray.get(others)
    return {"ended": ended, "starts": starts("waiting")}


def closed_generator():
    go("short")
    ends = Sweep([task("short"), task("long")]).ends
    first = next(ends).name
    wait_for(lambda: starts("long"))
    ends.close()
    return {"first": first, "saved": (FOLDER / "long.saved").exists()}


def killed_driver():
    command = [sys.executable, "-c", DRIVER, *arguments("orphan")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline().split()[0])
        before = exists(pid)
        process.kill()
        wait_for(lambda: not exists(pid))
    return {"before": before}


def killed_node(cluster, node):
    killed = []

    def at(name, line):
        if starts("d", "e") == 2 and not killed:
            killed.append(node)
            cluster.remove_node(node, allow_graceful=False)
            go("d", "e")

    sweep = Sweep([task("d"), task("e", 3)], at=at)
    ended = sweep.ended()
    return {"ended": ended, "starts": starts("d", "e"), "lost": [line for _, line in sweep.lines if "lost" in line]}


def shared_gpu():
    # Neither ends before both have started.
    sweep = Sweep([task("f"), task("g")], jobs=2, at=lambda *_: go("f", "g") if starts("f", "g") == 2 else None)
    return {"ended": sweep.ended(), "last_lines": [line for _, line in sweep.lines if "cache" in line]}


def main():
    os.environ["TFPATHS_CACHE_DIR"] = "the-cache-of-the-driver"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    os.environ["RAY_ADDRESS"] = cluster.address
    before = signal.getsignal(signal.SIGTERM)
    ENGINES.lookup("ray")(None).check()
    seen = {"keeps_sigterm": signal.getsignal(signal.SIGTERM) is before}
    for part in (
        statuses_and_lines,
        killed_process_of_ray,
        stop,
        stop_without_a_machine,
        closed_generator,
        killed_driver,
    ):
        seen[part.__name__] = part()
    seen["killed_node"] = killed_node(cluster, second)
    cluster.add_node(num_cpus=4, num_gpus=1)
    seen["shared_gpu"] = shared_gpu()
    # Not on standard output, where Ray itself says that a node was lost.
    (FOLDER / "seen.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    main()
