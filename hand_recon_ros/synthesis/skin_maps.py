"""Where the skin of a hand has its features: masks by anatomy, laid into the mesh's texture.

Features are painted on two flat pictures of the rest pose, seen along its y axis (palm and back),
and taken from there to the texture, so that every model in MANO's layout can wear them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.rendering.gl.mesh import texture_layout
from hand_recon_ros.rendering.raster import rasterize, vertex_normals
from hand_recon_ros.skeleton import MANO_TO_JOINTS
from hand_recon_ros.types import Array

Map = NDArray[np.float32]
TEXTURE_SIZE: Final = 512
PX_PER_M: Final = 3000.0
HALF_WIDTH_M: Final = (0.0095, 0.0085, 0.0088, 0.0083, 0.0072)
"""Half a finger's breadth, thumb first."""
_MARGIN_M = 0.02
_FADE_M = 0.015
_SHIFT = 4


@dataclass(frozen=True)
class SkinLayout:
    """How texels lie on the rest hand.

    Attributes:
        rest: (S, S, 3) float32 place of each texel on the rest pose, m.
        flat: (S, S, 2) float32 column and row of each texel in the flat pictures.
        palmar: (S, S) float32 0 on the back, 1 on the palm side.
        joints: (21, 2) the joints in the flat pictures, px.
        shape: height and width of the flat pictures.
    """

    rest: Map
    flat: Map
    palmar: Map
    joints: Array
    shape: tuple[int, int]

    def take(self, flat_picture: Map) -> Map:
        """A flat picture (h, w[, c]) laid into the texture (S, S[, c])."""
        column, row = cv2.split(self.flat)
        taken = cv2.remap(
            flat_picture, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
        return np.asarray(taken, dtype=np.float32)


def skin_layout(model: HandModelData) -> SkinLayout:
    """Rasterise the model's texture map."""
    uv, uv_faces = texture_layout(model)
    normals = vertex_normals(model.v_template, model.faces)
    surface = np.zeros((len(uv), 6))
    surface[uv_faces.reshape(-1)] = np.concatenate([model.v_template, normals], axis=1)[
        model.faces.reshape(-1)
    ]
    at_texels = _rasterised(uv, uv_faces, surface)
    corner = model.v_template.min(axis=0)[[0, 2]] - _MARGIN_M
    opposite = model.v_template.max(axis=0)[[0, 2]] + _MARGIN_M
    width, height = np.ceil((opposite - corner) * PX_PER_M).astype(int).tolist()
    ground = np.concatenate([model.j_regressor @ model.v_template, model.v_template[model.tips]])
    rest = at_texels[..., :3]
    return SkinLayout(
        rest=rest,
        flat=((rest[..., [0, 2]] - corner) * PX_PER_M).astype(np.float32),
        palmar=_palm_side(model, rest, at_texels[..., 4]),
        joints=(ground[list(MANO_TO_JOINTS)][:, [0, 2]] - corner) * PX_PER_M,
        shape=(height, width),
    )


def _palm_side(model: HandModelData, rest: Map, upwards: Map) -> Map:
    """1 on the palm side, fading out where the forearm begins."""
    wrist = float((model.j_regressor[0] @ model.v_template)[0])
    end = float(model.v_template[model.wrist_loop, 0].min())
    fade = np.clip((end - rest[..., 0]) / max(end - wrist + _FADE_M, 1e-3), 0, 1)
    return (fade / (1.0 + np.exp(8.0 * (upwards + 0.15)))).astype(np.float32)


def _rasterised(uv: Array, uv_faces: NDArray[np.integer], values: Array) -> Map:
    """(S, S, c) values (m, c) at the texture coordinates; gaps take the nearest texel."""
    size = TEXTURE_SIZE
    # Layouts may be mirrored; the rasteriser draws one winding only.
    both = np.concatenate([uv_faces, uv_faces[:, [0, 2, 1]]])
    seen = rasterize(uv * size - 0.5, np.zeros(len(uv)), both, (size, size))
    result = np.zeros((size * size, values.shape[1]), np.float32)
    bare = np.ones(size * size, bool)
    result[seen.pixel] = seen.interpolate(values)
    bare[seen.pixel] = False
    nearest = ndimage.distance_transform_edt(
        bare.reshape(size, size), return_distances=False, return_indices=True
    )
    return np.asarray(result.reshape(size, size, -1)[tuple(nearest)], dtype=np.float32)


@dataclass(frozen=True)
class SkinMaps:
    """Features in the texture, (S, S) float32 each, 0..1.

    Attributes:
        palmar: the palm side.
        lines: creases of palm and finger joints on the palm side.
        folds: their surroundings.
        pads: finger tips, balls and heel, where the palm is redder.
        wrinkles: over the knuckles, on the back.
        flush: round the knuckles, where the back is redder or darker.
        tendons: ridges on the back.
        nails: nail plates.
        lunula: the pale half moon and the free edge.
        nail_edges: folds round the nails.
    """

    palmar: Map
    lines: Map
    folds: Map
    pads: Map
    wrinkles: Map
    flush: Map
    tendons: Map
    nails: Map
    lunula: Map
    nail_edges: Map


def skin_maps(layout: SkinLayout) -> SkinMaps:
    """Paint the features that all hands share."""
    palm, back = layout.palmar, 1.0 - layout.palmar
    lines, pads = _palm_features(layout)
    features = _back_features(layout)
    on_back = {name: layout.take(picture) * back for name, picture in features.items()}
    return SkinMaps(
        palmar=palm,
        lines=layout.take(_blurred(lines, 1.2)) * palm,
        folds=layout.take(_blurred(lines, 6.0)) * palm,
        pads=layout.take(_blurred(pads, 14.0)) * palm,
        **on_back,
    )


def _palm_features(layout: SkinLayout) -> tuple[Map, Map]:
    joints = layout.joints
    wrist, index, middle, ring, little = joints[[0, 5, 9, 13, 17]]
    breadth = float(np.linalg.norm(index - little))
    radial = (index - little) / breadth

    def at(knuckle: Array, towards_wrist: float, outwards: float = 0.0) -> Array:
        return knuckle + towards_wrist * (wrist - knuckle) + outwards * breadth * radial

    heart = [at(little, 0.22, -0.3), at(ring, 0.2), at(middle, 0.14), at(middle, 0.0, 0.17)]
    head = [at(index, 0.2, 0.3), at(index, 0.26), at(middle, 0.38), at(ring, 0.5), at(little, 0.6)]
    life = [at(index, 0.22, 0.3), at(index, 0.33), at(middle, 0.55, 0.05), at(middle, 0.95, 0.05)]
    cuffs = [[at(wrist, 0.0, -0.2), at(wrist, 0.0, 0.2)]]
    lines = np.zeros(layout.shape, np.float32)
    for line in (heart, head, life, *cuffs):
        stroke(lines, smooth_curve(line), 3)
    pads = np.zeros(layout.shape, np.float32)
    for finger, half_width in enumerate(HALF_WIDTH_M):
        chain = joints[1 + 4 * finger : 5 + 4 * finger]
        half = half_width * PX_PER_M
        for k in (1, 2):
            _across(lines, chain[k], chain[k] - chain[k - 1], half, 3)
        if finger:
            for share in (0.42, 0.5):
                base = chain[0] + share * (chain[1] - chain[0])
                _across(lines, base, chain[1] - chain[0], half, 2)
        stroke(pads, np.stack([0.5 * (chain[2] + chain[3]), chain[3]]), round(half))
    for knuckle in (index, middle, ring, little):
        stroke(pads, np.stack([at(knuckle, 0.06), at(knuckle, 0.1)]), round(0.2 * breadth))
    stroke(pads, joints[1:3], round(0.34 * breadth))
    stroke(pads, np.stack([at(little, 0.45), at(little, 0.8)]), round(0.26 * breadth))
    return lines, pads


def _back_features(layout: SkinLayout) -> dict[str, Map]:
    names = ("wrinkles", "flush", "tendons", "nails", "lunula", "nail_edges")
    maps = {name: np.zeros(layout.shape, np.float32) for name in names}
    joints = layout.joints
    for finger, half_width in enumerate(HALF_WIDTH_M):
        chain = joints[1 + 4 * finger : 5 + 4 * finger]
        half = half_width * PX_PER_M
        for k, spacing in ((1, 0.3), (2, 0.2)):
            along = chain[k] - chain[k - 1]
            step = spacing * half * along / np.linalg.norm(along)
            for shift in (-1.5, -0.5, 0.5, 1.5):
                _across(maps["wrinkles"], chain[k] + shift * step, along, 0.65 * half, 2)
            stroke(maps["flush"], np.stack([chain[k], chain[k]]), round(1.5 * half))
        if finger:
            stroke(maps["flush"], np.stack([chain[0], chain[0]]), round(2.2 * half))
            ridge = np.stack([chain[0], joints[0] + 0.35 * (chain[0] - joints[0])])
            stroke(maps["tendons"], ridge, 7)
        _nail(maps, chain[2], chain[3], half)
    softness = {"wrinkles": 1.2, "flush": 7.0, "tendons": 5.0}
    return {name: _blurred(picture, softness.get(name, 0.9)) for name, picture in maps.items()}


def _nail(maps: dict[str, Map], joint: Array, tip: Array, half: float) -> None:
    bone = tip - joint
    length = float(np.linalg.norm(bone))
    axes = (0.3 * length, 0.64 * half)
    angle = float(np.degrees(np.arctan2(bone[1], bone[0])))
    for name, along, size, width in (
        ("nails", 0.68, axes, -1),
        ("nail_edges", 0.68, axes, 2),
        ("lunula", 0.46, (0.07 * length, 0.34 * half), -1),
        ("lunula", 0.965, (0.035 * length, 0.42 * half), -1),
    ):
        centre = np.round((joint + along * bone) * 2**_SHIFT).astype(int).tolist()
        fixed = [round(a * 2**_SHIFT) for a in size]
        cv2.ellipse(maps[name], centre, fixed, angle, 0, 360, (1.0,), width, cv2.LINE_8, _SHIFT)


def _across(picture: Map, at: Array, along: Array, half: float, width: int) -> None:
    side = np.array([-along[1], along[0]]) / np.linalg.norm(along) * half
    stroke(picture, np.stack([at - side, at + side]), width)


def smooth_curve(points: list[Array]) -> Array:
    """A smooth line near the points (Chaikin's corner cutting)."""
    line = np.stack(points)
    for _ in range(3):
        cut = np.stack([0.75 * line[:-1] + 0.25 * line[1:], 0.25 * line[:-1] + 0.75 * line[1:]], 1)
        line = np.concatenate([line[:1], cut.reshape(-1, 2), line[-1:]])
    return line


def stroke(picture: Map, line: Array, width: int) -> None:
    """Draw a line (n, 2), px, into a flat picture."""
    fixed = np.round(np.asarray(line) * 2**_SHIFT).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(picture, [fixed], False, (1.0,), max(width, 1), cv2.LINE_8, _SHIFT)


def _blurred(picture: Map, sigma: float) -> Map:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), dtype=np.float32)
