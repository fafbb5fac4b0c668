import json
import os

import pytest
from helpers import TOY, launch_here

from tfpaths import errors, files


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
        with files.replaced_directory(tmp_path / "replaced") as folder:
            files.write_bytes(folder / "file", b"")
    with files.new_directory(tmp_path / "new") as folder:
        pass
    with files.temporary_directory(tmp_path, ".temporary-") as folder:
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


class Killed(BaseException):
    """Stands for SIGKILL: from it on, nothing that changes a file works."""


@pytest.fixture
def kill(monkeypatch):
    """call, n -> whether the call was killed at its n-th change of a file or a directory."""

    def kill(call, number):
        count = 0

        def counted(change):
            def changed(*args, **kwargs):
                nonlocal count
                count += 1
                if count >= number:
                    raise Killed
                return change(*args, **kwargs)

            return changed

        with monkeypatch.context() as patch:
            for name in ("mkdir", "rename", "replace", "rmdir", "unlink"):
                patch.setattr(os, name, counted(getattr(os, name)))
            try:
                call()
            except Killed:
                return True
        return False

    return kill


def write(folder, content):
    for name in ("a", "b", "inner/c"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)


def write_old(target):
    target.mkdir(parents=True)
    write(target, "old")


def content(folder):
    """What `write` wrote there, or None if it is not complete."""
    found = [folder / name for name in ("a", "b", "inner/c")]
    texts = {path.read_text() for path in found if path.exists()}
    return texts.pop() if len(texts) == 1 and all(path.exists() for path in found) else None


def replace(target):
    with files.replaced_directory(target) as folder:
        write(folder, "new")


@pytest.fixture(params=["at_once", "by_two_renames"])
def exchange(request, monkeypatch):
    """With the system's exchange of two directories, where it has one, and without it."""
    if request.param == "by_two_renames":
        monkeypatch.setattr(files, "_exchange", lambda one, other: False)


@pytest.mark.usefixtures("exchange")
def test_killed_replacement_of_a_directory_loses_nothing(tmp_path, kill):
    # Killed at every change, then again at every change of what puts the directory back.
    again, number = True, 0
    while again:
        number += 1
        second, was_killed = 0, True
        while was_killed:
            second += 1
            target = tmp_path / f"{number}-{second}" / "export"
            write_old(target)
            again = kill(lambda: replace(target), number)  # noqa: B023
            old = files.set_aside(target)
            assert not old.exists() or content(old) == "old"
            was_killed = kill(lambda: files.restore_directory(target), second)  # noqa: B023
            files.restore_directory(target)
            assert content(target) in ("old", "new")
            assert [path.name for path in target.parent.iterdir()] == ["export"]
            replace(target)
            assert content(target) == "new"
    assert number >= 10


@pytest.mark.usefixtures("exchange")
def test_failed_replacement_of_a_directory_keeps_the_old_one(tmp_path, monkeypatch):
    target, rename, exchanged = tmp_path / "export", os.rename, files._exchange
    write_old(target)
    with pytest.raises(ValueError), files.replaced_directory(target) as folder:
        write(folder, "new")
        raise ValueError
    assert content(target) == "old"

    def failing(function):
        def call(source, destination):
            if content(source) == "new":
                raise OSError(5, "Input/output error")
            return function(source, destination)

        return call

    monkeypatch.setattr(os, "rename", failing(rename))
    monkeypatch.setattr(files, "_exchange", failing(exchanged))
    with pytest.raises(OSError, match="Input/output"):
        replace(target)
    assert content(target) == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["export"]
