"""Texts: the type of one-hot examples, how lines become examples, and the base class of data sets of texts."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import tensorflow as tf

from tfpaths import errors
from tfpaths.data.dataset import DataSet
from tfpaths.data.example import TYPES, ExampleType
from tfpaths.data.examples import Examples
from tfpaths.schema import PositiveInt

# The characters that fill up a short line, and that replace a character which is not in the alphabet.
PADDING, UNKNOWN = "·", "\N{REPLACEMENT CHARACTER}"
# The place of a character is stored as a byte.
MOST_CHARACTERS = 256


class Text(ExampleType):
    """A text `[length, characters]`: a distribution over the characters at each place; real texts are one-hot.

    It is shown and stored as the string of the likeliest characters, all `length` of them, so that a trailing
    `PADDING` can be seen.

    Args:
      alphabet: The characters, in the order of the last axis.

    Example:
      >>> Text("ab").stored(np.array([[[0.9, 0.1], [0.2, 0.8]]]))
      array(['ab'], dtype='<U2')
    """

    name = "text"
    suffix = ".txt"
    is_png = False
    readable = "string"

    def __init__(self, alphabet: str = ""):
        self.alphabet = alphabet

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"alphabet": self.alphabet}

    def of(self, facts: Mapping[str, Any]) -> Self:
        return type(self)(str(facts["alphabet"]))

    def grid(self, samples: np.ndarray, columns: int) -> bytes:
        """Returns a text in UTF-8, a sample a line; `columns` has no effect."""
        del columns
        return "".join(f"{line}\n" for line in self.stored(samples)).encode()

    def single(self, sample: np.ndarray) -> bytes:
        return f"{self.stored(sample)}\n".encode()

    def stored(self, samples: np.ndarray) -> np.ndarray:
        """Returns samples `[..., length, characters]` as strings, `[...]`."""
        samples = np.asarray(samples)
        return samples if samples.dtype.kind == "U" else decoded(samples.argmax(axis=-1), self.alphabet)

    def read(self, samples: tf.Tensor) -> tf.Tensor:
        """Returns samples `[num, length, characters]` as strings in UTF-8, `[num]`; it can be called in a graph."""
        characters = tf.constant([character.encode() for character in self.alphabet])
        return tf.strings.reduce_join(tf.gather(characters, tf.argmax(samples, axis=-1)), axis=-1)


TYPES[Text.name] = Text()


@dataclasses.dataclass(frozen=True)
class Encoded:
    """Lines as numbers of characters.

    Attributes:
      places: `[lines, length]` uint8, the place in the alphabet of each character.
      padded: The number of lines that are shorter than `length`.
      cropped: The number of lines that are longer.
      unknown: The number of characters within `length` that became `UNKNOWN`.

    Example: see `encode`.
    """

    places: np.ndarray
    padded: int = 0
    cropped: int = 0
    unknown: int = 0

    @property
    def notes(self) -> dict[str, int]:
        """The counts, for the results."""
        return {"padded_lines": self.padded, "cropped_lines": self.cropped, "unknown_characters": self.unknown}


def encode(lines: Sequence[str], alphabet: str, length: int) -> Encoded:
    """Returns lines as numbers: the first `length` characters of each; a shorter line is filled up with `PADDING`.

    A character that is not in the alphabet becomes `UNKNOWN`. So do `PADDING` and `UNKNOWN` themselves when a line
    contains them, because an example could not tell them from those that `encode` writes.

    Args:
      lines: The lines.
      alphabet: The characters, at most `MOST_CHARACTERS`; `PADDING` and `UNKNOWN` are among them if they are needed.
      length: Characters of an example.

    Raises:
      InputError: The alphabet has too many characters.
      ValueError: A character is missing, and the alphabet has no `UNKNOWN`.

    Example:
      >>> encoded = encode(["abba", "b", "aXb"], PADDING + UNKNOWN + "ab", 3)
      >>> encoded.places.tolist()
      [[2, 3, 3], [3, 0, 0], [2, 1, 3]]
      >>> encoded.notes
      {'padded_lines': 1, 'cropped_lines': 1, 'unknown_characters': 1}
    """
    if len(alphabet) > MOST_CHARACTERS:
        raise errors.InputError(
            f"alphabet: expected at most {MOST_CHARACTERS} characters, of which each is stored as a byte, received "
            f"{len(alphabet)}."
        )
    sizes = np.fromiter(map(len, lines), np.int64, len(lines))
    square = np.array([line[:length].ljust(length, PADDING) for line in lines], f"<U{length}")
    # NumPy's strings end at their last character that is not NUL, which a line may contain.
    points = np.zeros((len(lines), length), "<U1") if not len(lines) else square.view("<U1").reshape(-1, length)
    order = np.argsort(list(alphabet))
    ordered = np.array(list(alphabet))[order]
    found = np.minimum(np.searchsorted(ordered, points), len(alphabet) - 1)
    is_filled = np.arange(length) >= sizes[:, np.newaxis]
    is_known = (ordered[found] == points) & (is_filled | ~np.isin(points, [PADDING, UNKNOWN]))
    places = order[found]
    if not is_known.all():
        if UNKNOWN not in alphabet:
            raise ValueError(f"Expected characters of {alphabet!r}, received {str(points[~is_known][0])!r}.")
        places = np.where(is_known, places, alphabet.index(UNKNOWN))
    return Encoded(
        places.astype(np.uint8),
        padded=int((sizes < length).sum()),
        cropped=int((sizes > length).sum()),
        unknown=int((~is_known).sum()),
    )


def decoded(places: np.ndarray, alphabet: str) -> np.ndarray:
    """Returns the strings whose characters have these places in the alphabet: `[..., length]` -> `[...]`.

    Example:
      >>> decoded(np.array([[0, 1], [1, 1]]), "ab").tolist()
      ['ab', 'bb']
    """
    characters = np.ascontiguousarray(np.array(list(alphabet))[places])
    return characters.view(f"<U{places.shape[-1]}")[..., 0]


def one_hot(
    name: str, split: str, source: str, places: np.ndarray, alphabet: str, notes: Mapping[str, int | str] | None = None
) -> Examples:
    """Returns examples `[length, characters]` that are one-hot; a character needs one byte of memory.

    Args:
      name: The data set's name.
      split: The split's name.
      source: Where the texts come from.
      places: `[size, length]` uint8, as `Encoded` has them.
      alphabet: The characters.
      notes: Further facts for the results.

    Example:
      >>> letters = one_hot("letters", "train", "drawn", np.array([[0, 1]], np.uint8), "ab")
      >>> letters.take([0]).numpy().tolist()
      [[[1.0, 0.0], [0.0, 1.0]]]
    """
    # A tensor outside the graph: a captured tensor is shared, a constant would be copied into each trace.
    stored = tf.constant(places)

    def take(positions: tf.Tensor) -> tf.Tensor:
        return tf.one_hot(tf.cast(tf.gather(stored, positions), tf.int32), len(alphabet))

    size, length = places.shape
    shape = (length, len(alphabet))
    labels = np.zeros(size, np.int64)
    return Examples(
        name, split, source, shape, size, labels, take, notes=notes or {}, made_of=("text", alphabet, stored)
    )


class Texts(DataSet):
    """Texts of a fixed length. A subclass defines `alphabet` and `read`, which returns `one_hot`. It has no modes.

    Args:
      length: The characters of an example.

    Attributes:
      has_words: Whether the texts have words, which the metric `words` compares.

    Example:
      >>> from tfpaths import data
      >>> data.get("markov")(length=16).shape
      (16, 8)
    """

    networks = "residual_text"
    has_words: bool = True

    def __init__(self, *, length: PositiveInt = 32):
        self.length = length

    @property
    def alphabet(self) -> str:
        """The characters, in the order of the last axis of an example."""
        raise NotImplementedError

    @property
    def example(self) -> Text:  # type: ignore[override]
        return Text(self.alphabet)

    @property
    def shape(self) -> tuple[int, ...]:
        """`(length, characters)`."""
        return (self.length, len(self.alphabet))

    def law(self, n: int) -> np.ndarray | None:
        """Returns the exact probability of each string of n characters, `[characters] * n`; None if it is unknown.

        The law is that of n adjacent characters at any place of an example.
        """
        del n
        return None
