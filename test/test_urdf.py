"""URDF files: kinematics worked by hand, and errors that say what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hand_recon_ros.retarget.robot_model import RobotError
from hand_recon_ros.retarget.urdf import read_urdf

ROBOTS = Path(__file__).resolve().parents[1] / "config" / "robots"
TWO_LINKS = """<?xml version="1.0"?>
<robot name="arm">
  <material name="red"><color rgba="1 0 0 1"/></material>
  <link name="tip"/>
  <link name="base"><visual>
    <origin xyz="0 0 1" rpy="0 0 1.5707963"/><geometry><box size="1 2 3"/></geometry>
    <material name="red"/></visual></link>
  <link name="arm"><visual><geometry><mesh filename="a.stl"/></geometry></visual></link>
  <joint name="elbow" type="revolute"><parent link="arm"/><child link="tip"/>
    <origin xyz="1 0 0"/><axis xyz="0 0 2"/><limit lower="0" upper="1.5" effort="1" velocity="3"/>
    <mimic joint="shoulder" multiplier="0.5" offset="0.1"/></joint>
  <joint name="shoulder" type="continuous"><parent link="base"/><child link="arm"/>
    <origin xyz="0 0 0.5"/><axis xyz="0 0 1"/></joint>
</robot>
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "robot.urdf"
    path.write_text(text)
    return path


def test_kinematics_by_hand(tmp_path: Path) -> None:
    arm = read_urdf(written(tmp_path, TWO_LINKS))
    assert arm.root == "base"
    assert [joint.name for joint in arm.joints] == ["shoulder", "elbow"], "parents first"
    assert [joint.name for joint in arm.commanded] == ["shoulder"], "a mimic is not commanded"
    poses = arm.forward({"shoulder": np.pi / 2})
    assert poses["tip"][:3, 3] == pytest.approx([0, 1, 0.5], abs=1e-9)
    turned = np.pi / 2 + 0.5 * np.pi / 2 + 0.1
    assert poses["tip"][:2, 0] == pytest.approx([np.cos(turned), np.sin(turned)], abs=1e-9)
    elbow = arm.joint("elbow")
    assert (elbow.lower, elbow.upper, elbow.velocity) == (0, 1.5, 3)
    assert elbow.axis == pytest.approx([0, 0, 1]), "axes are made unit vectors"
    assert arm.joint("shoulder").upper == np.inf
    (box,) = arm.shapes["base"]
    assert box.size == (1, 2, 3)
    assert box.colour == (1, 0, 0)
    assert box.pose[:3, :3] @ [1, 0, 0] == pytest.approx([0, 1, 0], abs=1e-6)
    assert arm.shapes["arm"] == (), "meshes are left out"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("<robot name", "<sdf name", "no URDF: its root is <sdf>"),
        ("</robot>", "", "is no XML"),
        ('type="continuous"', 'type="floating"', "type 'floating'"),
        ('<limit lower="0" upper="1.5" effort="1" velocity="3"/>', "", "no <limit"),
        ('lower="0"', 'lower="2"', "above its upper"),
        ('axis xyz="0 0 2"', 'axis xyz="0 0 0"', "axis of no length"),
        ('axis xyz="0 0 2"', 'axis xyz="0 nan 0"', "is not three numbers"),
        ('parent link="arm"', 'parent link="leg"', "link 'leg', which is not there"),
        ('child link="tip"', 'child link="base"', "run in a circle"),
        ('mimic joint="shoulder"', 'mimic joint="hip"', "mimics 'hip'"),
        ('mimic joint="shoulder"', 'mimic joint="elbow"', "in a circle"),
        ('<link name="tip"/>', "<link/>", "has no name"),
        ('size="1 2 3"', 'size="1 2"', "is not three numbers"),
    ],
)
def test_errors_name_the_part(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = TWO_LINKS.replace("<robot name", new) if old == "<robot name" else TWO_LINKS
    text = text.replace("</robot>", "</sdf>") if "sdf" in new else text.replace(old, new)
    with pytest.raises(RobotError, match=r"robot\.urdf") as caught:
        read_urdf(written(tmp_path, text))
    assert told in str(caught.value)


def test_missing_and_xacro_files(tmp_path: Path) -> None:
    with pytest.raises(RobotError, match=r"absent\.urdf' cannot be read"):
        read_urdf(tmp_path / "absent.urdf")
    xacro = '<robot xmlns:xacro="http://www.ros.org/wiki/xacro"><xacro:include/></robot>'
    with pytest.raises(RobotError, match="expand it first"):
        read_urdf(written(tmp_path, xacro))


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_example_hand_bends_towards_its_palm(side: str) -> None:
    hand = read_urdf(ROBOTS / f"example_hand_{side}.urdf")
    assert len(hand.commanded) == 16
    still = hand.forward({})
    for finger in ("index", "middle", "ring", "little"):
        bent = hand.forward({f"{finger}_proximal": 0.8, f"{finger}_middle": 0.8})
        move = bent[f"{finger}_distal_link"][:3, 3] - still[f"{finger}_distal_link"][:3, 3]
        assert move[0] > 0.04, "the palm looks along x"
        assert move[2] < 0
        others = [f for f in ("index", "middle", "ring", "little") if f != finger]
        for other in others:
            assert bent[f"{other}_distal_link"] == pytest.approx(still[f"{other}_distal_link"])
    thumb = still["thumb_distal_link"][:3, 3]
    assert thumb[1] * (1 if side == "right" else -1) > 0.05, "the thumb's side"
    lifted = hand.forward({"thumb_abduction": 0.8})["thumb_distal_link"][:3, 3]
    assert lifted[0] > thumb[0] + 0.03
    across = hand.forward({"thumb_flexion": 0.8})["thumb_distal_link"][:3, 3]
    assert abs(across[1]) < abs(thumb[1]) - 0.01


def test_left_and_right_example_hands_mirror_each_other() -> None:
    left, right = (read_urdf(ROBOTS / f"example_hand_{side}.urdf") for side in ("left", "right"))
    rng = np.random.default_rng(0)
    for _ in range(10):
        pose = {j.name: float(rng.uniform(j.lower, j.upper)) for j in right.commanded}
        ours, theirs = left.forward(pose), right.forward(pose)
        for link, place in theirs.items():
            assert ours[link][:3, 3] == pytest.approx(place[:3, 3] * [1, -1, 1], abs=1e-9), link
