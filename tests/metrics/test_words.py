"""The share of known words, counted by hand."""

import pytest

from tfpaths import config, data
from tfpaths.data import strings
from tfpaths.metrics import sources, words
from tfpaths.metrics.context import Context
from tfpaths.metrics.evaluator import Evaluator


def test_words_of_a_text():
    assert list(words.words("It's the 2nde off·f, abc")) == ["the", "nde", "off"]
    assert list(words.words("crop")) == []
    assert list(words.words("")) == []


def test_the_data_set_says_whether_it_has_words(monkeypatch):
    def reason(name):
        return words.Words().missing(Context(config.Data(name=name), config.Evaluation()))

    assert (reason("markov"), reason("text"), reason("mog")) == ("has no words", None, "has no texts")
    monkeypatch.setattr(data.get("markov"), "has_words", True)
    monkeypatch.setattr(data.get("text"), "has_words", False)
    assert (reason("markov"), reason("text")) == (None, "has no words")


@pytest.mark.parametrize(
    ("samples", "share"),
    [
        # The split has "the" and "cat", neither "tre" nor "tea"; "x" is too short, "xxx" touches the end.
        (["the tre cat xxx", "x tea the cat."], 4 / 6),
        (["....", "   ......  "], 0.0),
        (["the", "cat cat xx"], 1.0),
    ],
)
def test_share_of_known_words(samples, share, tmp_path):
    # Of ten lines, the last is the split of test.
    (tmp_path / "lines.txt").write_text("\n".join(["a."] * 9 + ["the cat."]))
    file = config.Data(name="text_file", path=str(tmp_path / "lines.txt"), length=15, alphabet=" .acehrtx")
    evaluator = Evaluator(file, config.Evaluation(metrics=("words",)))
    alphabet = strings.PADDING + strings.UNKNOWN + " .acehrtx"
    places = strings.encode(samples, alphabet, 15).places
    source = sources.real(strings.one_hot("x", "train", "file", places, alphabet))
    assert evaluator.measure(source) == {"known_words": pytest.approx(share)}
