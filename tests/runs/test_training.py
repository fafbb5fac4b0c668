"""Whole runs at toy size: their files, and that resuming gives the same result."""

import dataclasses
import json
import pathlib
import shutil
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import assert_same_run, registered, state
from helpers import saving_toy as toy

from tfpaths import config, data, errors, files, games, metrics, networks, schema
from tfpaths.gan import GAN
from tfpaths.runs import build, callbacks, checkpoints, devices, rows, training


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "toy"
    return path, training.train(toy(), path)


@pytest.fixture(scope="module")
def first_half(tmp_path_factory):
    """A run of which the first two of four steps are done; a test that continues it makes a copy."""
    path = tmp_path_factory.mktemp("runs") / "half"
    training.train(toy(schedule__steps="2"), path)
    return path


def files_in(path):
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


def stop_at(monkeypatch, step, error=RuntimeError):
    """Ends a run like a kill, once the row of a step is written."""
    act = callbacks.Rows.act

    def acting(self, at, logs):
        act(self, at, logs)
        if at == step:
            raise error("killed")

    monkeypatch.setattr(callbacks.Rows, "act", acting)


class TestRunOutputs:
    def test_config_rows_grids_and_results(self, finished):
        path, run = finished
        assert (run.start, run.step, run.stopped_by) == (0, 4, None)
        stored = config.from_dict(json.loads((path / "config.json").read_text()))
        completed = build.complete(toy())
        assert stored == completed.replace(evaluation=metrics.complete(completed.evaluation))
        # Every option is there, with its default.
        assert stored.variant.penalty.options["one_sided"] is False
        assert stored.evaluation.options["critic_steps"] == 2000
        of_run = rows.read_rows(path / "metrics.jsonl")
        assert [row["step"] for row in of_run] == [1, 2, 3, 4]
        assert set(of_run[0]) == {"step", *GAN.reported, "examples_per_second"}
        assert sorted(p.name for p in (path / "samples").iterdir()) == [f"step_{s:08d}.png" for s in (0, 2, 4)]
        picture = tf.io.decode_png((path / "samples" / "step_00000004.png").read_bytes())
        assert picture.shape == (8 * 30 + 2, 8 * 30 + 2, 3)
        assert len(list((path / "tensorboard").iterdir())) == 1
        written = json.loads((path / "results.json").read_text())
        assert (written["experiment"], written["step"], written["seed"]) == ("color_mnist_dragan_ns", 4, 0)
        assert written["protocol"] == {
            "data": "color_mnist",
            "data_version": data.get("color_mnist").version,
            "data_source": "embedded",
            "batch_size": 8,
            "precision": "float32",
            "train_examples": 1200,
            "replicas": 1,
        }
        assert written["versions"]["tensorflow"] == tf.__version__
        assert written["metrics"] == {name: of_run[-1][name] for name in GAN.reported}

    def test_message_has_numbers_and_paths(self, finished):
        path, run = finished
        head, *lines = run.message("again").splitlines()
        assert head.startswith("Finished at step 4 after ")
        assert {"metric", *GAN.reported, "samples", "metrics", "results", "checkpoint", "curves"} <= {
            line.split()[0] for line in lines
        }
        assert f"  samples    {path}/samples/step_00000004.png" in lines
        assert f"  checkpoint {path}/checkpoints/step-4" in lines

    def test_message_of_another_worker_names_the_chief(self, finished):
        run = dataclasses.replace(finished[1], worker=1)
        assert run.message("again").endswith(". This is worker 1; all files are the chief's.")


class TestResuming:
    def test_the_same_seed_gives_the_same_run(self, finished, tmp_path):
        training.train(toy(), tmp_path / "again")
        assert_same_run(finished[0], tmp_path / "again")
        training.train(toy(seed="1"), tmp_path / "other")
        first, other = state(finished[0]), state(tmp_path / "other")
        assert any(np.any(other[name] != value) for name, value in first.items())

    @pytest.mark.parametrize("steps_per_execution", ["1", "2"])
    def test_two_plus_two_steps_equal_four(self, finished, first_half, tmp_path, steps_per_execution):
        shutil.copytree(first_half, tmp_path / "run")
        run = training.train(toy(schedule__steps_per_execution=steps_per_execution), tmp_path / "run")
        assert (run.start, run.step) == (2, 4)
        assert_same_run(finished[0], tmp_path / "run")

    def test_several_discriminator_steps_resume_at_the_right_batch(self, tmp_path):
        # Two batches for each step; the variant's own five take twice as long to trace.
        name, several = "stacked_mnist_wgan_gp", {"variant__discriminator_steps": "2"}
        training.train(toy(name, **several), tmp_path / "whole")
        training.train(toy(name, schedule__steps="2", **several), tmp_path / "parts")
        training.train(toy(name, **several), tmp_path / "parts")
        assert_same_run(tmp_path / "whole", tmp_path / "parts")

    def test_finished_run_is_not_changed(self, finished):
        path, _ = finished
        before = files_in(path)
        run = training.train(toy(), path)
        assert (run.start, run.step) == (4, 4)
        assert files_in(path) == before
        assert "Nothing to do" in run.message("again")

    def test_auto_resumes_with_the_stored_source(self, finished, caplog):
        path, _ = finished
        assert training.train(toy(data__source="auto"), path).step == 4
        assert json.loads((path / "config.json").read_text())["data"]["source"] == "embedded"
        assert "this run began with data.source=embedded and continues with it" in caplog.text

    def test_rows_after_the_last_checkpoint_are_written_once(self, finished, first_half, tmp_path):
        path = shutil.copytree(first_half, tmp_path / "run")
        # As a kill after step 3 leaves them, while a row was being written.
        with open(path / "metrics.jsonl", "a") as file:
            file.write('{"step": 3, "penalty": 0.5}\n{"step": 4, "pena')
        training.train(toy(), path)
        assert [row["step"] for row in rows.read_rows(path / "metrics.jsonl")] == [1, 2, 3, 4]
        assert_same_run(finished[0], path)

    def test_run_killed_before_its_first_checkpoint_restarts(self, finished, tmp_path):
        files.write_json(tmp_path / "config.json", schema.to_dict(build.complete(toy())))
        rows.append_row(tmp_path / "metrics.jsonl", {"step": 1, "penalty": 0.0})
        training.train(toy(), tmp_path)
        assert_same_run(finished[0], tmp_path)

    @pytest.mark.parametrize("what", ["*", "*.index"])
    def test_run_with_lost_checkpoints_is_refused(self, finished, tmp_path, what):
        path = pathlib.Path(shutil.copytree(finished[0], tmp_path / "run"))
        for file in (path / "checkpoints").glob(what):
            file.unlink()
        before = files_in(path)
        with pytest.raises(errors.InputError, match="expected a checkpoint beside the rows .* step 4; found none"):
            training.train(toy(), path)
        assert files_in(path) == before

    def test_other_number_of_threads_is_warned_about(self, finished, tmp_path, monkeypatch, caplog):
        path = pathlib.Path(shutil.copytree(finished[0], tmp_path / "run"))
        training.train(toy(schedule__steps="6"), path)
        assert "other conditions" not in caplog.text
        monkeypatch.setattr(devices, "threads", lambda: 99)
        training.train(toy(schedule__steps="8"), path)
        assert "other conditions (threads 1 there and 99 here): the run continues, but perhaps not bit" in caplog.text
        caplog.clear()
        training.train(toy(schedule__steps="10"), path)
        assert "other conditions" not in caplog.text

    def test_run_killed_before_its_first_checkpoint_starts_again(self, tmp_path, monkeypatch):
        # Two steps in one execution: the first checkpoint, wanted after step 1, is saved after step 2.
        wanted = toy(schedule__steps_per_execution="2", schedule__checkpoint_every="1")
        with monkeypatch.context() as patch:
            stop_at(patch, 2)
            with pytest.raises(RuntimeError, match="killed"):
                training.train(wanted, tmp_path)
        assert [row["step"] for row in rows.read_rows(tmp_path / "metrics.jsonl")] == [2]
        assert training.train(wanted, tmp_path).start == 0
        # A row of a later step means that there was a checkpoint.
        for file in (tmp_path / "checkpoints").iterdir():
            file.unlink()
        (tmp_path / "results.json").unlink()
        with pytest.raises(errors.InputError, match="expected a checkpoint beside the rows .* step 4; found none"):
            training.train(wanted, tmp_path)


class TestRefusals:
    @pytest.mark.parametrize(
        ("texts", "message"),
        [
            ({"schedule__batch_size": "1438"}, "from 1 to the 1200 examples"),
            ({"variant__loss": "minmax"}, "variant.loss.name: unknown loss 'minmax'; did you mean 'minimax'"),
            (
                {"variant__penalty__noise": "unifrm"},
                "variant.penalty.noise: expected one of uniform.*did you mean 'unif",
            ),
            ({"networks__generator_filters": "0"}, "networks.generator_filters: expected a number above zero"),
            ({"data__colours": "3"}, "data.colours: 'color_mnist' has no option"),
        ],
    )
    def test_invalid_input_writes_nothing(self, tmp_path, texts, message):
        with pytest.raises(errors.InputError, match=message) as caught:
            training.train(toy(**texts), tmp_path / "run")
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "run").exists()

    def test_steps_per_execution_must_divide_the_remaining_steps(self, tmp_path):
        training.train(toy(schedule__steps="3"), tmp_path)
        before = (tmp_path / "config.json").read_bytes()
        with pytest.raises(errors.InputError, match="divisor of the 1 steps that are left, received 2"):
            training.train(toy(schedule__steps_per_execution="2"), tmp_path)
        assert (tmp_path / "config.json").read_bytes() == before
        assert training.train(toy(), tmp_path).step == 4

    def test_fewer_steps_than_already_trained_are_refused(self, finished):
        path, _ = finished
        before = (path / "config.json").read_bytes()
        with pytest.raises(errors.InputError, match="at least the 4"):
            training.train(toy(schedule__steps="2"), path)
        assert (path / "config.json").read_bytes() == before

    def test_batch_size_must_be_a_multiple_of_the_replicas(self, tmp_path, monkeypatch, two_replicas):
        monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda *_: two_replicas)
        with pytest.raises(errors.InputError, match="schedule.batch_size: .*multiple of the 2 replicas, received 9"):
            training.train(toy(schedule__batch_size="9"), tmp_path / "run", strategy="mirrored")
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize(
        ("arguments", "cluster", "message"),
        [
            ({"strategy": "mirored"}, "", "did you mean 'mirrored'"),
            ({"strategy": "tpu"}, "", "--tpu: expected a TPU that can be reached, received None"),
            ({"strategy": "one_device", "tpu": "x"}, "", "--tpu works only with --strategy=tpu"),
            ({"strategy": "multi_worker"}, "garbage", "TF_CONFIG: expected JSON with a cluster"),
            ({"strategy": "auto"}, "{}", "TF_CONFIG: expected JSON with a cluster"),
        ],
    )
    def test_invalid_strategy_is_refused(self, tmp_path, monkeypatch, arguments, cluster, message):
        monkeypatch.setenv("TF_CONFIG", cluster)
        with pytest.raises(errors.InputError, match=message) as caught:
            training.train(toy(), tmp_path / "run", **arguments)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("variant", ["minimax", "ns", "wgan", "gan_gp", "dragan"])
def test_every_other_variant_trains(tmp_path, variant):
    run = training.train(toy(f"color_mnist_{variant}", schedule__steps="2", variant__discriminator_steps="2"), tmp_path)
    assert run.step == 2


def test_two_replicas_train_in_one_process(tmp_path, monkeypatch, two_replicas):
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda *_: two_replicas)
    assert training.train(toy(schedule__steps_per_execution="2"), tmp_path, strategy="mirrored").step == 4


class Encoded(GAN):
    """A game of three: an encoder learns G's latents, and a moving average of its loss is part of the state."""

    reported = types.MappingProxyType({**GAN.reported, "encoder_loss": "E", "average": "mean of E"})

    def __init__(self, generator, discriminator, *, decay: schema.Share = 0.5, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.decay = decay
        dense = keras.layers.Dense(
            generator.input_shape[-1], kernel_initializer=keras.initializers.GlorotUniform(seed=self.seed), name="read"
        )
        self.encoder = keras.Sequential(
            [keras.Input(generator.output_shape[1:]), keras.layers.Flatten(), dense], name="encoder"
        )
        first = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self.average = tf.Variable(0.0, trainable=False, name="average", aggregation=first)

    def compile(self, **arguments):
        super().compile(**arguments)
        self.encoder_optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
        self.encoder_optimizer.build(self.encoder.trainable_variables)

    @property
    def networks(self):
        return {**super().networks, "encoder": self.encoder}

    @property
    def optimizers(self):
        return {**super().optimizers, "encoder_optimizer": self.encoder_optimizer}

    @property
    def state(self):
        return {**super().state, "average": self.average}

    def update_generator(self, real, stream):
        reported = super().update_generator(real, stream)
        variables = self.encoder.trainable_variables
        with tf.GradientTape() as tape:
            latents = self.update_latents(real, stream.fold(7))
            loss = tf.reduce_mean(tf.square(self.encoder(self.generate(latents)) - latents))
            objective = self._shared(loss, self.encoder_optimizer)
        gradients = tape.gradient(objective, [variable.value for variable in variables])
        self.encoder_optimizer.apply(gradients, variables)
        self.average.assign(self.decay * self.average + (1.0 - self.decay) * loss)
        return {**reported, "encoder_loss": loss, "average": self.average.read_value()}


class TestGameWithMorePlayers:
    """One more network, optimiser, variable and reported quantity: nothing else knows of them."""

    @pytest.fixture(autouse=True)
    def game(self):
        with registered(games.GAMES, "encoded", Encoded):
            yield

    def encoded(self, **texts):
        return toy(variant__game="encoded", **texts)

    def test_trains_saves_and_resumes_exactly(self, tmp_path, monkeypatch, capsys):
        training.train(self.encoded(variant__game__decay="0.25"), tmp_path / "whole")
        lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step ")]
        of_run = rows.read_rows(tmp_path / "whole" / "metrics.jsonl")
        for line, row in zip(lines, of_run, strict=True):
            assert (
                f"penalty {row['penalty']:.3f}  E {row['encoder_loss']:.3f}  mean of E {row['average']:.3f}  " in line
            )
        # average_2 = (1 - d) loss_2 + d average_1, and average_1 = (1 - d) loss_1.
        (first, second), decay = of_run[:2], 0.25
        np.testing.assert_allclose(first["average"], (1 - decay) * first["encoder_loss"], rtol=1e-5)
        expected = (1 - decay) * second["encoder_loss"] + decay * first["average"]
        np.testing.assert_allclose(second["average"], expected, rtol=1e-5)
        summary = json.loads((tmp_path / "whole" / "results.json").read_text())
        assert summary["metrics"] == {name: of_run[-1][name] for name in Encoded.reported}
        held = state(tmp_path / "whole")
        names = {name.split("/")[0] for name in held}
        assert {"encoder_optimizer", "average", "discriminator_optimizer", "steps"} <= names
        gan = build.build(self.encoded(variant__game__decay="0.25"), (28, 28, 3))
        initial = gan.encoder.get_layer("read").kernel.numpy()
        assert checkpoints.Checkpoints(tmp_path / "whole" / "checkpoints", gan).restore() == 4
        kernel = gan.encoder.get_layer("read").kernel.numpy()
        assert not np.array_equal(kernel, initial)
        assert any(np.array_equal(kernel, value) for value in held.values())
        assert held["average/.ATTRIBUTES/VARIABLE_VALUE"] == np.float32(of_run[-1]["average"])

        with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
            stop_at(patch, 3)
            training.train(self.encoded(variant__game__decay="0.25"), tmp_path / "parts")
        assert [row["step"] for row in rows.read_rows(tmp_path / "parts" / "metrics.jsonl")] == [1, 2, 3]
        run = training.train(self.encoded(variant__game__decay="0.25"), tmp_path / "parts")
        assert (run.start, run.step) == (2, 4)
        assert_same_run(tmp_path / "whole", tmp_path / "parts")

    def test_option_is_part_of_the_config(self, tmp_path):
        training.train(self.encoded(schedule__steps="2"), tmp_path)
        stored = json.loads((tmp_path / "config.json").read_text())
        assert stored["variant"]["game"] == {"name": "encoded", "decay": 0.5}
        with pytest.raises(errors.InputError, match=r"variant.game.decay: expected a number in \[0, 1\)"):
            training.train(self.encoded(variant__game__decay="1.5"), tmp_path)
        with pytest.raises(errors.InputError, match="variant.game.decay is 0.5 there and 0.25 here"):
            training.train(self.encoded(variant__game__decay="0.25"), tmp_path)

    @pytest.mark.parametrize("log_every", ["1", "4"])
    def test_quantities_must_be_finite(self, tmp_path, monkeypatch, log_every):
        update = Encoded.update_generator

        def poisoned(self, real, stream):
            reported = update(self, real, stream)
            self.average.assign(tf.where(self.steps >= 1, float("nan"), self.average))
            return {**reported, "average": self.average.read_value()}

        monkeypatch.setattr(Encoded, "update_generator", poisoned)
        # The row of step 2 has the value; without that row, the checkpoint of step 2 has the variable.
        message = "average is nan at step 2" if log_every == "1" else "average is not finite at step 2"
        with pytest.raises(checkpoints.NotFiniteError, match=message):
            training.train(self.encoded(schedule__log_every=log_every), tmp_path)
        assert checkpoints.steps_in(tmp_path / "checkpoints") == []

    def test_trains_on_two_replicas(self, tmp_path, monkeypatch, two_replicas):
        monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda *_: two_replicas)
        training.train(self.encoded(schedule__steps="2"), tmp_path, strategy="mirrored")
        assert training.train(self.encoded(), tmp_path).start == 2


class Ring(data.DataSet):
    """Points on a circle."""

    splits, sources, example, shape, networks = ("train",), ("drawn",), data.POINT, (2,), "dots"

    def read(self, split, *, source, seed, data_dir):
        angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, 100)
        points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return data.examples.in_memory(self.name, split, "drawn", points, np.zeros(100, np.int64))


class Dots(networks.Family):
    """Two linear players."""

    def generator(self, example_shape, *, seed=0):
        return self._linear(self.latent_dim, example_shape[0], seed)

    def discriminator(self, example_shape, *, seed=0):
        return self._linear(example_shape[0], 1, seed)

    def _linear(self, inputs, outputs, seed):
        kernel = keras.initializers.GlorotUniform(seed=seed)
        return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs, kernel_initializer=kernel)])


class Words(data.ExampleType):
    """Examples that are shown as text."""

    name, suffix, is_png, grid_size = "words", ".txt", False, 3

    def grid(self, samples, columns):
        return "\n".join(f"{x:.6f} {y:.6f}" for x, y in samples).encode()


@pytest.fixture
def ring():
    """A run on points."""
    with registered(data.DATA, "circle", Ring), registered(networks.NETWORKS, "dots", Dots):
        base = toy("color_mnist_ns")
        yield base.replace(
            name="circle_ns", data=config.Data(name="circle"), networks=config.Networks(name="auto", latent_dim=3)
        )


def shown_in_tensorboard(path):
    """(tag, step) -> the tensor of every summary of a run."""
    shown = {}
    for file in (path / "tensorboard").iterdir():
        for record in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            shown |= {(value.tag, event.step): value for value in event.summary.value}
    return shown


class TestOtherExamples:
    def test_points_are_drawn_as_points(self, ring, tmp_path):
        training.train(ring, tmp_path)
        assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == [f"step_{s:08d}.png" for s in (0, 2, 4)]
        gan = build.build(ring, (2,))
        checkpoints.Checkpoints(tmp_path / "checkpoints", gan).restore()
        content = (tmp_path / "samples" / "step_00000004.png").read_bytes()
        real = data.get("circle")().load().some(0, 100).numpy()
        scene = data.example.Scene(real, lambda points: gan.discriminator(points).numpy())
        assert content == data.POINT.training_grid(gan.sample(data.POINT.grid_size, seed=0).numpy(), scene)
        shown = shown_in_tensorboard(tmp_path)["samples", 4].tensor.string_val[2]
        np.testing.assert_array_equal(tf.io.decode_png(shown), tf.io.decode_png(content))
        stored = json.loads((tmp_path / "config.json").read_text())
        assert (stored["networks"]["name"], stored["data"]["source"]) == ("dots", "drawn")

    def test_text_samples_are_text_files(self, ring, tmp_path, monkeypatch):
        monkeypatch.setattr(Ring, "example", Words())
        training.train(ring, tmp_path)
        content = (tmp_path / "samples" / "step_00000004.txt").read_text()
        assert len(content.splitlines()) == 3
        shown = tf.make_ndarray(shown_in_tensorboard(tmp_path)["samples", 4].tensor).item().decode()
        # TensorBoard reads Markdown, where an indented line is shown as it is.
        assert shown.splitlines() == [f"    {line}" for line in content.splitlines()]
        assert str(tmp_path / "samples" / "step_00000004.txt") in training.train(ring, tmp_path).message("")


class Measuring:
    """An evaluator that counts what it is asked to measure."""

    def __init__(self, metrics, every_metrics):
        self.metrics, self.every_metrics, self.calls = metrics, every_metrics, []

    def measure(self, source, names, count):
        self.calls.append((tuple(names), count))
        return dict.fromkeys(names, 0.5)


def test_last_step_is_measured_too(tmp_path, monkeypatch):
    evaluator, names = Measuring(("scores",), ("scores", "ms_ssim")), {"scores", "ms_ssim"}
    finals = []
    monkeypatch.setattr(training, "Evaluator", lambda *args, **settings: evaluator)
    monkeypatch.setattr(training.evaluation, "write", lambda directory, evaluator, gan, summary: finals.append(summary))
    training.train(toy(evaluation__every="2", evaluation__every_samples="33"), tmp_path)
    of_run = rows.read_rows(tmp_path / "metrics.jsonl")
    found = {row["step"]: set(row) - {"step"} for row in of_run if "generator_loss" not in row}
    assert found == {2: names, 4: names}
    assert [(set(called), count) for called, count in evaluator.calls] == [(names, 33)] * 2
    (summary,) = finals
    assert summary["step"] == 4


def test_failed_measurement_does_not_stop_training(tmp_path, monkeypatch, caplog):
    evaluator = Measuring((), ("scores",))
    monkeypatch.setattr(evaluator, "measure", lambda *_: (_ for _ in ()).throw(errors.RunError("a sample is nan")))
    monkeypatch.setattr(training, "Evaluator", lambda *args, **settings: evaluator)
    assert training.train(toy(evaluation__every="2"), tmp_path).step == 4
    assert "not measured at step 2: a sample is nan" in caplog.text
