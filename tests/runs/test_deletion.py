"""Only files that tfpaths wrote are deleted or replaced, in every mode."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import pytest
from helpers import ROOT
from helpers import saving_toy as toy

import tfpaths
from tfpaths import errors, failures, files, folders
from tfpaths.runs import rows, training
from tfpaths.runs.directory import RunDirectory

# Names next to those that are written, in every directory of a run.
NAMES = (
    "notes.txt",
    "step-1.mynotes",
    "step-1.index.bak",
    "step-1.data",
    "step-one.index",
    ".step-1",
    ".step-backup",
    ".step-0123456789abcde",
    ".export.backup",
    ".export.old",
    ".export.0123456789abcdefa",
    ".config.json.bak",
    ".config.json.0123456789ABCDEF",
    ".notes.0123456789abcdef",
    "step_00000002.txt",
    "events.out.mine",
    "checkpoint.bak",
    "results.json.old",
)


def plant(root, folders):
    """Writes a file and a directory with a file under every name."""
    planted = []
    for folder in folders:
        for index, name in enumerate(NAMES):
            path = root / folder / (f"{name}/kept" if name.startswith(".") and index % 2 else name)
            files.write_bytes(path, name.encode())
            planted.append(path)
    return planted


def test_no_mode_deletes_what_it_did_not_write(tmp_path):
    run = tmp_path / "run"
    training.train(toy(schedule__steps="2"), run)
    planted = plant(run, ["", "checkpoints", "samples", "tensorboard"])
    training.train(toy(schedule__steps="12"), run)  # Deletes the checkpoints of the first steps.
    assert not (run / "checkpoints" / "step-2.index").exists()
    tfpaths.evaluate(run, ["evaluation.metrics=ms_ssim", "evaluation.samples=16"])
    for _ in range(2):
        tfpaths.export(run)
        tfpaths.report(str(run))
        tfpaths.sample(run, str(run / "samples.png"), num=1)
    for path in planted:
        assert path.is_file(), path
        assert path.read_bytes() == path.relative_to(run).as_posix().removesuffix("/kept").split("/")[-1].encode()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of two steps with its export, read-only."""
    path = tmp_path_factory.mktemp("finished") / "run"
    training.train(toy(schedule__steps="2"), path)
    tfpaths.export(path)
    return path


# What is written under a temporary name: its name, and whether it is a directory.
WRITTEN = {
    "config.json": False,
    "metrics.jsonl": False,
    "results.json": False,
    "figure.png": False,
    "report.html": False,
    "error.log": False,
    "error_worker_1.log": False,
    "samples/step_00000004.png": False,
    "checkpoints/checkpoint": False,
    "checkpoints/step-4": True,
    "tensorboard/events.out.tfevents.1": False,
    "export": True,
}


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.mark.parametrize("name", WRITTEN)
def test_leftover_of_a_killed_process_is_removed_by_the_next_run(tmp_path, monkeypatch, name):
    directory = RunDirectory(tmp_path / "run")
    with directory.locked():
        files.write_bytes(directory.config, b"old")
    mine = plant(tmp_path / "run", ["", "samples", ".unfinished", "trials/.unfinished"])
    before = set(directory.path.rglob("*"))

    def killed(*_, **__):
        raise Killed

    with directory.locked(), monkeypatch.context() as patch:
        for change in ("rename", "replace", "unlink", "rmdir"):
            patch.setattr(os, change, killed)
        patch.setattr(folders, "_exchange", killed)
        with pytest.raises(Killed):
            if WRITTEN[name]:
                with folders.replaced_directory(directory.path / name) as folder:
                    (folder / "half").touch()
            else:
                files.write_bytes(directory.path / name, b"half")
    leftovers = set(directory.path.rglob("*")) - before - {directory.path / name, (directory.path / name).parent}
    assert leftovers
    assert {path.relative_to(directory.path).parts[0] for path in leftovers} == {".unfinished"}
    with directory.locked():
        assert not any(path.exists() for path in leftovers)
    assert all(path.exists() for path in mine)


KILLED = """
import os, pathlib, signal, sys
from tfpaths.runs import rows
from tfpaths.runs.directory import RunDirectory
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
directory = RunDirectory(pathlib.Path(sys.argv[1]))
with directory.locked():
    rows.rewrite_rows(directory.metrics, [{"step": 2}])
"""


def test_killed_process_leaves_its_files_in_one_directory(tmp_path):
    directory = RunDirectory(tmp_path)
    rows.rewrite_rows(directory.metrics, [{"step": 1}])
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", ".unfinished", "metrics.jsonl"]
    (leftover,) = directory.unfinished.iterdir()
    assert re.fullmatch(r"metrics\.jsonl\.[0-9a-f]{16}", leftover.name)
    with directory.locked():
        assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "metrics.jsonl"]
    assert rows.read_rows(directory.metrics) == [{"step": 1}]


def test_all_files_of_a_run_have_their_temporary_names_in_one_directory(tmp_path, monkeypatch):
    run, moved = tmp_path / "run", []

    def recorded(move):
        def call(source, target, *args):
            moved.append((pathlib.Path(source), pathlib.Path(target)))
            return move(source, target, *args)

        return call

    for owner, name in ((os, "replace"), (os, "rename"), (folders, "_exchange")):
        monkeypatch.setattr(owner, name, recorded(getattr(owner, name)))
    training.train(toy(schedule__steps="2"), run)
    training.train(toy(schedule__steps="4"), run)  # Rewrites rows and events.
    tfpaths.evaluate(run, ["evaluation.metrics=ms_ssim", "evaluation.samples=16"])
    for _ in range(2):
        tfpaths.export(run)
    tfpaths.report(str(run))
    failures.report(errors.RunError("gone."), [str(run)])
    of_run = {target.relative_to(run).as_posix(): source for source, target in moved if run in target.parents}
    assert all(run / ".unfinished" in source.parents for source in of_run.values())
    names = {name.split(".")[0] for name in of_run}
    assert names >= {"config", "metrics", "results", "export", "report", "error"}
    assert names >= {"samples/step_00000000", "checkpoints/step-2", "checkpoints/checkpoint", "tensorboard/events"}
    assert {path.name for path in run.glob(".*")} == {".lock"}


@pytest.mark.parametrize("name", ["README.md", "assets/labels.txt", "variables/old/variables.index"])
def test_an_export_with_other_files_is_not_replaced(finished, tmp_path, name):
    run = shutil.copytree(finished, tmp_path / "run")
    path = run / "export"
    before = (path / "saved_model.pb").read_bytes()
    files.write_bytes(path / name, b"mine")
    with pytest.raises(errors.InputError, match="not an export's and would be deleted: .*To fix this: move them elsew"):
        tfpaths.export(run)
    assert (path / name).read_bytes() == b"mine"
    assert (path / "saved_model.pb").read_bytes() == before


def test_an_export_that_is_a_link_is_not_replaced(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run", ignore=shutil.ignore_patterns("export"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run" / "export").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(errors.InputError, match="a file or a link"):
        tfpaths.export(tmp_path / "run")
    assert (tmp_path / "run" / "export").is_symlink()
