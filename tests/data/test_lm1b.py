"""The Billion Word corpus, prepared here by TFDS from lines of our own."""

import numpy as np
import pytest
from helpers import LM1B_LINES

from tfpaths import data, errors
from tfpaths.data import lm1b, prepared
from tfpaths.data.strings import PADDING, UNKNOWN


def shown(data_set, split, data_dir):
    examples = data_set.load(split, data_dir=str(data_dir))
    return examples, data_set.example.stored(examples.take(np.arange(examples.size))).tolist()


def test_lines_are_cropped_padded_and_unknown(lm1b_dir):
    examples, texts = shown(data.get("lm1b")(), "train", lm1b_dir)
    # TFDS shuffles when it prepares.
    expected = [line[:32].ljust(32, PADDING).replace("é", UNKNOWN) for line in LM1B_LINES["train"]]
    assert sorted(texts) == sorted(expected)
    assert examples.notes == {"padded_lines": 1, "cropped_lines": 40, "unknown_characters": 1}
    assert (examples.source, examples.shape) == ("tfds", (32, 97))


def test_options(lm1b_dir):
    examples, texts = shown(data.get("lm1b")(length=8, lines=5), "test", lm1b_dir)
    assert (examples.size, set(texts)) == (5, {"Held out"})


@pytest.mark.parametrize("chunk", [1, 7, 41, 100])
def test_lines_read_in_chunks_are_those_of_one_reading(lm1b_dir, monkeypatch, chunk):
    whole, expected = shown(data.get("lm1b")(), "train", lm1b_dir)
    monkeypatch.setattr(lm1b, "_CHUNK", chunk)
    examples, texts = shown(data.get("lm1b")(), "train", lm1b_dir)
    assert (texts, examples.notes) == (expected, whole.notes)
    # Nine lines end within a chunk of seven.
    assert shown(data.get("lm1b")(lines=9), "train", lm1b_dir)[1] == expected[:9]
    version = prepared.find(lm1b_dir, "lm1b")
    sizes = [len(lines) for lines in prepared.lines(version, "train", 41, chunk)]
    assert sizes == [chunk] * (41 // chunk) + [41 % chunk] * (41 % chunk > 0)


def test_corpus_that_is_not_prepared_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="^lm1b is not prepared in .*To fix this: .* use the data set 'text'.$"):
        data.load("lm1b", data_dir=str(tmp_path))
    (tmp_path / "lm1b" / "1.1.0").mkdir(parents=True)
    with pytest.raises(errors.InputError, match="^the data in .*1.1.0 is damaged: .* Prepare it again.$"):
        data.load("lm1b", data_dir=str(tmp_path))


@pytest.mark.slow
def test_the_corpus_itself(tfds_dir):
    if prepared.find(tfds_dir, "lm1b") is None:
        pytest.skip(f"lm1b is not prepared in {tfds_dir}")
    examples, texts = shown(data.get("lm1b")(lines=10_000), "test", tfds_dir)
    assert examples.size == 10_000
    assert " the " in "".join(texts)
