import json
import os
import pathlib
import re
import tempfile

import pytest
from helpers import TOY, launch_here

from tfpaths import errors, files, folders
from tfpaths.runs.directory import RunDirectory


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"a": float("nan")})
    monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space") as caught:
        files.write_json(path, {"a": 2})
    assert caught.value.filename == str(path)
    assert json.loads(path.read_text()) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]


# Path -> where its temporary file is, if `run` is the directory of a run.
TEMPORARY = {
    "run/results.json": "run/.unfinished/results.json.",
    "run/samples/step_00000004.png": "run/.unfinished/step_00000004.png.",
    "run/checkpoints/step-4": "run/.unfinished/step-4.",
    "run/tensorboard/events": "run/.unfinished/events.",
    "run/studies/line/results.json": "run/studies/line/.unfinished/results.json.",
    "run/mine/a.png": "run/mine/.a.png.",
    "samples/a.png": "samples/.a.png.",
    "a.png": ".a.png.",
}


@pytest.mark.parametrize("mark", [".lock", "config.json"])
@pytest.mark.parametrize("name", TEMPORARY)
def test_temporary_files_of_a_run_are_in_one_directory(tmp_path, name, mark):
    for run in ("run", "run/studies/line"):
        (tmp_path / run).mkdir(parents=True)
        (tmp_path / run / mark).touch()
    found = files.temporary_path(tmp_path / name).relative_to(tmp_path).as_posix()
    assert re.fullmatch(re.escape(TEMPORARY[name]) + "[0-9a-f]{16}", found), found
    files.write_bytes(tmp_path / name, b"content")
    assert not list(tmp_path.rglob(".unfinished"))


def test_a_part_on_another_file_system_has_its_own_temporary_files(tmp_path):
    elsewhere = pathlib.Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    (tmp_path / "config.json").touch()
    with tempfile.TemporaryDirectory(dir=elsewhere) as linked:
        (tmp_path / "samples").symlink_to(linked)
        path = tmp_path / "samples" / "step_00000004.png"
        assert files.temporary_path(path).parent == tmp_path / "samples" / ".unfinished"
        files.write_bytes(path, b"picture")
        leftover = files.create_temporary(path, pathlib.Path.touch)
        with RunDirectory(tmp_path).locked():
            assert not leftover.exists()
        assert [file.name for file in pathlib.Path(linked).iterdir()] == ["step_00000004.png"]


def test_a_run_that_begins_does_not_end_the_writing_of_another_process(tmp_path, monkeypatch):
    """A report and `error.log` are written without the run's lock."""
    fsync, cleaned = os.fsync, []

    def slow(descriptor):
        if len(cleaned) < 2:
            cleaned.extend((tmp_path / ".unfinished").iterdir())
            folders.remove_leftovers(tmp_path)
        fsync(descriptor)

    (tmp_path / "config.json").touch()
    monkeypatch.setattr(os, "fsync", slow)
    files.write_bytes(tmp_path / "report.html", b"whole")
    assert (tmp_path / "report.html").read_bytes() == b"whole"
    assert len(cleaned) == 2
    assert not any(file.exists() for file in cleaned)


def test_a_directory_that_is_gone_is_made_again(tmp_path, monkeypatch):
    (tmp_path / "config.json").touch()
    mkdir, removed = os.mkdir, []

    def vanishing(path, *args):
        mkdir(path, *args)
        if len(removed) < 2 and os.path.basename(path) == ".unfinished":
            os.rmdir(path)
            removed.append(path)

    monkeypatch.setattr(os, "mkdir", vanishing)
    files.write_bytes(tmp_path / "report.html", b"whole")
    assert (tmp_path / "report.html").read_bytes() == b"whole"
    assert len(removed) == 2


@pytest.mark.parametrize("name", ["none/a.png", "a.png"])
def test_a_target_that_stays_away_ends_the_writing(tmp_path, name, monkeypatch):
    def gone(source, target):
        raise FileNotFoundError(2, "No such file or directory", str(target))

    monkeypatch.setattr(os, "replace", gone)
    with pytest.raises(FileNotFoundError):
        files.write_bytes(tmp_path / name, b"")
    assert not list(tmp_path.glob("**/.*"))


def test_unwritable_path_error_names_the_flag(tmp_path):
    files.check_writable("--out", tmp_path / "new" / "x.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.InputError, match="--out: expected a path that can be written, received '.*x.png'"):
        files.check_writable("--out", tmp_path / "file" / "x.png")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (ValueError("a\nb"), "a"),
        (KeyError(), "KeyError"),
    ],
)
def test_the_reason_of_an_error_is_one_line(error, text):
    assert files.reason(error) == text


def test_home_directory_means_the_same_to_every_mode(tmp_path, monkeypatch):
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    toy = [f"--set={path}={value}" for path, value in TOY.items()]
    for flags in (
        ["--exp=color_mnist_ns", *toy],
        ["--exp=line1_ns", "--set=study.runs=1", "--steps=2", "--set=schedule.log_every=1"],
        ["--exp=figure_2"],
    ):
        done = launch_here(*flags, f"--workdir=~/{flags[0][6:]}")
        assert done.returncode == 0, done.stderr
    run = "--workdir=~/color_mnist_ns"
    for flags in (
        ["--mode=sample", run, "--num_samples=2", "--out=~/samples.png"],
        ["--mode=sample", run, "--num_samples=2", "--out=~/many/"],
        ["--mode=evaluate", run, "--set=evaluation.metrics=ms_ssim"],
        ["--mode=export", run],
        ["--mode=report", run, "--workdir=~/line1_ns", "--workdir=~/figure_2", "--out=~/page.html"],
    ):
        done = launch_here(*flags)
        assert done.returncode == 0, done.stderr
    assert list(here.iterdir()) == []
    names = {path.name for path in home.iterdir() if not path.name.startswith(".")}
    assert names == {"color_mnist_ns", "line1_ns", "figure_2", "samples.png", "many", "page.html"}
    assert (home / "color_mnist_ns" / "export" / "saved_model.pb").is_file()


def test_unknown_home_directory_is_one_line():
    with pytest.raises(errors.InputError, match="received '~nobody_of_this_name/a', whose home directory is unknown"):
        files.path("~nobody_of_this_name/a")


def modes(folder):
    """The permissions of everything in a folder."""
    return {path.name: path.stat().st_mode & 0o777 for path in folder.rglob("*")}


@pytest.fixture(params=[0o077, 0o002], ids=["private", "shared"])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_permissions_are_those_of_the_umask(tmp_path, umask):
    files.write_json(tmp_path / "parent" / "file.json", {})
    for _ in range(2):
        with folders.replaced_directory(tmp_path / "replaced") as folder:
            files.write_bytes(folder / "file", b"")
    with folders.new_directory(tmp_path / "new") as folder:
        pass
    with folders.temporary_directory(tmp_path / "step-1") as folder:
        assert modes(tmp_path) == {
            "parent": 0o777 & ~umask,
            "file.json": 0o666 & ~umask,
            "replaced": 0o777 & ~umask,
            "file": 0o666 & ~umask,
            "new": 0o777 & ~umask,
            folder.name: 0o777 & ~umask,
        }


def test_permissions_of_a_run_are_those_of_the_umask(tmp_path, umask):
    done = launch_here(
        "--exp=color_mnist_ns", *(f"--set={path}={value}" for path, value in TOY.items()), f"--workdir={tmp_path}/run"
    )
    assert done.returncode == 0, done.stderr
    done = launch_here("--mode=report", f"--workdir={tmp_path}/run")
    assert done.returncode == 0, done.stderr
    found = {path: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert found == {path: (0o777 if path.is_dir() else 0o666) & ~umask for path in found}
