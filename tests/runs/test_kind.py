import subprocess
import sys

import pytest
from helpers import ROOT
from helpers import saving_toy as toy

from tfpaths import config, errors, experiments, kinds
from tfpaths.runs.kind import KIND

BASE = experiments.get("color_mnist_ns")


@pytest.mark.parametrize(
    ("name", "texts", "expected"),
    [
        ("color_mnist_dragan_ns", {}, "color_mnist: non_saturating loss, dragan penalty, 4 steps"),
        ("cifar10_ns", {"schedule__steps": "20000"}, "cifar10: non_saturating loss, 20,000 steps"),
        ("celeba_wgan", {}, "celeba: wasserstein loss, weights clipped to 0.01, 4 steps"),
        ("color_mnist_ns", {"variant__game": "solo"}, "color_mnist: non_saturating loss, solo game, 4 steps"),
    ],
)
def test_describe_is_one_short_line(name, texts, expected):
    assert KIND.describe(toy(name, **texts)) == expected


def test_describe_lists_several_penalties():
    both = (config.Penalty(name="r1"), config.Penalty(name="dragan"))
    described = KIND.describe(BASE.replace(variant=BASE.variant.replace(penalty=both)))
    assert described == "color_mnist: non_saturating loss, r1 penalty, dragan penalty, 20,000 steps"


@pytest.mark.parametrize(
    ("path", "may"),
    [
        ("schedule.steps", True),
        ("schedule.restarts", True),
        ("schedule.batch_size", False),
        ("evaluation.metrics", True),
        ("evaluation.critic_steps", True),
        ("seed", False),
        ("data.source", False),
        ("variant.penalty.weight", False),
    ],
)
def test_may_change(path, may):
    assert KIND.may_change(path) == may


def test_auto_uses_the_stored_value():
    stored = BASE.replace(data=BASE.data.replace(source="embedded"), networks=BASE.networks.replace(name="dcgan"))
    assert KIND.settled(BASE, stored) == stored
    asked = BASE.replace(data=BASE.data.replace(source="tfds"), networks=BASE.networks.replace(name="resnet"))
    assert KIND.settled(asked, stored) == asked


def test_a_training_run_can_be_profiled():
    KIND.check_settings(BASE, kinds.Settings(profile=True))


def test_complete_checks_the_options():
    assert KIND.complete(BASE).networks.name == "dcgan"
    with pytest.raises(errors.InputError, match="networks.generator_filters: expected an integer"):
        KIND.complete(toy("color_mnist_ns", networks__generator_filters="many"))


def test_describing_imports_no_tensorflow():
    code = "import sys; from tfpaths import experiments, kinds; e = experiments.get('color_mnist_ns'); "
    code += "assert kinds.of(e).describe(e); assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules), 'heavy'"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
