"""The line in R^d, and ensembles: each run of many is what it would be alone."""

import itertools

import keras
import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import tensorflow as tf

from tfpaths import config, experiments, losses, penalties, streams, study
from tfpaths.gan import GAN
from tfpaths.networks import ensembles
from tfpaths.synthetic import ensemble, line

VARIANTS = ("minimax", "ns", "wgan", "wgan_gp", "gan_gp", "dragan", "dragan_ns")


def experiment(name="line1_ns", **texts):
    small = {"study.width": "16", "schedule.batch_size": "32", "study.dimension": "3"}
    return config.override(experiments.get(name), small | {key.replace("__", "."): text for key, text in texts.items()})


def block(name="line1_ns", runs=3, first_run=0, **texts):
    made = study.build(experiment(name, **texts), runs)
    made.reset(first_run)
    return made


def state(made):
    """Every number of a block, by run."""
    gan = made.gan
    return [variable.numpy() for variable in (*gan.generator.weights, *gan.discriminator.weights)]


class TestDistance:
    def random(self, runs=5, dimension=4, latents=3):
        draw = np.random.default_rng(0).normal
        m, s, c = (draw(size=(runs, dimension)).astype(np.float32) for _ in range(3))
        return m, s, c, draw(size=(runs, dimension, latents)).astype(np.float32)

    @pytest.mark.parametrize("latents", [1, 3])
    def test_against_scipys_matrix_root(self, latents):
        m, s, c, directions = self.random(latents=latents)
        found = line.squared_distance(line.Line(m, s), c, directions).numpy()
        for run in range(5):
            one, other = np.outer(s[run], s[run]), directions[run] @ directions[run].T
            root = scipy.linalg.sqrtm(one @ other + 1e-12 * np.eye(4)).real
            expected = ((m[run] - c[run]) ** 2).sum() + np.trace(one + other - 2 * root)
            assert found[run] == pytest.approx(expected, rel=1e-3)

    def test_against_samples(self):
        m, s, c, directions = self.random(runs=1)
        draw = np.random.default_rng(1).normal
        real = m[0] + draw(size=(200_000, 1)) * s[0]
        fake = c[0] + draw(size=(200_000, 3)) @ directions[0].T
        one, other = np.cov(real.T), np.cov(fake.T)
        root = scipy.linalg.sqrtm(one @ other).real
        expected = ((real.mean(0) - fake.mean(0)) ** 2).sum() + np.trace(one + other - 2 * root)
        found = line.squared_distance(line.Line(m, s), c, directions).numpy()
        assert found[0] == pytest.approx(expected, rel=0.02)

    def test_it_is_zero_where_the_generator_is_right_whatever_its_sign(self):
        m, s, _, _ = self.random()
        for sign in (1, -1):
            found = line.squared_distance(line.Line(m, s), m, sign * s[:, :, None])
            np.testing.assert_allclose(found, 0.0, atol=1e-5)

    def test_a_shift_counts_by_its_square(self):
        m, s, _, _ = self.random()
        np.testing.assert_allclose(line.squared_distance(line.Line(m, s), m + 2.0, s[:, :, None]), 4 * 4.0, rtol=1e-5)


class TestStart:
    def test_parallel_lines_are_one_apart_and_never_meet(self):
        made = block(study__start="parallel", study__latents="2", study__dimension="5")
        m, s = made.data.mean.numpy(), made.data.direction.numpy()
        c, directions = made._linear.offset.numpy(), made._linear.directions.numpy()
        np.testing.assert_allclose(made.distance(), 1.0, rtol=1e-5)
        np.testing.assert_array_equal(directions[:, :, 0], s)
        np.testing.assert_array_equal(directions[:, :, 1], 0.0)
        np.testing.assert_allclose(np.linalg.norm(c - m, axis=1), 1.0, rtol=1e-5)
        np.testing.assert_allclose(((c - m) * s).sum(axis=1), 0.0, atol=1e-5)

    def test_random_ones_are_drawn_from_what_they_say(self):
        made = block(runs=400, study__latents="3", study__dimension="4")
        c, directions = made._linear.offset.numpy(), made._linear.directions.numpy()
        for values in (c, made.data.mean.numpy(), made.data.direction.numpy(), directions * 3**0.5):
            assert scipy.stats.kstest(values.ravel(), "norm").pvalue > 1e-3
        # Nothing drawn for one purpose is drawn for another.
        drawn = [c, made.data.mean.numpy(), made.data.direction.numpy(), directions[:, :, 0]]
        for one, other in itertools.combinations(drawn, 2):
            assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.1

    def test_data_lie_on_their_line(self):
        made = block(study__dimension="6")
        x = made.data.batch(500, line.data_stream(made.gan.stream, 0, 0)).numpy()
        m, s = made.data.mean.numpy()[:, None], made.data.direction.numpy()[:, None]
        y = ((x - m) * s).sum(axis=2) / (s * s).sum(axis=2)
        np.testing.assert_allclose(x, m + s * y[..., None], atol=1e-5)
        assert scipy.stats.kstest(y.ravel(), "norm").pvalue > 1e-3


class TestStreams:
    @pytest.mark.parametrize("draw", [streams.uniform, streams.normal])
    @pytest.mark.parametrize("shape", [(5,), (3, 7), (64, 1)])
    def test_a_run_draws_what_it_would_draw_alone(self, draw, shape):
        @tf.function(jit_compile=True)
        def drawn(first_run, runs):
            return draw(streams.fold(streams.root(4, first_run), 9), (runs, *shape))

        many = drawn(tf.constant(10), 6).numpy()
        for run in range(6):
            np.testing.assert_array_equal(drawn(tf.constant(10 + run), 1)[0], many[run])
        assert len(np.unique(many)) == many.size

    def test_normal_draws_are_normal_and_never_infinite(self):
        values = streams.normal(streams.root(1, 0), (50, 4000)).numpy()
        assert scipy.stats.kstest(values.ravel(), "norm").pvalue > 1e-3
        # The quantiles of the smallest and the largest uniform number are each other's negatives, and finite.
        edges = streams.normal_quantile(tf.constant([0.0, 1 - 2.0**-23])).numpy()
        assert edges[0] == -edges[1]
        assert 5 < edges[1] < 5.5


class TestEnsemble:
    @pytest.mark.parametrize("variant", VARIANTS)
    def test_many_runs_are_as_many_alone(self, variant):
        many = block(f"line2_{variant}", runs=3, first_run=7)
        progress = many.advance(4)
        alone = block(f"line2_{variant}", runs=1)
        for run in range(3):
            alone.reset(7 + run)
            own = alone.advance(4)
            for one, other in zip(state(alone), state(many), strict=True):
                np.testing.assert_allclose(other[run], one[0], rtol=2e-4, atol=2e-5)
            assert own.distance[0] == pytest.approx(progress.distance[run], rel=1e-4)
            assert own.rises[0] == progress.rises[run]

    @pytest.mark.parametrize("variant", VARIANTS)
    def test_a_nan_in_one_run_leaves_the_others_as_they_were(self, variant):
        made = block(f"line1_{variant}", runs=4)
        made.advance(3)
        whole = state(made)
        made.reset(0)
        offset = made._linear.offset.numpy()
        offset[2] = np.nan
        made._linear.offset.assign(offset)
        progress = made.advance(3)
        assert np.isnan(progress.distance).tolist() == [False, False, True, False]
        for one, other in zip(whole, state(made), strict=True):
            np.testing.assert_array_equal(other[[0, 1, 3]], one[[0, 1, 3]])

    def test_a_run_sees_the_gradient_that_a_plain_gan_sees(self):
        # Plain descent, one step, no penalty: the update of each run's c is that of a GAN without the axis of runs.
        generator, discriminator = ensemble.players(2, 3, 1, width=8, depth=1)
        gan = GAN(generator, discriminator, loss="non_saturating", runs=2)
        gan.compile(generator_optimizer=keras.optimizers.SGD(0.1), discriminator_optimizer=keras.optimizers.SGD(1e-9))
        ensembles.reset(discriminator, streams.root(0, 0))
        z = gan.latents(16, streams.fold(streams.fold(gan.stream, 0, 0), 1, 0))
        layer = generator.layers[-1]
        layer.offset.assign([[1.0, -2.0, 0.5], [0.3, 0.7, -1.0]])
        expected = []
        for run in range(2):
            c, s = tf.Variable(layer.offset[run]), layer.directions[run]
            weights = [weight[run] for weight in discriminator.weights]
            with tf.GradientTape() as tape:
                x = c + tf.matmul(z[run], s, transpose_b=True)
                hidden = tf.nn.leaky_relu(tf.matmul(x, weights[0]) + weights[1], 0.2)
                logits = tf.matmul(hidden, weights[2]) + weights[3]
                loss = losses.get("non_saturating").generator(logits)
            expected.append(c - 0.1 * tape.gradient(loss, c))
        gan.train_step(tf.zeros([2, 16, 3]))
        np.testing.assert_allclose(layer.offset, np.stack(expected), rtol=1e-4, atol=1e-6)

    def test_the_penalty_is_the_mean_over_runs_of_each_runs_own(self):
        # D(x) = w_r · x: the norm of run r is |w_r|, so that the penalty is the mean of 10 (|w_r| - 1)^2.
        w = np.array([[3.0, 4.0], [0.0, 2.0]], np.float32)

        def discriminator(x, training=False):
            return tf.einsum("rbd,rd->rb", x, w)

        real, fake = tf.ones([2, 5, 2]), tf.zeros([2, 5, 2])
        for penalty in (
            penalties.InterpolationPenalty(),
            penalties.DRAGANPenalty(),
            penalties.R1Penalty(weight=10.0, target=1.0),
        ):
            found = penalty(discriminator, real, fake, seed=streams.root(0, 0))
            assert float(found) == pytest.approx((10 * 16 + 10 * 1) / 2, rel=1e-5)

    def test_dragans_std_is_that_of_each_run(self):
        real = tf.stack([tf.zeros([6, 2]), 100.0 * streams.normal(streams.root(2), [6, 2])])
        points = penalties.perturb(real, streams.root(0, 0)).numpy()
        np.testing.assert_array_equal(points[0], 0.0)
        assert np.abs(points[1] - real[1]).max() > 5

    def test_rises_are_counted_step_by_step(self):
        made, again = block(runs=2), block(runs=2)
        distances = [made.distance().numpy()] + [made.advance(1).distance for _ in range(12)]
        rises = np.diff(distances, axis=0)
        found = again.advance(12)
        np.testing.assert_array_equal(found.rises, (rises > 0).sum(axis=0))
        np.testing.assert_allclose(found.climbed, np.maximum(rises, 0).sum(axis=0), rtol=1e-3, atol=1e-6)


class TestStudy:
    def run(self, path, **texts):
        small = {"schedule__steps": "6", "schedule__log_every": "2", "study__runs": "5", "study__block": "2"}
        return study.run(experiment(**(small | texts)), path)

    def rows(self, path):
        return study.results.read_rows(path / "metrics.jsonl")

    def test_rows_and_results(self, tmp_path):
        assert self.run(tmp_path).done == 5
        rows = self.rows(tmp_path)
        assert [(row["run"], row["step"]) for row in rows] == list(itertools.product(range(5), (0, 2, 4, 6)))
        found = study.results.read_results(tmp_path / "results.json")
        ends = [row["squared_distance"] for row in rows if row["step"] == 6]
        assert found["metrics"]["distance_mean"] == pytest.approx(np.mean(ends))
        assert found["metrics"]["distance_median"] == pytest.approx(np.median(ends))
        half = 1.96 * np.std(ends, ddof=1) / 5**0.5
        assert found["metrics"]["distance_mean_high"] == pytest.approx(np.mean(ends) + half)
        assert (found["protocol"]["dimension"], found["protocol"]["runs"]) == (3, 5)

    def test_runs_are_the_same_in_any_block(self, tmp_path):
        self.run(tmp_path / "one")
        self.run(tmp_path / "other", study__block="5")
        for one, other in zip(self.rows(tmp_path / "one"), self.rows(tmp_path / "other"), strict=True):
            assert one == pytest.approx(other, rel=1e-4)

    def test_more_runs_go_on_where_the_others_ended(self, tmp_path):
        self.run(tmp_path / "whole")
        self.run(tmp_path / "parts", study__runs="3")
        before = self.rows(tmp_path / "parts")
        self.run(tmp_path / "parts")
        after = self.rows(tmp_path / "parts")
        assert after[: len(before)] == before
        for one, other in zip(after, self.rows(tmp_path / "whole"), strict=True):
            assert one == pytest.approx(other, rel=1e-4)

    # 14 is in the middle of run 3, 16 the first row of run 4; a cut at -1 leaves the last row without its end.
    @pytest.mark.parametrize(("line", "cut"), [(14, 20), (16, 20), (16, 0), (19, -1)])
    def test_what_a_kill_cut_short_is_made_again(self, line, cut, tmp_path):
        self.run(tmp_path)
        whole = (tmp_path / "metrics.jsonl").read_text()
        lines = whole.splitlines(keepends=True)
        (tmp_path / "metrics.jsonl").write_text("".join(lines[:line]) + lines[line][:cut])
        self.run(tmp_path)
        for one, other in zip(self.rows(tmp_path), map(study.results.json.loads, lines), strict=True):
            assert one == pytest.approx(other, rel=1e-4)

    def test_a_run_that_is_not_finite_is_counted_and_has_no_number(self):
        rows = [
            {
                "run": run,
                "step": step,
                "squared_distance": value,
                "rises": None if value is None else 0.5,
                "climbed": 0.0,
            }
            for run, values in enumerate([(4.0, 0.1), (4.0, 3.0), (4.0, None)])
            for step, value in zip((0, 10), values, strict=True)
        ]
        found = study.found(rows, 3)
        assert found["runs_not_finite"] == 1
        assert found["failed_share"] == pytest.approx(2 / 3)
        assert found["distance_mean"] == pytest.approx(1.55)
        assert found["near_rises_share"] == pytest.approx(0.5)
        assert found["initial_distance_mean"] == pytest.approx(4.0)

    def test_what_does_not_belong_is_refused(self, tmp_path):
        with pytest.raises(config.InputError, match="networks: expected nothing with a study"):
            experiment(networks__latent_dim="3")
        with pytest.raises(config.InputError, match="study.dimension: expected at least 2, received 1"):
            experiment(study__dimension="1")
        with pytest.raises(config.InputError, match="unknown study.start 'paralel'; did you mean 'parallel'"):
            experiment(study__start="paralel")
        self.run(tmp_path)
        with pytest.raises(config.InputError, match="schedule.steps=6 .* received 8"):
            self.run(tmp_path, schedule__steps="8")
        with pytest.raises(config.InputError, match="holds another experiment: study.width"):
            self.run(tmp_path, study__width="8")
