"""Streams: pure functions of a seed, in and out of a graph, alone and in an ensemble."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from helpers import assert_independent, assert_standard_normal, compiles

from tfpaths import streams


def test_streams_differ_by_every_folded_number():
    roots = [streams.root(0), streams.root(1)]
    leaves = [root.fold(a, b) for root in roots for a in range(4) for b in range(4)]
    draws = {leaf.normal((4,)).numpy().tobytes() for leaf in leaves}
    assert len(draws) == 32
    np.testing.assert_array_equal(roots[0].fold(1, 2).key, roots[0].fold(1).fold(2).key)
    sample = leaves[0].normal((20_000,)).numpy()
    np.testing.assert_allclose((sample.mean(), sample.std()), (0, 1), atol=0.02)


@pytest.mark.parametrize("how", [{}, {"jit_compile": True}, None])
@pytest.mark.parametrize("seed", [0, -3, 2**31 - 1])
def test_draws_are_those_of_tensorflow(seed, how):
    def drawn(stream):
        return stream.fold(7).key, stream.uniform(()), stream.normal((3, 5)), stream.fold(-5).uniform([9])

    def expected(key):
        folded = tf.random.fold_in(key, -5, alg="philox")
        return (
            tf.random.fold_in(key, 7, alg="philox"),
            tf.random.stateless_uniform((), key, alg="philox"),
            tf.random.stateless_normal((3, 5), key, alg="philox"),
            tf.random.stateless_uniform([9], folded, alg="philox"),
        )

    if how is not None:
        drawn, expected = (tf.function(each, autograph=False, **how) for each in (drawn, expected))
    stream = streams.root(seed)
    for ours, theirs in zip(drawn(stream), expected(stream.key), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
@pytest.mark.parametrize("shape", [(5,), (3, 7), (64, 1)])
def test_run_in_an_ensemble_draws_the_same_as_alone(distribution, shape):
    @tf.function(jit_compile=True)
    def drawn(first_run, runs):
        stream = streams.root(4, first_run=first_run).fold(9)
        return getattr(stream, distribution)((runs, *shape))

    many = drawn(tf.constant(10), 6).numpy()
    for run in range(6):
        np.testing.assert_array_equal(drawn(tf.constant(10 + run), 1)[0], many[run])
    assert len(np.unique(many)) == many.size


def test_normal_draws_are_normal_and_never_infinite():
    values = streams.root(1, first_run=0).normal((50, 4000)).numpy()
    assert scipy.stats.kstest(values.ravel(), "norm").pvalue > 1e-3
    # The quantiles of the smallest and the largest uniform number are each other's negatives, and finite.
    edges = streams.normal_quantile(tf.constant([0.0, 1 - 2.0**-23])).numpy()
    assert edges[0] == -edges[1]
    assert 5 < edges[1] < 5.5


def test_another_attempt_gives_another_stream():
    draws = [streams.root(3, attempt=attempt).uniform((4,)).numpy() for attempt in (0, 1)]
    np.testing.assert_array_equal(draws[0], streams.root(3).uniform((4,)))
    assert not np.array_equal(*draws)


def test_stream_can_be_passed_to_a_tf_function():
    @tf.function
    def folded(stream, number):
        inner = stream.fold(number)
        return inner, inner.uniform((3,))

    for stream in (streams.root(5), streams.root(5).fold(2)):
        inner, drawn = folded(stream, tf.constant(9))
        assert isinstance(inner, streams.Stream)
        np.testing.assert_array_equal(drawn, stream.fold(9).uniform((3,)))
        np.testing.assert_array_equal(inner.normal((3,)), stream.fold(9).normal((3,)))
    assert folded.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize(("row", "first"), [((), 8), ((3,), 4), ((3, 5), 12), ((4,), 1), ((128,), 2**20)])
def test_a_draw_can_be_made_in_parts(distribution, row, first, in_graph):
    stream = streams.root(7).fold(3)

    def draw(stream, count):
        return getattr(stream, distribution)((count, *row))

    part = (tf.function(draw, autograph=False) if in_graph else draw)(stream.from_row(first), 5)
    if first < 2**20:
        np.testing.assert_array_equal(part, draw(stream, first + 5)[first:])
    # A stream below it begins at the same row.
    np.testing.assert_array_equal(draw(stream.from_row(first).fold(1), 5), draw(stream.fold(1).from_row(first), 5))


def test_a_part_begins_at_a_multiple_of_four_numbers():
    with pytest.raises(tf.errors.InvalidArgumentError, match="no multiple of 4"):
        streams.root(7).from_row(2).normal((1, 3))
    streams.root(7).from_row(2).normal((1, 2))


def test_draws_of_an_ensemble_are_not_made_in_parts():
    with pytest.raises(ValueError, match="ensemble"):
        streams.root(7, first_run=0).from_row(4)


# The known answers of Random123 for threefry2x32 (`kat_vectors`): rounds, key, counter, answer.
@pytest.mark.parametrize(
    ("rounds", "key", "counter", "answer"),
    [
        (13, (0, 0), (0, 0), (0x9D1C5EC6, 0x8BD50731)),
        (20, (0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        (20, (0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        (20, (0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_known_answers(rounds, key, counter, answer):
    # In a batch of counters, of which the known one is in the middle.
    first, second = (tf.constant([1, word, 2], tf.uint32) for word in counter)
    words = streams.threefry([tf.constant(word, tf.uint32) for word in key], first, second, rounds=rounds)
    assert tuple(int(word[1]) for word in words) == answer


def keyed(latents, count, draws):
    """The numbers of these draws for each latent, `[num, draws, count]`."""
    return streams.normal_of_keys(streams.keys_of(latents), count, tf.constant(draws, tf.int32)).numpy()


def test_keyed_draws_are_normal_and_independent():
    values = keyed(streams.root(3).normal([200, 4]), 25, range(40)).astype(np.float64)  # 200,000 numbers
    assert_standard_normal(values)
    # The two halves of a draw are the two words of Threefry.
    assert_independent(values[:, :, :12], values[:, :, 13:])


@pytest.mark.parametrize(
    ("count", "nums"), [(3, (1, 2, 3, 5, 7, 11, 13, 29, 61)), (streams.COMPILED_FROM + 1, (1, 3, 61))]
)
def test_keyed_draws_do_not_depend_on_the_batch(count, nums):
    latents = streams.root(0).normal([64, 5])
    whole = keyed(latents, count, range(7))
    for num in nums:
        np.testing.assert_array_equal(keyed(latents[:num], count, range(7)), whole[:num])
    order = np.random.default_rng(0).permutation(64)
    np.testing.assert_array_equal(keyed(tf.gather(latents, order), count, range(7)), whole[order])


@pytest.mark.parametrize("count", [streams.COMPILED_FROM, 2351])
def test_keyed_draws_are_the_same_with_and_without_xla(count):
    latents = streams.root(0).normal([9, 5])

    def draw(first):
        return streams.normal_of_keys(streams.keys_of(latents), count, first + tf.range(3))

    compiled = tf.function(draw, autograph=False).get_concrete_function(tf.TensorSpec([], tf.int32))
    with streams.portable():
        portable = tf.function(draw, autograph=False).get_concrete_function(tf.TensorSpec([], tf.int32))
        eager = draw(4)
    assert (compiles(compiled), compiles(portable)) == (True, False)
    np.testing.assert_array_equal(compiled(tf.constant(4)), eager)
    np.testing.assert_array_equal(portable(tf.constant(4)), eager)
    # Outside, XLA is used again.
    np.testing.assert_array_equal(draw(4), eager)
    assert compiles(tf.function(draw, autograph=False).get_concrete_function(tf.TensorSpec([], tf.int32)))


def test_keyed_draws_at_once_equal_draws_one_by_one():
    latents = streams.root(0).normal([9, 5])
    for count in (1, 2, 5, streams.COMPILED_FROM + 1):  # An odd number drops a word.
        one_by_one = [keyed(latents, count, [draw]) for draw in range(7)]
        np.testing.assert_array_equal(keyed(latents, count, range(7)), np.concatenate(one_by_one, axis=1))
        drawn = tf.function(lambda count=count: streams.normal_of_keys(streams.keys_of(latents), count, tf.range(7)))()
        np.testing.assert_array_equal(drawn, keyed(latents, count, range(7)))


def test_each_bit_and_place_of_a_latent_changes_its_key():
    latent = np.array([0.5, -1.0, 0.25], np.float32)
    others = [latent[[1, 0, 2]], latent[::-1], -latent, np.append(latent, 0).astype(np.float32)]
    for place in range(3):
        near = latent.copy()
        near[place] = np.nextafter(near[place], np.float32(9))
        others.append(near)
    keys = {streams.keys_of(tf.constant([each])).numpy().tobytes() for each in (latent, *others)}
    assert len(keys) == 1 + len(others)
    # Neighbours have independent numbers: the error of a correlation of 10,000 is 0.01.
    first, second = keyed(tf.constant([latent, others[-1]]), 10_000, [0])[:, 0]
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.04
