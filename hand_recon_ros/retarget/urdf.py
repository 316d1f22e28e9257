"""Reads what retargeting needs of a URDF: joints, limits, kinematics and simple shapes.

Units and conventions are URDF's: metres, radians, a joint's frame is its child link's frame, and
fixed-axis roll-pitch-yaw. Meshes are not loaded; Gazebo, transmission and inertia tags are ignored.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from hand_recon_ros.retarget.robot_model import GREY, Joint, Mimic, RobotError, RobotModel, Shape
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.types import Array

_KINDS: Final = ("revolute", "continuous", "prismatic", "fixed")


def read_urdf(path: str | Path) -> RobotModel:
    """Read a URDF file (not xacro: expand it first).

    Raises:
        RobotError: the file cannot be read, is no URDF, or its tree is broken.
    """
    path = Path(path)
    try:
        robot = ET.fromstring(path.read_bytes())
    except OSError as error:
        raise RobotError(f"URDF '{path}' cannot be read: {error.strerror}") from None
    except ET.ParseError as error:
        raise RobotError(f"URDF '{path}' is no XML: {error}") from None
    if robot.tag != "robot":
        raise RobotError(f"'{path}' is no URDF: its root is <{robot.tag}>, not <robot>")
    if any("xacro" in tag.tag for tag in robot):
        raise RobotError(f"'{path}' is a xacro file: expand it first (xacro FILE > hand.urdf)")
    try:
        colours = {m.get("name", ""): _colour(m, {}) for m in robot.findall("material")}
        links = {_name(link): _shapes(link, colours) for link in robot.findall("link")}
        joints = {_name(joint): _joint(joint) for joint in robot.findall("joint")}
        root, ordered = _tree(links, list(joints.values()))
        _check_mimics(joints)
    except (RobotError, ValueError, KeyError) as error:
        told = error.args[0] if error.args else error
        raise RobotError(f"URDF '{path}': {told}") from None
    return RobotModel(robot.get("name", path.stem), root, ordered, links)


def _joint(tag: ET.Element) -> Joint:
    name, kind = _name(tag), tag.get("type", "")
    if kind not in _KINDS:
        raise RobotError(f"joint '{name}' is of type '{kind}'; known are {', '.join(_KINDS)}")
    ends = [tag.find("parent"), tag.find("child")]
    if ends[0] is None or ends[1] is None:
        raise RobotError(f"joint '{name}' lacks its parent or child link")
    axis_tag, limit, mimic = tag.find("axis"), tag.find("limit"), tag.find("mimic")
    axis = _vector(axis_tag.get("xyz", "1 0 0") if axis_tag is not None else "1 0 0", name)
    length = float(np.linalg.norm(axis))
    if kind != "fixed" and not length > 0:
        raise RobotError(f"joint '{name}' has an axis of no length")
    limits = {} if limit is None else {k: _number(v, name) for k, v in limit.attrib.items()}
    if kind in ("revolute", "prismatic") and not {"lower", "upper"} & set(limits):
        raise RobotError(f"joint '{name}' is {kind} but has no <limit lower=... upper=...>")
    endless = kind == "continuous"
    lower = -np.inf if endless else limits.get("lower", 0.0)
    upper = np.inf if endless else limits.get("upper", 0.0)
    if lower > upper:
        raise RobotError(f"joint '{name}': its lower limit {lower} is above its upper one {upper}")
    return Joint(
        name=name,
        kind=kind,  # type: ignore[arg-type]
        parent=ends[0].get("link", ""),
        child=ends[1].get("link", ""),
        pose=_pose(tag.find("origin"), name),
        axis=axis / length if length > 0 else axis,
        lower=lower,
        upper=upper,
        velocity=limits.get("velocity", np.inf) or np.inf,
        mimic=None
        if mimic is None
        else Mimic(
            mimic.get("joint", ""),
            _number(mimic.get("multiplier", "1"), name),
            _number(mimic.get("offset", "0"), name),
        ),
    )


def _tree(
    links: Mapping[str, tuple[Shape, ...]], joints: list[Joint]
) -> tuple[str, tuple[Joint, ...]]:
    """The base link, and the joints with parents before their children."""
    for joint in joints:
        for end in (joint.parent, joint.child):
            if end not in links:
                raise RobotError(f"joint '{joint.name}' names link '{end}', which is not there")
    children = [joint.child for joint in joints]
    roots = [name for name in links if name not in children]
    if len(roots) != 1 or len(set(children)) != len(children):
        raise RobotError("its links are not one tree: exactly one base link, one parent each")
    ordered: list[Joint] = []
    reached, rest = {roots[0]}, list(joints)
    while rest:
        ready = [joint for joint in rest if joint.parent in reached]
        if not ready:
            raise RobotError("its joints run in a circle")
        ordered += ready
        reached |= {joint.child for joint in ready}
        rest = [joint for joint in rest if joint.child not in reached]
    return roots[0], tuple(ordered)


def _check_mimics(joints: Mapping[str, Joint]) -> None:
    for joint in joints.values():
        seen, leader = {joint.name}, joint
        while leader.mimic is not None:
            if leader.mimic.joint not in joints:
                raise RobotError(f"joint '{leader.name}' mimics '{leader.mimic.joint}': not there")
            leader = joints[leader.mimic.joint]
            if leader.name in seen:
                raise RobotError(f"joint '{joint.name}' mimics itself in a circle")
            seen.add(leader.name)


def _shapes(
    link: ET.Element, colours: Mapping[str, tuple[float, float, float]]
) -> tuple[Shape, ...]:
    shapes = []
    for visual in link.findall("visual"):
        pose, geometry = _pose(visual.find("origin"), _name(link)), visual.find("geometry")
        colour = _colour(visual.find("material"), colours)
        for tag in [] if geometry is None else list(geometry):
            where = f"link '{_name(link)}'"
            if tag.tag == "box":
                x, y, z = _vector(tag.get("size", ""), where).tolist()
                shapes.append(Shape("box", (x, y, z), pose, colour))
            elif tag.tag == "cylinder":
                size = (_number(tag.get("radius"), where), _number(tag.get("length"), where), 0.0)
                shapes.append(Shape("cylinder", size, pose, colour))
            elif tag.tag == "sphere":
                size = (_number(tag.get("radius"), where), 0.0, 0.0)
                shapes.append(Shape("sphere", size, pose, colour))
    return tuple(shapes)


def _colour(
    material: ET.Element | None, known: Mapping[str, tuple[float, float, float]]
) -> tuple[float, float, float]:
    if material is None:
        return GREY
    tag = material.find("color")
    if tag is None:
        return known.get(material.get("name", ""), GREY)
    red, green, blue, *_ = (float(word) for word in tag.get("rgba", "0.7 0.7 0.7 1").split())
    return red, green, blue


def _pose(origin: ET.Element | None, where: str) -> Array:
    pose = np.eye(4)
    if origin is not None:
        roll, pitch, yaw = _vector(origin.get("rpy", "0 0 0"), where)
        turns = [exp_so3(a * np.eye(3)[k]) for k, a in enumerate((roll, pitch, yaw))]
        pose[:3, :3] = turns[2] @ turns[1] @ turns[0]
        pose[:3, 3] = _vector(origin.get("xyz", "0 0 0"), where)
    return pose


def _vector(text: str, where: str) -> Array:
    try:
        vector = np.array([float(word) for word in text.split()])
    except ValueError:
        vector = np.empty(0)
    if vector.shape != (3,) or not np.isfinite(vector).all():
        raise RobotError(f"{where}: '{text}' is not three numbers")
    return vector


def _number(text: str | None, where: str) -> float:
    try:
        number = float(text if text is not None else "")
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        raise RobotError(f"{where}: '{text}' is not a number")
    return number


def _name(tag: ET.Element) -> str:
    name = tag.get("name")
    if not name:
        raise RobotError(f"a <{tag.tag}> has no name")
    return name
