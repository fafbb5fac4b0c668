"""The floor plan of the README and the targets of BUILD, held against the imports."""

import ast
import pathlib
import re
import sys
import tomllib

import pytest
from conftest import ROOT

MODULES = sorted((ROOT / "tfpaths").rglob("*.py"))
# Import name -> the package that brings it, where the two differ.
PACKAGES = {"PIL": "pillow", "absl": "absl_py", "sklearn": "scikit_learn"}


def target(path):
    """The name of a module's target: its path without the suffix, a package's own file under the package's name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "/".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path):
    """(targets of ours, packages of others) that a module imports, wherever in it."""
    ours, others = set(), set()
    names = {target(module) for module in MODULES}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in found:
            if name.split(".")[0] == "tfpaths":
                parts = name.split(".")
                while "/".join(parts) not in names:
                    parts.pop()
                ours.add("/".join(parts))
            elif (package := name.split(".")[0]) not in sys.stdlib_module_names:
                others.add(PACKAGES.get(package, package))
    return ours - {target(path)}, others


def floors():
    """Room -> floor, from the table in the README."""
    rows = re.findall(r"^\| (\d) \| (.+?) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    return {
        name.rstrip("/").removesuffix(".py"): int(floor)
        for floor, names in rows
        for name in re.findall(r"`(.+?)`", names)
    }


def room(name):
    return name.split("/")[1] if "/" in name else name


def test_the_readme_names_every_room_and_no_other():
    assert set(floors()) == {room(target(path)) for path in MODULES} - {"tfpaths"}


@pytest.mark.parametrize("path", MODULES, ids=target)
def test_a_module_imports_only_from_lower_floors(path):
    own = room(target(path))
    for imported in imports(path)[0] - {"tfpaths"}:
        if room(imported) != own:
            assert floors()[room(imported)] < floors()[own], f"{target(path)} imports {imported}"


def build_targets():
    """name -> (sources, deps) of every Python target in BUILD."""
    found = {}
    for node in ast.parse((ROOT / "BUILD").read_text()).body:
        call = node.value
        if isinstance(call, ast.Call) and call.func.id in ("py_library", "py_binary"):
            values = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
            assert values["name"] not in found, values["name"]
            found[values["name"]] = (values["srcs"], set(values.get("deps", ())))
    return found


def test_build_has_a_target_for_each_module():
    assert set(build_targets()) == {target(path) for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=target)
def test_the_deps_of_a_target_are_the_imports_of_its_module(path):
    sources, deps = build_targets()[target(path)]
    assert sources == [str(path.relative_to(ROOT))]
    ours, others = imports(path)
    assert deps == {f":{name}" for name in ours} | {f"@pypi//{name}" for name in others}


def test_what_is_imported_is_required():
    import configparser

    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options"]["install_requires"].splitlines()
    required = {re.split(r"[<>=]", line)[0].replace("-", "_") for line in lines if line and not line.startswith("#")}
    imported = set().union(*(imports(path)[1] for path in MODULES))
    # requests comes with TensorFlow and TFDS, both of which require it.
    assert imported - {"requests"} <= required


def test_the_package_imports_nothing_heavy():
    tree = ast.parse((ROOT / "tfpaths" / "__init__.py").read_text())
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [ast.unparse(node) for node in nodes] == ["import importlib"]


def test_constraints_pin_every_requirement():
    import configparser

    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = (setup["options"]["install_requires"] + setup["options.extras_require"]["test"]).splitlines()
    required = {
        re.split(r"[<>=]", line)[0].lower().replace("_", "-") for line in lines if line and not line.startswith("#")
    }
    pinned = (ROOT / "docker" / "constraints.txt").read_text().lower().replace("_", "-")
    assert required <= set(re.findall(r"^([a-z0-9-]+)==", pinned, re.MULTILINE))


def test_pytest_treats_warnings_as_errors():
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert tool["pytest"]["ini_options"]["filterwarnings"][0] == "error"


def test_nothing_names_the_machine_it_was_written_on():
    for path in [*ROOT.glob("*.*"), *MODULES, *(ROOT / "docker").iterdir(), *(ROOT / "launch").iterdir()]:
        if path.is_file() and path.suffix != ".png":
            assert not re.search(r"/root/|/tmp/v|/work/", path.read_text(errors="replace")), path


def test_shell_scripts_are_strict():
    for path in [*(ROOT / "launch").glob("*.sh"), ROOT / ".ci" / "run"]:
        assert "set -euo pipefail" in path.read_text(), path
        assert pathlib.Path(path).stat().st_mode & 0o111, path
