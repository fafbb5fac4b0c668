"""Floor and ceiling of every metric, each against its value from the examples that it must be made of.

The floor compares training examples with the evaluated split, so that a metric which compares the split with itself, or
takes another part of either, is found here. The ceiling is uniform noise in the place of samples.
"""

import collections
import math

import numpy as np
import pytest
import scipy.spatial.distance

from tfpaths import config, data
from tfpaths.metrics import (
    METRICS,
    assignment,
    birthday,
    critic,
    kde,
    mixture_mmd,
    mmd,
    modes,
    ms_ssim,
    neural_net_distance,
    point_modes,
    scores,
    sources,
    words,
)
from tfpaths.metrics.context import Context
from tfpaths.metrics.evaluator import Evaluator

SIZE, MODES, NEURAL = 300, 250, 150
IMAGES = config.Data(name="color_mnist", source="embedded")
POINTS = config.Data(name="mog", examples=400)
LINES = config.Data(name="mixline", examples=400)
TEXTS = config.Data(name="text", packages=("keras",))
FIELDS = {
    "samples": SIZE,
    "mode_samples": MODES,
    "critic_steps": 4,
    "assignment_samples": 80,
    "neural_net_steps": 3,
    "neural_net_samples": NEURAL,
    "birthday_samples": 200,
    "birthday_quantile": 1e-3,
}


class Examples:
    """What the values of one reference are computed from: its source's examples, and those of the evaluated split."""

    def __init__(self, data_config, kind, split="test"):
        self.context = Context(data_config, config.Evaluation(**FIELDS, split=split))
        splits = {name: self.context.examples(name) for name in ("train", "validation", "test")}
        self.splits, self.real = splits, splits[split]
        memorised = splits["test" if split == "train" else "train"]
        noise = sources.noise(self.real.shape, 0)
        self.source = sources.real(memorised) if kind == "real" else noise
        self._memorised = memorised if kind == "real" else None

    def first(self, num, start=0):
        """Examples of the source; noise comes in the blocks in which a metric draws it."""
        if self._memorised is None:
            return self.source.batches(start, num).numpy()
        return self._memorised.take(self._memorised._order[start : start + num]).numpy()

    def real_first(self, num, start=0):
        return self.real.take(self.real._order[start : start + num]).numpy()


def of_scores(examples):
    extractor = examples.context.extractor()
    _, real = extractor.collect(lambda start, num: examples.real_first(num, start), 0, SIZE)
    logits, fake = extractor.collect(lambda start, num: examples.first(num, start), 0, SIZE)
    return {
        "classifier_score": scores.classifier_score(logits),
        "frechet_classifier_distance": scores.frechet_distance(real, fake),
        "kernel_classifier_distance": scores.kernel_distance(real, fake)[0],
    }


def of_ms_ssim(examples):
    pair = examples.first(320), examples.real_first(320)
    return dict(zip(("ms_ssim", "ms_ssim_real"), map(ms_ssim.mean_over_pairs, pair), strict=True))


def of_modes(examples):
    extractor = examples.context.extractor("digits")
    logits, _ = extractor.collect(lambda start, num: examples.first(num, start), 0, MODES)
    return modes.coverage(logits.argmax(axis=1), examples.splits["train"].modes)


def of_critic(examples):
    sampler = examples.source.sampler
    trained = critic.train(sampler, examples.splits["validation"].batches(64, seed=0), steps=4, seed=0)
    splits = {name: examples.splits[name] for name in critic.SPLITS}
    return critic.estimates(trained, sampler, splits, count=SIZE, seed=0)


def of_neural_net_distance(examples):
    model = neural_net_distance.network(examples.context)
    first, second = ([examples.real_first(NEURAL, start), examples.first(NEURAL, start)] for start in (0, NEURAL))
    neural_net_distance.train(model, *first, steps=3)
    (trained, _), (distance, error) = (neural_net_distance.judge(model, *both) for both in (first, second))
    values = {"distance": distance, "gap": trained - distance, "error": error}
    return {f"neural_net_{name}": value for name, value in values.items()}


def of_birthday(examples):
    flat = lambda values: values.reshape(200, -1).astype(np.float64)  # noqa: E731
    limit = birthday.threshold(flat(examples.real_first(200)), 1e-3)
    return birthday.estimate(birthday.pairs(flat(examples.first(200)), limit).duplicates)


def of_log_density(examples):
    values = data.get("mog")().log_density(examples.first(SIZE))
    return {"log_density": values.mean(), "outside_support": 0.0}


def compared(examples, num=SIZE):
    return tuple(values.astype(np.float64) for values in (examples.first(num), examples.real_first(num)))


def of_kde(examples):
    return {"kde_log_likelihood": kde.log_densities(*compared(examples)).mean()}


def of_mmd(examples):
    return {"mmd2": mmd.mmd2(*compared(examples))}


def of_assignment(examples):
    return {"w1": assignment.wasserstein(*compared(examples, 80))}


def of_point_modes(examples):
    return point_modes.hits(*data.get("mog")().nearest(examples.first(SIZE)))


def of_mixture_mmd(examples):
    points, law = examples.first(SIZE).astype(np.float64), examples.context.data.law()
    own = np.full(SIZE, 1 / SIZE), points, np.zeros([1, 2, 2])  # Gaussians without width, one at each point.
    return {"mixture_mmd2": mixture_mmd.mixture_mmd2(own, law)}


def strings_of(examples):
    """The first texts of the source, and all texts of the evaluated split."""
    real = examples.real
    read = [examples.context.data.example.stored(each) for each in (examples.first(SIZE), real.take(range(real.size)))]
    return [each.tolist() for each in read]


def of_ngrams(examples):
    def shares(texts, n):
        counted = collections.Counter(text[at : at + n] for text in texts for at in range(len(text) - n + 1))
        return {gram: count / counted.total() for gram, count in counted.items()}

    samples, real = strings_of(examples)
    found, single = {}, shares(real, 1)
    for n in (1, 2, 3, 4):
        both = shares(samples, n), shares(real, n)
        aligned = [[law.get(gram, 0.0) for gram in both[0] | both[1]] for law in both]
        found[f"js_{n}"] = scipy.spatial.distance.jensenshannon(*aligned, base=2) ** 2
        # Each n-gram of the split as n independent characters; all others are disjoint from the split.
        p = [math.prod(single[character] for character in gram) for gram in both[1]]
        together = [*p, 1 - sum(p)], [*both[1].values(), 0.0]
        found[f"js_{n}_unigram"] = scipy.spatial.distance.jensenshannon(*together, base=2) ** 2
    order = [f"js_{n}" for n in (1, 2, 3, 4)] + ["js_4_unigram"]
    return {name: found[name] for name in order}


def of_words(examples):
    # Three letters or more, before a character that is none.
    samples, real = ([word for text in texts for word in words.words(text)] for texts in strings_of(examples))
    known = set(real)
    return {"known_words": sum(word in known for word in samples) / len(samples)}


EXPECTED = {
    IMAGES: {
        "scores": of_scores,
        "ms_ssim": of_ms_ssim,
        "modes": of_modes,
        "critic": of_critic,
        "neural_net_distance": of_neural_net_distance,
        "birthday": of_birthday,
    },
    POINTS: {
        "log_density": of_log_density,
        "kde": of_kde,
        "mmd": of_mmd,
        "assignment": of_assignment,
        "point_modes": of_point_modes,
        "neural_net_distance": of_neural_net_distance,
        "birthday": of_birthday,
    },
    LINES: {"mixture_mmd": of_mixture_mmd},
    TEXTS: {"ngrams": of_ngrams, "words": of_words},
}


def test_every_metric_with_references_is_here():
    with_references = {name for name, cls in METRICS.items() if cls.has_references}
    assert with_references == {name for table in EXPECTED.values() for name in table}


def measured(data_config, names, **fields):
    wanted = config.Evaluation(metrics=names, references=True, **FIELDS | fields)
    return Evaluator(data_config, wanted).references()


@pytest.mark.parametrize("data_config", EXPECTED, ids=lambda one: one.name)
def test_references_are_those_of_their_examples(data_config, own_cache):
    found = measured(data_config, tuple(EXPECTED[data_config]))
    for kind in ("real", "noise"):
        examples, expected = Examples(data_config, kind), {}
        for of_metric in EXPECTED[data_config].values():
            expected |= of_metric(examples)
        assert found[kind] == pytest.approx(expected, rel=1e-4, abs=1e-5), kind
        assert list(found[kind]) == list(expected)


def test_training_examples_are_compared_with_test_examples(own_cache):
    """If the evaluated split is the training split, the test examples take the place of samples."""
    found = measured(POINTS, ("log_density", "mmd"), split="train")
    examples = Examples(POINTS, "real", split="train")
    assert found["real"] == pytest.approx(of_log_density(examples) | of_mmd(examples), rel=1e-6)
    swapped = Examples(POINTS, "real")
    assert found["real"]["log_density"] != pytest.approx(of_log_density(swapped)["log_density"], rel=1e-3)


def test_a_split_against_itself_would_be_zero(own_cache):
    """What a floor must not be: it is that of a generator which has memorised other examples."""
    found = measured(POINTS, ("mmd", "assignment"))["real"]
    same = sources.real(Examples(POINTS, "real").real)
    evaluator = Evaluator(POINTS, config.Evaluation(metrics=("mmd", "assignment"), **FIELDS))
    assert evaluator.measure(same) == {"mmd2": 0.0, "w1": 0.0}
    assert min(found.values()) > 1e-4
