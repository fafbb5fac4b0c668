"""Writes `BUILD`: a Bazel target for each module, whose dependencies are exactly the module's imports.

python -m tools.build_file            writes the file
python -m tools.build_file --check    fails if the file is not current
"""

import ast
import functools
import pathlib
import sys

ROOT = pathlib.Path(__file__).parent.parent
# Import name -> the name of its package, where the two differ.
PACKAGES = {"PIL": "pillow", "absl": "absl_py", "sklearn": "scikit_learn"}
_HEAD = '''"""A target for each module, with its imports as dependencies. Written by `python -m tools.build_file`."""

load("@rules_python//python:defs.bzl", "py_binary", "py_library")

package(default_visibility = ["//visibility:public"])
'''


@functools.cache
def modules() -> dict[str, pathlib.Path]:
    """Returns the package's modules: target -> file."""
    return {target(path): path for path in sorted((ROOT / "tfpaths").rglob("*.py"))}


def target(path: pathlib.Path) -> str:
    """Returns a module's target: its path without the suffix, or the package's path for `__init__.py`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "/".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: pathlib.Path) -> tuple[set[str], set[str]]:
    """Returns the targets and the other packages that a module imports, also within its functions."""
    targets, ours, others = modules(), set(), set()
    tree = ast.parse(path.read_text())
    # Imports for the type checker only are not dependencies.
    unused = {node for block in ast.walk(tree) if _is_for_types(block) for node in ast.walk(block)}
    for node in ast.walk(tree):
        names: list[str] = []
        if node in unused:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "tfpaths":
                while "/".join(parts) not in targets:
                    parts.pop()
                ours.add("/".join(parts))
            elif parts[0] not in sys.stdlib_module_names:
                others.add(PACKAGES.get(parts[0], parts[0]))
    return ours - {target(path)}, others


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def named(path: pathlib.Path) -> set[str]:
    """Returns the targets whose names a module has as texts: packages of registries, and modules of tables of kinds."""
    texts = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
    return {name for text in texts if isinstance(text, str) and (name := text.replace(".", "/")) in modules()}


@functools.cache
def dependencies() -> dict[str, tuple[set[str], set[str]]]:
    """Returns each target's (targets, other packages)."""
    result = {name: imports(path) for name, path in modules().items()}
    for path in modules().values():
        for name in named(path) - {"tfpaths"}:
            if modules()[name].name == "__init__.py":
                # A registry imports the modules of its package.
                result[name][0].update(inner for inner in modules() if inner.rpartition("/")[0] == name)
            else:
                result["tfpaths/launch"][0].add(name)
    for name, (ours, _) in result.items():
        ours.discard(name)
    return result


def text() -> str:
    """Returns the content of BUILD."""
    parts = [_HEAD]
    for name, (ours, others) in dependencies().items():
        path = modules()[name]
        binary = name == "tfpaths/launch"
        lines = [f"{'py_binary' if binary else 'py_library'}(", f'    name = "{name}",']
        lines.append(f'    srcs = ["{path.relative_to(ROOT)}"],')
        beside = sorted(path.parent.glob("page.*")) if path.name == "page.py" else []
        for what, entries in (
            ("data", [str(file.relative_to(ROOT)) for file in beside if file.suffix != ".py"]),
            ("deps", [f":{name}" for name in sorted(ours)] + [f"@pypi//{name}" for name in sorted(others)]),
        ):
            if len(entries) == 1:
                lines.append(f'    {what} = ["{entries[0]}"],')
            elif entries:
                lines += [f"    {what} = [", *(f'        "{entry}",' for entry in entries), "    ],"]
        if binary:
            lines.append(f'    main = "{path.relative_to(ROOT)}",')
        parts.append("\n".join([*lines, ")\n"]))
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    """Writes the file, or with `--check` compares it; returns the exit status."""
    path = ROOT / "BUILD"
    if "--check" not in arguments:
        path.write_text(text())
        return 0
    if path.read_text() == text():
        return 0
    print("BUILD is not current. To fix this: python -m tools.build_file", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
