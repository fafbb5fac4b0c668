"""The chain: its exact law against the sum over all strings, and its strings against the law."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats

from tfpaths import data, errors

CHAIN = data.get("markov")


def places(chain, split="train", seed=0):
    examples = chain.load(split, seed=seed)
    return examples.take(np.arange(examples.size)).numpy().argmax(axis=-1)


@pytest.mark.parametrize("characters", [2, 3, 8])
def test_pairs_are_stationary_and_all_probable(characters):
    chain = CHAIN(characters=characters)
    pi, transition = chain.pairs, chain.transition
    assert (transition > 0).all()
    np.testing.assert_allclose(transition.sum(axis=-1), 1.0, rtol=1e-12)
    # An oracle that knows nothing of linear equations: from equal shares, the chain itself.
    law = np.full((characters, characters), 1 / characters**2)
    for _ in range(3_000):
        law = np.einsum("ab,abc->bc", law, transition)
    np.testing.assert_allclose(pi, law, atol=1e-12)


def test_law_is_the_sum_over_the_rest_of_a_string():
    """The probability of n letters at each place of a string of 5, from the probability of each whole string."""
    chain = CHAIN(characters=3, length=5)
    whole = np.zeros((3,) * 5)
    for string in itertools.product(range(3), repeat=5):
        value = chain.pairs[string[:2]]
        for place in range(2, 5):
            value *= chain.transition[string[place - 2 : place + 1]]
        whole[string] = value
    for n in (1, 2, 3, 4):
        for first in range(5 - n + 1):
            rest = tuple(axis for axis in range(5) if not first <= axis < first + n)
            np.testing.assert_allclose(chain.law(n), whole.sum(axis=rest), atol=1e-14)


def test_the_law_is_not_that_of_independent_letters():
    chain = CHAIN()
    single = chain.law(1)
    assert single.max() > 2 * single.min()
    assert np.abs(chain.law(2) - single[:, None] * single).max() > 0.02
    # Nor that of a chain of first order.
    first = chain.law(2)[..., None] * (chain.law(2) / single[:, None])
    assert np.abs(chain.law(3) - first).max() > 0.02


@pytest.mark.parametrize("first", [0, 1, 13, 29])
def test_strings_have_the_law_at_each_place(first):
    chain = CHAIN(examples=20_000)
    found = places(chain)[:, first : first + 3]
    counts = np.bincount(found @ [64, 8, 1], minlength=512)
    # 512 triples, of which each string has one: Pearson's statistic. Rare triples are joined, so that the
    # approximation holds.
    expected = 20_000 * chain.law(3).ravel()
    is_rare = expected < 5
    observed = np.append(counts[~is_rare], counts[is_rare].sum())
    expected = np.append(expected[~is_rare], expected[is_rare].sum())
    assert scipy.stats.chisquare(observed, expected).pvalue > 1e-3


def test_a_larger_split_begins_with_the_strings_of_a_smaller_one():
    small, large = places(CHAIN(examples=70)), places(CHAIN(examples=200))
    np.testing.assert_array_equal(large[:70], small)
    for other in (places(CHAIN(examples=70), "test"), places(CHAIN(examples=70), seed=1)):
        assert not np.array_equal(other, small)


def test_the_chain_does_not_change():
    """A change of the chain is a new version of the data set."""
    assert CHAIN.version == "1"
    # The first two raw numbers of PCG64(2017): 53 bits make u in [0, 1), and each weight is (-log(1 - u))^3.
    first, second = ((-math.log(1 - (raw >> 11) / 2**53)) ** 3 for raw in (0xF12225AE6D548AEA, 0x88E64D0915C3E7C4))
    expected = [first / (first + second), second / (first + second)]
    np.testing.assert_allclose(CHAIN(characters=2).transition[0, 0], expected, rtol=1e-12)
    assert (
        CHAIN(examples=64).example.stored(CHAIN(examples=64).load().take([0]))[0] == "eggfahbdgcfcecahhahhaaacdcagbdge"
    )


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"characters": 17}, "data.characters: expected from 2 to 16 characters, received 17"),
        ({"length": 1}, "data.length: expected at least 2, received 1"),
    ],
)
def test_options_out_of_range_are_refused(options, line):
    with pytest.raises(errors.InputError, match=line):
        data.load("markov", **options)
