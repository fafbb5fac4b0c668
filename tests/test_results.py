import dataclasses
import json
import os
import pathlib

import pytest

from tfpaths import config, experiments, results

EXPERIMENT = experiments.get("color_mnist_ns")


@pytest.fixture
def run(tmp_path):
    directory = results.RunDirectory(tmp_path / "run")
    with directory.locked():
        results.write_json(directory.config, config.to_dict(EXPERIMENT))
    return directory


def test_a_new_directory_and_the_same_experiment_are_welcome(run, tmp_path):
    assert results.RunDirectory(tmp_path / "a" / "b").continued(EXPERIMENT) == EXPERIMENT
    assert not (tmp_path / "a").exists()
    assert run.continued(EXPERIMENT) == EXPERIMENT


def test_the_length_and_the_rhythm_may_change(run):
    other = config.override(EXPERIMENT, {"schedule.steps": "7", "schedule.log_every": "1"})
    assert run.continued(other) == other


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [("seed", "5", "seed is 0 there and 5 here"), ("schedule.batch_size", "32", "schedule.batch_size is 64 there")],
)
def test_another_experiment_is_refused_with_what_differs(run, path, text, named):
    with pytest.raises(config.InputError, match=named):
        run.continued(config.override(EXPERIMENT, {path: text}))
    with pytest.raises(config.InputError, match="color_mnist_ns.*there and.*color_mnist_gan_gp"):
        run.continued(experiments.get("color_mnist_gan_gp"))


def test_auto_follows_the_run(run):
    embedded = dataclasses.replace(EXPERIMENT, data=dataclasses.replace(EXPERIMENT.data, source="embedded"))
    results.write_json(run.config, config.to_dict(embedded))
    assert run.continued(EXPERIMENT).data.source == "embedded"
    tfds = config.override(EXPERIMENT, {"data.source": "tfds"})
    with pytest.raises(config.InputError, match="data.source is 'embedded' there and 'tfds' here"):
        run.continued(tfds)


@pytest.mark.parametrize("content", ["{", '{"name": "x"}', "[]", "\udcff"])
def test_a_config_that_is_none_is_refused(run, content):
    run.config.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(config.InputError, match="expected the config of a run"):
        run.continued(EXPERIMENT)


def test_a_damaged_row_is_named_and_nothing_is_dropped(run):
    text = '{"step": 1}\n{garbage\n{"step": 3}\n'
    run.metrics.write_text(text)
    with pytest.raises(config.InputError, match="expected a row in line 2, received b'{garbage'"):
        results.keep_rows(run.metrics, 5)
    run.metrics.write_bytes(b'{"a": 1}\n')
    with pytest.raises(config.InputError, match="expected a row in line 1"):
        run.begun()
    run.metrics.write_bytes(b"\xff\n")
    with pytest.raises(config.InputError, match="expected a row in line 1"):
        run.begun()


@pytest.mark.parametrize("name", ["samples", "checkpoints", "tensorboard"])
def test_a_file_where_a_folder_belongs_is_refused(run, name):
    (run.path / name).write_text("")
    with pytest.raises(config.InputError, match=f"expected a folder at .*{name}, found a file"):
        run.continued(EXPERIMENT)


def test_a_folder_where_a_file_belongs_is_refused(run):
    run.metrics.mkdir()
    with pytest.raises(config.InputError, match=r"expected a file at .*metrics.jsonl, found a folder"):
        run.continued(EXPERIMENT)


def test_a_foreign_directory_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(config.InputError, match=r"has no config.json and holds thesis.tex"):
        results.RunDirectory(tmp_path).continued(EXPERIMENT)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_places_that_cannot_be_written_are_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(config.InputError, match="file is not a directory"):
        results.RunDirectory(tmp_path / "file" / "run").continued(EXPERIMENT)
    with pytest.raises(config.InputError, match="expected a place that can be written"):
        results.RunDirectory(tmp_path / "file").continued(EXPERIMENT)
    with pytest.raises(config.InputError, match="Not a directory"), results.RunDirectory(tmp_path / "file/x").locked():
        pass
    with pytest.raises(config.InputError, match="File name too long"):
        results.RunDirectory(tmp_path / ("x" * 300)).continued(EXPERIMENT)
    # A superuser may write anywhere, so the answer of the system is made.
    monkeypatch.setattr(os, "access", lambda *args: False)
    with pytest.raises(config.InputError, match="is read-only"):
        results.RunDirectory(tmp_path / "run").continued(EXPERIMENT)


def test_a_second_run_in_the_directory_is_refused(run):
    with run.locked(), pytest.raises(config.InputError, match="another run is writing"), run.locked():
        pass
    with run.locked():
        pass


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    results.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        results.write_json(path, {"a": float("nan")})
    monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        results.write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


def test_rows_round_trip_and_a_torn_line_is_left_out(tmp_path):
    path = pathlib.Path(tmp_path / "metrics.jsonl")
    assert results.read_rows(path) == []
    for step in (1, 2, 3):
        results.append_row(path, {"step": step, "penalty": 0.5 * step})
    with open(path, "a") as file:
        file.write('{"step": 4')
    assert [row["step"] for row in results.read_rows(path)] == [1, 2, 3]
    results.keep_rows(path, 2)
    assert path.read_text() == '{"step": 1, "penalty": 0.5}\n{"step": 2, "penalty": 1.0}\n'
