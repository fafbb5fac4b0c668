"""The English of docstrings: which sentences are taken, their splits, and the versions of the packages."""

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


def test_each_sentence_is_in_one_split(keras):
    every = text.sentences(("keras",))
    assert len(every) == len(set(every)) > 1000
    sizes = {split: keras.load(split).size for split in keras.splits}
    assert sum(sizes.values()) == len(every)
    # A share of 0.1 ± 5 standard errors.
    for split in ("validation", "test"):
        assert abs(sizes[split] / len(every) - 0.1) < 5 * (0.1 * 0.9 / len(every)) ** 0.5
    # The split is of the sentence, not of its number: it stays the same when other sentences come.
    assert text._split(every[0]) == text._split(str(every[0]))


def test_texts_are_beginnings_of_sentences(keras):
    examples = keras.load("test")
    shown = keras.example.stored(examples.take(range(examples.size))).tolist()
    beginnings = {sentence[:32].ljust(32, PADDING) for sentence in text.sentences(("keras",))}
    assert set(shown) <= beginnings
    assert examples.notes["padded_lines"] == sum(line.endswith(PADDING) for line in shown)
    full = sum(len(sentence) == 32 for sentence in text.sentences(("keras",)) if text._split(sentence) == "test")
    assert examples.notes["padded_lines"] + examples.notes["cropped_lines"] + full == examples.size
    assert examples.notes["unknown_characters"] == 0


def test_the_corpus_has_the_versions(keras):
    installed = f"keras {importlib.metadata.version('keras')}"
    assert keras.derived() == {"corpus": installed}
    assert keras.load().notes["corpus"] == installed
    assert data.get("text")(packages=("keras",), corpus=installed).load("test").size > 100


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            {"packages": ("keras",), "corpus": "keras 3.0"},
            "^data.corpus: expected the installed packages, keras .*To fix",
        ),
        ({"packages": ("no_such",)}, "^data.packages: expected installed packages, received 'no_such', which is not"),
        ({"packages": ()}, "^data.packages: expected at least one package, received"),
        # Its distribution has one file.
        ({"packages": ("typing_extensions",), "length": 0}, "^data.length: expected a number above zero, received 0"),
    ],
)
def test_other_packages_are_refused(options, line):
    with pytest.raises(errors.InputError, match=line):
        data.of(config.Data(name="text", **options)).load()
