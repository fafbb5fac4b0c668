"""The Dockerfiles, checked as text: building them would need a container engine."""

import re

import pytest
from helpers import ROOT


def instructions(name):
    """(instruction, its arguments) of a Dockerfile, in order."""
    text = (ROOT / "docker" / name).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.gpu"])
def test_image_runs_the_main_experiment_without_root(name):
    found = instructions(name)
    # The user at the end of each stage; a stage starts with the user of its base.
    users, stage = {}, None
    for instruction, arguments in found:
        if instruction == "FROM":
            base, _, stage = arguments.partition(" AS ")
            users[stage] = users.get(base, "root")
        elif instruction == "USER":
            users[stage] = arguments
    assert set(users.values()) == {"tfpaths"}
    made = [arguments for instruction, arguments in found if instruction == "RUN" and "useradd" in arguments]
    assert len(made) == 1
    # The last stage is the default target.
    assert found[-1] == ("ENTRYPOINT", '["python", "-m", "tfpaths.launch", "--exp=color_mnist_dragan_ns"]')


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.gpu"])
def test_image_installs_the_pinned_versions(name):
    installs = [arguments for instruction, arguments in instructions(name) if "pip install" in arguments]
    assert installs
    assert all("-c docker/constraints.txt" in arguments for arguments in installs)
    with_cuda = [bool(re.search(r"tensorflow\[and-cuda\]", arguments)) for arguments in installs]
    assert any(with_cuda) == (name == "Dockerfile.gpu")
