"""Every file of a run, damaged in every way, in every mode: one line or a result, no hang, and nothing else is lost."""

import json
import os
import shutil
import signal

import pytest
from helpers import TOY, launch_here

from tfpaths import errors, files
from tfpaths.runs import directory, results, rows
from tfpaths.version import __version__


def as_pipe(path):
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def as_directory(path):
    path.unlink(missing_ok=True)
    path.mkdir()


def content(data):
    return lambda path: path.write_bytes(data)


MUTATIONS = {
    "pipe": as_pipe,
    "directory": as_directory,
    "empty": content(b""),
    "deep": content(b"[" * 200_000),
    "deep_objects": content(b'{"step":' * 50_000),
    "binary": content(bytes(range(256))),
    "list": content(b"[1, 2]\n"),
    "text": content(b'"text"\n'),
    "null": content(b"null\n"),
    "not_finite": content(b'{"step": NaN, "metrics": {"a": Infinity}}\n'),
    "wrong_types": content(b'{"step": 4, "metrics": {"a": "b"}, "protocol": 3, "kind": [], "penalty": {}}\n{}\n'),
    "large_number": content(b'{"step": 1' + b"0" * 5000 + b', "kind": "training", "name": 1e999}\n{}\n'),
    "texts": content(b'{"step": 4, "penalty": "b", "generator_loss": [null, "c"], "discriminator_loss": true}\n'),
    "results": content(b'{"step": 4, "metrics": {"\\u001b[31mred": 1.5}, "protocol": {"\\u001b": "\\u001b"}}'),
    "escape": content(b'{"kind": "\\u001b[31mred", "step": 1, "finding": "\\u001b[31m"}\n\x1b[31m\n'),
}
FILES = ["config.json", "metrics.jsonl", "results.json", ".lock", "samples/step_00000004.png"]
FILES += ["checkpoints/step-4.index", "checkpoints/step-4.data-00000-of-00001"]
MODES = {
    "train": ["--exp=color_mnist_dragan_ns"],
    "evaluate": ["--mode=evaluate", "--set=evaluation.metrics=ms_ssim", "--set=evaluation.split=train"],
    "sample": ["--mode=sample", "--num_samples=2", "--overwrite"],
    "export": ["--mode=export"],
    "report": ["--mode=report", "--overwrite"],
}
# The modes that read a file of text: its content is damaged in every way for them.
READERS = {"config.json": set(MODES), "metrics.jsonl": {"train", "evaluate", "report"}}


@pytest.fixture(autouse=True)
def no_hang():
    """Ends a test that waits for a pipe."""

    def late(*_):
        raise TimeoutError("it waits")

    previous = signal.signal(signal.SIGALRM, late)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


def kept(run, but):
    """The content of what no mode may change in a finished run."""
    found = [*run.glob("checkpoints/step-*"), *run.glob("samples/*"), run / "config.json", run / "metrics.jsonl"]
    return {path: path.read_bytes() for path in found if path != run / but}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_gives_one_line_and_loses_nothing(tiny_run, tmp_path, name, mode):
    run = tmp_path / "run"
    for mutation, damage in MUTATIONS.items():
        # What is already known to be refused or ignored in one way need not be drawn or exported each time.
        few = ("pipe", "directory") if name == ".lock" else ("pipe", "directory", "deep", "wrong_types", "results")
        if mode not in READERS.get(name, ()) and mutation not in few:
            continue
        shutil.copytree(tiny_run, run)
        damage(run / name)
        before = kept(run, name)
        flags = [*MODES[mode], f"--workdir={run}"]
        if mode in ("sample", "report"):
            flags.append(f"--out={tmp_path / ('a.npz' if mode == 'sample' else 'a.html')}")
        if mode == "train":
            flags += [f"--set={path}={text}" for path, text in TOY.items()]
        ended = launch_here(*flags)
        case = (mutation, ended.returncode, ended.stderr[-1000:])
        assert ended.returncode in (0, 1, 2), case
        assert "Traceback" not in ended.stderr, case
        assert "\x1b" not in ended.stdout + ended.stderr, case
        if ended.returncode:
            assert ended.stderr.splitlines()[-1].startswith("tfpaths: "), case
            assert str(run) in ended.stderr, case
        if name == "config.json":
            assert ended.returncode == 2, case
        assert kept(run, name) == before, case
        shutil.rmtree(run)


def test_an_older_config_takes_defaults_and_a_newer_one_is_named(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    path = directory.RunDirectory(run)
    stored = json.loads(path.config.read_text())
    assert stored["version"] == __version__
    whole = path.stored()
    del stored["evaluation"], stored["version"]
    files.write_json(path.config, stored)
    assert path.stored() == whole.replace(evaluation=type(whole.evaluation)())
    files.write_json(path.config, stored | {"new_field": 1, "version": "9.9"})
    with pytest.raises(errors.InputError, match=f"new_field.*tfpaths 9.9 wrote it, and this is {__version__}"):
        path.stored()


def test_large_files_are_not_read(tmp_path):
    path = tmp_path / "config.json"
    with open(path, "wb") as file:
        file.truncate(2**40)  # a hole, which takes no space
    with pytest.raises(errors.InputError, match=r"expected at most 16,777,216 bytes, received 1,099,511,627,776"):
        files.read_json(path)
    with pytest.raises(errors.InputError, match="expected at most"):
        rows.read_rows(path)
    assert results.read_results(path) is None


@pytest.mark.parametrize(
    "row", [{"step": -1}, {"step": True}, {"step": 1, "a": {}}, {"step": 1, "a": [{}]}, {"step": 2**63}]
)
def test_rows_have_numbers_and_texts_only(tmp_path, row):
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps(row) + "\n" + '{"step": 1}\n')
    with pytest.raises(errors.InputError, match="expected a row in line 1"):
        rows.read_rows(path)
