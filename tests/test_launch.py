"""The command line, run as a user runs it."""

import itertools
import json
import os
import pathlib
import pty
import re
import shlex
import signal
import subprocess
import sys
import time

import helpers
import pytest
import ready
from helpers import ROOT, launch, launch_here, refused

from tfpaths import config, experiments

TOY = [
    "--source=embedded",
    "--steps=4",
    "--batch_size=8",
    "--set=networks.generator_filters=4",
    "--set=networks.discriminator_filters=4",
    "--set=evaluation.metrics=none",
]


# A shell without a terminal starts background processes with SIGINT ignored; these tests need a user's Ctrl-C.
_WITH_SIGINT = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.executable, sys.argv[1:])"
)


def command(*flags):
    return [sys.executable, "-m", "tfpaths.launch", *flags]


def start(*flags):
    """Starts a run in a new process that receives SIGINT, with text output."""
    return subprocess.Popen(
        [sys.executable, "-c", _WITH_SIGINT, *command(*flags)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def test_list_needs_no_tensorflow(tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('TensorFlow was imported')")
    run = launch("--list", new=True, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert (run.returncode, run.stderr) == (0, "")
    lines = [line.split(maxsplit=2) for line in run.stdout.splitlines()]
    # The order is that in which modules are imported, which a test before this one may have changed here.
    assert sorted(name for name, _, _ in lines) == sorted(experiments.names())
    kinds = [kind for _, kind, _ in lines]
    assert [kind for kind, _ in itertools.groupby(kinds)] == list(config.KINDS)
    assert set(kinds) == {"training", "study", "figure", "sweep", "perfect"}
    assert all(what for _, _, what in lines)
    some = launch("--list", "--exp=cifar10_[gw]*gp")
    assert {line.split()[0] for line in some.stdout.splitlines()} == {"cifar10_wgan_gp", "cifar10_gan_gp"}
    assert "'cifar11_*'" in refused(launch("--list", "--exp=cifar11_*"))


def test_help_names_every_flag():
    run = launch("--help", new=True)
    assert run.returncode == 0
    names = "exp mode workdir steps batch_size seed set data_dir source strategy tpu precision list import profile"
    for flag in f"{names} num_samples out interpolate".split():
        assert re.search(rf"^  --{flag}[ =]", run.stdout, re.MULTILINE), flag


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ([], "--exp: expected the name of an experiment, received none"),
        (
            ["--exp=color_mnist_dragn_ns"],
            "unknown experiment 'color_mnist_dragn_ns'; did you mean 'color_mnist_dragan_ns'?",
        ),
        (["--exp=color_mnist_ns", "--step=3"], "unknown flag '--step'; did you mean '--steps'?"),
        (["--exp=color_mnist_ns", "--steps=many"], "schedule.steps: expected an integer, received 'many'"),
        (["--exp=color_mnist_ns", "--steps=0"], "schedule.steps: expected a number above zero, received 0"),
        (["--exp=color_mnist_ns", "--steps=-5"], "schedule.steps: expected a number above zero, received -5"),
        (["--exp=color_mnist_ns", "--set=seed"], "--set: expected path.to.field=value, received 'seed'"),
        (["--exp=color_mnist_ns", "--set=schedule.stps=1"], "schedule.stps: unknown field 'stps'; did you mean"),
        (["--exp=color_mnist_ns", "--set==5"], "--set: expected path.to.field=value, received '=5'"),
        (["--exp=color_mnist_ns", "--steps=1.5"], "schedule.steps: expected an integer, received '1.5'"),
        (["--exp=color_mnist_ns", "--steps=5", "--set=schedule.steps=7"], "expected one value, received '5' and '7'"),
        (["--exp=color_mnist_ns", "--workdir="], "--workdir: expected one directory, received ''"),
        (["--exp=color_mnist_ns", "--data_dir="], "--data_dir: expected a directory, received ''"),
        (["--exp=color_mnist_ns", "--set=seed=x"], "seed: expected an integer, received 'x'"),
        (["--exp=color_mnist_ns", "--mode=trian"], "unknown mode 'trian'; did you mean 'train'?"),
        (
            ["--exp=color_mnist_ns", "--precision=bf16"],
            "precision: expected one of float32, mixed_bfloat16, mixed_float16, auto",
        ),
        (
            ["--exp=color_mnist_ns", "--source=web"],
            "data.source: expected 'auto' or 'tfds' or 'embedded' for color_mnist",
        ),
        (["--exp=color_mnist_ns", "--mode=evaluate", "--profile"], "--profile works only with --mode=train, not"),
        (["--exp=line1_ns", "--profile"], "--profile: line1_ns is a study; only training runs can be profiled"),
        (["--exp=color_mnist_ns", "--strategy=mirored"], "unknown strategy 'mirored'; did you mean 'mirrored'?"),
        (["--exp=color_mnist_ns", "--num_samples=5"], "--num_samples works only with --mode=sample, not"),
        (["--exp=line1_ns", "--mode=evaluate"], "expected the directory of a run"),
        (["--exp=figure_2", "--precision=float32"], "precision: unknown field 'precision'"),
        (["--exp=line1_ns", "--import=no_such_module"], "--import: expected a module that Python can import from here"),
        (["color_mnist_ns"], "expected flags only, received 'color_mnist_ns'"),
    ],
)
def test_invalid_flags_give_a_one_line_error(tmp_path, flags, line, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert line in refused(launch_here(*flags))
    assert list(tmp_path.iterdir()) == []


def test_invalid_data_options_give_a_one_line_error(tmp_path):
    base = ["--exp=color_mnist_ns", f"--workdir={tmp_path / 'run'}"]
    assert "from 1 to the 1200 examples" in refused(launch_here(*base, "--source=embedded", "--batch_size=2000"))
    assert "--data_dir: expected a directory" in refused(launch_here(*base, f"--data_dir={tmp_path / 'none'}"))
    (tmp_path / "data" / "mnist" / "3.0.1").mkdir(parents=True)
    assert "is damaged" in refused(launch_here(*base, f"--data_dir={tmp_path / 'data'}"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("assignment", "line"),
    [
        (
            "variant.penalty.noise_scal=2",
            "variant.penalty.noise_scal: 'dragan' has no option 'noise_scal'; did you mean 'noise_scale'?",
        ),
        ("variant.penalty.noise=gauss", "variant.penalty.noise: expected one of uniform, centered_uniform, gaussian, "),
        ("variant.penalty.weight=-1", "variant.penalty.weight: expected a number above zero, received -1.0"),
        ("variant.penalty=dragn", "variant.penalty.name: unknown penalty 'dragn'; did you mean 'dragan'?"),
        ("variant.loss=hing", "variant.loss.name: unknown loss 'hing'; did you mean 'hinge'?"),
        ("variant.game=gann", "variant.game.name: unknown game 'gann'; did you mean 'gan'?"),
        ("variant.generator_optimizer=adma", "variant.generator_optimizer.name: unknown optimizer 'adma'"),
        ("variant.generator_optimizer.beta_1=1", "variant.generator_optimizer.beta_1: expected a number in [0, 1)"),
        ("networks.name=dcgn", "networks.name: unknown network 'dcgn'; did you mean 'dcgan'?"),
        ("networks.filters=4", "networks.filters: 'dcgan' has no option 'filters'"),
        ("data.name=color_minst", "data.name: unknown data set 'color_minst'; did you mean 'color_mnist'?"),
        ("data.path=x", "data.path: 'color_mnist' has no option 'path'"),
        ("evaluation.metrics=fid", "evaluation.metrics"),
        ("evaluation.critic_step=5", "evaluation.critic_step"),
    ],
)
def test_invalid_names_and_options_are_refused(tmp_path, assignment, line):
    flags = ["--exp=color_mnist_dragan_ns", "--source=embedded", f"--workdir={tmp_path / 'run'}", f"--set={assignment}"]
    assert refused(launch_here(*flags)).removeprefix("tfpaths: ").startswith(line)
    assert list(tmp_path.iterdir()) == []


def test_invalid_option_is_one_line_in_a_new_process(tmp_path):
    # With TensorFlow's import, whose messages must not show.
    flags = ["--exp=color_mnist_dragan_ns", "--source=embedded", f"--workdir={tmp_path / 'run'}"]
    line = refused(launch(*flags, "--set=variant.penalty.noise_scal=2", new=True))
    assert line.startswith("tfpaths: variant.penalty.noise_scal: 'dragan' has no option 'noise_scal'")
    assert list(tmp_path.iterdir()) == []


def test_foreign_directory_is_refused_without_tensorflow(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('TensorFlow was imported')")
    run = launch("--exp=color_mnist_ns", f"--workdir={tmp_path / 'mine'}", PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert "holds notes.txt" in refused(run)
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_a_run_on_real_mnist(tfds_dir, tmp_path):
    flags = ["--exp=color_mnist_dragan_ns", "--steps=6", "--set=schedule.log_every=2"]
    flags += ["--set=evaluation.samples=400", "--set=evaluation.mode_samples=500", "--set=evaluation.critic_steps=2"]
    run = launch(*flags, cwd=tmp_path, new=True, TFDS_DATA_DIR=str(tfds_dir))
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stderr == ""
    device, *lines = run.stdout.splitlines()
    assert re.fullmatch(r"Computing on .*", device)
    assert [line.split()[1] for line in lines[:3]] == ["2/6", "4/6", "6/6"]
    assert all(re.search(r"D \S+  G \S+  penalty \S+  examples/s \d+  left \d\d:\d\d", line) for line in lines[:3])
    assert "\nFinished at step 6" in run.stdout
    assert re.search(r"\n  metric +samples\n(.*\n)*  modes_covered +\d+\n", run.stdout)
    workdir = tmp_path / "runs" / "color_mnist_dragan_ns"
    for name in ("samples/step_00000006.png", "metrics.jsonl", "results.json", "checkpoints/step-6"):
        assert f"runs/color_mnist_dragan_ns/{name}" in run.stdout
        assert list(workdir.glob(f"{name}*"))
    results = json.loads((workdir / "results.json").read_text())
    assert results["protocol"]["data_source"] == "tfds"
    assert results["protocol"]["train_examples"] == 50_000
    assert results["protocol"]["extractor_accuracy"] >= 0.99
    assert results["protocol"]["samples"] == 400
    measured = {"classifier_score", "frechet_classifier_distance", "ms_ssim", "modes_covered", "wasserstein_gap"}
    assert measured <= results["metrics"].keys()


def test_offline_run_uses_embedded_digits_with_a_warning(tmp_path):
    # A proxy that refuses connections simulates a missing network.
    env = {"TFDS_DATA_DIR": "", "HOME": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:9"}
    flags = ["--exp=stacked_mnist_ns", *TOY[1:], f"--workdir={tmp_path / 'run'}"]
    run = launch(*flags, **env)
    assert run.returncode == 0, run.stderr[-2000:]
    (line,) = run.stderr.splitlines()
    assert line.startswith("tfpaths: WARNING: MNIST is not prepared")
    assert json.loads((tmp_path / "run" / "results.json").read_text())["protocol"]["data_source"] == "embedded"
    assert json.loads((tmp_path / "run" / "config.json").read_text())["data"]["source"] == "embedded"
    asked = launch(*flags[:-1], "--source=tfds", f"--workdir={tmp_path / 'other'}", **env)
    assert "--source=embedded" in refused(asked)


def test_ctrl_c_saves_and_prints_the_resume_command(tmp_path):
    toy = [flag for flag in TOY if not flag.startswith("--steps")]
    flags = ["--exp=color_mnist_ns", *toy, "--steps=100000", "--set=schedule.log_every=1", f"--workdir={tmp_path}/run"]
    process = helpers.start(command(*flags))
    for line in process.stdout:
        if line.startswith("step 2/"):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err[-2000:]
    step = int(re.search(r"Stopped by SIGINT at step (\d+), and saved", out)[1])
    assert f"python -m tfpaths.launch {' '.join(flags)}" in out
    assert list(pathlib.Path(tmp_path, "run", "checkpoints").glob(f"step-{step}.*"))
    again = launch(*(f"--steps={step + 1}" if flag.startswith("--steps") else flag for flag in flags))
    assert f"Finished at step {step + 1}" in again.stdout


@pytest.mark.parametrize("wait", [1.0, 2.5])
def test_ctrl_c_before_training_gives_no_traceback(tmp_path, wait):
    process = start("--exp=color_mnist_ns", *TOY, f"--workdir={tmp_path}/run")
    time.sleep(wait)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    # If the interrupt came during the exec of an import, Python ends by the signal itself after our 130; a shell
    # shows either as 130.
    assert process.returncode in (130, -signal.SIGINT), (out, err[-2000:])
    # On a fast machine training has begun by then, and is saved.
    assert "Traceback" not in err
    assert "tfpaths: interrupted" in err or "Stopped by SIGINT" in out


def test_closed_stdout_does_not_stop_training(tmp_path):
    process = helpers.start(
        command("--exp=color_mnist_ns", *TOY, "--set=schedule.log_every=1", f"--workdir={tmp_path}/run")
    )
    # As `| head -1` does.
    assert process.stdout.readline().startswith("Computing on ")
    process.stdout.close()
    with process.stderr:
        errors = process.stderr.read()
    assert process.wait(120) == 0
    assert "Traceback" not in errors
    assert (tmp_path / "run" / "results.json").exists()


def test_terminal_shows_a_progress_bar(tmp_path):
    main, terminal = pty.openpty()
    flags = ["--exp=color_mnist_ns", *TOY, "--set=schedule.log_every=1", f"--workdir={tmp_path / 'run'}"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    process = ready.start(command(*flags), cwd=ROOT, env=env, terminal=terminal)
    os.close(terminal)
    shown = b""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            part = os.read(main, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(main)
    assert process.wait() == 0
    text = shown.decode()
    assert re.search(r"100%.*4/4 \[\d\d:\d\d<00:00", text)
    assert "penalty=0.000" in text
    assert "step 1/4" not in text
    assert "Finished at step 4" in text


def test_evaluate_shows_a_table_and_refuses_invalid_flags(tmp_path):
    run = ["--exp=color_mnist_ns", f"--workdir={tmp_path / 'run'}"]
    assert "expected the directory of a run, received" in refused(launch_here(*run, "--mode=evaluate"))
    made = launch(*run, *TOY)
    assert made.returncode == 0, made.stderr[-2000:]
    before = (tmp_path / "run" / "results.json").read_bytes()
    # The stored config is evaluated: its widths and length need not be given again.
    asked = [*run, "--mode=evaluate"]
    for flags, line in (
        (["--set=evaluation.metrics=scores,fid"], "unknown metric 'fid'"),
        (
            ["--set=evaluation.metrics=scores", "--set=evaluation.extractor=incepton"],
            "evaluation.extractor: unknown extractor 'incepton'; did you mean 'inception'?",
        ),
        (
            ["--set=evaluation.metrics=ms_ssim", "--set=evaluation.split=tset"],
            "unknown split of color_mnist 'tset'; did you mean 'test'?",
        ),
        (
            ["--set=evaluation.metrics=ms_ssim", "--set=evaluation.split=validation"],
            "expected 320 images in the split validation of color_mnist, received 237",
        ),
        (["--seed=7"], "holds another experiment: seed is 0 there and 7 here"),
    ):
        assert line in refused(launch_here(*asked, *flags)), flags
    other = refused(launch_here("--exp=color_mnist_wgan", *asked[1:]))
    assert "expected a run of 'color_mnist_wgan', received one of 'color_mnist_ns'" in other
    assert (tmp_path / "run" / "results.json").read_bytes() == before
    done = launch(*asked[1:], "--set=evaluation.metrics=ms_ssim")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^  metric +samples\n(.*\n)*  ms_ssim +0\.\d+\n", done.stdout)
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert {"generator_loss", "ms_ssim", "ms_ssim_real"} <= results["metrics"].keys()
    assert results["protocol"]["train_examples"] == 1200


def test_a_figure_is_one_command(tmp_path):
    run = launch("--exp=figure_2", f"--workdir={tmp_path / 'figure'}")
    assert (run.returncode, run.stderr) == (0, "")
    finding, *files = run.stdout.splitlines()
    assert finding == json.loads((tmp_path / "figure" / "results.json").read_text())["finding"]
    assert [line.split()[0] for line in files] == ["picture", "rows", "results"]
    assert all(pathlib.Path(line.split()[1]).stat().st_size for line in files)


def test_stopped_study_prints_the_resume_command(tmp_path):
    flags = ["--exp=line1_ns", f"--workdir={tmp_path}", "--set=study.runs=2", "--set=study.width=8", "--steps=4000000"]
    flags += ["--set=schedule.log_every=500"]
    run = helpers.start(command(*flags))
    while run.poll() is None and not (tmp_path / "config.json").exists():
        time.sleep(0.1)
    time.sleep(1)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=120)
    assert run.returncode == 128 + signal.SIGINT, err
    assert "Stopped by SIGINT after 0 runs" in out
    assert shlex.join(["python", "-m", "tfpaths.launch", *flags]) in out
    assert json.loads((tmp_path / "config.json").read_text())["study"]["runs"] == 2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--exp=figure_5", "--strategy=tpu"], "--tpu: expected a TPU that can be reached"),
        (["--exp=figur_5"], "did you mean 'figure_5'?"),
        (["--exp=figure_5", "--precision=mixed_bfloat16"], "precision: unknown field 'precision'"),
    ],
)
def test_invalid_flags_of_a_figure_are_refused(flags, message, tmp_path):
    assert message in refused(launch_here(*flags, f"--workdir={tmp_path / 'run'}"))
    assert list(tmp_path.iterdir()) == []
