"""Strings of a fixed second-order Markov chain, whose law of n adjacent characters is exact."""

import string
from typing import Annotated

import numpy as np

from tfpaths import streams
from tfpaths.data.dataset import DATA
from tfpaths.data.examples import Examples
from tfpaths.data.strings import Texts, one_hot
from tfpaths.schema import PositiveInt, expects

# The seed of the chain's probabilities: a chain is part of the data set, not of a run.
_CHAIN = 2017
# Larger powers make some successors of a pair much likelier than others.
_POWER = 3.0
Characters = Annotated[int, expects("from 2 to 16 characters", lambda value: 2 <= value <= 16)]


@DATA.register("markov")
class Markov(Texts):
    """Strings of the letters a, b, …, whose next letter depends on the two before it.

        p(x_1, …, x_length) = pi(x_1, x_2) prod_t T(x_t | x_{t-2}, x_{t-1})

    T is fixed: its rows are proportional to (-log u)^3 with u ~ U(0, 1), of a fixed seed. pi is its stationary law of
    pairs, so that n adjacent letters have the same law at each place, `law(n)`: a generator can be measured against
    the truth instead of other examples. String i of a split is a pure function of (seed, split, i). The chain is ours.

    Args:
      length: The letters of a string, at least 2.
      characters: The number of letters.
      examples: The number of strings in each split.

    Example:
      >>> chain = Markov(length=6, examples=100)
      >>> strings = chain.load()
      >>> strings.shape, chain.example.stored(strings.take([0])).tolist()
      ((6, 8), ['...'])
      >>> round(float(chain.law(3).sum()), 6)
      1.0
    """

    sources = ("drawn",)
    has_words = False

    def __init__(
        self,
        *,
        length: Annotated[int, expects("at least 2", lambda value: 2 <= value < 2**31)] = 32,
        characters: Characters = 8,
        examples: PositiveInt = 100_000,
    ):
        super().__init__(length=length)
        self.characters = characters
        self.examples = examples

    @property
    def alphabet(self) -> str:
        return string.ascii_lowercase[: self.characters]

    @property
    def transition(self) -> np.ndarray:
        """T(c | a, b), float64 `[characters, characters, characters]`, the next letter last."""
        k = self.characters
        # Raw numbers of a bit generator: NumPy promises that they stay the same, unlike those of its distributions.
        u = (np.random.PCG64(_CHAIN).random_raw(k**3) >> 11).astype(np.float64) * 2.0**-53
        weights = (-np.log1p(-u)).reshape(k, k, k) ** _POWER
        return weights / weights.sum(axis=-1, keepdims=True)

    @property
    def pairs(self) -> np.ndarray:
        """pi(a, b), float64 `[characters, characters]`: sum_a pi(a, b) T(c | a, b) = pi(b, c)."""
        k = self.characters
        # The chain of pairs (a, b) -> (b, c): [a, b, b', c] is T where b' = b.
        move = (self.transition[:, :, np.newaxis] * np.eye(k)[:, :, np.newaxis]).reshape(k * k, k * k)
        # pi (move - I) = 0 and sum pi = 1, of which one equation is too many.
        equations = np.vstack([move.T - np.eye(k * k), np.ones(k * k)])
        pi = np.linalg.lstsq(equations, np.append(np.zeros(k * k), 1.0), rcond=None)[0]
        return np.maximum(pi, 0.0).reshape(k, k)

    def law(self, n: int) -> np.ndarray:
        if n == 1:
            return self.pairs.sum(axis=0)
        law, transition = self.pairs, self.transition
        for _ in range(n - 2):
            law = law[..., np.newaxis] * transition
        return law

    def read(self, split: str, *, source: str, seed: int, data_dir: str | None) -> Examples:
        del source, data_dir
        stream = streams.root(seed).fold(self.splits.index(split))
        uniform = stream.uniform((self.examples, self.length)).numpy().astype(np.float64)
        k = self.characters
        # [pairs], and [pairs, characters]: the value at u is the first whose sum of probabilities exceeds u.
        start, following = self.pairs.ravel().cumsum(), self.transition.reshape(k * k, k).cumsum(axis=-1)
        pair = np.minimum(np.searchsorted(start, uniform[:, 0], side="right"), k * k - 1)
        places = np.empty((self.examples, self.length), np.uint8)
        places[:, 0], places[:, 1] = pair // k, pair % k
        for place in range(2, self.length):
            letter = np.minimum((uniform[:, place, np.newaxis] >= following[pair]).sum(axis=-1), k - 1)
            places[:, place] = letter
            pair = pair % k * k + letter
        return one_hot(self.name, split, "drawn", places, self.alphabet)
