"""Which module may import what: arrows run one way, and the core starts light."""

from __future__ import annotations

import ast
import functools
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "hand_recon_ros"
ROOT = Path(__file__).resolve().parents[1]
# What may use the pipeline; everything else lies below it.
ABOVE_PIPELINE = ("bench", "cli", "commands", "nodes", "offline", "__main__")
ROS = re.compile(
    r"(rclpy|cv_bridge|launch(_\w+)?|tf2_\w+|ament_\w+|rosidl_\w+|\w+_msgs|\w+_interfaces"
    rf"|{PACKAGE}\.(msg|srv|action))(\.|$)"
)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
HEAVY = ("torch", "mediapipe", "rosbags", "moderngl", "rclpy", "av", "matplotlib", "jax", "smplx")


def sources() -> dict[str, Path]:
    """Return the modules of the package and their files."""
    modules = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


MODULES = sources()


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def imported(tree: ast.AST, package: str, lazy: bool) -> Iterator[str]:
    """Yield the absolute names that code imports; ``lazy`` includes those inside functions.

    ``from a import b`` yields ``a.b``: b may be a module. Imports for type checkers do not count.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*package.split(".")[: -node.level or None], base]).rstrip(".")
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif is_type_checking(node) or (isinstance(node, FUNCTIONS) and not lazy):
            continue
        else:
            yield from imported(node, package, lazy)


@functools.cache
def imports_of(module: str, lazy: bool = True) -> frozenset[str]:
    # A relative import counts from the module itself in an __init__.py, else from its parent.
    path = MODULES[module]
    anchor = f"{module}.__init__" if path.name == "__init__.py" else module
    return frozenset(imported(ast.parse(path.read_text()), anchor, lazy))


def own(names: frozenset[str]) -> set[str]:
    """Map imported names to modules of the package."""
    found = set()
    for name in names:
        for candidate in (name, name.rpartition(".")[0]):
            if candidate in MODULES:
                found.add(candidate)
                break
    return found


def floor(module: str) -> str:
    return [*module.split("."), ""][1]


def below_pipeline() -> list[str]:
    return [m for m in MODULES if floor(m) not in (*ABOVE_PIPELINE, "pipeline")]


def test_the_reader_of_imports_sees_every_form() -> None:
    code = """
import a.b
from c import d
from . import e
from ..f import g
if TYPE_CHECKING:
    import types_only
try:
    import h
except ImportError:
    pass
class K:
    import i
def function():
    import lazy
"""
    tree = ast.parse(code)
    eager = set(imported(tree, "p.q.r", lazy=False))
    assert eager == {"a.b", "c.d", "p.q.e", "p.f.g", "h", "i"}
    assert set(imported(tree, "p.q.r", lazy=True)) - eager == {"lazy"}


def test_all_modules_are_seen() -> None:
    assert {f"{PACKAGE}.types", f"{PACKAGE}.mano.data", f"{PACKAGE}.nodes.convert"} <= set(MODULES)
    assert f"{PACKAGE}.camera" in own(imports_of(f"{PACKAGE}.types"))


@pytest.mark.parametrize("module", [m for m in MODULES if floor(m) != "nodes"])
def test_only_nodes_knows_ros(module: str) -> None:
    assert not sorted(name for name in imports_of(module) if ROS.match(name))


@pytest.mark.parametrize("module", below_pipeline())
def test_nothing_below_the_pipeline_imports_upwards(module: str) -> None:
    upper = (*ABOVE_PIPELINE, "pipeline")
    assert not sorted(name for name in own(imports_of(module)) if floor(name) in upper)


@pytest.mark.parametrize("module", [m for m in MODULES if floor(m) in ("pipeline", "offline")])
def test_the_pipeline_does_not_import_its_users(module: str) -> None:
    users = {"cli", "commands", "nodes", "bench", "__main__"}
    assert not sorted(name for name in own(imports_of(module)) if floor(name) in users)


def test_no_import_circles() -> None:
    # The parent package of a module runs first, but our __init__ files import nothing from below.
    graph = {module: own(imports_of(module)) - {module} for module in MODULES}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("module", MODULES)
def test_optional_packages_are_imported_where_they_are_used(module: str) -> None:
    optional = {"mediapipe", "rosbags", "moderngl", "matplotlib", "pyarrow", "smplx"}
    eager = {name.split(".")[0] for name in imports_of(module, lazy=False)}
    assert not eager & optional


@pytest.mark.parametrize(
    "module", ["", ".camera", ".cli", ".config", ".skeleton", ".stages", ".types"]
)
def test_the_core_starts_light(module: str) -> None:
    code = f"import sys, {PACKAGE}{module}; print(*(set(sys.modules) & set({HEAVY})))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
