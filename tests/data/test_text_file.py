"""Lines of a file: what is counted, what is refused, and what a run stores about its file."""

import hashlib

import numpy as np
import pytest

from tfpaths import config, data, errors, experiments, schema
from tfpaths.data.strings import PADDING, UNKNOWN
from tfpaths.runs import build


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Writes `lines.txt` and returns the data set of it."""
    monkeypatch.chdir(tmp_path)

    def write(content, **options):
        (tmp_path / "lines.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
        return data.of(config.Data(name="text_file", path="lines.txt", **options))

    return write


def shown(data_set, split="train"):
    examples = data_set.load(split)
    return data_set.example.stored(examples.take(np.arange(examples.size))).tolist()


def test_lines_are_padded_cropped_and_dropped_and_counted(file, caplog):
    lines = ["abc", "a", "abcdef", "", "a\tb", "abc", "  ", "abc", "cab", "bca", "v01", "t01", "abc"]
    data_set = file("\n".join(lines), length=3)
    assert data_set.alphabet == PADDING + UNKNOWN + " 01abcdeftv"
    # Without the two that have nothing to print: numbers 8 and 9 are held out.
    assert shown(data_set) == ["abc", "a··", "abc", "a b", "abc", "abc", "cab", "bca", "abc"]
    assert (shown(data_set, "validation"), shown(data_set, "test")) == (["v01"], ["t01"])
    expected = {"padded_lines": 1, "cropped_lines": 1, "unknown_characters": 0, "dropped_lines": 2}
    assert data_set.load().notes == expected
    (line,) = {message for message in caplog.messages if "train" in message}
    expected = "the file lines.txt, split train: 9 examples of 3 characters; 1 padded lines, 1 cropped lines, 2 dropped"
    assert line.startswith(expected)


def test_line_breaks_of_windows_and_a_mark_of_byte_order(file):
    assert shown(file(b"\xef\xbb\xbf" + b"ab\r\nb\r\n" * 10, length=2))[:2] == ["ab", "b·"]


def test_rare_characters_become_unknown_and_are_counted(file, caplog):
    # 300 characters: the first 20 twice, the others once. 254 have a place: of equally frequent ones the first.
    characters = [chr(0x4E00 + number) for number in range(300)]
    content = "\n".join(characters + characters[:20])
    data_set = file(content, length=1)
    assert data_set.alphabet == PADDING + UNKNOWN + "".join(characters[:254])
    assert data_set.shape == (1, 256)
    notes = [data_set.load(split).notes["unknown_characters"] for split in data_set.splits]
    assert sum(notes) == 300 - 254
    assert shown(data_set).count(UNKNOWN) == notes[0]
    assert f" {notes[0]} unknown characters." in caplog.text


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", "^data.path: expected a text of at least 10 lines, received 'lines.txt', which has 0.$"),
        ("\n \n\t\n", "^data.path: expected a text of at least 10 lines, received 'lines.txt', which has 0.$"),
        ("a\n" * 9, "^data.path: expected a text of at least 10 lines, received 'lines.txt', which has 9.$"),
        (
            b"a\nb\n\xff\xfe\n",
            "^data.path: expected a text in UTF-8, received 'lines.txt', whose line 3 is not. To fix",
        ),
    ],
)
def test_a_file_without_text_is_refused(file, content, line):
    data_set = file(content)
    for use in (data_set.load, data_set.derived):
        with pytest.raises(errors.InputError, match=line):
            use()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "^data.path: expected a text file, received none; set it with --set data.path=FILE.$"),
        ({"path": "none.txt"}, "^data.path: expected a text file, received 'none.txt', which is not a file.$"),
        ({"path": "."}, "^data.path: expected a text file, received '.', which is not a file.$"),
        ({"path": "x", "alphabet": "aa"}, "^data.alphabet: expected from 1 to 254 different characters without"),
        ({"path": "x", "alphabet": f"a{PADDING}"}, "^data.alphabet: expected from 1 to 254 different characters"),
    ],
)
def test_other_paths_and_alphabets_are_refused(options, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.InputError, match=line):
        data.of(config.Data(name="text_file", **options)).load()


def test_marks_of_the_project_in_a_file_are_unknown_characters(file):
    data_set = file(f"a{PADDING}\n{UNKNOWN}a\n" * 10, length=3)
    assert data_set.alphabet == PADDING + UNKNOWN + "a"
    assert shown(data_set)[:2] == [f"a{UNKNOWN}{PADDING}", f"{UNKNOWN}a{PADDING}"]
    assert data_set.load().notes["unknown_characters"] == 16


def test_a_run_stores_alphabet_and_checksum_and_needs_no_file(file, tmp_path):
    file("ab\nba\n" * 10)
    base = schema.override(experiments.get("text_file_ns"), {"data.path": "lines.txt"})
    complete = build.complete(base)
    # By hand: the lines, joined.
    checksum = hashlib.sha256(b"\n".join([b"ab", b"ba"] * 10)).hexdigest()[:16]
    assert complete.data.options == {"path": "lines.txt", "length": 32, "alphabet": "ab", "checksum": checksum}
    (tmp_path / "lines.txt").unlink()
    assert build.complete(complete) == complete
    assert data.of(complete.data).shape == (32, 4)


@pytest.mark.parametrize(
    "content",
    ["ac\n" * 20, "ba\nab\n" * 10, "ab\nba\n" * 11],
    ids=["other characters", "other order", "more lines"],
)
def test_other_lines_are_refused_when_they_are_read(file, content):
    file("ab\nba\n" * 10)
    base = schema.override(experiments.get("text_file_ns"), {"data.path": "lines.txt"})
    complete = build.complete(base)
    file(content)
    assert build.complete(base).data != complete.data
    line = (
        "^data.path: expected lines with the checksum .*, received 'lines.txt', .*: the file has changed. To fix this"
    )
    with pytest.raises(errors.InputError, match=line):
        data.of(complete.data).load()


def test_other_line_breaks_are_the_same_lines(file):
    file("ab\nba\n" * 10)
    complete = build.complete(schema.override(experiments.get("text_file_ns"), {"data.path": "lines.txt"}))
    file("ab\r\nba\r\n" * 10)
    assert data.of(complete.data).load().size == 16
