"""Robot files, and the mapping from human angles to robot joints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.retarget.direct import DirectMapping, Follow
from hand_recon_ros.retarget.hand_angles import JOINT_NAMES, hand_angles
from hand_recon_ros.retarget.robot import Reordered, load_robot
from hand_recon_ros.retarget.robot_model import RobotError
from hand_recon_ros.skeleton import FINGERS, SIDES, Side
from hand_recon_ros.types import ManoParameters

ROOT = Path(__file__).resolve().parents[1]
ROBOTS = ROOT / "config" / "robots"
# MANO's first joint of each finger (facts A2.2), and the robot's name of the finger
MANO_FIRST = {"index": 0, "middle": 3, "little": 6, "ring": 9, "thumb": 12}


def posed(side: Side, bends: dict[int, float]) -> np.ndarray:
    """Joints of the embedded hand with some of MANO's joints bent by so much, rad."""
    pose = np.zeros((15, 3))
    for joint, bend in bends.items():
        pose[joint, 2] = bend if side == "right" else -bend
    mano = ManoParameters(side, np.array([0.3, -0.2, 0.9]), pose.ravel(), np.zeros(10), np.ones(3))
    return HandModel(load_hand_model(side)).forward_parameters(mano)[1]


def example(folder: Path, **changes: object) -> Path:
    """The example's file with changes, beside its URDF."""
    document = yaml.safe_load((ROBOTS / "example_hand_right.yaml").read_text())
    document["urdf"] = str(ROBOTS / "example_hand_right.urdf")
    for key, value in changes.items():
        document[key] = value
        if value is None:
            del document[key]
    path = folder / "robot.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("finger", ["index", "middle", "ring", "little"])
def test_the_same_finger_of_the_robot_bends(side: Side, finger: str) -> None:
    robot = load_robot(ROBOTS / f"example_hand_{side}.yaml")
    mapping = robot.retargeter()
    assert mapping.joint_names == robot.joint_names
    first = MANO_FIRST[finger]
    flat = mapping.retarget(posed(side, {}), side)
    bent = mapping.retarget(posed(side, {first: 1.0, first + 1: 1.0}), side)
    share = (bent - flat) / (robot.upper - robot.lower)
    moved = dict(zip(robot.joint_names, share, strict=True))
    assert moved[f"{finger}_proximal"] > 0.4
    assert moved[f"{finger}_middle"] > 0.4
    others = [abs(v) for k, v in moved.items() if not k.startswith(finger)]
    assert max(others) < 0.03


def test_the_video_s_fingers_bend_the_robot_s_one_after_the_other() -> None:
    file = ROOT.parent / "shared" / "data" / "video" / "right_hand_fingers_720p30_joints.npz"
    if not file.exists():
        pytest.skip(f"{file} is not there")
    robot = load_robot(ROBOTS / "example_hand_right.yaml")
    mapping = robot.retargeter()
    joints = np.load(file)["joints_m"][:240].astype(np.float64)  # thumb to little finger, once each
    seen = np.isfinite(joints).all(axis=(1, 2))
    targets = np.array([mapping.retarget(one, "right") for one in joints[seen]])
    share = (np.clip(targets, robot.lower, robot.upper) - robot.lower) / (robot.upper - robot.lower)
    bends = {}
    for finger in FINGERS:
        moved = [
            k
            for k, name in enumerate(robot.joint_names)
            if name.startswith(finger) and "abduction" not in name
        ]
        bends[finger] = share[:, moved].mean(axis=1)
        bends[finger] -= np.median(bends[finger][:12])
    tops = [int(bends[finger].argmax()) for finger in FINGERS]
    assert tops == sorted(tops), "in order"
    for finger, top in zip(FINGERS, tops, strict=True):
        bent = bends[finger] > 0.3
        assert np.diff(bent.astype(int), prepend=0).clip(0).sum() == 1, f"{finger} bends once"
        others = [abs(bends[other][top]) for other in FINGERS if other != finger]
        assert max(others) < 0.25, f"with {finger}"


@pytest.mark.parametrize("side", SIDES)
def test_spread_fingers_spread_the_robot(side: Side) -> None:
    robot = load_robot(ROBOTS / f"example_hand_{side}.yaml")
    pose = np.zeros((15, 3))
    for finger, turn in (("index", 0.25), ("ring", -0.2), ("little", -0.3)):
        pose[MANO_FIRST[finger], 1] = turn if side == "left" else -turn
    mano = ManoParameters(side, np.zeros(3), pose.ravel(), np.zeros(10), np.ones(3))
    joints = HandModel(load_hand_model(side)).forward_parameters(mano)[1]
    flat = robot.retargeter().retarget(posed(side, {}), side)
    moved = dict(
        zip(robot.joint_names, robot.retargeter().retarget(joints, side) - flat, strict=True)
    )
    tips = {}
    for finger in ("index", "ring", "little"):
        name = f"{finger}_abduction"
        place = robot.model.forward({name: moved[name]})[f"{finger}_distal_link"][:3, 3]
        tips[finger] = (place - robot.model.forward({})[f"{finger}_distal_link"][:3, 3])[1]
    thumbwards = 1 if side == "right" else -1
    spread = abs(moved["index_abduction"])
    assert spread == pytest.approx(0.25, abs=0.06)
    assert np.sign(tips["index"]) == thumbwards * np.sign(
        hand_angles(joints, side)["index_mcp_abduction"]
        - hand_angles(posed(side, {}), side)["index_mcp_abduction"]
    )
    assert np.sign(tips["ring"]) == np.sign(tips["little"]) == -np.sign(tips["index"])


def test_gain_zero_and_offset() -> None:
    names = ("a", "b", "c")
    follows = {
        "a": Follow("index_mcp_flexion", gain=2.0, zero=0.1, offset=0.3),
        "c": Follow(offset=0.7),
    }
    joints = posed("right", {0: 0.5})
    angle = hand_angles(joints, "right")["index_mcp_flexion"]
    targets = DirectMapping(follows, names).retarget(joints, "right")
    assert targets == pytest.approx([2 * (angle - 0.1) + 0.3, 0.0, 0.7])


def test_what_the_hand_does_not_tell_is_nan() -> None:
    joints = posed("right", {})
    joints[8] = np.nan  # the index finger's tip
    robot = load_robot(ROBOTS / "example_hand_right.yaml")
    targets = dict(
        zip(robot.joint_names, robot.retargeter().retarget(joints, "right"), strict=True)
    )
    assert np.isfinite(targets["index_proximal"])
    assert np.isfinite(targets["middle_middle"])
    joints[:] = np.nan
    assert np.isnan(robot.retargeter().retarget(joints, "right")).all()


def test_limits_come_from_both_files(tmp_path: Path) -> None:
    robot = load_robot(example(tmp_path, velocity={"index_middle": 2.0}, acceleration=None))
    by_name = dict(zip(robot.joint_names, robot.velocity, strict=True))
    assert by_name["index_middle"] == 2.0
    assert by_name["ring_middle"] == 6.0, "the URDF's"
    assert (robot.acceleration == 20.0).all(), "slow where nothing is said"
    faster = load_robot(example(tmp_path, velocity=100.0))
    assert (faster.velocity == 6.0).all(), "never above the URDF's"
    assert (robot.rest >= robot.lower).all()
    assert (robot.rest <= robot.upper).all()


def test_a_list_of_joints_sets_the_order(tmp_path: Path) -> None:
    chosen = ["ring_middle", "thumb_distal"]
    mapping = {"kind": "direct", "joints": {"thumb_distal": {"angle": "thumb_ip_flexion"}}}
    robot = load_robot(example(tmp_path, joints=chosen, rest=0.1, retargeting=mapping))
    assert robot.joint_names == tuple(chosen)
    assert robot.retargeter().retarget(posed("right", {}), "right").shape == (2,)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"speed": 3}, "'speed' is unknown; known are name, side"),
        ({"side": "both"}, "'side' is 'both'"),
        ({"urdf": None}, "'urdf: FILE' is missing"),
        ({"urdf": "gone.urdf"}, "gone.urdf' cannot be read"),
        ({"joints": ["index_distal"]}, "it is fixed or a mimic"),
        ({"joints": ["finger"]}, "has no joint 'finger'; it has: index_abduction"),
        ({"rest": {"index_middle": 9.0}}, "'rest' of 'index_middle' is outside"),
        ({"rest": {"finger": 0.0}}, "names joint 'finger'"),
        ({"velocity": 0.0}, "'velocity' must be positive"),
        ({"acceleration": float("nan")}, "not a number"),
        ({"retargeting": {"kind": "magic"}}, "kind 'magic' is unknown"),
        ({"retargeting": {"joints": {"elbow": {}}}}, "joint 'elbow' is not commanded"),
        ({"retargeting": {"joints": {"index_middle": {"angle": "x"}}}}, "no human angle 'x'"),
        ({"retargeting": {"joints": {"index_middle": {"gian": 1}}}}, "takes only angle, gain"),
        ({"retargeting": {"joints": {"index_middle": {"gain": "1"}}}}, "not a number"),
    ],
)
def test_errors_name_file_and_entry(tmp_path: Path, changes: dict, told: str) -> None:
    with pytest.raises(RobotError, match=r"robot file '.*robot\.yaml'") as caught:
        load_robot(example(tmp_path, **changes)).retargeter()
    assert told in str(caught.value)


def test_no_yaml_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(RobotError, match="cannot be read"):
        load_robot(tmp_path / "absent.yaml")
    (tmp_path / "x.yaml").write_text("a: [")
    with pytest.raises(RobotError, match="is no YAML"):
        load_robot(tmp_path / "x.yaml")
    (tmp_path / "x.yaml").write_text("[1]")
    with pytest.raises(RobotError, match="expected 'name: value' lines"):
        load_robot(tmp_path / "x.yaml")


def test_another_order_of_the_same_joints() -> None:
    inner = DirectMapping({"a": Follow(offset=1.0), "b": Follow(offset=2.0)}, ("a", "b"))
    assert Reordered(inner, ("b", "a")).retarget(posed("right", {}), "right").tolist() == [2, 1]
    with pytest.raises(RobotError, match=r"does not tell joint\(s\) c; it tells a, b"):
        Reordered(inner, ("a", "c"))


def test_dex_retargeting() -> None:
    robot = load_robot(ROBOTS / "example_hand_right_dex.yaml")
    try:
        import dex_retargeting  # noqa: F401
    except ImportError:
        with pytest.raises(RobotError, match=r"pip install 'hand_recon_ros\[dex\]'"):
            robot.retargeter()
        return
    mapping = robot.retargeter()
    assert mapping.joint_names == robot.joint_names
    flat = mapping.retarget(posed("right", {}), "right")
    for finger in ("index", "middle", "ring", "little"):
        first = MANO_FIRST[finger]
        mapping.reset()
        bent = mapping.retarget(posed("right", {first: 1.0, first + 1: 1.0}), "right") - flat
        moved = dict(zip(robot.joint_names, np.abs(bent), strict=True))
        chosen = f"{finger}_proximal"
        assert moved[chosen] > 1.0
        assert max(v for k, v in moved.items() if "_proximal" in k and k != chosen) < 0.25
    lost = posed("right", {})
    lost[4] = np.nan
    assert np.isnan(mapping.retarget(lost, "right")).all()


def test_every_human_angle_can_be_followed() -> None:
    names = tuple(f"j{k}" for k in range(len(JOINT_NAMES)))
    follows = {j: Follow(a) for j, a in zip(names, JOINT_NAMES, strict=True)}
    joints = posed("left", {0: 0.4, 7: 0.3, 12: 0.2})
    told = DirectMapping(follows, names).retarget(joints, "left")
    assert told == pytest.approx(hand_angles(joints, "left").values)
