import os
import pathlib

import pytest

from tfpaths import errors, experiments, files, schema
from tfpaths.runs.directory import RunDirectory

EXPERIMENT = experiments.get("color_mnist_ns")


@pytest.fixture
def run(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    with directory.locked():
        files.write_json(directory.config, schema.to_dict(EXPERIMENT))
    return directory


def test_new_directory_or_same_experiment_is_accepted(run, tmp_path):
    assert RunDirectory(tmp_path / "a" / "b").continued(EXPERIMENT) == EXPERIMENT
    assert not (tmp_path / "a").exists()
    assert run.continued(EXPERIMENT) == EXPERIMENT


@pytest.mark.parametrize(("path", "text"), [("schedule.steps", "7"), ("schedule.log_every", "1")])
def test_length_and_intervals_may_change(run, path, text):
    other = schema.override(EXPERIMENT, {path: text, "evaluation.metrics": "none"})
    assert run.continued(other) == other


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [("seed", "5", "seed is 0 there and 5 here"), ("schedule.batch_size", "32", "schedule.batch_size is 64 there")],
)
def test_different_experiment_error_names_the_differences(run, path, text, named):
    with pytest.raises(errors.InputError, match=named):
        run.continued(schema.override(EXPERIMENT, {path: text}))
    with pytest.raises(errors.InputError, match="color_mnist_ns.*there and.*color_mnist_gan_gp"):
        run.continued(experiments.get("color_mnist_gan_gp"))


def test_another_kind_is_refused(run):
    with pytest.raises(errors.InputError, match="holds a training run, 'color_mnist_ns'"):
        run.continued(experiments.get("line1_ns"))


def test_auto_uses_the_stored_source(run):
    files.write_json(run.config, schema.to_dict(schema.override(EXPERIMENT, {"data.source": "embedded"})))
    assert run.continued(EXPERIMENT).data.source == "embedded"
    with pytest.raises(errors.InputError, match="data.source is 'embedded' there and 'tfds' here"):
        run.continued(schema.override(EXPERIMENT, {"data.source": "tfds"}))


def test_incomplete_config_is_compared_by_common_fields(run):
    stored = EXPERIMENT.replace(networks=EXPERIMENT.networks.replace(generator_filters=4))
    files.write_json(run.config, schema.to_dict(stored))
    assert run.continued(EXPERIMENT, is_complete=False) == EXPERIMENT
    # As the command line has it: the type of an option is known only to what is registered.
    asked = schema.override(EXPERIMENT, {"networks.generator_filters": "4"})
    assert run.continued(asked, is_complete=False) == asked
    with pytest.raises(errors.InputError, match="networks.generator_filters is 4 there and None here"):
        run.continued(EXPERIMENT)


@pytest.mark.parametrize("content", ["{", '{"name": "x"}', "[]", "\udcff"])
def test_an_invalid_config_is_refused(run, content):
    run.config.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(errors.InputError, match="expected the config of a run"):
        run.continued(EXPERIMENT)


@pytest.mark.parametrize("name", ["samples", "checkpoints", "tensorboard", ".unfinished"])
def test_file_at_a_directory_path_is_refused(run, name):
    for make, found in ((pathlib.Path.touch, "a file"), (lambda path: path.symlink_to("none"), "a broken link")):
        make(run.path / name)
        with pytest.raises(errors.InputError, match=f"expected a directory at .*{name}, found {found}"):
            run.continued(EXPERIMENT)
        (run.path / name).unlink()


def test_file_at_the_path_of_temporary_files_is_refused_in_every_mode_that_locks(run):
    run.unfinished.touch()
    with pytest.raises(errors.InputError, match="expected a directory at .*unfinished, found a file"), run.locked():
        pass
    run.unfinished.unlink()
    with run.locked():
        pass


def test_directory_at_a_file_path_is_refused(run):
    run.metrics.mkdir()
    with pytest.raises(errors.InputError, match=r"expected a file at .*metrics.jsonl, found a directory"):
        run.continued(EXPERIMENT)


def test_foreign_directory_is_refused_and_unchanged(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(errors.InputError, match=r"has no config.json and holds thesis.tex"):
        RunDirectory(tmp_path).continued(EXPERIMENT)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_run_that_was_killed_before_its_config_was_written_starts(tmp_path):
    files.write_bytes(tmp_path / ".unfinished" / "config.json.0123456789abcdef", b"{")
    (tmp_path / ".lock").touch()
    assert RunDirectory(tmp_path).continued(EXPERIMENT) == EXPERIMENT
    with RunDirectory(tmp_path).locked():
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_paths_that_cannot_be_written_are_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.InputError, match="file is not a directory"):
        RunDirectory(tmp_path / "file" / "run").continued(EXPERIMENT)
    with pytest.raises(errors.InputError, match="expected a path that can be written"):
        RunDirectory(tmp_path / "file").continued(EXPERIMENT)
    with pytest.raises(errors.InputError, match="Not a directory"), RunDirectory(tmp_path / "file/x").locked():
        pass
    with pytest.raises(errors.InputError, match="File name too long"):
        RunDirectory(tmp_path / ("x" * 300)).continued(EXPERIMENT)
    # A superuser may write anywhere, so the system's answer is replaced.
    monkeypatch.setattr(os, "access", lambda *args: False)
    with pytest.raises(errors.InputError, match="is read-only"):
        RunDirectory(tmp_path / "run").continued(EXPERIMENT)


def test_a_second_run_in_the_directory_is_refused(run):
    with run.locked(), pytest.raises(errors.InputError, match="another run is writing"), run.locked():
        pass
    with run.locked():
        pass


def test_begun_is_the_last_step_of_the_rows(run):
    assert run.begun() == 0
    run.metrics.write_text('{"step": 3}\n{"step": 2}\n')
    assert run.begun() == 3
    run.metrics.write_bytes(b'{"a": 1}\n')
    with pytest.raises(errors.InputError, match="expected a row in line 1"):
        run.begun()


@pytest.mark.parametrize("name", ["samples", "checkpoints", "tensorboard", ".unfinished", "metrics.jsonl"])
def test_read_only_parts_are_refused_before_anything_runs(run, name, monkeypatch):
    part = run.path / name
    part.touch() if name == "metrics.jsonl" else part.mkdir()
    assert run.continued(EXPERIMENT) == EXPERIMENT
    # As root, no part is read-only.
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != part and access(path, mode))
    with pytest.raises(errors.InputError, match=f"expected a path that can be written.*{name} is read-only"):
        run.continued(EXPERIMENT)
