"""What hands wear, hold and hide behind: sleeves, watches, rings, things."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.rendering.gl.mesh import Mesh
from hand_recon_ros.rendering.gl.scene import Instance, Material
from hand_recon_ros.synthesis.body import SmoothHand
from hand_recon_ros.synthesis.placing import PlacedHand
from hand_recon_ros.synthesis.primitives import box, cylinder, ellipsoid, torus, tube_mesh
from hand_recon_ros.types import Array

_METALS: Final = np.array([(0.83, 0.69, 0.4), (0.75, 0.75, 0.77), (0.72, 0.5, 0.42)])
_RING_SHARE, _WATCH_SHARE, _SLEEVE_SHARE = 0.14, 0.1, 0.6
_LEAST_GAP_M = 0.0015
"""Held things keep this far from the mesh's vertices, whose faces bulge between them."""


def cloth_texture(rng: np.random.Generator) -> NDArray[np.uint8]:
    """(128, 128, 3) plain, striped, checked or patterned cloth, sRGB."""
    size = 128
    base = rng.uniform(0, 1) ** 1.3 * np.ones(3) + rng.normal(0, 0.13, 3)
    other = rng.uniform(0, 1, 3)
    y, x = np.mgrid[:size, :size] / size
    share = np.zeros((size, size))
    draw = rng.random()
    repeats = int(rng.integers(1, 12))
    if draw < 0.2:
        share = (np.sin(2 * np.pi * repeats * y) > rng.uniform(-0.5, 0.8)).astype(float)
    elif draw < 0.3:
        share = (np.sin(2 * np.pi * repeats * x) > rng.uniform(-0.5, 0.8)).astype(float)
    elif draw < 0.42:
        share = 0.5 * (np.sin(2 * np.pi * repeats * x) > 0) + 0.5 * (
            np.sin(2 * np.pi * repeats * y) > 0
        )
    elif draw < 0.5:
        share = np.sin(2 * np.pi * repeats * x) * np.sin(2 * np.pi * repeats * y) > 0.5
    picture = base + share[..., None] * (other - base)
    weave = (
        1
        + rng.uniform(0, 0.1) * np.sin(2 * np.pi * 32 * (x + y))
        + rng.normal(0, rng.uniform(0.01, 0.06), (size, size))
    )
    return (np.clip(picture * weave[..., None], 0, 1) * 255).astype(np.uint8)


def worn(
    placed: PlacedHand, body: SmoothHand, cloths: list[Any], rng: np.random.Generator
) -> list[Instance]:
    """Sleeve, watch and ring of one hand; each may be missing."""
    things = []
    if rng.random() < _SLEEVE_SHARE:
        things.append(_sleeve(placed, body, cloths, rng))
    elif rng.random() < _WATCH_SHARE / (1 - _SLEEVE_SHARE):
        things += _watch(placed, body, rng)
    if rng.random() < _RING_SHARE:
        things.append(_ring(placed, rng))
    return things


def _sleeve(
    placed: PlacedHand, body: SmoothHand, cloths: list[Any], rng: np.random.Generator
) -> Instance:
    start = rng.uniform(0.0, 0.1) if rng.random() < 0.75 else rng.uniform(0.1, 0.2)
    width = rng.uniform(1.18, 1.5)
    places = [(start + 0.004, 0.85 * width), (start, width), (start + 0.006, width + 0.02)]
    for distance in np.linspace(start + 0.02, 0.3, 9):
        folds = rng.normal(0, 0.025)
        places.append((float(distance), width + 1.3 * (float(distance) - start) + folds))
    vertices = _along_arm(placed, body, places)
    material = Material(
        texture=cloths[int(rng.integers(len(cloths)))],
        roughness=0.95,
        specular=0.02,
        wrap=(0.2, 0.2, 0.2),
        double_sided=True,
    )
    return Instance(_tube(len(places), body), vertices, material)


def _watch(placed: PlacedHand, body: SmoothHand, rng: np.random.Generator) -> list[Instance]:
    start = rng.uniform(0.004, 0.03)
    breadth = rng.uniform(0.012, 0.024)
    places = [(start, 1.0), (start, 1.07), (start + breadth, 1.09), (start + breadth, 1.0)]
    colour = rng.uniform(0.0, 0.25, 3) if rng.random() < 0.6 else rng.uniform(0, 0.8, 3)
    band = Material(colour=_rgb(colour), roughness=float(rng.uniform(0.3, 0.9)))
    vertices = _along_arm(placed, body, places)
    things = [Instance(_tube(len(places), body), vertices, band)]
    if rng.random() < 0.75:
        back = placed.rotation[:, 1]
        ring = vertices[len(vertices) // 4 : 3 * len(vertices) // 4]
        centre = ring.mean(axis=0)
        top = centre + back * float(((ring - centre) @ back).max())
        half = rng.uniform(0.013, 0.021)
        mesh, points = cylinder(top - 0.003 * back, top + 0.007 * back, float(half))
        face = Material(colour=_rgb(rng.uniform(0, 0.7, 3)), roughness=0.25, specular=0.06)
        things.append(Instance(mesh, points, face))
    return things


def _ring(placed: PlacedHand, rng: np.random.Generator) -> Instance:
    finger = int(rng.choice([1, 2, 3, 3, 3, 4]))
    knuckle, joint = placed.joints[1 + 4 * finger], placed.joints[2 + 4 * finger]
    axis = joint - knuckle
    length = float(np.linalg.norm(axis))
    axis /= length
    centre = knuckle + rng.uniform(0.55, 0.68) * length * axis
    offset = placed.vertices - centre
    along = offset @ axis
    out = np.linalg.norm(offset - along[:, None] * axis, axis=1)
    near = (np.abs(along) < 0.006) & (out < 0.016)
    radius = float(np.median(out[near])) if near.any() else 0.0095
    thickness = float(rng.uniform(0.0008, 0.0022))
    mesh, vertices = torus(centre, axis, radius + 0.2 * thickness, thickness)
    colour = _METALS[int(rng.integers(len(_METALS)))] * rng.uniform(0.6, 1)
    return Instance(mesh, vertices, Material(colour=_rgb(colour), roughness=0.3, specular=0.5))


def held(placed: PlacedHand, cloths: list[Any], rng: np.random.Generator) -> Instance | None:
    """Something between thumb and fingers, as large as fits without touching; None if nothing."""
    joints = placed.joints
    tips = joints[[8, 12]].mean(axis=0)
    grip = 0.5 * (joints[4] + tips)
    inside = 0.5 * grip + 0.5 * joints[[5, 9, 13]].mean(axis=0)
    across = joints[5] - joints[17]
    across /= np.linalg.norm(across)
    if rng.random() < 0.6:  # along the row of knuckles: bottles, handles, phones
        axis = across + rng.normal(0, 0.12, 3)
        axis /= np.linalg.norm(axis)
        centre = inside
        offset = placed.vertices - centre
        along = offset @ axis
        out = np.linalg.norm(offset - along[:, None] * axis, axis=1)
        radius = float(out.min()) - _LEAST_GAP_M
        if radius < 0.003:
            return None
        half = rng.uniform(0.06, 0.11)
        shift = rng.uniform(-0.4, 0.4) * half
        mesh, vertices = cylinder(
            centre + (shift - half) * axis, centre + (shift + half) * axis, min(radius, 0.045)
        )
    else:
        radius = float(np.linalg.norm(placed.vertices - inside, axis=1).min()) - _LEAST_GAP_M
        if radius < 0.006:
            return None
        mesh, vertices = ellipsoid(inside, min(radius, 0.05) * np.eye(3))
    return Instance(mesh, vertices, _thing_material(cloths, rng))


def occluder(
    hands: list[PlacedHand], pose: Array, cloths: list[Any], rng: np.random.Generator
) -> Instance:
    """Something between the camera and a part of the hands."""
    joints = np.concatenate([hand.joints for hand in hands]) @ pose[:3, :3].T + pose[:3, 3]
    target = joints[int(rng.integers(len(joints)))]
    share = rng.uniform(0.55, 0.85)
    nearest = float(joints[:, 2].min())
    centre = target * min(share, (nearest - 0.03) / target[2])
    extent = 0.5 * float(np.ptp(joints[:, :2], axis=0).max()) * centre[2] / target[2]
    frame, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    half = extent * rng.uniform((0.15, 0.08, 0.03), (0.8, 0.4, 0.2))
    limit = 0.6 * (nearest - centre[2]) + 0.01
    half = np.minimum(half, max(limit, 0.004)) if rng.random() < 0.5 else half
    axes = frame.T * half[:, None]
    # Nothing of it may reach the hands or the lens.
    reach = float(np.abs(axes[:, 2]).sum())
    room = min(nearest - 0.015 - centre[2], centre[2] - 0.03)
    if reach > room:
        axes = axes * max(room, 0.002) / reach
    mesh, vertices = (box if rng.random() < 0.6 else ellipsoid)(centre, axes)
    in_scene = (vertices - pose[:3, 3]) @ pose[:3, :3]
    return Instance(mesh, in_scene, _thing_material(cloths, rng))


def _thing_material(cloths: list[Any], rng: np.random.Generator) -> Material:
    textured = rng.random() < 0.5
    return Material(
        colour=(1.0, 1.0, 1.0) if textured else _rgb(rng.uniform(0, 0.9, 3)),
        texture=cloths[int(rng.integers(len(cloths)))] if textured else None,
        roughness=float(rng.uniform(0.2, 0.95)),
    )


def _along_arm(placed: PlacedHand, body: SmoothHand, places: list[tuple[float, float]]) -> Array:
    """Rings round the forearm; the first ones may fold back."""
    rings = body.rings(placed.vertices, placed.rotation, placed.to_elbow, tuple(places))
    return np.concatenate(rings)


def _tube(rings: int, body: SmoothHand) -> Mesh:
    """A tube whose outside shows, whichever way the wrist's edge runs."""
    if body.outwards:
        return tube_mesh(rings, body.around)
    return _turned(rings, body.around)


@cache
def _turned(rings: int, around: int) -> Mesh:
    mesh = tube_mesh(rings, around)
    return Mesh.of(mesh.faces[:, [0, 2, 1]], mesh.count, uv=mesh.template["uv"])


def _rgb(colour: Array) -> tuple[float, float, float]:
    red, green, blue = np.clip(colour, 0, 1).tolist()
    return red, green, blue
