"""The Ray engine, on Ray's own cluster of two nodes in processes of this machine."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import pytest
from helpers import ROOT, launch, launch_here, refused

from tfpaths.sweeps.engines import ray as engine

LINE = ["--exp=line1_ns", "--sweep=study.width=8,16", "--engine=ray"]


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What tasks did on a cluster, see cluster.py."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'tfpaths[ray]'")
    if sys.platform != "linux":
        pytest.skip("finds processes in /proc")
    folder = tmp_path_factory.mktemp("cluster")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
    # The machines' own; see conftest.py.
    env.pop("TF_FORCE_GPU_ALLOW_GROWTH", None)
    command = [sys.executable, str(pathlib.Path(__file__).parent / "cluster.py"), str(folder)]
    # Ray's sockets are there, whose paths have at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as short:
        env["RAY_TMPDIR"] = short
        run = subprocess.run(command, capture_output=True, text=True, env=env, cwd=folder, check=False, timeout=400)
    assert run.returncode == 0, run.stderr[-3000:]
    return {"folder": str(folder), **json.loads((folder / "seen.json").read_text())}


def test_statuses_and_messages(seen):
    ended = [["badly", 3, "the end of badly"], ["well", 0, "the end of well"]]
    assert seen["statuses_and_lines"]["ended"] == ended


def test_lines_are_heard_and_variables_are_passed(seen):
    # Of the two CPUs each task has one, and no GPU.
    line = rf"1 (None|) None the-cache-of-the-driver {re.escape(seen['folder'])}"
    first, second = seen["statuses_and_lines"]["last_lines"]
    assert re.fullmatch(line, first)
    assert re.fullmatch(line, second)


def test_the_driver_keeps_its_signals(seen):
    assert seen["keeps_sigterm"]


def test_a_task_whose_ray_process_is_killed_runs_again(seen):
    # The process of the first start had ended before the second start.
    ended = [["killed", 0, "the end of killed"]]
    assert seen["killed_process_of_ray"] == {"ended": ended, "starts": 2, "both_run": [False]}


def test_a_task_of_a_lost_node_runs_again_on_another(seen):
    assert seen["killed_node"] == {
        "ended": [["d", 0, "the end of d"], ["e", 3, "the end of e"]],
        "starts": 3,
        "lost": ["lost with its machine; it is started again"],
    }


def test_a_stop_lets_tasks_save_and_starts_no_others(seen):
    assert seen["stop"] == {"ended": [["a", 143, ""], ["b", 143, ""]], "saved": ["a", "b"], "starts": 0}


def test_a_stop_does_not_wait_for_a_machine(seen):
    assert seen["stop_without_a_machine"] == {"ended": [["waiting", 143, ""]], "starts": 0}


def test_a_closed_generator_lets_tasks_save(seen):
    assert seen["closed_generator"] == {"first": "short", "saved": True}


def test_tasks_end_with_a_driver_that_is_killed(seen):
    assert seen["killed_driver"] == {"before": True}  # The program has waited for its end.


def test_two_tasks_share_a_gpu(seen):
    assert seen["shared_gpu"] == {
        "ended": [["f", 0, "the end of f"], ["g", 0, "the end of g"]],
        "last_lines": [f"2 0 true the-cache-of-the-driver {seen['folder']}"] * 2,
    }


@pytest.mark.parametrize(
    ("machines", "count", "expected"),
    [
        ([{"CPU": 16.0}], 16, (1.0, 0.0)),
        ([{"CPU": 16.0}], 3, (5.0, 0.0)),
        # Five tasks on two CPUs: three on one, two on the other.
        ([{"CPU": 2.0}], 5, (0.3333, 0.0)),
        # A task is on one machine: 2 CPUs are not on any.
        ([{"CPU": 1.0}, {"CPU": 1.0}], 1, (1.0, 0.0)),
        ([{"CPU": 8.0}, {"CPU": 2.0}], 5, (2.0, 0.0)),
        ([{"CPU": 16.0, "GPU": 4.0}], 4, (4.0, 1.0)),
        # At most a GPU each.
        ([{"CPU": 16.0, "GPU": 4.0}], 2, (4.0, 1.0)),
        # Three tasks on two GPUs: two thirds of a GPU would fit twice only.
        ([{"CPU": 16.0, "GPU": 2.0}], 3, (4.0, 0.5)),
        # Machines without GPUs are not used.
        ([{"CPU": 64.0}, {"CPU": 4.0, "GPU": 1.0}, {"CPU": 8.0, "GPU": 1.0}], 2, (4.0, 1.0)),
        ([{"CPU": 1.0, "GPU": 2.0}], 2, (0.5, 1.0)),
        # 6 times 0.1667 is more than 1.
        ([{"CPU": 12.0, "GPU": 1.0}], 6, (2.0, 0.1666)),
        # A head without CPUs, whose cluster grows when it is asked.
        ([{"memory": 1e9}], 3, (1.0, 0.0)),
        ([], 1, (1.0, 0.0)),
    ],
)
def test_shares_of_the_machines(machines, count, expected):
    assert engine.shares(machines, count) == dict(zip(("CPU", "GPU"), expected, strict=True))


def test_without_ray_the_remedy_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    line = refused(launch_here(*LINE, f"--workdir={tmp_path / 'run'}"))
    assert line == "tfpaths: --engine=ray: Ray is not installed. To fix this: pip install 'tfpaths[ray]'."
    assert not (tmp_path / "run").exists()


# Port 9 is not listened to; Ray itself would try it for minutes.
@pytest.mark.parametrize("address", ["auto", "", "127.0.0.1:9", "ray://127.0.0.1:9"])
def test_without_a_cluster_the_remedy_is_named(tmp_path, address):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'tfpaths[ray]'")
    run = launch(*LINE, f"--workdir={tmp_path / 'run'}", RAY_ADDRESS=address, RAY_TMPDIR=str(tmp_path))
    line = refused(run)
    assert f"--engine=ray: found no Ray cluster at {address or 'auto'!r}. To fix this: start one with `ray" in line
    assert not (tmp_path / "run").exists()


def test_an_invalid_address_is_one_line(tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'tfpaths[ray]'")
    run = launch(*LINE, f"--workdir={tmp_path / 'run'}", RAY_ADDRESS="head", RAY_TMPDIR=str(tmp_path))
    assert "--engine=ray: cannot use the Ray cluster at 'head': Invalid address format: head." in refused(run)
