"""An interrupted run loses at most the work since its last checkpoint, and never a finished result."""

import ast
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
import yaml
from helpers import ROOT, assert_same_run, assert_same_state, finish, start, wait_for
from helpers import saving_toy as toy
from helpers import toy_command as command

from tfpaths import errors
from tfpaths.runs import checkpoints, rows, training, trust
from tfpaths.runs.directory import RunDirectory

STUDY = ("--exp=line1_gan_gp", "--set=schedule.log_every=200", "--set=study.runs=6", "--set=study.block=1")
STUDY += ("--set=study.width=8", "--set=study.depth=1")


def study(workdir, steps):
    return [sys.executable, "-m", "tfpaths.launch", *STUDY, f"--steps={steps}", f"--workdir={workdir}"]


def test_a_killed_training_run_resumes_bit_for_bit(tmp_path):
    finish(command(tmp_path / "whole", schedule__steps="8"))
    process = start(command(tmp_path / "parts", schedule__steps="8", schedule__sample_every="8"))
    wait_for(tmp_path / "parts" / "checkpoints" / "step-4.index", process)
    process.kill()
    process.communicate()
    finish(command(tmp_path / "parts", schedule__steps="8", schedule__steps_per_execution="2"))
    # If the kill came after the last step, nothing was left to continue; the states are equal in any case.
    assert_same_state(tmp_path / "whole", tmp_path / "parts")


def test_a_killed_study_resumes_bit_for_bit(tmp_path):
    finish(study(tmp_path / "whole", "2000"))
    process = start(study(tmp_path / "parts", "2000"))
    end = time.monotonic() + 240
    # The first runs are written, the last are not.
    while not rows.read_rows(tmp_path / "parts" / "metrics.jsonl") and time.monotonic() < end:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    finish(study(tmp_path / "parts", "2000"))
    whole, parts = (rows.read_rows(tmp_path / name / "metrics.jsonl") for name in ("whole", "parts"))
    assert whole == parts
    assert {row["run"] for row in whole} == set(range(6))


def steps_beyond(path, step):
    return [found for found in checkpoints.steps_in(path / "checkpoints") if found > step]


@pytest.mark.slow
def test_twenty_random_kills_lose_nothing(tmp_path):
    steps = "200"
    every = {"schedule__steps": steps, "schedule__checkpoint_every": "5", "schedule__sample_every": "50"}
    finish(command(tmp_path / "whole", **every))
    moments, killed, reached = random.Random(0), 0, 0
    path = tmp_path / "parts"
    while killed < 20:
        process = start(command(path, **every))
        began = time.monotonic()
        # Every second kill comes at any moment, including the imports; the others come after a new checkpoint, or in
        # the middle of the next.
        while killed % 2 and process.poll() is None and not steps_beyond(path, reached):
            time.sleep(0.002)
        moment = time.monotonic() - began + moments.uniform(0, 1) if killed % 2 else moments.uniform(0, 20)
        while process.poll() is None and time.monotonic() - began < moment:
            time.sleep(0.002)
        ended = process.poll() is not None
        process.kill()
        process.communicate()
        if ended:
            # It had time to finish: start again.
            shutil.rmtree(path)
            reached = 0
            continue
        killed += 1
        kept = checkpoints.steps_in(path / "checkpoints")
        assert max(kept, default=0) >= reached, "a checkpoint is lost"
        reached = max(kept, default=0)
        for step in kept:
            reader = tf.train.load_checkpoint(str(path / "checkpoints" / f"step-{step}"))
            for name in reader.get_variable_to_shape_map():
                reader.get_tensor(name)  # verifies its checksum
    finish(command(path, **every))
    assert_same_run(tmp_path / "whole", path)


def check_whole(run):
    """Checks that each file of a run, of its export and of its samples can be read."""
    assert RunDirectory(run).known().name == "color_mnist_dragan_ns"
    rows.read_rows(run / "metrics.jsonl")
    results_of_run = json.loads((run / "results.json").read_text())
    assert results_of_run["step"] == 4
    assert "modes_covered" in results_of_run["metrics"]
    trust.check(run / "export")
    for path in (run / "export" / "variables" / "variables", run / "checkpoints" / "step-4"):
        reader = tf.train.load_checkpoint(str(path))
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)  # verifies its checksum
    for picture in (run / "samples.png", *(run / "samples").glob("step_*.png")):
        with PIL.Image.open(picture) as image:
            image.load()
    assert len(np.load(run / "samples.npz")["images"]) == 64
    assert (run / "report.html").read_text().rstrip().endswith("</html>")


@pytest.mark.slow
def test_two_hundred_random_kills_over_all_modes_lose_nothing(tmp_path):
    run, moments, killed = tmp_path / "run", random.Random(0), dict.fromkeys(MODES, 0)
    finish(command(run, schedule__steps="4", evaluation__metrics="modes", evaluation__mode_samples="400"))
    lengths = {}
    for mode, flags in MODES.items():
        began = time.monotonic()
        finish(in_mode(run, mode, flags))
        lengths[mode] = time.monotonic() - began
    check_whole(run)
    before = (run / "checkpoints" / "step-4.index").read_bytes()
    while min(killed.values()) < 40:
        mode = min(killed, key=lambda mode: killed[mode])
        process = start(in_mode(run, mode, MODES[mode]))
        time.sleep(moments.uniform(0, lengths[mode]))
        killed[mode] += process.poll() is None
        process.kill()
        process.communicate()
        check_whole(run)
        assert {path.name for path in run.glob(".*")} <= {".lock", ".unfinished"}
    for mode, flags in MODES.items():
        finish(in_mode(run, mode, flags))
    check_whole(run)
    assert (run / "checkpoints" / "step-4.index").read_bytes() == before
    assert [path.name for path in run.rglob(".*")] == [".lock"]


# Mode -> its flags; each replaces what an earlier process has written.
MODES = {
    "evaluate": ["--set=evaluation.metrics=modes", "--set=evaluation.seed=7"],
    "export": [],
    "sample": ["--out=RUN/samples.png", "--overwrite"],
    "sample arrays": ["--out=RUN/samples.npz", "--overwrite"],
    "report": ["--out=RUN/report.html", "--overwrite"],
}


def in_mode(run, mode, flags):
    words = [flag.replace("RUN", str(run)) for flag in flags]
    return [sys.executable, "-m", "tfpaths.launch", f"--mode={mode.split()[0]}", f"--workdir={run}", *words]


IN_OWN_MOUNTS = ["unshare", "-rm", "bash", "-c"]
PROGRAM = str(ROOT / "tests" / "runs" / "on_a_disk.py")


@pytest.fixture
def own_mounts():
    try:
        made = subprocess.run([*IN_OWN_MOUNTS, "mount -t tmpfs none /mnt"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("unshare is not installed: no small disk can be made")
    if made.returncode:
        pytest.skip("this user may not mount a small disk in a new namespace")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The directory `run` of two steps, read-only."""
    path = tmp_path_factory.mktemp("finished") / "run"
    training.train(toy(schedule__steps="2"), path)
    return path


def on_a_disk(tmp_path, size, words, script="true"):
    """Runs a command, in which DISK is a small disk, after a script of bash.

    Returns:
      Exit status, output, errors, and what was left on the disk; see `on_a_disk.py`.
    """
    disk, left = tmp_path / "disk", tmp_path / "left"
    disk.mkdir()
    command = [word.replace("DISK", str(disk)) for word in words[1:]]
    process = start([sys.executable, PROGRAM, size, str(disk), str(left), script.replace("DISK", str(disk)), *command])
    out, err = process.communicate(timeout=400)
    return process.returncode, out, err, left


@pytest.mark.usefixtures("own_mounts")
def test_full_disk_keeps_the_last_checkpoint(tmp_path):
    every = {"schedule__steps": "12", "schedule__sample_every": "100", "networks__latent_dim": "64"}
    # A checkpoint of these networks has 0.34 MB: one or two fit on the disk beside the rest, but not four.
    status, _, err, left = on_a_disk(tmp_path, "1100k", command("DISK/run", **every))
    assert status == 1, err
    line = err.splitlines()[-1]
    found = re.fullmatch(
        r"tfpaths: (/[^ ]*): cannot be written: [^{}\[]*No space left on device\. "
        r"The last good checkpoint: step (\d+), in .*/run/checkpoints\..*",
        line,
    )
    assert found, err
    assert found[1].startswith(str(tmp_path / "disk" / "run" / "checkpoints"))
    kept = checkpoints.steps_in(left / "run" / "checkpoints")
    assert kept[-1] == int(found[2])
    training.train(toy(**every), left / "run")
    training.train(toy(**every), tmp_path / "whole")
    assert_same_run(tmp_path / "whole", left / "run")


@pytest.mark.usefixtures("own_mounts")
def test_full_disk_error_names_the_rows_file(tmp_path):
    fill = "import pathlib, sys; from tfpaths.runs import rows\n"
    fill += "try: [rows.append_row(pathlib.Path(sys.argv[1]), {'step': n}) for n in range(10**6)]\n"
    fill += "except OSError as error: print(error.filename, error.strerror)"
    _, out, _, _ = on_a_disk(tmp_path, "64k", [sys.executable, "-c", fill, "DISK/metrics.jsonl"])
    assert out.strip() == f"{tmp_path / 'disk' / 'metrics.jsonl'} No space left on device"


@pytest.mark.usefixtures("own_mounts")
@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--mode=export"], r"run/(\.unfinished/)?export"),
        (["--mode=sample", "--out=DISK/a.png"], "a.png"),
        (["--mode=sample", "--out=DISK/a.npz"], "a.npz"),
        (["--mode=sample", "--out=DISK/many", "--num_samples=400"], r"many/image_\d+\.png"),
        (["--mode=report"], r"run/report\.html"),
    ],
)
def test_full_disk_in_other_modes_is_one_line_with_the_file(finished, tmp_path, flags, named):
    launched = [sys.executable, "-m", "tfpaths.launch", "--workdir=DISK/run", *flags]
    fill = "head -c 100m /dev/zero > DISK/full 2> /dev/null; truncate -s -20k DISK/full"
    status, _, err, left = on_a_disk(tmp_path, "4m", launched, f"cp -r {finished} DISK; {fill}")
    assert status == 1, err
    assert "Traceback" not in err
    line = err.splitlines()[-1]
    assert re.search(rf"^tfpaths: .*/disk/{named}.*No space left on device", line), err
    assert not [path for path in left.iterdir() if path.name not in ("run", "full")]


@pytest.mark.usefixtures("own_mounts")
def test_read_only_disk_is_refused_and_unchanged(finished, tmp_path):
    files = [file for file in finished.rglob("*") if file.is_file()]
    before = {file.relative_to(finished.parent): file.read_bytes() for file in files}
    script = f"cp -r {finished} DISK; mount -o remount,ro DISK"
    status, _, err, left = on_a_disk(tmp_path, "20m", command("DISK/run"), script)
    assert status == 2, err
    assert err.splitlines()[-1].startswith("tfpaths: --workdir: expected a path that can be written, received")
    assert {name: (left / name).read_bytes() for name in before} == before


def test_files_are_never_run_as_code():
    """No module uses a library that turns bytes into code; NumPy and Keras refuse it unless a flag allows it."""
    forbidden = {"pickle", "cPickle", "dill", "marshal", "shelve", "joblib", "cloudpickle"}
    for file in (ROOT / "tfpaths").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                assert not forbidden & {name.name.split(".")[0] for name in node.names}, file
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] not in forbidden, file
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__"), file
            if isinstance(node, ast.Call):
                flags = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
                assert flags.get("allow_pickle") is not True, file
                assert flags.get("safe_mode") is not False, file


SCRIPTS = sorted([*(ROOT / "launch").glob("*.sh"), *(ROOT / "launch").glob("*.sbatch")])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_launch_scripts_are_clean_and_say_what_to_edit(script):
    tool = shutil.which("shellcheck", path=os.path.dirname(sys.executable)) or shutil.which("shellcheck")
    if tool is None:
        pytest.skip("shellcheck is not installed")
    made = subprocess.run([tool, str(script)], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout
    text = script.read_text()
    assert len(text.splitlines()) <= 35
    assert script.name == "local.sh" or re.search(r"^# Edit: ", text, re.MULTILINE)


def test_kubernetes_workers_match_the_job():
    service, job = yaml.safe_load_all((ROOT / "launch" / "kubernetes.yaml").read_text())
    spec = job["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    workers = next(one["value"] for one in container["env"] if one["name"] == "WORKERS").split()
    name, domain = job["metadata"]["name"], service["metadata"]["name"]
    assert workers == [f"{name}-{index}.{domain}:2222" for index in range(spec["completions"])]
    assert spec["parallelism"] == spec["completions"]
    assert_fails_as_a_run(spec)


def test_kubernetes_parts_are_all_of_the_sweep():
    (job,) = yaml.safe_load_all((ROOT / "launch" / "kubernetes_sweep.yaml").read_text())
    spec = job["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    variables = {one["name"]: one for one in container["env"]}
    assert container["command"][-1] == "--shard=$(INDEX)/$(PARTS)"
    assert int(variables["PARTS"]["value"]) == spec["completions"] == spec["parallelism"]
    field = variables["INDEX"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert (spec["completionMode"], field) == (
        "Indexed",
        "metadata.annotations['batch.kubernetes.io/job-completion-index']",
    )
    assert_fails_as_a_run(spec)


def assert_fails_as_a_run(spec):
    """Checks which exit statuses of a pod are not counted, and which end the job."""
    ignored, failed = spec["podFailurePolicy"]["rules"]
    assert (ignored["action"], ignored["onExitCodes"]["values"]) == ("Ignore", [128 + signal.SIGTERM])
    assert (failed["action"], failed["onExitCodes"]["values"]) == (
        "FailJob",
        [errors.InputError.status, errors.FinalError.status],
    )


@pytest.fixture
def slurm_array(tmp_path):
    """Runs a task of launch/slurm_array.sbatch with a Slurm whose `srun` is a line of bash."""

    def run(number, *flags, srun='exec "$@"'):
        for name, line in (("srun", srun), ("scontrol", f'echo "$@" >> {tmp_path / "requests"}')):
            (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{line}\n")
            (tmp_path / name).chmod(0o755)
        slurm = {"SLURM_ARRAY_TASK_ID": str(number), "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_JOB_ID": "17"}
        path = f"{tmp_path}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
        env = {**os.environ, **slurm, "PATH": path, "PYTHONPATH": str(ROOT)}
        command = ["bash", str(ROOT / "launch" / "slurm_array.sbatch"), *flags]
        return subprocess.run(command, capture_output=True, text=True, env=env, check=False)

    return run


def test_tasks_of_a_slurm_array_train_one_sweep(slurm_array, tmp_path):
    settings = ("study.runs=2", "schedule.batch_size=8", "schedule.steps=4", "schedule.log_every=2")
    flags = ["line1_ns", f"--workdir={tmp_path / 'sweep'}", "--sweep=study.width=8,16", "--jobs=1"]
    for number, results in ((0, False), (1, True)):
        made = slurm_array(number, *flags, *(f"--set={setting}" for setting in settings))
        assert made.returncode == 0, made.stderr
        assert len(list((tmp_path / "sweep" / "trials").glob("*/results.json"))) == number + 1
        assert (tmp_path / "sweep" / "results.json").exists() == results


def test_a_preempted_task_of_a_slurm_array_is_queued_again(slurm_array, tmp_path):
    assert slurm_array(0, "line1_ns", srun="exit 143").returncode == 143
    assert (tmp_path / "requests").read_text() == "requeue 17\n"
    assert slurm_array(0, "line1_ns", srun="exit 2").returncode == 2
    assert (tmp_path / "requests").read_text() == "requeue 17\n"
