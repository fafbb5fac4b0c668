import datetime
import importlib.metadata
import json
import os
import sys
import types

import pytest
import tensorflow as tf

from tfpaths import experiments
from tfpaths.runs import results

EXPERIMENT = experiments.get("color_mnist_ns")


def test_summary_has_metrics_protocol_and_versions():
    summary = results.summary(EXPERIMENT.replace(seed=3), 7, {"loss": 0.5}, {"data": "color_mnist"}, device="TPU")
    assert summary.pop("versions")["tensorflow"] == tf.__version__
    made = summary.pop("made")
    assert made["date"] == datetime.date.today().isoformat()
    assert made["cores"] >= 1
    assert made["device"] == "TPU"
    assert made["command"].startswith("python ")
    assert summary == {
        "experiment": "color_mnist_ns",
        "kind": "training",
        "step": 7,
        "seed": 3,
        "metrics": {"loss": 0.5},
        "protocol": {"data": "color_mnist"},
    }


def test_results_round_trip(tmp_path):
    path = tmp_path / "results.json"
    assert results.read_results(path) is None
    summary = results.summary(EXPERIMENT, 7, {"loss": 0.5}, {}, device="CPU")
    path.write_text(json.dumps(summary))
    assert results.read_results(path) == summary


@pytest.mark.parametrize("content", ["{", "[]", '{"step": 1}', '{"step": "1", "metrics": {}, "protocol": {}}'])
def test_invalid_results_are_ignored(tmp_path, content):
    path = tmp_path / "results.json"
    path.write_text(content)
    assert results.read_results(path) is None


def test_tensorflow_under_another_name_has_a_version(monkeypatch):
    def version(name):
        if name == "tensorflow":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setitem(sys.modules, "tensorflow", types.SimpleNamespace(__version__="2.99.0"))
    assert results.versions()["tensorflow"] == "2.99.0"
    monkeypatch.delitem(sys.modules, "tensorflow")
    assert results.versions()["tensorflow"] == "unknown"


def test_cores_without_an_affinity(monkeypatch):
    assert 1 <= results.cores() <= os.cpu_count()
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert results.cores() == os.cpu_count()
