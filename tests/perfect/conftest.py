"""A small experiment with fresh discriminators, run once."""

import pytest
from helpers import TOY

from tfpaths import experiments
from tfpaths.perfect.kind import KIND

_SMALL = {"epochs": "1,2", "fresh.steps": "6", "fresh.log_every": "2", "fresh.examples": "30", "fresh.batches": "3"}


@pytest.fixture(scope="session")
def changes():
    """Returns the fields that make `perfect_color_mnist` small, with embedded digits."""
    return (
        {path: text for path, text in TOY.items() if path != "schedule.steps"} | _SMALL | {"schedule.batch_size": "64"}
    )


@pytest.fixture(scope="session")
def small(changes):
    """Returns the small experiment, with further overrides."""

    def value(**texts):
        fields = changes | {key.replace("__", "."): text for key, text in texts.items()}
        texts = [f"{path}={text}" for path, text in fields.items()]
        return KIND.changed(experiments.get("perfect_color_mnist"), texts)

    return value


@pytest.fixture(scope="session")
def whole(small, made_once):
    """Returns the directory of the small experiment, read-only."""
    from tfpaths.perfect import runner

    return made_once("perfect_color_mnist", lambda path: runner.run(small(), path))
