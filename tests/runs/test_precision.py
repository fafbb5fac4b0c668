"""`--precision=auto`: what it measures decides, the choice is stored, and a resumed run keeps it."""

import json

import pytest
import tensorflow as tf
from helpers import saving_toy

from tfpaths import errors, experiments
from tfpaths.runs import build, distribution, precision, training


def measured(monkeypatch, ratio):
    monkeypatch.setattr(precision, "speedup", lambda strategy: ratio)


@pytest.mark.parametrize(("ratio", "chosen"), [(0.3, "float32"), (1.24, "float32"), (1.26, "mixed_bfloat16")])
def test_the_faster_one_is_chosen(monkeypatch, capsys, ratio, chosen):
    measured(monkeypatch, ratio)
    config = experiments.get("color_mnist_ns").replace(precision="auto")
    assert precision.settled(config, distribution.get("one_device")).precision == chosen
    assert f"precision: {chosen}; here the matrix product in bfloat16 is {ratio:.2g} times" in capsys.readouterr().out


def test_one_slow_worker_decides_for_all(monkeypatch):
    measured(monkeypatch, 3.0)
    # Another worker said that bfloat16 is slow there.
    monkeypatch.setattr(distribution, "any_worker", lambda flag, strategy: True)
    config = experiments.get("color_mnist_ns").replace(precision="auto")
    assert precision.settled(config, distribution.get("one_device")).precision == "float32"


def test_nothing_is_measured_for_another_precision(monkeypatch):
    monkeypatch.setattr(precision, "speedup", None)
    config = experiments.get("color_mnist_ns").replace(precision="mixed_float16")
    assert precision.settled(config, distribution.get("one_device")) == config


def test_speedup_is_the_ratio_of_the_times(monkeypatch):
    seconds = {tf.float32: 6.0, tf.bfloat16: 1.5}
    monkeypatch.setattr(precision, "_seconds", lambda product, matrix: seconds[matrix.dtype])
    assert precision.speedup(distribution.get("one_device")) == 4.0


def test_a_resumed_run_keeps_the_choice(monkeypatch, tmp_path):
    config = saving_toy("color_mnist_ns").replace(precision="auto")
    half = config.replace(schedule=config.schedule.replace(steps=config.schedule.steps // 2))
    measured(monkeypatch, 2.0)
    training.train(half, tmp_path / "run")
    # On another device: the stored choice stays.
    measured(monkeypatch, 0.3)
    training.train(config, tmp_path / "run")
    stored, results = (json.loads((tmp_path / "run" / f"{name}.json").read_text()) for name in ("config", "results"))
    assert stored["precision"] == results["protocol"]["precision"] == "mixed_bfloat16"


def test_a_game_is_not_built_before_the_choice():
    config = experiments.get("color_mnist_ns").replace(precision="auto")
    with pytest.raises(errors.InputError, match="precision: 'auto' is chosen when a run begins"):
        build.build(config, (28, 28, 3))
