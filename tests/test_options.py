"""The options of registered components, read from their constructors."""

from typing import Literal

import pytest

from tfpaths import config, errors, options
from tfpaths.schema import Positive


class Base:
    def __init__(self, *, weight: Positive = 10.0, seed: int | None = None):
        self.weight = weight


class Ring(Base):
    def __init__(self, *, shape: Literal["round", "square"] = "round", names: config.Names = (), **kwargs):
        super().__init__(**kwargs)


def made(**values):
    return options.complete(config.Penalty(name="ring", **values), Ring, "variant.penalty", reserved=("seed",))


def test_parameters_include_those_of_base_classes():
    assert {name: default for name, (_, default) in options.parameters(Ring).items()} == {
        "shape": "round",
        "names": (),
        "weight": 10.0,
        "seed": None,
    }


def test_complete_adds_defaults_and_converts_types():
    assert made() == {"shape": "round", "names": (), "weight": 10.0}
    filled = made(weight=3, names="a")
    assert (filled["weight"], type(filled["weight"]), filled["names"]) == (3.0, float, ("a",))
    assert made(names=("a", "b"))["names"] == ("a", "b")
    # Texts of the command line.
    assert made(weight="2e1", names="a,b") == {"shape": "round", "names": ("a", "b"), "weight": 20.0}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"wieght": 1.0}, "variant.penalty.wieght: 'ring' has no option 'wieght'; did you mean 'weight'?"),
        ({"seed": 1}, "variant.penalty.seed: 'ring' has no option 'seed'"),
        ({"weight": -1.0}, "variant.penalty.weight: expected a number above zero, received -1.0"),
        ({"weight": "ten"}, "variant.penalty.weight: expected a number, received 'ten'"),
        ({"weight": True}, "variant.penalty.weight: expected a number, received True"),
        (
            {"shape": "rond"},
            "variant.penalty.shape: expected one of round, square, received 'rond'; did you mean 'round'",
        ),
        ({"names": ("a", 1)}, "variant.penalty.names.1: expected a text, received 1"),
    ],
)
def test_invalid_option_names_its_path(values, message):
    with pytest.raises(errors.InputError) as caught:
        made(**values)
    assert str(caught.value).startswith(message)


def test_missing_required_option_is_refused():
    def needs(*, path: str):
        return path

    with pytest.raises(errors.InputError, match="data.path: expected a value, received none"):
        options.complete(config.Data(name="x"), needs, "data")


def test_completed_returns_the_component_with_options():
    done = options.completed(config.Penalty(name="ring", weight=3), Ring, "variant.penalty")
    assert done == config.Penalty(name="ring", shape="round", names=(), weight=3.0)
    assert options.completed(done, Ring, "variant.penalty") == done


def test_optional_option_must_default_to_none():
    def bounded(*, bound: float | None = 5.0):
        return bound

    with pytest.raises(TypeError, match="data.bound: the default of an option that may be None must be None"):
        options.complete(config.Data(name="x"), bounded, "data")
