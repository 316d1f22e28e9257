"""teleop.launch.py and its RViz configuration fit the node."""

import ast
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
LAUNCH_FILE = ROOT / "launch" / "teleop.launch.py"
RVIZ = ROOT / "rviz" / "hand_teleop.rviz"


def constants():
    """The tables of the launch file that are plain values, read without running it."""
    tree = ast.parse(LAUNCH_FILE.read_text(), str(LAUNCH_FILE))
    return {
        statement.targets[0].id: statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign)
    }


def keys(name):
    return [key.value for key in constants()[name].keys]


def test_tables_of_arguments_agree():
    assert set(keys("PARAMETERS")) <= set(keys("ARGUMENTS"))
    assert set(keys("CHOICES")) <= set(keys("ARGUMENTS"))
    for name, entry in zip(keys("ARGUMENTS"), constants()["ARGUMENTS"].values, strict=True):
        assert len(ast.literal_eval(entry.elts[1])) > 10, name


def test_arguments_stand_for_parameters_that_exist():
    parameters = pytest.importorskip(
        "hand_recon_ros.nodes.teleop_parameters", reason="needs ROS (make setup)"
    )
    known = parameters.NODE_OPTIONS | parameters.CORE_OPTIONS
    choices = dict(zip(keys("CHOICES"), constants()["CHOICES"].values, strict=True))
    for argument, entry in zip(keys("PARAMETERS"), constants()["PARAMETERS"].values, strict=True):
        name, kind = entry.elts
        option = known[name.value]
        assert option.type.__name__ == kind.id
        if option.choices:
            assert ast.literal_eval(choices[argument]) == ["", *option.choices]
    assert "safety.require_robot_state" in known, "what shown:=true sets"


def test_rviz_shows_what_the_launch_file_publishes():
    document = yaml.safe_load(RVIZ.read_text())["Visualization Manager"]
    text = LAUNCH_FILE.read_text()
    robots = [d for d in document["Displays"] if d["Class"].endswith("RobotModel")]
    assert {d["Description Topic"]["Value"] for d in robots} == {
        f"/{side}_robot_description" for side in ("left", "right")
    }
    assert {d["TF Prefix"] for d in robots} == {"left_robot", "right_robot"}
    assert '"frame_prefix": f"{side}_robot/"' in text
    assert 'f"{side}_robot_description"' in text
    assert f'"--frame-id", "{document["Global Options"]["Fixed Frame"]}"' in text
    assert (ROOT / "config" / "robots" / "example_hand_right.yaml").is_file()
    assert (ROOT / "config" / "teleop.yaml").is_file()


def test_base_link_of_the_example_hands():
    tree = ast.parse(LAUNCH_FILE.read_text())
    (function,) = [n for n in tree.body if getattr(n, "name", "") == "base_link"]
    scope = {}
    code = "import xml.etree.ElementTree as ElementTree\n" + ast.unparse(function)
    exec(code, scope)  # the launch file itself needs the package launch
    for side in ("left", "right"):
        urdf = (ROOT / "config" / "robots" / f"example_hand_{side}.urdf").read_text()
        assert scope["base_link"](urdf) == "wrist"
