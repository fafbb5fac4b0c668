"""Several replicas and workers compute what one device computes, and no run is lost."""

import contextlib
import functools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest
import ready
import tensorflow as tf
from helpers import ROOT, launch_here, refused, toy_command, wait_for
from helpers import saving_toy as toy
from helpers import toy_flags as flags
from runs import cluster

import tfpaths
from tfpaths import config, data, errors, experiments, networks, penalties, schema, streams
from tfpaths.gan import GAN
from tfpaths.lines import study
from tfpaths.runs import build, checkpoints, distribution, meeting, rows, training
from tfpaths.runs import cluster as cluster_lib

SMALL_STUDY = {"study.runs": "5", "study.width": "8", "study.depth": "1"}
SMALL_STUDY |= {"schedule.steps": "4", "schedule.log_every": "2"}


def free_ports(count):
    """Free ports, found by binding all of them at once."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Workers:
    """Processes of one job on this machine, each with its output; those that still run are killed at the end.

    `absent` of the job's workers are not started.
    """

    def __init__(self, count, command, start=ready.start, absent=0):
        self.addresses = [f"127.0.0.1:{port}" for port in free_ports(count + absent)]
        path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
        env = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
        self.processes = [
            start(command(index, self.addresses), cwd=ROOT, env=env | self.task(index)) for index in range(count)
        ]

    def task(self, index):
        config = {"cluster": {"worker": self.addresses}, "task": {"type": "worker", "index": index}}
        return {"TF_CONFIG": json.dumps(config), "WORKERS": " ".join(self.addresses)}

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        for process in self.processes:
            process.kill()
            process.wait()

    def ended(self, seconds=240):
        """(exit status, standard output, standard error) of each."""
        ends = []
        for process in self.processes:
            out, err = process.communicate(timeout=seconds)
            ends.append((process.returncode, out, err))
        return ends


def job(count, workdir, **texts):
    """A toy run by `launch/multi_worker.sh`, as a user starts it."""
    script = str(ROOT / "launch" / "multi_worker.sh")
    arguments = ["color_mnist_dragan_ns", f"--workdir={workdir}", *flags(**texts)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return Workers(
        count, lambda index, _: [script, str(index), *arguments], functools.partial(subprocess.Popen, **pipes)
    )


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_workers_equal_one_device_on_the_joined_batches(count):
    with Workers(count, lambda index, _: [sys.executable, "tests/runs/cluster.py"]) as workers:
        ends = workers.ended()
    assert [status for status, *_ in ends] == [0] * count, ends
    outputs = [json.loads(out.splitlines()[-1]) for _, out, _ in ends]
    one = {loss: cluster.trained(tf.distribute.get_strategy(), loss) for loss in cluster.LOSSES}
    for worker in outputs:
        assert (worker["workers"], worker["replicas"]) == (count, count)
        for loss, expected in one.items():
            np.testing.assert_allclose(worker["trained"][loss], expected, rtol=1e-5, err_msg=loss)
        np.testing.assert_allclose(worker["two_steps_at_once"], worker["trained"]["minimax"], rtol=1e-6)
        assert worker["shared"] == [0.5, 2**40, True, 2**32 - 1]
        assert worker["any"] == [True, False]
        assert worker["joined"] == [value for index in range(count) for value in (10.0 * index, 10.0 * index + 1)]
        assert worker["differs"] == f"the text differs between the workers; use the same flags on all {count} of them."


def test_job_stops_when_a_worker_is_lost_and_resumes(tmp_path, two_replicas, monkeypatch):
    run = tmp_path / "run"
    with job(2, run, schedule__steps="400") as workers:
        wait_for(run / "checkpoints" / "step-4.index", workers.processes[0])
        workers.processes[1].kill()
        (status, _, chief), (lost, *_) = workers.ended(120)
    assert (status, lost) == (1, -signal.SIGKILL)
    message = chief.splitlines()[-1]
    found = re.fullmatch(
        r"tfpaths: lost contact with another worker\. The last good checkpoint: step (\d+), in .*/checkpoints\. "
        r"The same command continues the run\. Details: .*/run/error\.log",
        message,
    )
    assert found, chief
    # To a step that both the resumed and an uninterrupted run reach.
    steps = str(int(found[1]) + 4)
    command = [*toy_command(run, schedule__steps=steps), "--strategy=multi_worker"]
    with Workers(2, lambda index, _: command) as workers:
        (status, out, err), (second, other_out, _) = workers.ended()
    assert (status, second) == (0, 0), err
    assert f"Finished at step {steps}" in out
    assert "This is worker 1; all files are the chief's." in other_out
    # Only the chief shows progress.
    assert re.search(r"^step \d+/", out, re.MULTILINE)
    assert not re.search(r"^step \d+/", other_out, re.MULTILINE)
    # Two logical CPUs in one process are the same two replicas.
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda *_: two_replicas)
    training.train(toy(schedule__steps=steps), tmp_path / "whole", strategy="mirrored")
    resumed, whole = (rows.read_rows(path / "metrics.jsonl") for path in (run, tmp_path / "whole"))
    assert [row["step"] for row in resumed] == [row["step"] for row in whole]
    # Sums in another order: equal to float tolerance, which the game widens from step to step.
    for name in ("discriminator_loss", "generator_loss", "penalty"):
        np.testing.assert_allclose(resumed[3][name], whole[3][name], rtol=1e-4)


def test_missing_worker_ends_the_others_with_a_line(tmp_path):
    command = [*toy_command(tmp_path / "run"), "--strategy=multi_worker", "--cluster_timeout=5"]
    with Workers(2, lambda index, _: command, absent=1) as workers:
        ends = workers.ended()
        missing = f"worker 2 ({workers.addresses[2]}: Connection refused)"
    for index, (status, _, err) in enumerate(ends):
        assert status == 1, err
        (line,) = err.splitlines()
        assert line.startswith(f"tfpaths: worker {index} waited 5 s for ")
        assert f"{missing}; " in line
    assert not (tmp_path / "run").exists()


def test_interrupt_ends_a_worker_that_tensorflow_connects(tmp_path):
    """Worker 1 says that it is ready, and does not go on to TensorFlow."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        addresses = [f"127.0.0.1:{port}" for port in (*free_ports(1), other.getsockname()[1])]
        jobs = {"worker": addresses}
        task = {"TF_CONFIG": json.dumps({"cluster": jobs, "task": {"type": "worker", "index": 0}})}
        command = [*toy_command(tmp_path / "run"), "--strategy=multi_worker"]
        process = ready.start(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)} | task)
        try:
            with other.accept()[0] as connection:
                connection.sendall(b"tfpaths: worker 1 of 2 is ready\n")
            (own,) = (task for task in cluster_lib.read(task["TF_CONFIG"]).tasks if task.index == 0)
            while not is_tensorflow(own):
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(60)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == -signal.SIGINT, err
    assert out.splitlines()[-1] == "all 2 workers are there; TensorFlow connects them"


def is_tensorflow(task):
    """Whether TensorFlow's server listens at a task's address."""
    with contextlib.suppress(OSError), socket.create_connection((task.host, task.port), timeout=5) as connection:
        return b"tfpaths" not in (connection.recv(100) or b"tfpaths")
    return False


@pytest.mark.parametrize("name", ["auto", "one_device", "mirrored"])
def test_cluster_timeout_is_for_clusters(name, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    message = f"--cluster_timeout works only with --strategy=multi_worker, not with --strategy={name}."
    with pytest.raises(errors.InputError, match=f"^{re.escape(message)}$"):
        distribution.get(name, cluster_timeout=5)


@pytest.mark.parametrize("name", ["multi_worker", "auto"])
def test_cluster_timeout_reaches_the_meeting(name, tmp_path, monkeypatch):
    (port, absent), met = free_ports(2), []
    jobs = {"worker": [f"127.0.0.1:{port}", f"127.0.0.1:{absent}"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": jobs, "task": {"type": "worker", "index": 0}}))

    def met_none(of_worker, timeout):
        met.append((of_worker.own.port, timeout))
        raise errors.RunError("nobody is there.")

    monkeypatch.setattr(meeting, "meet", met_none)
    for experiment in ("color_mnist_ns", "line1_ns", "figure_2"):
        for settings in ({}, {"cluster_timeout": 7}):
            with pytest.raises(errors.RunError, match="nobody"):
                tfpaths.train(experiment, tmp_path / "run", strategy=name, **settings)
    assert met == [(port, 300), (port, 7)] * 3


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "soon", "2147483648"])
def test_invalid_cluster_timeout_is_refused(text, tmp_path):
    message = f"--cluster_timeout: expected an integer from 1 to 2^31 - 1, received {text!r}."
    flags = [
        "--exp=color_mnist_ns",
        f"--workdir={tmp_path}/run",
        "--strategy=multi_worker",
        f"--cluster_timeout={text}",
    ]
    assert refused(launch_here(*flags)) == f"tfpaths: {message}"
    with pytest.raises(errors.InputError, match=f"^{re.escape(message)}$"):
        tfpaths.train("color_mnist_ns", tmp_path / "run", cluster_timeout=text)


@pytest.mark.slow
def test_signal_to_one_worker_stops_all_at_the_same_step(tmp_path):
    run = tmp_path / "run"
    with job(2, run, schedule__steps="400") as workers:
        wait_for(run / "checkpoints" / "step-4.index", workers.processes[0])
        workers.processes[1].terminate()
        (status, out, err), (second, other_out, _) = workers.ended()
    assert (status, second) == (128 + signal.SIGTERM, 128 + signal.SIGTERM), err
    (step,) = set(re.findall(r"Stopped by SIGTERM at step (\d+)", out + other_out))
    assert (run / "checkpoints" / f"step-{step}.index").exists()


def test_workers_share_the_runs_of_a_study(tmp_path):
    arguments = ["--exp=line1_gan_gp", *(f"--set={path}={text}" for path, text in SMALL_STUDY.items())]
    command = [sys.executable, "-m", "tfpaths.launch", *arguments, f"--workdir={tmp_path / 'two'}"]
    with Workers(2, lambda index, _: [*command, "--strategy=multi_worker"]) as workers:
        ends = workers.ended()
    assert [status for status, *_ in ends] == [0, 0], ends
    study.run(schema.override(experiments.get("line1_gan_gp"), SMALL_STUDY), tmp_path / "one")
    assert_same_rows(tmp_path / "two", tmp_path / "one")


def assert_same_rows(path, other):
    first, second = (rows.read_rows(run / "metrics.jsonl") for run in (path, other))
    assert [(row["run"], row["step"]) for row in first] == [(row["run"], row["step"]) for row in second]
    for name in ("squared_distance", "climbed"):
        np.testing.assert_allclose([row[name] for row in first], [row[name] for row in second], rtol=1e-4, atol=1e-6)


def test_replicas_share_the_runs_of_a_study(tmp_path, two_replicas):
    one = schema.override(experiments.get("line2_dragan_ns"), SMALL_STUDY)
    assert study.run(one, tmp_path / "two", devices=two_replicas).finished
    study.run(one, tmp_path / "one")
    assert_same_rows(tmp_path / "two", tmp_path / "one")


def test_streams_differ_by_replica_and_repeat_for_a_seed(two_replicas):
    class Watched(GAN):
        def latents(self, num, stream):
            drawn = super().latents(num, stream)
            self.watched.assign(drawn)
            return drawn

    def drawn(seed):
        with two_replicas.scope():
            gan = Watched(*cluster.players(), loss="minimax", seed=seed)
            gan.compile(
                generator_optimizer=keras.optimizers.SGD(0.1), discriminator_optimizer=keras.optimizers.SGD(0.1)
            )
            gan.watched = tf.Variable(
                tf.zeros([4, 1]),
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.MEAN,
            )
        gan.fit(tf.data.Dataset.from_tensors(tf.zeros([8, 1])), verbose=0)
        return [value.numpy().tolist() for value in two_replicas.experimental_local_results(gan.watched)]

    first = drawn(0)
    assert first[0] != first[1]
    assert first == drawn(0)
    assert first != drawn(1)


class TestSynchronized:
    """Statistics per replica, and their synchronised form."""

    REAL = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32) * np.array([[1.0]] * 4 + [[5.0]] * 4)

    @pytest.mark.parametrize("synchronized", [False, True])
    def test_std_of_dragan(self, two_replicas, synchronized):
        stream = streams.root(0)

        def points(context):
            part = tf.constant(self.REAL[4 * context.replica_id_in_sync_group :][:4], tf.float32)
            return part

        parts = two_replicas.experimental_distribute_values_from_function(points)
        perturb = tf.function(
            lambda x: penalties.perturb(x, stream, interpolated=False, noise_scale=1.0, synchronized=synchronized)
        )
        made = two_replicas.experimental_local_results(two_replicas.run(perturb, args=(parts,)))
        u = stream.fold(0).uniform((4, 3)).numpy()
        for half, value in zip((self.REAL[:4], self.REAL[4:]), made, strict=True):
            # p = x + std u, so that p - x shows which std it was.
            std = self.REAL.std() if synchronized else half.std()
            np.testing.assert_allclose(value.numpy() - half, std * u, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("synchronized", [False, True])
    def test_batch_norm(self, two_replicas, synchronized):
        plan = config.Networks(name="dcgan", generator_filters=2, discriminator_filters=2, synchronized=synchronized)
        z = np.random.default_rng(1).normal(size=(8, plan.latent_dim)).astype(np.float32)
        with two_replicas.scope():
            generator, _ = networks.build(plan, (28, 28, 1))
        parts = two_replicas.experimental_distribute_values_from_function(
            lambda context: tf.constant(z[4 * context.replica_id_in_sync_group :][:4])
        )
        made = two_replicas.run(tf.function(lambda x: generator(x, training=True)), args=(parts,))
        alone, _ = networks.build(plan, (28, 28, 1))
        joined = alone(z, training=True).numpy()
        same = np.allclose(np.concatenate(two_replicas.experimental_local_results(made)), joined, atol=1e-4)
        assert same == synchronized


class TestTPU:
    """What a TPU needs of a step, checked without one: static shapes, one XLA program, no operation of the host."""

    def test_tpu_setup_calls(self, monkeypatch):
        called = []
        resolver = tf.distribute.cluster_resolver
        monkeypatch.setattr(resolver, "TPUClusterResolver", lambda tpu: called.append(("resolve", tpu)) or "resolved")
        monkeypatch.setattr(tf.config, "experimental_connect_to_cluster", lambda r: called.append(("connect", r)))
        monkeypatch.setattr(tf.tpu.experimental, "initialize_tpu_system", lambda r: called.append(("start", r)))
        monkeypatch.setattr(tf.distribute, "TPUStrategy", lambda r: called.append(("strategy", r)) or "the strategy")
        for name in ("tpu", "auto"):
            called.clear()
            assert distribution.get(name, "pod-7") == "the strategy"
            assert called == [
                ("resolve", "pod-7"),
                ("connect", "resolved"),
                ("start", "resolved"),
                ("strategy", "resolved"),
            ]

    @pytest.mark.parametrize(
        ("variant", "precision"),
        [
            ("minimax", "mixed_bfloat16"),
            ("wgan_gp", "float32"),
            ("dragan_ns", "float32"),
            ("dragan_ns", "mixed_bfloat16"),
        ],
    )
    def test_step_is_one_program_with_static_shapes(self, variant, precision):
        small = {"networks.generator_filters": "2", "networks.discriminator_filters": "2", "precision": precision}
        experiment = experiments.get(f"color_mnist_{variant}")
        small["variant.discriminator_steps"] = str(min(2, experiment.variant.discriminator_steps))
        gan = build.build(schema.override(experiment, small), (28, 28, 3))
        batch = tf.TensorSpec([4, 28, 28, 3])
        count = gan.discriminator_steps
        step = tf.function(gan.train_step, jit_compile=True, autograph=False)
        graph = step.get_concrete_function(*[batch] * count).graph
        operations = graph.get_operations()
        host = {"PyFunc", "EagerPyFunc", "PyFuncStateless", "Print", "PrintV2", "Where", "Unique", "HostConst"}
        assert not host & {operation.type for operation in operations}
        # The last output of a fused normalisation is scratch space of cuDNN, which XLA does not make.
        scratch = {operation.outputs[5].ref() for operation in operations if operation.type == "FusedBatchNormV3"}
        unknown = [
            output.name
            for operation in operations
            for output in operation.outputs
            if not scratch & {output.ref(), *(one.ref() for one in operation.inputs if operation.type == "ZerosLike")}
            if output.dtype not in (tf.resource, tf.variant) and not output.shape.is_fully_defined()
        ]
        assert not unknown
        reported = step(*[tf.zeros([4, 28, 28, 3])] * count)
        assert all(np.isfinite(value) for value in reported.values())

    def test_replicas_get_batches_of_a_static_shape(self, two_replicas):
        examples = data.load("color_mnist", source="embedded")
        spec = two_replicas.experimental_distribute_dataset(examples.batches(8)).element_spec
        shapes = {tuple(part.shape) for part in tf.nest.flatten(spec, expand_composites=True)}
        assert shapes == {(4, 28, 28, 3)}


def test_run_resumes_on_another_number_of_replicas(tmp_path, two_replicas, monkeypatch):
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda *_: two_replicas)
    training.train(toy(schedule__steps="2"), tmp_path, strategy="mirrored")
    # One step from the checkpoint by hand, on the batch that comes next.
    gan = build.build(toy(), (28, 28, 3))
    assert checkpoints.Checkpoints(tmp_path / "checkpoints", gan).restore() == 2
    examples = data.load("color_mnist", source="embedded")
    expected = gan.train_step(next(iter(examples.batches(8, start=2))))
    run = training.train(toy(), tmp_path, strategy="one_device")
    assert (run.start, run.step) == (2, 4)
    of_run = rows.read_rows(tmp_path / "metrics.jsonl")
    assert [row["step"] for row in of_run] == [1, 2, 3, 4]
    for name, value in expected.items():
        np.testing.assert_allclose(of_run[2][name], value, rtol=1e-4)
    # Then back to two replicas.
    again = training.train(toy(schedule__steps="5"), tmp_path, strategy="mirrored")
    assert (again.start, again.step) == (4, 5)
