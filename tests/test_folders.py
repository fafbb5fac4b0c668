"""A directory is replaced completely or not at all, whenever the process is killed."""

import os
import re
import sys

import pytest

from tfpaths import files, folders


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
    (target.parent / "config.json").touch()  # So that it is in the directory of a run.


def repair(target):
    """What a process does that locks the run and needs the directory."""
    folders.remove_leftovers(target.parent)
    folders.restore_directory(target)


def content(folder):
    """What `write` wrote there, or None if it is not complete."""
    found = [folder / name for name in ("a", "b", "inner/c")]
    texts = {path.read_text() for path in found if path.exists()}
    return texts.pop() if len(texts) == 1 and all(path.exists() for path in found) else None


def replace(target):
    with folders.replaced_directory(target) as folder:
        write(folder, "new")


@pytest.fixture(params=["at_once", "by_two_renames"])
def exchange(request, monkeypatch):
    """With the system's exchange of two directories, where it has one, and without it."""
    if request.param == "by_two_renames":
        monkeypatch.setattr(folders, "_exchange", lambda one, other: False)


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
            old = folders.set_aside(target)
            assert not old.exists() or content(old) == "old"
            outside = {path.name for path in target.parent.iterdir()}
            assert outside <= {"config.json", "export", ".unfinished"}
            was_killed = kill(lambda: repair(target), second)  # noqa: B023
            repair(target)
            assert content(target) in ("old", "new")
            assert sorted(path.name for path in target.parent.iterdir()) == ["config.json", "export"]
            replace(target)
            assert content(target) == "new"
    assert number >= 10


@pytest.mark.usefixtures("exchange")
def test_failed_replacement_of_a_directory_keeps_the_old_one(tmp_path, monkeypatch):
    target, rename, exchanged = tmp_path / "export", os.rename, folders._exchange
    write_old(target)
    with pytest.raises(ValueError), folders.replaced_directory(target) as folder:
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
    monkeypatch.setattr(folders, "_exchange", failing(exchanged))
    with pytest.raises(OSError, match="Input/output"):
        replace(target)
    assert content(target) == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "export"]


@pytest.mark.skipif(sys.platform != "linux", reason="two directories can be exchanged on Linux only")
def test_on_linux_no_moment_is_without_a_directory(tmp_path, monkeypatch):
    write_old(tmp_path / "export")
    monkeypatch.setattr(os, "rename", lambda *_: pytest.fail("two renames"))
    replace(tmp_path / "export")
    assert content(tmp_path / "export") == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "export"]


def test_leftovers_outside_a_run_are_beside_and_stay(tmp_path, kill):
    assert kill(lambda: replace(tmp_path / "export"), 5)
    (leftover,) = tmp_path.iterdir()
    assert re.fullmatch(r"\.export\.[0-9a-f]{16}", leftover.name)
    folders.remove_leftovers(tmp_path)
    assert leftover.exists()


def test_a_link_is_not_followed_to_remove_leftovers(tmp_path):
    mine = tmp_path / "elsewhere" / "model.0123456789abcdef"
    files.write_bytes(mine, b"mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".unfinished").symlink_to(mine.parent)
    folders.remove_leftovers(tmp_path / "run")
    (tmp_path / "run" / ".unfinished").unlink()
    (tmp_path / "run" / ".unfinished").mkdir()
    (tmp_path / "run" / ".unfinished" / "export.0123456789abcdef").symlink_to(mine.parent)
    folders.remove_leftovers(tmp_path / "run")
    assert not (tmp_path / "run" / ".unfinished").exists()
    assert mine.read_bytes() == b"mine"
