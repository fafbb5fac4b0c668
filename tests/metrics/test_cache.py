"""The cache: entries are read back, damaged ones are computed again, and none can execute code."""

import io

import numpy as np
import pytest

from tfpaths.metrics import cache

ARRAYS, FACTS = {"x": np.arange(6.0).reshape(2, 3)}, {"accuracy": 0.5}


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv("TFPATHS_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def make():
    return ARRAYS, FACTS


def must_not_make():
    raise AssertionError("computed again")


def test_entry_is_computed_once(directory):
    cache.fetch("one", make)
    assert [path.name for path in directory.iterdir()] == ["one"]
    arrays, facts = cache.fetch("one", must_not_make)
    np.testing.assert_array_equal(arrays["x"], ARRAYS["x"])
    assert facts == FACTS


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-10], lambda b: b[:300] + bytes([b[300] ^ 1]) + b[301:], lambda b: b"", lambda b: b"{}"]
)
def test_damaged_entry_is_computed_again(directory, damage, caplog):
    cache.write("one", ARRAYS, FACTS)
    whole = (directory / "one").read_bytes()
    (directory / "one").write_bytes(damage(whole))
    assert cache.fetch("one", make)[1] == FACTS
    assert "one is damaged" in caplog.text
    assert (directory / "one").read_bytes() == whole


def test_entry_with_other_content_is_damaged(directory, caplog):
    cache.write("one", ARRAYS, FACTS)
    head, _, _ = (directory / "one").read_bytes().partition(b"\n")
    cache.write("other", {"x": np.zeros(2)}, FACTS)
    _, _, content = (directory / "other").read_bytes().partition(b"\n")
    (directory / "one").write_bytes(head + b"\n" + content)
    assert cache.read("one") is None
    assert "its checksum differs" in caplog.text


def test_pickled_objects_are_not_read(directory, caplog):
    buffer = io.BytesIO()
    np.savez(buffer, x=np.array([{"code": print}], dtype=object))
    content = buffer.getvalue()
    directory.mkdir()
    head = f'{{"sha256": "{cache._checksum(content)}", "facts": {{}}}}'.encode()
    (directory / "one").write_bytes(head + b"\n" + content)
    assert cache.read("one") is None
    assert "allow_pickle" in caplog.text


def test_unwritable_directory_gives_a_warning(directory, caplog):
    directory.write_text("a file where the directory should be")
    assert cache.fetch("one", make)[1] == FACTS
    assert "cannot be cached" in caplog.text


def test_keys_differ_with_every_part():
    keys = {cache.key("features", *rest) for rest in (("a", 1), ("a", 2), ("a", "1"), ("b", 1), ("a", 1, None))}
    assert len(keys) == 5
    assert cache.key("a/b", 1) == cache.key("a/b", 1)
    assert "/" not in cache.key("a/b", "../c")
