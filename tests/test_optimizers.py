"""Optimisers by name, with options of their own."""

import keras
import pytest

from tfpaths import config, errors, options
from tfpaths.networks import fast, optimistic
from tfpaths.optimizers import OPTIMIZERS
from tfpaths.runs import build


def test_adam_depends_on_the_implementation():
    adam = config.Optimizer(learning_rate=0.5, beta_1=0.25)
    made = build.optimizer(adam)
    assert (type(made), float(made.learning_rate), made.beta_1, made.beta_2) == (fast.FusedAdam, 0.5, 0.25, 0.9)
    assert type(build.optimizer(adam, implementation="keras")) is keras.optimizers.Adam


OTHERS = {
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
    "optimistic": optimistic.Optimistic,
    "optimistic_adam": optimistic.OptimisticAdam,
}


def test_every_optimizer_is_tested():
    assert set(OPTIMIZERS) == {"adam", *OTHERS}


@pytest.mark.parametrize("name", OTHERS)
def test_other_optimizers_do_not_depend_on_the_implementation(name):
    for implementation in fast.IMPLEMENTATIONS:
        made = build.optimizer(config.Optimizer(name=name, learning_rate=0.5), implementation=implementation)
        assert (type(made), float(made.learning_rate)) == (OTHERS[name], 0.5)


def test_optimistic_adam_has_the_betas_of_adam():
    done = options.completed(config.Optimizer(name="optimistic_adam"), OPTIMIZERS["optimistic_adam"], "x")
    assert done.options == {"beta_1": 0.5, "beta_2": 0.9}
    assert build.optimizer(config.Optimizer(name="optimistic_adam", beta_1=0.25)).beta_1 == 0.25


def test_float16_scales_the_loss():
    made = build.optimizer(config.Optimizer(), "mixed_float16")
    assert isinstance(made, keras.optimizers.LossScaleOptimizer)
    assert isinstance(made.inner_optimizer, fast.FusedAdam)


def test_invalid_option_names_its_path():
    adam = OPTIMIZERS["adam"]
    done = options.completed(config.Optimizer(beta_1=0.0), adam, "variant.generator_optimizer")
    assert done == config.Optimizer(beta_1=0.0, beta_2=0.9)
    with pytest.raises(errors.InputError) as caught:
        options.completed(config.Optimizer(beta_1=1.0), adam, "variant.generator_optimizer")
    assert str(caught.value) == "variant.generator_optimizer.beta_1: expected a number in [0, 1), received 1.0."
    with pytest.raises(errors.InputError, match="'rmsprop' has no option 'beta_1'. It has no options"):
        options.completed(config.Optimizer(name="rmsprop", beta_1=0.5), OPTIMIZERS["rmsprop"], "x")
