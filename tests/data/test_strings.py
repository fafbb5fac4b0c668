"""Texts: lines as numbers and back, with every change counted, and the files and exports of samples."""

import numpy as np
import pytest
import tensorflow as tf

from tfpaths import errors
from tfpaths.data import strings
from tfpaths.data.strings import PADDING, UNKNOWN, Text

ALPHABET = PADDING + UNKNOWN + "ébaZ "


def looped(lines, alphabet, length):
    """`encode`, character by character."""
    ordinary = set(alphabet) - {PADDING, UNKNOWN}
    places, counts = [], {"padded_lines": 0, "cropped_lines": 0, "unknown_characters": 0}
    for line in lines:
        counts["padded_lines"] += len(line) < length
        counts["cropped_lines"] += len(line) > length
        row = [character if character in ordinary else UNKNOWN for character in line[:length]]
        counts["unknown_characters"] += row.count(UNKNOWN)
        places.append([alphabet.index(character) for character in [*row, *[PADDING] * (length - len(line))]])
    return np.array(places), counts


@pytest.mark.parametrize("length", [1, 3, 9])
def test_encode_equals_a_loop(length):
    random = np.random.default_rng(length)
    characters = [*"ébaZ ", "x", "\0", "語", PADDING, UNKNOWN]
    lines = ["".join(random.choice(characters, size)) for size in random.integers(0, 12, 50)]
    encoded = strings.encode(lines, ALPHABET, length)
    places, counts = looped(lines, ALPHABET, length)
    np.testing.assert_array_equal(encoded.places, places)
    assert encoded.notes == counts
    assert min(counts.values()) > 0 or length == 1
    expected = ["".join(c if c in "ébaZ " else UNKNOWN for c in line[:length]).ljust(length, PADDING) for line in lines]
    assert strings.decoded(encoded.places, ALPHABET).tolist() == expected


def test_256_characters_fit_in_a_byte():
    alphabet = "".join(map(chr, range(0x100, 0x100 + strings.MOST_CHARACTERS)))
    encoded = strings.encode([alphabet], alphabet, 256)
    np.testing.assert_array_equal(encoded.places, [range(256)])
    assert encoded.places.dtype == np.uint8


def test_257_characters_are_refused():
    alphabet = "".join(map(chr, range(0x100, 0x100 + 257)))
    with pytest.raises(errors.InputError, match="^alphabet: expected at most 256 characters, .*, received 257.$"):
        strings.encode(["a"], alphabet, 1)


def test_marks_in_a_line_are_unknown_and_counted():
    encoded = strings.encode([f"{PADDING}a", f"a{UNKNOWN}b{PADDING}", "a"], ALPHABET, 3)
    assert strings.decoded(encoded.places, ALPHABET).tolist() == [
        f"{UNKNOWN}a{PADDING}",
        f"a{UNKNOWN}b",
        f"a{PADDING}{PADDING}",
    ]
    # The fourth character of the second line is cropped.
    assert encoded.notes == {"padded_lines": 2, "cropped_lines": 1, "unknown_characters": 2}


def test_a_missing_character_without_a_place_for_it_is_an_error():
    with pytest.raises(ValueError, match="Expected characters of 'ab', received 'c'"):
        strings.encode(["abc"], "ab", 3)


def test_no_lines_are_no_examples():
    assert strings.encode([], ALPHABET, 4).places.shape == (0, 4)


def test_samples_are_shown_by_their_likeliest_characters():
    kind = Text("aéb")
    samples = np.zeros((2, 3, 3), np.float32)
    samples[0, range(3), [0, 1, 2]] = 0.4
    samples[1, range(3), [2, 2, 1]] = 0.4
    samples += 0.2
    assert kind.stored(samples).tolist() == ["aéb", "bbé"]
    assert kind.grid(samples, 8) == "aéb\nbbé\n".encode()
    assert kind.single(samples[1]) == "bbé\n".encode()
    # In an export, as a graph of TensorFlow.
    read = tf.function(kind.read, autograph=False)(tf.constant(samples))
    assert [text.decode() for text in read.numpy()] == ["aéb", "bbé"]


def test_real_texts_are_read_back():
    lines = ["aba Z", "é"]
    places = strings.encode(lines, ALPHABET, 6).places
    examples = strings.one_hot("x", "train", "file", places, ALPHABET)
    assert Text(ALPHABET).stored(examples.take([0, 1])).tolist() == ["aba Z·", "é·····"]
    assert examples.shape == (6, 7)
    other = strings.one_hot("x", "train", "file", places, ALPHABET.replace("Z", "z"))
    assert examples.content != other.content
