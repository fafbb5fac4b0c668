"""The cache: what was kept comes back, what is damaged does not, and nothing in it can execute."""

import numpy as np
import pytest

from tfpaths.metrics import cache

ARRAYS, FACTS = {"x": np.arange(6.0).reshape(2, 3)}, {"accuracy": 0.5}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("TFPATHS_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def make():
    return ARRAYS, FACTS


def must_not_make():
    raise AssertionError("made again")


def test_what_was_made_is_read_and_not_made_again(place):
    cache.fetch("one", make)
    assert [path.name for path in place.iterdir()] == ["one"]
    arrays, facts = cache.fetch("one", must_not_make)
    np.testing.assert_array_equal(arrays["x"], ARRAYS["x"])
    assert facts == FACTS


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-10], lambda b: b[:300] + bytes([b[300] ^ 1]) + b[301:], lambda b: b"", lambda b: b"{}"]
)
def test_a_damaged_file_is_named_and_made_anew(place, damage, caplog):
    cache.write("one", ARRAYS, FACTS)
    whole = (place / "one").read_bytes()
    (place / "one").write_bytes(damage(whole))
    assert cache.fetch("one", make)[1] == FACTS
    assert "one is damaged" in caplog.text
    assert (place / "one").read_bytes() == whole


def test_a_whole_archive_that_is_not_the_one_that_was_kept_is_damage_too(place, caplog):
    cache.write("one", ARRAYS, FACTS)
    head, _, _ = (place / "one").read_bytes().partition(b"\n")
    cache.write("other", {"x": np.zeros(2)}, FACTS)
    _, _, content = (place / "other").read_bytes().partition(b"\n")
    (place / "one").write_bytes(head + b"\n" + content)
    assert cache.read("one") is None
    assert "its checksum differs" in caplog.text


def test_pickled_objects_are_not_read(place, caplog):
    import io

    import tfpaths.metrics.cache as inside

    buffer = io.BytesIO()
    np.savez(buffer, x=np.array([{"code": print}], dtype=object))
    content = buffer.getvalue()
    place.mkdir()
    head = f'{{"sha256": "{inside._checksum(content)}", "facts": {{}}}}'.encode()
    (place / "one").write_bytes(head + b"\n" + content)
    assert cache.read("one") is None
    assert "allow_pickle" in caplog.text


def test_a_folder_that_cannot_be_written_is_said_and_harms_nothing(place, caplog):
    place.write_text("a file where the folder should be")
    assert cache.fetch("one", make)[1] == FACTS
    assert "cannot be kept" in caplog.text


def test_names_differ_with_what_they_depend_on():
    names = {cache.key("features", *rest) for rest in (("a", 1), ("a", 2), ("a", "1"), ("b", 1), ("a", 1, None))}
    assert len(names) == 5
    assert cache.key("a/b", 1) == cache.key("a/b", 1)
    assert "/" not in cache.key("a/b", "../c")
