"""The docstrings: every example runs; every public name has a docstring, and a page of the API."""

import doctest
import importlib

import pytest
from helpers import ROOT

MODULES = sorted((ROOT / "tfpaths").rglob("*.py"))
NAMES = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in MODULES]


@pytest.mark.usefixtures("own_registries")
@pytest.mark.parametrize("name", NAMES)
def test_the_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    # An example may leave out spaces and, with `...`, what a reader does not need.
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for test in doctest.DocTestFinder().find(module, name):
        result = doctest.DocTestRunner(optionflags=flags).run(test)
        assert result.failed == 0, test.name
