"""A film of the person's hands and the robot's, side by side, as they were at the same moments."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hand_recon_ros.config import RenderConfig
from hand_recon_ros.io.frames import FrameSource
from hand_recon_ros.io.video import VideoWriter
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.nodes.recorder import Received, hand_frame
from hand_recon_ros.nodes.robot_recorder import Told
from hand_recon_ros.rendering.overlay import Overlay
from hand_recon_ros.rendering.robot_view import RobotView, seen_from
from hand_recon_ros.retarget.robot import Robot
from hand_recon_ros.skeleton import SIDES, Side
from hand_recon_ros.types import Frame

_EYE, _MIDDLE = np.array([0.62, 0.0, 0.11]), np.array([0.0, 0.0, 0.085])
_UP = np.array([0.0, 0.0, 1.0])
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK = (60, 64, 72)


def film(
    path: Path,
    source: FrameSource,
    received: Sequence[Received],
    indices: Mapping[int, int],
    robots: Mapping[Side, tuple[Robot, Told]],
) -> None:
    """Write the video.

    A frame shows the newest hands and commands that had arrived by the time at which the next
    frame was taken: the robots trail behind as they did.

    Args:
        path: MP4 to write.
        source: what the camera played.
        received: hands that came back.
        indices: stamp of an image, ns, to its index in the source.
        robots: what each was told.
    """
    stamps = {index: stamp for stamp, index in indices.items()}
    by_index = {indices[r.stamp_ns]: r for r in received if r.stamp_ns in indices}
    last = max(stamps)
    drawing = _Drawing(robots)
    fps = source.fps or Fraction(30)
    with VideoWriter(path, fps) as video:
        for frame in tqdm(source, "drawing hands and robots", last + 1, unit="frame"):
            if frame.index > last:
                break
            if frame.index not in stamps:
                continue
            until_ns = stamps[frame.index] + int(1e9 / fps)
            person = drawing.person(frame, by_index.get(frame.index))
            video.write(np.hstack([person, drawing.robots(until_ns, len(person))]))
    drawing.close()


class _Drawing:
    """Overlays and robot views, of one thread."""

    def __init__(self, robots: Mapping[Side, tuple[Robot, Told]]) -> None:
        models = {side: load_hand_model(side) for side in SIDES}
        self._models = {side: HandModel(model) for side, model in models.items()}
        self._overlay = Overlay(models, RenderConfig(styles="mesh,skeleton"))
        # As in an unmirrored picture of the person: the right hand on the left.
        self._robots = [robots[side] for side in ("right", "left") if side in robots]
        self._views: list[RobotView] = []

    def person(self, frame: Frame, seen: Received | None) -> NDArray[np.uint8]:
        if seen is None:
            return frame.image
        hands = hand_frame(seen, frame.camera, frame.index, frame.source)
        meshes = {
            hand.track_id: self._models[hand.side].forward_parameters(hand.mano)[0]
            for hand in hands.hands
        }
        return self._overlay.draw(frame.image, hands, meshes)

    def robots(self, until_ns: int, height: int) -> NDArray[np.uint8]:
        """(height, ..., 3) the robots side by side."""
        width = 2 * (3 * height // 8)
        if not self._views:
            # The palms look at the camera; each hand's thumb points to the other hand.
            pose = seen_from(_EYE, _MIDDLE, _UP)
            self._views = [RobotView(r.model, pose, width, height) for r, _ in self._robots]
        panels = []
        for view, (robot, told) in zip(self._views, self._robots, strict=True):
            panel = np.ascontiguousarray(view.draw(_positions(robot, told, until_ns)))
            _caption(panel, robot.name, _state(told, until_ns))
            panels.append(panel)
        return np.hstack(panels)

    def close(self) -> None:
        self._overlay.close()
        for view in self._views:
            view.close()


def _positions(robot: Robot, told: Told, until_ns: int) -> dict[str, float]:
    """Where the robot was told to be: at first its rest pose."""
    at = bisect.bisect_right([stamp for stamp, _ in told.commands], until_ns)
    if not at:
        return dict(zip(robot.joint_names, robot.rest.tolist(), strict=True))
    message = told.commands[at - 1][1]
    return dict(zip(message.joint_names, message.points[0].positions, strict=True))


def _state(told: Told, until_ns: int) -> str:
    at = bisect.bisect_right([stamp for stamp, _, _ in told.states], until_ns)
    if not at:
        return ""
    _, name, reason = told.states[at - 1]
    return f"{name}: {reason}" if reason else name


def _caption(panel: NDArray[np.uint8], name: str, state: str) -> None:
    scale = panel.shape[0] / 900
    for row, text in enumerate((name, state)):
        place = round(14 * scale * 2), round((34 + 34 * row) * scale)
        cv2.putText(panel, text[:48], place, _FONT, 0.8 * scale, _INK, 1, cv2.LINE_AA)
