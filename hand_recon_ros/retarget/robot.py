"""The user's robot hand: a YAML file that names the URDF, the mapping and the limits.

name: example_hand_right
side: right                    # the human hand that moves it
urdf: example_hand_right.urdf  # relative to this file
joints: [index_proximal, ...]  # order of commands; default: all that the URDF lets move
rest: {index_proximal: 0.3}    # pose to go to when nobody leads; default 0
velocity: 4.0                  # rad/s, m/s: for all joints, or {joint: value}; default: the URDF's
acceleration: 40.0             # the same, squared seconds
retargeting:
  kind: direct                 # or dex, with `config: FILE` of dex-retargeting
  joints:
    index_proximal: {angle: index_mcp_flexion, gain: 1.0, zero: 0.0, offset: 0.0}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from hand_recon_ros.retarget.direct import DirectMapping, Follow
from hand_recon_ros.retarget.mapping import Retargeter
from hand_recon_ros.retarget.robot_model import Joint, RobotError, RobotModel
from hand_recon_ros.retarget.urdf import read_urdf
from hand_recon_ros.skeleton import SIDES, Side
from hand_recon_ros.types import Array

_KEYS: Final = (
    "name", "side", "urdf", "joints", "rest", "velocity", "acceleration", "retargeting",
)  # fmt: skip
_VELOCITY, _ACCELERATION = 2.0, 20.0
"""Limits where neither file says one: slow."""


@dataclass(frozen=True)
class Robot:
    """One robot hand, ready to be commanded; arrays are in the order of ``joint_names``.

    Attributes:
        name: the robot's.
        side: of the human hand that moves it.
        model: from the URDF.
        joint_names: that are commanded.
        lower, upper: (J,) position limits, rad or m.
        velocity: (J,) largest, per second.
        acceleration: (J,) largest, per second squared.
        rest: (J,) pose when nobody leads.
        retargeting: how hands become targets, as in the file.
        folder: of the file: paths are relative to it.
    """

    name: str
    side: Side
    model: RobotModel
    joint_names: tuple[str, ...]
    lower: Array
    upper: Array
    velocity: Array
    acceleration: Array
    rest: Array
    retargeting: Mapping[str, Any]
    folder: Path

    def retargeter(self) -> Retargeter:
        """A new mapping from hands to targets in the order of ``joint_names``.

        Raises:
            RobotError: the mapping is wrong or its library is missing.
        """
        kind = self.retargeting.get("kind", "direct")
        if kind == "direct":
            follows = _follows(self.retargeting.get("joints") or {})
            return DirectMapping(follows, self.joint_names)
        if kind == "dex":
            from hand_recon_ros.retarget.dex import DexRetargeting

            config = self.retargeting.get("config")
            if not config:
                raise RobotError("retargeting: kind dex needs 'config: FILE' of dex-retargeting")
            folder = self.folder / str(self.retargeting.get("urdf_dir", ""))
            return Reordered(DexRetargeting(self.folder / config, folder), self.joint_names)
        raise RobotError(f"retargeting: kind '{kind}' is unknown; known are direct and dex")


class Reordered:
    """A retargeter whose targets come in another order. See ``mapping.Retargeter``.

    Raises:
        RobotError: the inner one does not tell a joint; the message names it.
    """

    def __init__(self, inner: Retargeter, joint_names: Sequence[str]) -> None:
        """Look up the order."""
        lacking = [name for name in joint_names if name not in inner.joint_names]
        if lacking:
            raise RobotError(
                f"retargeting does not tell joint(s) {', '.join(lacking)}; it tells "
                f"{', '.join(inner.joint_names)}: set 'joints' to those"
            )
        self._inner = inner
        self._names = tuple(joint_names)
        self._at = np.array([inner.joint_names.index(name) for name in joint_names])

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Order of the targets."""
        return self._names

    def retarget(self, joints_m: Array, side: Side) -> Array:
        """See ``Retargeter.retarget``."""
        return self._inner.retarget(joints_m, side)[self._at]

    def reset(self) -> None:
        """See ``Retargeter.reset``."""
        self._inner.reset()


def load_robot(path: str | Path) -> Robot:
    """Read a robot's YAML file and its URDF.

    Raises:
        RobotError: a file is missing or wrong; the message names file, entry and remedy.
    """
    path = Path(path)
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RobotError(f"robot file '{path}' cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RobotError(f"robot file '{path}' is no YAML: {error}") from None
    try:
        return _robot(document, path)
    except RobotError as error:
        raise RobotError(f"robot file '{path}': {error}") from None


def _robot(document: Any, path: Path) -> Robot:
    if not isinstance(document, Mapping):
        raise RobotError("expected 'name: value' lines")
    for key in document:
        if key not in _KEYS:
            raise RobotError(f"'{key}' is unknown; known are {', '.join(_KEYS)}")
    if not document.get("urdf"):
        raise RobotError("'urdf: FILE' is missing")
    side = document.get("side")
    if side not in SIDES:
        raise RobotError(f"'side' is {side!r}; it must be one of {', '.join(SIDES)}")
    model = read_urdf(path.parent / str(document["urdf"]))
    names = document.get("joints") or [joint.name for joint in model.commanded]
    if not isinstance(names, list) or len(set(names)) != len(names):
        raise RobotError("'joints' must be a list of different names")
    joints = [model.joint(str(name)) for name in names]
    for joint in joints:
        if joint.kind == "fixed" or joint.mimic is not None:
            raise RobotError(f"joint '{joint.name}' cannot be commanded: it is fixed or a mimic")
    lower, upper = (np.array([getattr(j, k) for j in joints]) for k in ("lower", "upper"))
    rest = _per_joint(document.get("rest", 0.0), "rest", joints, [0.0] * len(joints))
    outside = (rest < lower) | (rest > upper)
    if outside.any():
        joint = joints[int(np.flatnonzero(outside)[0])]
        raise RobotError(f"'rest' of '{joint.name}' is outside {joint.lower} .. {joint.upper}")
    own = [j.velocity if np.isfinite(j.velocity) else _VELOCITY for j in joints]
    retargeting = document.get("retargeting") or {}
    if not isinstance(retargeting, Mapping):
        raise RobotError("'retargeting' must be a mapping with 'kind'")
    robot = Robot(
        name=str(document.get("name") or model.name),
        side=side,
        model=model,
        joint_names=tuple(joint.name for joint in joints),
        lower=lower,
        upper=upper,
        velocity=np.minimum(_positive(document.get("velocity"), "velocity", joints, own), own),
        acceleration=_positive(
            document.get("acceleration"), "acceleration", joints, [_ACCELERATION] * len(joints)
        ),
        rest=rest,
        retargeting=retargeting,
        folder=path.parent,
    )
    if retargeting.get("kind", "direct") != "dex":
        robot.retargeter()  # a wrong name is told now, not when the first hand comes
    return robot


def _follows(entries: Any) -> dict[str, Follow]:
    if not isinstance(entries, Mapping):
        raise RobotError("'retargeting.joints' must be 'joint: {angle: ..., gain: ...}' lines")
    known = [field.name for field in dataclasses.fields(Follow)]
    follows = {}
    for joint, entry in entries.items():
        if not isinstance(entry, Mapping) or set(entry) - set(known):
            raise RobotError(f"retargeting of '{joint}' takes only {', '.join(known)}")
        numbers = {k: _number(v, f"{joint}.{k}") for k, v in entry.items() if k != "angle"}
        follows[str(joint)] = Follow(angle=str(entry.get("angle", "")), **numbers)
    return follows


def _per_joint(value: Any, name: str, joints: Sequence[Joint], default: Sequence[float]) -> Array:
    """(J,) from one number, a mapping by joint or nothing."""
    if value is None:
        return np.array(default, dtype=np.float64)
    if not isinstance(value, Mapping):
        return np.full(len(joints), _number(value, name))
    known = [joint.name for joint in joints]
    for joint in value:
        if joint not in known:
            raise RobotError(f"'{name}' names joint '{joint}'; commanded are {', '.join(known)}")
    pairs = zip(known, default, strict=True)
    return np.array([_number(value.get(joint, other), f"{name}.{joint}") for joint, other in pairs])


def _positive(value: Any, name: str, joints: Sequence[Joint], default: Sequence[float]) -> Array:
    array = _per_joint(value, name, joints, default)
    if not (array > 0).all():
        raise RobotError(f"'{name}' must be positive for every joint")
    return array


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise RobotError(f"'{name}' is {value!r}, not a number")
    return float(value)
