"""What a hand holds lies in its grip: it neither enters the flesh nor shows through it."""

from __future__ import annotations

import numpy as np
import pytest

from hand_recon_ros.camera import Camera
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.rendering.gl.context import RendererUnavailableError, create_context
from hand_recon_ros.rendering.gl.engine import Renderer
from hand_recon_ros.rendering.gl.scene import Instance, Material, View, ambient_light
from hand_recon_ros.skeleton import SIDES, Side
from hand_recon_ros.synthesis.body import SmoothHand
from hand_recon_ros.synthesis.hands import HandSource
from hand_recon_ros.synthesis.labels import visible_joints
from hand_recon_ros.synthesis.placing import PlacedHand, place
from hand_recon_ros.synthesis.poses import GRASPS
from hand_recon_ros.synthesis.props import held

Held = tuple[PlacedHand, Instance]
NOTHING_M = 100.0


@pytest.fixture(scope="module")
def models() -> dict[Side, HandModelData]:
    return {side: load_hand_model(side) for side in SIDES}


@pytest.fixture(scope="module")
def grips(models: dict[Side, HandModelData]) -> list[Held]:
    """Hands of both sides with what they hold, 0.4 m before the camera."""
    rng = np.random.default_rng(4)
    source = HandSource(models["right"])
    found: list[Held] = []
    for k in range(24):
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        turn *= np.sign(np.linalg.det(turn))
        hand = source.draw(rng, GRASPS)
        bend = (float(rng.normal(0, 0.25)), 0.0)
        placed = place(hand, SIDES[k % 2], turn, np.zeros(3), bend)
        placed = placed.moved(np.array([0.0, 0.0, 0.4]) - placed.joints.mean(axis=0))
        thing = held(placed, [None], rng)
        if thing is not None:
            found.append((placed, thing))
    return found


def test_most_grips_hold_something(grips: list[Held]) -> None:
    assert len(grips) >= 12
    assert {placed.side for placed, _ in grips} == set(SIDES)
    assert {placed.hand.kind for placed, _ in grips} == set(GRASPS)


def test_held_things_do_not_enter_the_hand(
    grips: list[Held], models: dict[Side, HandModelData]
) -> None:
    """They are convex: how deep a point lies in one is its least distance to a face's plane."""
    bodies = {side: SmoothHand(model) for side, model in models.items()}
    gaps = []
    for placed, thing in grips:
        skin = bodies[placed.side].vertices(placed.vertices, placed.rotation, placed.to_elbow)
        corners = thing.vertices[thing.mesh.faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        size = np.linalg.norm(normals, axis=1)
        whole = size > 1e-12
        normals = normals[whole] / size[whole, None]
        middle = thing.vertices.mean(axis=0)
        level = (normals * (corners[whole, 0] - middle)).sum(axis=1)
        assert (level > -1e-9).all(), "faces look outwards"
        outside = ((skin - middle) @ normals.T - level).max(axis=1)
        assert outside.min() > -0.002, f"{placed.hand.kind}: {-1000 * outside.min():.1f} mm deep"
        gaps.append(outside.min())
    assert np.median(gaps) < 0.004, "things float between the fingers"


def test_held_things_hide_fingers_only_where_they_are_nearer(
    grips: list[Held], models: dict[Side, HandModelData]
) -> None:
    try:
        create_context().release()
    except RendererUnavailableError as error:
        pytest.skip(str(error))
    bodies = {side: SmoothHand(model) for side, model in models.items()}
    camera = Camera.from_fov(160, 160, 45)
    light = ambient_light((0.8, 0.8, 0.8), (0.8, 0.8, 0.8))
    hidden, before, joints = 0, 0, 0
    with Renderer(labels=True) as renderer:
        for placed, thing in grips[:12]:
            body = bodies[placed.side]
            skin = body.vertices(placed.vertices, placed.rotation, placed.to_elbow)
            hand = Instance(body.mesh, skin, Material(), 1)
            shown = ([hand, thing], [hand], [thing])
            both, alone, bare = renderer.render(
                [View(camera, parts, lights=(), ambient=light) for parts in shown]
            )
            depths = [
                np.where(p.depth_m > 0, np.minimum(p.depth_m, NOTHING_M), NOTHING_M)
                for p in (both, alone, bare)
            ]
            together, of_hand, of_thing = depths
            nearest = np.minimum(of_hand, of_thing)
            drawn = nearest < NOTHING_M
            assert ((together < NOTHING_M) == drawn).mean() > 0.999
            close = np.abs(together[drawn] - nearest[drawn]) < 1e-4
            assert close.mean() > 0.995
            assert both.instance is not None
            clear = drawn & (np.abs(of_hand - of_thing) > 0.001)
            assert ((both.instance == 1) == (of_hand < of_thing))[clear].mean() > 0.995
            hidden += int((clear & (of_hand < NOTHING_M) & (of_thing < of_hand)).sum())
            before += int((clear & (of_thing < NOTHING_M) & (of_hand < of_thing)).sum())
            pixels = camera.project(placed.joints)
            seen = visible_joints(pixels, placed.joints, 1, both)
            in_sight = visible_joints(pixels, placed.joints, 1, alone)
            assert not (seen & ~in_sight).any(), "a thing makes no joint visible"
            joints += int((in_sight & ~seen).sum())
    assert hidden > 500
    assert before > 500
    assert joints > 3
