"""Registries: components by name."""

import sys
import textwrap

import pytest

from tfpaths import errors, registry


@pytest.fixture
def table():
    made = registry.Registry("shape")
    made.register("square")(lambda: 4)
    made.register("cube")(lambda: 6)
    return made


def test_registry_is_a_mapping_in_registration_order(table):
    assert (list(table), len(table), table["square"](), "ball" in table) == (["square", "cube"], 2, 4, False)
    assert table.lookup("cube")() == 6


def test_unknown_name_suggests_the_nearest_with_its_path(table):
    with pytest.raises(errors.InputError) as caught:
        table.lookup("squar", path="figure.shape")
    assert str(caught.value) == (
        "figure.shape: unknown shape 'squar'; did you mean 'square'? Expected one of: square, cube."
    )


def test_used_name_is_refused(table):
    @table.register("mine")
    class Mine:
        pass

    # A notebook's cell that runs again defines the same thing again.
    assert table.register("mine")(Mine) is Mine
    with pytest.raises(errors.InputError, match="shape 'mine' exists already"):
        table.register("mine")(dict)


def test_modules_of_a_package_are_imported_on_first_use(tmp_path, monkeypatch):
    package = tmp_path / "shelf_of_tests"
    package.mkdir()
    (package / "__init__.py").write_text("from tfpaths.registry import Registry\nTABLE = Registry('toy', __name__)\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("one", "two"):
        (package / f"{name}.py").write_text(f"from shelf_of_tests import TABLE\nTABLE.register({name!r})(print)\n")
    import shelf_of_tests

    assert "shelf_of_tests.one" not in sys.modules  # Nothing is imported before the table is read.
    assert sorted(shelf_of_tests.TABLE) == ["one", "two"]


def test_a_users_module_is_imported(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_plugin.py").write_text("import json\n")
    registry.import_module("my_plugin")
    with pytest.raises(errors.InputError, match="--import: expected a module that Python can import from here"):
        registry.import_module("my_plugn")
    with pytest.raises(errors.InputError, match="received 'my_package.inner'"):
        registry.import_module("my_package.inner")


def test_error_in_a_users_module_is_not_hidden(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "needs_more.py").write_text("import no_such_library\n")
    (tmp_path / "is_wrong.py").write_text(
        textwrap.dedent("""\
        raise KeyError("mine")
    """)
    )
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        registry.import_module("needs_more")
    with pytest.raises(KeyError, match="mine"):
        registry.import_module("is_wrong")
