import json
import os

import pytest

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
