"""The n-gram divergence against dictionaries of counts, the law of the chain, and the floor against its formula."""

import collections
import functools
import itertools
import math

import numpy as np
import pytest
import scipy.special
import scipy.stats

from tfpaths import config, data, errors
from tfpaths.metrics import blocks, ngrams, sources
from tfpaths.metrics.context import Context
from tfpaths.metrics.evaluator import Evaluator

MARKOV = config.Data(name="markov", examples=300, length=12, characters=3)
NAMES = [f"js_{n}{law}" for n in (1, 2, 3, 4) for law in ("", "_law")] + ["js_4_unigram"]


def counted(texts, n):
    """The share of each n-gram in strings, by a dictionary."""
    counts = collections.Counter(text[i : i + n] for text in texts for i in range(len(text) - n + 1))
    return {gram: count / counts.total() for gram, count in counts.items()}


def divergence(p, q):
    """JS / log 2 of two dictionaries, term by term: the entropy of the middle without the mean entropy."""

    def entropy(law):
        return -sum(x * math.log2(x) for x in law.values() if x > 0)

    middle = {gram: (p.get(gram, 0) + q.get(gram, 0)) / 2 for gram in {*p, *q}}
    return entropy(middle) - (entropy(p) + entropy(q)) / 2


def strings_of(places):
    return ["".join("abc"[place] for place in row) for row in places]


def random_places(seed, num=40, length=9):
    return np.random.default_rng(seed).choice(3, size=(num, length), p=[0.6, 0.3, 0.1]).astype(np.uint8)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_js_equals_dictionaries(n):
    places = random_places(0), random_places(1, 25)
    expected = divergence(*(counted(strings_of(each), n) for each in places))
    found = ngrams.js(*(ngrams.shares(each, n, 3) for each in places))
    assert found == pytest.approx(expected, abs=1e-12)
    assert 0 < found < 1


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_equal_texts_have_0_and_disjoint_alphabets_1(n):
    places = random_places(0)
    one, other = ngrams.shares(places, n, 6), ngrams.shares(places + 3, n, 6)
    assert ngrams.js(one, one) == 0
    assert ngrams.js(one, other) == pytest.approx(1, abs=1e-12)


def test_two_laws_by_hand():
    # p = (1/2, 1/2, 0), q = (0, 1/2, 1/2), m = (1/4, 1/2, 1/4): each KL is 1/2 log 2, and so is JS.
    p, q = (np.array([0, 1]), np.array([0.5, 0.5])), (np.array([1, 2]), np.array([0.5, 0.5]))
    assert ngrams.js(p, q) == pytest.approx(0.5)


def test_n_grams_do_not_cross_texts():
    codes, each = ngrams.shares(np.array([[0, 1], [2, 0]]), 2, 3)
    assert (codes.tolist(), each.tolist()) == ([1, 6], [0.5, 0.5])


def test_256_characters_have_codes():
    places = np.array([[255, 255, 255, 254], [255, 255, 255, 255]])
    assert ngrams.shares(places, 4, 256)[0].tolist() == [256**4 - 2, 256**4 - 1]


@pytest.mark.parametrize("n", [1, 2, 4])
def test_independent_characters_equal_the_sum_over_all_strings(n):
    single = np.array([0.5, 0.3, 0.0, 0.2])
    codes, q = ngrams.shares(random_places(3, 5), n, 4)
    p = {code: math.prod(single[list(x)]) for code, x in enumerate(itertools.product(range(4), repeat=n))}
    expected = divergence(p, dict(zip(codes.tolist(), q.tolist(), strict=True)))
    assert ngrams.js_of_independent(single, (codes, q), n) == pytest.approx(expected, abs=1e-12)


def expected_js(law, num):
    """E JS in nats of the shares of `num` independent draws from their own law: a sum over binomial counts.

    JS is a sum over values x of p_x / 2 ((1 + t) log(1 + t) - (2 + t) log(1 + t / 2)), where 1 + t = count / (num p_x).
    """
    total = 0.0
    for p in law.ravel():
        counts = np.arange(num + 1)
        t = counts / (num * p) - 1
        value = p / 2 * (scipy.special.xlogy(1 + t, 1 + t) - (2 + t) * np.log1p(t / 2))
        total += np.sum(scipy.stats.binom.pmf(counts, num, p) * value)
    return total


@pytest.mark.parametrize("num", [100, 400])
@pytest.mark.parametrize("n", [1, 2])
def test_divergence_of_draws_from_their_law_has_the_exact_mean(n, num):
    """Texts of exactly n letters: one n-gram each, so that the draws are independent."""
    law = data.get("markov")(characters=3, length=4).law(n)
    exact = np.arange(law.size), law.ravel()
    random = np.random.default_rng(n)
    values = []
    for _ in range(200):
        drawn = random.choice(law.size, size=num, p=law.ravel())
        places = np.stack(np.unravel_index(drawn, law.shape), axis=-1)
        values.append(ngrams.js(ngrams.shares(places, n, 3), exact) * math.log(2))
    error = np.std(values, ddof=1) / len(values) ** 0.5
    assert np.mean(values) == pytest.approx(expected_js(law, num), abs=5 * error)


@pytest.mark.parametrize("n", [1, 2])
def test_mean_of_the_divergence_falls_like_the_formula(n):
    """E JS = (k - 1) / (8 m) + c / m^2 + O(1 / m^3), in nats.

    The term of t in `expected_js` is p (t^2 / 8 - t^3 / 16 + 7 t^4 / 192 - ...), with the moments of a binomial share
    m^2 E t^3 = (1 - p) (1 - 2 p) / p^2 and m^2 E t^4 = 3 (1 - p)^2 / p^2 + O(1 / m). So

        c = sum_x (7 (1 - p)^2 / 64 - (1 - p) (1 - 2 p) / 16) / p
    """
    p = data.get("markov")(characters=3, length=4).law(n).ravel()
    c = np.sum((7 * (1 - p) ** 2 / 64 - (1 - p) * (1 - 2 * p) / 16) / p)
    rest = [expected_js(p, m) - (p.size - 1) / (8 * m) - c / m**2 for m in (1_000, 10_000)]
    # A third order: at ten times m, a thousandth is left.
    assert round(math.log10(rest[0] / rest[1])) == 3


def test_metric_against_dictionaries_and_the_law():
    evaluator = Evaluator(MARKOV, config.Evaluation(samples=100))
    assert evaluator.metrics == ("ngrams",)
    train, test = (evaluator.examples(split) for split in ("train", "test"))
    found = evaluator.measure(sources.real(train))
    assert list(found) == NAMES
    samples = strings_of(train.some(0, 100).numpy().argmax(-1))
    real = strings_of(test.take(np.arange(300)).numpy().argmax(-1))
    chain = data.of(MARKOV)
    for n in (1, 2, 3, 4):
        assert found[f"js_{n}"] == pytest.approx(divergence(counted(samples, n), counted(real, n)), abs=1e-12)
        exact = {"".join("abc"[i] for i in at): value for at, value in np.ndenumerate(chain.law(n))}
        assert found[f"js_{n}_law"] == pytest.approx(divergence(counted(samples, n), exact), abs=1e-12)
    single = counted(real, 1)
    independent = {"".join(gram): math.prod(map(single.get, gram)) for gram in itertools.product(single, repeat=4)}
    assert found["js_4_unigram"] == pytest.approx(divergence(independent, counted(real, 4)), abs=1e-12)
    assert evaluator.protocol() == {
        "data_source": "drawn",
        "evaluation_seed": 0,
        "split": "test",
        "real_texts": 300,
        "text_samples": 100,
        "ngrams": "characters of one text, padding included, over log 2",
    }


def test_references_and_fewer_samples(tmp_path, monkeypatch):
    monkeypatch.setenv("TFPATHS_CACHE_DIR", str(tmp_path))
    references = Evaluator(MARKOV, config.Evaluation(samples=200, references=True)).references()
    # The likeliest letters of uniform numbers, drawn in blocks.
    noise = strings_of(sources.noise((12, 3), 0).batches(0, blocks.BLOCK).numpy()[:200].argmax(-1))
    for n in (1, 2, 3, 4):
        assert references["real"][f"js_{n}"] < references["noise"][f"js_{n}"]
        exact = {"".join("abc"[i] for i in at): value for at, value in np.ndenumerate(data.of(MARKOV).law(n))}
        assert references["noise"][f"js_{n}_law"] == pytest.approx(divergence(counted(noise, n), exact), abs=1e-12)
    # Each letter alike: 2,400 independent ones, five standard errors.
    assert counted(noise, 1) == {letter: pytest.approx(1 / 3, abs=5 * (2 / 9 / 2_400) ** 0.5) for letter in "abc"}
    assert Evaluator(MARKOV, config.Evaluation(samples=100)).references() == {}
    assert Evaluator(MARKOV, config.Evaluation(samples=200)).references() == references


class TestSelection:
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("scores", "has no feature extractor"),
            ("ms_ssim", "has no images"),
            ("modes", "has no modes"),
            ("critic", "has no square images of .* pixels"),
            ("mmd", "has no points"),
            ("words", "has no words"),
        ],
    )
    def test_metrics_of_other_examples_are_refused(self, name, reason):
        line = f"^evaluation.metrics: '{name}' cannot be computed for markov, which {reason}. To fix this: choose from "
        with pytest.raises(errors.InputError, match=f"{line}duality_gap, ngrams\\.$"):
            Evaluator(MARKOV, config.Evaluation(metrics=(name,)))

    @pytest.mark.parametrize("name", ["ngrams", "words"])
    def test_metrics_of_texts_are_refused_for_images(self, name):
        with pytest.raises(errors.InputError, match=f"'{name}' cannot be computed for cifar10, which has no texts"):
            Evaluator(config.Data(name="cifar10"), config.Evaluation(metrics=(name,)))

    def test_short_texts_have_no_4_grams(self):
        with pytest.raises(errors.InputError, match="'ngrams' .* which has texts of fewer than 4 characters"):
            Evaluator(MARKOV.replace(length=3), config.Evaluation(metrics=("ngrams",)))

    def test_an_extractor_of_images_is_refused(self):
        with pytest.raises(
            errors.InputError, match="^evaluation.extractor: expected 'auto' or the directory .* for mark"
        ):
            Evaluator(MARKOV, config.Evaluation(extractor="inception"), lenient=True)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_another_law_of_any_length_is_another_reference(n, monkeypatch):
    """Laws of two letters that agree for fewer than n: + and - alternate, and add up to 0 over each of the n."""
    signs = functools.reduce(np.multiply.outer, [np.array([1.0, -1.0])] * n)

    def key(weight):
        def law(self, m):
            uniform = np.full((2,) * m, 2.0**-m)
            return uniform if m < n else uniform * (1 + weight * signs.reshape((2,) * n + (1,) * (m - n)))

        monkeypatch.setattr(data.get("markov"), "law", law)
        return ngrams.NGrams().depends_on(Context(MARKOV.replace(characters=2), config.Evaluation()))

    assert key(0.01) != key(0.0)
