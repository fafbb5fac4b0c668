"""The English of docstrings: which sentences are taken, their splits, and the versions of the packages."""

import hashlib
import importlib.metadata

import pytest

from tfpaths import config, data, errors
from tfpaths.data import text
from tfpaths.data.strings import PADDING

SOURCE = '''
"""Adds two numbers to a sum. Calls `f(x)`, which is code. Is this one taken, too? No.

Args: sum: The sum of everything that came before.
Returns
-------
x : array with everything that was added.

A sentence that runs over
two lines is one.  it has no capital letter here.
"""
x = "Not a docstring, although it is a sentence."
def f():
    """Über dem Rand stehen keine Sätze, die hier zählen."""
'''


def test_sentences_of_a_source():
    assert list(text.in_code(SOURCE)) == [
        "Adds two numbers to a sum.",
        "Is this one taken, too?",
        # A space and a capital letter end a sentence, nothing else does.
        "A sentence that runs over two lines is one. it has no capital letter here.",
    ]


@pytest.fixture(scope="module")
def keras():
    return data.get("text")(packages=("keras",))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Makes `x` a distribution whose only docstring has these sentences."""
    text.sentences.cache_clear()

    def make(*sentences, version="1.0"):
        (tmp_path / "x.py").write_text(f'"""{" ".join(sentences)}"""')
        (tmp_path / "x.dist-info").mkdir(exist_ok=True)
        (tmp_path / "x.dist-info" / "METADATA").write_text(f"Name: x\nVersion: {version}\n")
        (tmp_path / "x.dist-info" / "RECORD").write_text("x.py,,\n")
        made = importlib.metadata.PathDistribution(tmp_path / "x.dist-info")
        monkeypatch.setattr(importlib.metadata, "distribution", {"x": made}.__getitem__)

    yield make
    text.sentences.cache_clear()


def shown(data_set, split="train"):
    examples = data_set.load(split)
    return data_set.example.stored(examples.take(range(examples.size))).tolist()


def test_each_sentence_is_in_one_split(keras):
    every = text.sentences(("keras",))
    assert len(every) == len(set(every)) > 1000
    assert sum(keras.load(split).size for split in keras.splits) == len(every)
    # Beginnings are independent, with the share 0.1: five standard errors.
    beginnings = {sentence[:32] for sentence in every}
    for split in ("validation", "test"):
        share = len(set(shown(keras, split))) / len(beginnings)
        assert share == pytest.approx(0.1, abs=5 * (0.1 * 0.9 / len(beginnings)) ** 0.5)


def test_no_example_is_in_two_splits(keras):
    every = {split: set(shown(keras, split)) for split in keras.splits}
    assert sum(map(len, every.values())) == len(set().union(*every.values()))
    # Sentences that differ behind the 32 characters would tell a split by sentences apart.
    assert len({sentence[:32] for sentence in text.sentences(("keras",))}) < len(text.sentences(("keras",)))


def test_sentences_that_begin_alike_are_in_one_split(package):
    beginnings = [f"The split of sentence {number:02} is that" for number in range(30)]
    assert {len(beginning) for beginning in beginnings} == {32}
    package(*(f"{beginning} of {end}." for beginning in beginnings for end in ("it", "the other")))
    split = data.get("text")(packages=("x",))
    # The remainders of the checksums by hand, from hexadecimal digits.
    numbers = {each: int(hashlib.sha256(each.encode()).hexdigest()[:8], 16) % 100 for each in beginnings}
    for name, least, most in (("test", 0, 9), ("validation", 10, 19), ("train", 20, 99)):
        expected = [each for each, number in numbers.items() if least <= number <= most]
        assert expected
        assert shown(split, name) == sorted(2 * expected)


def test_a_sentence_stays_in_its_split_when_others_come(package):
    few = [f"Sentence {number:02} has few others." for number in range(0, 60, 2)]
    package(*few)
    before = shown(data.get("text")(packages=("x",)), "test")
    text.sentences.cache_clear()
    package(*few, *(f"Sentence {number:02} has few others." for number in range(1, 60, 2)))
    after = shown(data.get("text")(packages=("x",)), "test")
    assert before
    assert [each for each in after if int(each[9:11]) % 2 == 0] == before


def test_texts_are_beginnings_of_sentences(keras):
    examples = keras.load("test")
    texts = shown(keras, "test")
    sentences = [each for each in text.sentences(("keras",)) if each[:32].ljust(32, PADDING) in set(texts)]
    assert texts == [sentence[:32].ljust(32, PADDING) for sentence in sentences]
    assert examples.notes["padded_lines"] == sum(len(sentence) < 32 for sentence in sentences)
    assert examples.notes["cropped_lines"] == sum(len(sentence) > 32 for sentence in sentences)
    assert examples.notes["unknown_characters"] == 0


def test_the_corpus_has_the_versions(keras):
    installed = f"keras {importlib.metadata.version('keras')}"
    assert keras.derived() == {"corpus": installed}
    assert keras.load().notes["corpus"] == installed
    assert data.get("text")(packages=("keras",), corpus=installed).load("test").size > 100


def test_other_versions_are_refused_when_the_corpus_is_read(package):
    package("Adds two numbers to a sum.", version="2.0")
    stored = data.get("text")(packages=("x",), corpus="x 1.0")
    assert (stored.derived(), stored.shape) == ({"corpus": "x 1.0"}, (32, 76))
    with pytest.raises(
        errors.InputError, match="^data.corpus: expected the installed packages, x 2.0, received 'x 1.0'. To fix"
    ):
        stored.load()


def test_a_package_without_sentences_is_refused(package):
    package("No sentence")
    with pytest.raises(errors.InputError, match="^data.packages: found no sentences for train in x.$"):
        data.get("text")(packages=("x",)).load()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"packages": ("no_such",)}, "^data.packages: expected installed packages, received 'no_such', which is not"),
        ({"packages": ()}, "^data.packages: expected at least one package, received"),
        ({"length": 0}, "^data.length: expected a number above zero, received 0"),
    ],
)
def test_other_packages_and_lengths_are_refused(options, line):
    with pytest.raises(errors.InputError, match=line):
        data.of(config.Data(name="text", **options)).load()
