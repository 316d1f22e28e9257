"""Pictures of the robot: both ways of drawing show the same hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hand_recon_ros.rendering.gl.context import RendererUnavailableError, create_context
from hand_recon_ros.rendering.robot_view import RobotView, seen_from
from hand_recon_ros.retarget.urdf import read_urdf

MODEL = read_urdf(
    Path(__file__).resolve().parents[1] / "config" / "robots" / "example_hand_right.urdf"
)
POSE = seen_from(np.array([0.55, 0, 0.07]), np.array([0, 0, 0.085]), np.array([0, 0, 1.0]))


def covered(picture: np.ndarray) -> np.ndarray:
    return (np.abs(picture.astype(int) - picture[0, 0]) > 12).any(axis=2)


def test_a_bent_finger_leaves_its_place() -> None:
    view = RobotView(MODEL, POSE, 160, 160, opengl=False)
    open_hand, bent = view.draw({}), view.draw({"middle_proximal": 1.5, "middle_middle": 1.5})
    tip = POSE @ MODEL.forward({})["middle_distal_link"] @ [0.02, 0, 0, 1]
    u, v = view._camera.project(tip[None, :3])[0].round().astype(int)
    assert covered(open_hand)[v, u]
    assert not covered(bent)[v, u]


def test_opengl_and_software_agree() -> None:
    try:
        create_context().release()
    except RendererUnavailableError as error:
        pytest.skip(str(error))
    pose = {"index_proximal": 0.7, "thumb_abduction": 0.6, "little_abduction": -0.3}
    gl, cpu = (RobotView(MODEL, POSE, 200, 200, opengl=on) for on in (True, False))
    one, other = covered(gl.draw(pose)), covered(cpu.draw(pose))
    gl.close()
    assert (one & other).sum() / (one | other).sum() > 0.97


def test_seen_from_looks_at_the_target() -> None:
    eye, target = np.array([0.3, -0.2, 0.5]), np.array([0.1, 0.1, 0.0])
    pose = seen_from(eye, target, np.array([0, 0, 1.0]))
    assert pose[:3, :3] @ pose[:3, :3].T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    assert (pose @ [*target, 1])[:2] == pytest.approx([0, 0], abs=1e-12)
    assert (pose @ [*target, 1])[2] > 0
    assert (pose @ [*(target + np.array([0, 0, 0.1])), 1])[1] < 0, "up is up in the picture"
