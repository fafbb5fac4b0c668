"""The docstrings: every example runs, every module has an API page, and the main modules show examples."""

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
def test_docstring_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    # An example may leave out spaces and, with `...`, what a reader does not need.
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for test in doctest.DocTestFinder().find(module, name):
        result = doctest.DocTestRunner(optionflags=flags).run(test)
        assert result.failed == 0, test.name


@pytest.mark.parametrize("name", NAMES)
def test_every_module_has_an_api_page(name):
    pages = "".join(page.read_text() for page in (ROOT / "docs" / "api").glob("*.md"))
    assert re.search(rf"^::: {re.escape(name)}$", pages, re.MULTILINE), "To fix this: add it to a page of docs/api/"


# Their public names need a whole run, prepared data, a download, a cluster or a browser, or serve one picture alone.
WITHOUT_EXAMPLES = (
    "tfpaths.compat",
    "tfpaths.data.prepared",
    "tfpaths.errors",
    "tfpaths.figures",
    "tfpaths.launch",
    "tfpaths.lines.ensemble",
    "tfpaths.lines.kind",
    "tfpaths.lines.report",
    "tfpaths.lines.study",
    "tfpaths.metrics.classifiers",
    "tfpaths.metrics.saved_models",
    "tfpaths.modes",
    "tfpaths.runs",
    "tfpaths.startup",
)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith(WITHOUT_EXAMPLES)])
def test_public_names_have_an_example(name):
    for node in ast.parse(MODULES[NAMES.index(name)].read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert "Example:" in (ast.get_docstring(node) or ""), node.name
