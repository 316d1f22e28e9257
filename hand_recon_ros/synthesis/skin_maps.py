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
from hand_recon_ros.rendering.skin_strokes import back_features, blurred, palm_features
from hand_recon_ros.skeleton import MANO_TO_JOINTS
from hand_recon_ros.types import Array

Map = NDArray[np.float32]
TEXTURE_SIZE: Final = 512
PX_PER_M: Final = 3000.0
_MARGIN_M = 0.02
_FADE_M = 0.015
_SOFTNESS_PX: Final = {"wrinkles": 1.9, "flush": 7.0, "tendons": 5.0, "valleys": 9.0}


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
        valleys: hollows between the tendons.
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
    valleys: Map
    nails: Map
    lunula: Map
    nail_edges: Map


def skin_maps(layout: SkinLayout, rng: np.random.Generator | None = None) -> SkinMaps:
    """Paint the features of a hand; with ``rng`` somebody's own creases of the palm."""
    palm, back = layout.palmar, 1.0 - layout.palmar
    lines, pads = palm_features(layout.joints, layout.shape, PX_PER_M, rng)
    on_back = {
        name: layout.take(blurred(picture, _SOFTNESS_PX.get(name, 0.9))) * back
        for name, picture in back_features(layout.joints, layout.shape, PX_PER_M).items()
    }
    return SkinMaps(
        palmar=palm,
        lines=layout.take(blurred(lines, 1.2)) * palm,
        folds=layout.take(blurred(lines, 6.0)) * palm,
        pads=layout.take(blurred(pads, 14.0)) * palm,
        **on_back,
    )
