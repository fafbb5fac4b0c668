"""Only files that tfpaths wrote are deleted or replaced, in every mode."""

import pytest
from helpers import saving_toy as toy

import tfpaths
from tfpaths import errors, files
from tfpaths.runs import training
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


def test_leftovers_of_a_killed_process_are_removed(tmp_path):
    directory = RunDirectory(tmp_path)
    leftovers = [
        tmp_path / ".metrics.jsonl.0123456789abcdef",
        tmp_path / ".config.json.fedcba9876543210",
        directory.samples / ".step_00000004.png.0123456789abcdef",
    ]
    for file in leftovers:
        files.write_bytes(file, b"half")
    with directory.locked():
        assert not any(file.exists() for file in leftovers)


@pytest.mark.parametrize("name", ["README.md", "assets/labels.txt", "variables/old/variables.index"])
def test_an_export_with_other_files_is_not_replaced(tmp_path, name):
    training.train(toy(schedule__steps="2"), tmp_path)
    path = tfpaths.export(tmp_path)
    before = (path / "saved_model.pb").read_bytes()
    files.write_bytes(path / name, b"mine")
    with pytest.raises(errors.InputError, match="not an export's and would be deleted: .*To fix this: move them elsew"):
        tfpaths.export(tmp_path)
    assert (path / name).read_bytes() == b"mine"
    assert (path / "saved_model.pb").read_bytes() == before


def test_an_export_that_is_a_link_is_not_replaced(tmp_path):
    training.train(toy(schedule__steps="2"), tmp_path / "run")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run" / "export").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(errors.InputError, match="a file or a link"):
        tfpaths.export(tmp_path / "run")
    assert (tmp_path / "run" / "export").is_symlink()
