"""The Jensen-Shannon divergence between the n-grams of samples and of real texts, n = 1, …, 4, over log 2.

    JS(p, q) = (KL(p || (p + q) / 2) + KL(q || (p + q) / 2)) / 2        js_n = JS / log 2, in [0, 1]

An n-gram is n adjacent characters of one text, padding included; p and q are the shares of each. So are the numbers of
Gulrajani et al. 2017 (arXiv 1704.00028, `language_helpers.py`), who compare 640 samples with the training texts. Here,
samples are compared with the split; the floor is that of as many training texts.

It is not zero for samples of the same law. Between m independent draws of n-grams and their exact law, which gives k
n-grams a probability above zero, E JS = (k - 1) / (8 m) + O(1 / m^2), in nats.

For data with an exact law (`markov`), `js_n_law` compares samples with the law itself. `js_4_unigram` says what a model
without memory achieves, which draws each character by its share of the real texts; it needs no samples.
"""

from typing import Any

import numpy as np

from tfpaths.metrics.context import Context
from tfpaths.metrics.metric import METRICS
from tfpaths.metrics.sources import Source
from tfpaths.metrics.texts import TextMetric, alphabet, law

SIZES = (1, 2, 3, 4)
_LONGEST = max(SIZES)
# Codes of n-grams -> their shares, which sum to 1.
Shares = tuple[np.ndarray, np.ndarray]


def shares(places: np.ndarray, n: int, characters: int) -> Shares:
    """Returns the n-grams that occur, and the share of each.

    Args:
      places: Texts as places in the alphabet, `[num, length]`.
      n: The length of an n-gram, at most `length`.
      characters: The size of the alphabet; `characters^n` must be below 2^63.

    Returns:
      The codes, sorted: the n-gram as a number of base `characters`; and the shares.

    Example:
      >>> codes, each = shares(np.array([[0, 1, 0], [0, 1, 1]]), 2, characters=2)
      >>> codes.tolist(), each.tolist()  # 01 twice, 10 and 11 once
      ([1, 2, 3], [0.5, 0.25, 0.25])
    """
    codes = np.zeros((len(places), places.shape[1] - n + 1), np.int64)
    for place in range(n):
        codes = codes * characters + places[:, place : place + codes.shape[1]]
    found, counts = np.unique(codes, return_counts=True)
    return found, counts / codes.size


def js(first: Shares, second: Shares) -> float:
    """Returns the Jensen-Shannon divergence between two laws over log 2, in [0, 1].

    Args:
      first: The codes that have a probability above zero, and the probabilities.
      second: The same of the other law.

    Example:
      >>> one, other = (np.array([0, 1]), np.array([0.5, 0.5])), (np.array([2]), np.array([1.0]))
      >>> js(one, one), js(one, other)
      (0.0, 1.0)
    """
    codes = np.union1d(first[0], second[0])
    p, q = (np.zeros(len(codes)) for _ in range(2))
    for whole, (known, each) in ((p, first), (q, second)):
        whole[np.searchsorted(codes, known)] = each
    middle = (p + q) / 2
    value = sum(np.sum(x[x > 0] * np.log2(x[x > 0] / middle[x > 0])) for x in (p, q)) / 2
    # Rounding can take it out of its range by 1e-16.
    return float(np.clip(value, 0.0, 1.0))


def js_of_independent(single: np.ndarray, other: Shares, n: int) -> float:
    """Returns the divergence over log 2 between n independent characters and another law, in [0, 1].

    With P(x) = prod p(x_i) and the other law q, only the x with q(x) > 0 need to be listed:

        JS / log 2 = (sum_{q > 0} P log2(2 P / (P + q)) + q log2(2 q / (P + q)) + 1 - sum_{q > 0} P) / 2

    Args:
      single: p, the probability of each character, `[characters]`.
      other: The codes with q above zero, and q.
      n: The number of characters.

    Example:
      >>> js_of_independent(np.array([0.5, 0.5]), (np.arange(4), np.full(4, 0.25)), 2)
      0.0
    """
    codes, q = other
    p, left = np.ones(len(codes)), codes
    for _ in range(n):
        left, place = np.divmod(left, len(single))
        p = p * single[place]
    middle = (p + q) / 2
    seen = p > 0
    value = np.sum(p[seen] * np.log2(p[seen] / middle[seen])) + np.sum(q * np.log2(q / middle)) + 1.0 - p.sum()
    return float(np.clip(value / 2, 0.0, 1.0))


@METRICS.register("ngrams")
class NGrams(TextMetric):
    """The divergences js_1, …, js_4 of samples from the split, and from the exact law if there is one.

    Example:
      >>> from tfpaths import config as config_lib
      >>> from tfpaths.metrics import sources
      >>> context = Context(config_lib.Data(name="markov", examples=500), config_lib.Evaluation())
      >>> list(NGrams().compute(context, sources.real(context.examples("train"))))
      ['js_1', 'js_1_law', 'js_2', 'js_2_law', 'js_3', 'js_3_law', 'js_4', 'js_4_law', 'js_4_unigram']
    """

    def missing(self, context: Context) -> str | None:
        reason = super().missing(context)
        if reason is None and context.data.shape[0] < _LONGEST:
            return f"has texts of fewer than {_LONGEST} characters"
        return reason

    def compute(self, context: Context, source: Source, count: int | None = None) -> dict[str, float]:
        samples, real, characters = self.samples(context, source, count), self.real(context), len(alphabet(context))
        values, expected = {}, {n: shares(real, n, characters) for n in SIZES}
        for n in SIZES:
            found = shares(samples, n, characters)
            values[f"js_{n}"] = js(found, expected[n])
            exact = law(context, n)
            if exact is not None:
                values[f"js_{n}_law"] = js(found, (np.flatnonzero(exact), exact[exact > 0]))
        single = np.bincount(real.ravel(), minlength=characters) / real.size
        values[f"js_{_LONGEST}_unigram"] = js_of_independent(single, expected[_LONGEST], _LONGEST)
        return values

    def protocol(self, context: Context) -> dict[str, Any]:
        return super().protocol(context) | {"ngrams": "characters of one text, padding included, over log 2"}

    def depends_on(self, context: Context) -> tuple[Any, ...]:
        # The laws of fewer characters are its sums.
        exact = law(context, _LONGEST)
        return *super().depends_on(context), SIZES, None if exact is None else exact.tolist()
