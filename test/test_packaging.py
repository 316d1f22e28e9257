"""The package's metadata agree with each other, with the lock files and with the code."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE_XML = ElementTree.parse(ROOT / "package.xml").getroot()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIREMENTS = [*PROJECT["dependencies"], *(text for extra in EXTRAS.values() for text in extra)]
NOT_LOCKED = EXTRAS["dex"]
"""Not installed by `make setup`: large, and only for who has such a robot hand."""
CMAKE = (ROOT / "CMakeLists.txt").read_text()
MESSAGES = sorted(path.stem for path in (ROOT / "msg").glob("*.msg"))


def pins(lock: str) -> dict[str, str]:
    """Return normalised name -> version of a lock file; a line that is no exact pin fails."""
    found: dict[str, str] = {}
    for line in (ROOT / ".ci" / lock).read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)", line)
        assert match, f"{lock}: not an exact pin of the index: {line!r}"
        name = re.sub(r"[-_.]+", "-", match[1]).lower()
        assert name not in found, f"{lock}: {name} twice"
        found[name] = match[2]
    return found


def test_versions_and_names_agree() -> None:
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert PROJECT["version"] == PACKAGE_XML.findtext("version") == released[0]
    assert PROJECT["name"] == PACKAGE_XML.findtext("name")
    assert f"project({PROJECT['name']})" in CMAKE


def test_licence_is_the_same_everywhere() -> None:
    assert PROJECT["license"] == PACKAGE_XML.findtext("license") == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize(
    ("name", "target"),
    [
        *PROJECT["scripts"].items(),
        *(
            (name, f"{module}:main")
            for name, module in re.findall(r"^install_console_script\((\S+) (\S+)\)", CMAKE, re.M)
        ),
    ],
)
def test_entry_points_exist(name: str, target: str) -> None:
    module, function = target.split(":")
    path = ROOT / (module.replace(".", "/") + ".py")
    defined = {node.name for node in ast.parse(path.read_text()).body if hasattr(node, "name")}
    assert function in defined


def test_ros_and_pip_both_install_the_command() -> None:
    for name, target in PROJECT["scripts"].items():
        assert f"install_console_script({name} {target.split(':')[0]})" in CMAKE


def test_every_message_is_generated() -> None:
    assert sorted(re.findall(r"msg/(\w+)\.msg", CMAKE)) == MESSAGES


def test_package_xml_declares_the_ros_packages_that_are_used() -> None:
    declared = {
        element.text for tag in ("depend", "exec_depend") for element in PACKAGE_XML.iter(tag)
    }
    used = set()
    for folder in ("hand_recon_ros/nodes", "launch"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    used |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    used.add(node.module.split(".")[0])
    ros = re.compile(r"rclpy|cv_bridge|launch|launch_ros|ament_\w+|tf2_\w+|\w+_msgs|\w+_interfaces")
    used_ros = {name for name in used if ros.fullmatch(name)}
    assert "rclpy" in used_ros
    assert used_ros <= declared


def test_package_data_is_where_the_metadata_say() -> None:
    (pattern,) = PYPROJECT["tool"]["setuptools"]["package-data"]["hand_recon_ros"]
    files = [path for path in (ROOT / "hand_recon_ros").glob(f"{pattern}/*") if path.is_file()]
    assert files


def test_locks_are_exact_and_disjoint() -> None:
    python, ros = pins("requirements.lock"), pins("ros.lock")
    assert not set(python) & set(ros)
    assert ros["ros-rclpy"]
    assert python["opencv-python"] == python["opencv-contrib-python"]  # they share their files


def test_the_lock_holds_what_the_metadata_ask_for() -> None:
    requirements = pytest.importorskip("packaging.requirements")
    locked = pins("requirements.lock")
    for text in [text for text in REQUIREMENTS if text not in NOT_LOCKED]:
        requirement = requirements.Requirement(text)
        version = locked[re.sub(r"[-_.]+", "-", requirement.name).lower()]
        assert requirement.specifier.contains(version), text


def test_third_party_imports_are_declared() -> None:
    modules = {"cv2": "opencv-python", "yaml": "pyyaml", "dex_retargeting": "dex-retargeting"}
    declared = {re.split(r"[^A-Za-z0-9_-]", text)[0] for text in REQUIREMENTS}
    undeclared = {}
    for path in (ROOT / "hand_recon_ros").rglob("*.py"):
        if "nodes" in path.relative_to(ROOT).parts:
            continue  # ROS packages come from package.xml
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in (n.split(".")[0] for n in names):
                known = name in sys.stdlib_module_names or name == "hand_recon_ros"
                if not known and modules.get(name, name) not in declared:
                    undeclared[name] = str(path)
    assert not undeclared
