import pytest

from tfpaths import errors
from tfpaths.runs import rows


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.jsonl"


def test_rows_round_trip_without_a_torn_line(path):
    assert rows.read_rows(path) == []
    for step in (1, 2, 3):
        rows.append_row(path, {"step": step, "penalty": 0.5 * step})
    with open(path, "a") as file:
        file.write('{"step": 4')
    assert [row["step"] for row in rows.read_rows(path)] == [1, 2, 3]
    rows.keep_rows(path, 2)
    assert path.read_text() == '{"step": 1, "penalty": 0.5}\n{"step": 2, "penalty": 1.0}\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"step": 1}\n{garbage\n{"step": 3}\n', "expected a row in line 2, received b'{garbage'"),
        (b'{"a": 1}\n', "expected a row in line 1"),
        (b"\xff\n", "expected a row in line 1"),
    ],
)
def test_damaged_row_is_named_and_the_file_is_unchanged(path, content, message):
    path.write_bytes(content)
    with pytest.raises(errors.InputError, match=message):
        rows.keep_rows(path, 5)
    assert path.read_bytes() == content


def test_rewritten_rows_replace_the_file(path):
    rows.append_row(path, {"step": 1})
    rows.rewrite_rows(path, [{"step": 7}, {"step": 8}])
    assert path.read_text() == '{"step": 7}\n{"step": 8}\n'


def test_nan_is_not_written(path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        rows.append_row(path, {"step": 1, "penalty": float("nan")})


def test_last_values_of_named_quantities(path):
    assert rows.last_values(path, 5, ["a"]) == {}
    rows.append_rows(
        path, [{"step": 1, "a": 1.0, "b": 2.0}, {"step": 2, "a": 3.0, "b": 4.0}, {"step": 2, "score": 9.0}]
    )
    assert rows.last_values(path, 2, ["a", "b"]) == {"a": 3.0, "b": 4.0}
    assert rows.last_values(path, 1, ["b"]) == {"b": 2.0}
    assert rows.last_values(path, 2, ["c"]) == {}
