"""What a run says about its devices and threads."""

import types

import pytest
import tensorflow as tf

from tfpaths.runs import devices, distribution, results


@pytest.fixture
def gpus(monkeypatch):
    """Two GPUs of one model and one without a name, of which a strategy has some."""
    physical = [types.SimpleNamespace(name=f"GPU:{index}") for index in range(3)]
    details = {"GPU:0": {"device_name": "H100"}, "GPU:1": {"device_name": "H100"}, "GPU:2": {}}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: physical)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: details[device.name])

    def of_strategy(*indices):
        names = [f"/job:localhost/replica:0/task:0/device:GPU:{index}" for index in indices]
        monkeypatch.setattr(distribution, "devices", lambda strategy: names)

    return of_strategy


@pytest.mark.parametrize(
    ("indices", "expected"), [((0,), "H100"), ((0, 1), "2 × H100"), ((0, 1, 2), "2 × H100, GPU"), ((2,), "GPU")]
)
def test_gpus_have_their_model(gpus, indices, expected, capsys):
    gpus(*indices)
    assert devices.description(None) == expected
    devices.announce(tf.distribute.get_strategy())
    assert capsys.readouterr().out == f"Computing on {expected}\n"


def test_logical_cpus_are_counted(two_replicas, monkeypatch, capsys):
    assert devices.description(two_replicas) == "2 × CPU"
    monkeypatch.setattr(results, "processor", lambda: "Xeon")
    monkeypatch.setattr(results, "cores", lambda: 1)
    monkeypatch.setattr(devices, "threads", lambda: 4)
    devices.announce(two_replicas)
    assert capsys.readouterr().out == "Computing on 2 × CPU: Xeon, 1 core, 4 threads\n"


def test_tpus_are_counted(monkeypatch):
    names = [f"/job:worker/replica:0/task:0/device:TPU:{index}" for index in range(8)]
    monkeypatch.setattr(distribution, "devices", lambda strategy: names)
    assert devices.description(None) == "8 × TPU"


def test_workers_are_counted(monkeypatch, capsys):
    monkeypatch.setattr(distribution, "devices", lambda strategy: ["/device:TPU:0"])
    monkeypatch.setattr(distribution, "workers", lambda strategy: 4)
    devices.announce(None)
    assert capsys.readouterr().out == "Computing on TPU, on each of 4 workers\n"


def test_threads_are_those_that_tensorflow_uses(monkeypatch):
    monkeypatch.setattr(results, "cores", lambda: 7)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    assert devices.threads() == 7
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    assert devices.threads() == 3
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "many")
    assert devices.threads() == 7
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: 2)
    assert devices.threads() == 2
