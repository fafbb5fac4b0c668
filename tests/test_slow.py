"""A short run of each of the 28 experiments at full width: `python -m pytest -m slow`, 15 minutes on 2 cores."""

import itertools
import json

import pytest

from tfpaths import experiments, schema
from tfpaths.data import prepared
from tfpaths.runs import rows, training

DATA = ("color_mnist", "stacked_mnist", "cifar10", "celeba")
VARIANTS = ("minimax", "ns", "wgan", "wgan_gp", "gan_gp", "dragan", "dragan_ns")


@pytest.mark.slow
@pytest.mark.parametrize(("place", "variant"), list(itertools.product(DATA, VARIANTS)))
def test_every_variant_trains_on_every_data_set(place, variant, tmp_path, request):
    texts = {"schedule.steps": "10", "schedule.log_every": "5", "schedule.batch_size": "8"}
    texts["evaluation.metrics"] = "none"
    if place == "celeba":
        folder = request.getfixturevalue("celeba_dir")
    else:
        folder = request.getfixturevalue("tfds_dir")
        if place == "cifar10" and prepared.find(folder, place) is None:
            pytest.skip(f"CIFAR-10 is not prepared in {folder}")
    experiment = schema.override(experiments.get(f"{place}_{variant}"), texts)
    assert training.train(experiment, tmp_path, data_dir=str(folder)).step == 10
    assert [row["step"] for row in rows.read_rows(tmp_path / "metrics.jsonl")] == [5, 10]
    assert json.loads((tmp_path / "results.json").read_text())["protocol"]["data"] == place
