"""The Ray engine, on Ray's own cluster of two nodes in processes of this machine."""

import json
import os
import subprocess
import sys
import textwrap

import pytest
from helpers import ROOT, launch, launch_here, refused

from tfpaths.sweeps.engines import ray as engine

LINE = ["--exp=line1_ns", "--sweep=study.width=8,16", "--engine=ray"]
# A cluster of a head and another node, with one CPU each, and two tasks that wait for a file.
CLUSTER = """
    import json, os, pathlib, sys, threading, time
    import ray
    from ray.cluster_utils import Cluster
    from tfpaths.sweeps.engines import ENGINES
    from tfpaths.sweeps.engines.registry import Task

    folder = pathlib.Path(sys.argv[1])
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    os.environ["RAY_ADDRESS"] = cluster.address
    engine = ENGINES.lookup("ray")(None)
    engine.check()

    def wait_for(condition):
        deadline = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def finish(found):
        (folder / "found.json").write_text(json.dumps(found))
        ray.shutdown()
        cluster.shutdown()

    def started(name):
        notes = folder / f"{name}.starts"
        return notes.read_text().count("x") if notes.exists() else 0

    code = [
        "import pathlib, signal, sys, time",
        f"folder = pathlib.Path({str(folder)!r})",
        "signal.signal(signal.SIGTERM, lambda *_: (folder / f'{name}.saved').touch() or sys.exit(143))",
        "with open(folder / f'{name}.starts', 'a') as notes: notes.write('x')",
        "while not (folder / 'go').exists(): time.sleep(0.05)",
        "print('tfpaths: the end of', name, file=sys.stderr)",
        "sys.exit(3 if name == 'b' else 0)",
    ]
    tasks = [Task(name, ("-c", "\\n".join([f"name = {name!r}", *code])), folder / name) for name in "ab"]
"""
KILLED = """
    def kill():
        wait_for(lambda: started("a") and started("b"))
        cluster.remove_node(second, allow_graceful=False)
        (folder / "go").touch()

    threading.Thread(target=kill, daemon=True).start()
    ended = [(one.name, one.status, one.message) for one in engine.run(tasks, heard=print, stopped=lambda: False)]
    finish({"ended": sorted(ended), "starts": started("a") + started("b")})
"""
STOPPED = """
    both = lambda: bool(started("a") and started("b"))
    ended = [(one.name, one.status, one.message) for one in engine.run(tasks, heard=print, stopped=both)]
    wait_for(lambda: (folder / "a.saved").exists() and (folder / "b.saved").exists())
    finish({"ended": sorted(ended)})
"""


def on_cluster(code, folder):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'tfpaths[ray]'")
    program = textwrap.dedent(CLUSTER) + textwrap.dedent(code)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-c", program, str(folder)]
    # A file, because Ray's servers keep a pipe open.
    with open(folder / "log", "w") as log:
        status = subprocess.run(command, stdout=log, stderr=log, env=env, check=False, timeout=180).returncode
    assert status == 0, (folder / "log").read_text()[-3000:]
    return json.loads((folder / "found.json").read_text())


def test_a_task_of_a_lost_node_runs_again_on_another(tmp_path):
    found = on_cluster(KILLED, tmp_path)
    assert found["ended"] == [["a", 0, "the end of a"], ["b", 3, "the end of b"]]
    assert found["starts"] == 3


def test_a_stop_lets_tasks_save(tmp_path):
    assert on_cluster(STOPPED, tmp_path)["ended"] == [["a", 143, ""], ["b", 143, ""]]


@pytest.mark.parametrize(
    ("cluster", "jobs", "expected"),
    [
        ({"CPU": 16.0}, None, (1.0, 0.0)),
        ({"CPU": 16.0}, 3, (5.0, 0.0)),
        ({"CPU": 2.0}, 5, (1.0, 0.0)),
        ({"CPU": 16.0, "GPU": 4.0}, None, (4.0, 1.0)),
        ({"CPU": 16.0, "GPU": 4.0}, 2, (8.0, 1.0)),
        # Three tasks share two GPUs: 0.6666 each, so that the sum is at most 2.
        ({"CPU": 16.0, "GPU": 2.0}, 3, (5.0, 0.6666)),
    ],
)
def test_resources_of_a_task(cluster, jobs, expected):
    assert engine.resources(cluster, jobs) == dict(zip(("CPU", "GPU"), expected, strict=True))


def test_without_ray_the_remedy_is_named(monkeypatch, tmp_path):
    find = engine.importlib.util.find_spec
    monkeypatch.setattr(
        engine.importlib.util, "find_spec", lambda name, *rest: None if name == "ray" else find(name, *rest)
    )
    line = refused(launch_here(*LINE, f"--workdir={tmp_path / 'run'}"))
    assert line == "tfpaths: --engine=ray: Ray is not installed. To fix this: pip install 'tfpaths[ray]'."
    assert not (tmp_path / "run").exists()


def test_without_a_cluster_the_remedy_is_named(tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'tfpaths[ray]'")
    run = launch(*LINE, f"--workdir={tmp_path / 'run'}", RAY_ADDRESS="auto", RAY_TMPDIR=str(tmp_path))
    assert "--engine=ray: found no Ray cluster at 'auto'. To fix this: start one with `ray start --head`" in refused(
        run
    )
    assert not (tmp_path / "run").exists()
