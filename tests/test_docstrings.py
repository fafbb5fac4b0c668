"""The docstrings: every example runs; every public name has a docstring, and a page of the API."""

import ast
import doctest
import importlib
import re

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


@pytest.mark.parametrize("name", NAMES)
def test_a_module_has_a_page_of_the_api(name):
    pages = "".join(page.read_text() for page in (ROOT / "docs" / "api").glob("*.md"))
    assert re.search(rf"^::: {re.escape(name)}$", pages, re.MULTILINE), "To fix this: add it to a page of docs/api/"


# The user's own interface: each public function and class of these modules shows how it is used.
SHOWN = (
    "tfpaths.losses",
    "tfpaths.penalties",
    "tfpaths.gan",
    "tfpaths.streams",
    "tfpaths.numerics",
    "tfpaths.optimizers",
)


@pytest.mark.parametrize("name", SHOWN)
def test_a_public_name_has_an_example(name):
    tree = ast.parse((ROOT / f"{name.replace('.', '/')}.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert "Example:" in (ast.get_docstring(node) or ""), node.name
