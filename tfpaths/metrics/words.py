"""The share of the words in samples that occur in the real texts.

A word is a run of at least three letters within one text that no other letter extends. Shorter runs do not count: noise
has many that are words. A word at the end of a text does not count either, because texts are cropped there. The measure
is ours.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tfpaths.data import strings
from tfpaths.metrics.context import Context
from tfpaths.metrics.metric import METRICS
from tfpaths.metrics.sources import Source
from tfpaths.metrics.texts import TextMetric, alphabet, has_words

# The letters of the shortest word.
SHORTEST = 3


def words(text: str) -> Iterator[str]:
    """Yields the words of a text, without one that touches its end.

    Example:
      >>> list(words("It's the last crop"))
      ['the', 'last']
    """
    word = ""
    for character in text:
        if character.isalpha():
            word += character
        else:
            if len(word) >= SHORTEST:
                yield word
            word = ""


@METRICS.register("words")
class Words(TextMetric):
    """`known_words`: the share of the words in samples that occur in the split, in [0, 1]; 0 if samples have no words.

    It needs a data set with words, `Texts.has_words`. A higher share is better, and training texts do not reach 1: the
    reference value `real` is the share of their words that occur in the split.

    Example:
      >>> from tfpaths import config as config_lib
      >>> Words().missing(Context(config_lib.Data(name="markov"), config_lib.Evaluation()))
      'has no words'
    """

    def missing(self, context: Context) -> str | None:
        reason = super().missing(context)
        return "has no words" if reason is None and not has_words(context) else reason

    def compute(self, context: Context, source: Source, count: int | None = None) -> dict[str, float]:
        characters = alphabet(context)
        known = {word for text in strings.decoded(self.real(context), characters).tolist() for word in words(text)}
        samples = strings.decoded(self.samples(context, source, count), characters).tolist()
        found = [word in known for text in samples for word in words(text)]
        return {"known_words": float(np.mean(found)) if found else 0.0}

    def depends_on(self, context: Context) -> tuple[Any, ...]:
        return *super().depends_on(context), SHORTEST
