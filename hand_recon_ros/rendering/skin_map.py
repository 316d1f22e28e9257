"""The skin of ``skin_texture`` on a hand model's texture coordinates, or the user's image.

``python -m hand_recon_ros.rendering.skin_map FILE.png`` writes a template for own textures.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.rendering.gl.mesh import texture_layout
from hand_recon_ros.rendering.raster import rasterize, vertex_normals
from hand_recon_ros.rendering.skin_texture import paint_skin

SIDE_PX = 1024
_TONE = np.array([0.62, 0.36, 0.25])
"""Colour of the skin, linear light."""
_MIN_PX = 16


class TextureError(ValueError):
    """A texture file cannot be used; the message names it and the remedy."""


def load_texture(path: str | Path) -> NDArray[np.uint8]:
    """Read the user's texture, (H, W, 3) RGB.

    Raises:
        TextureError: the file is missing or no image.
    """
    path = Path(path)
    if not path.is_file():
        raise TextureError(f"render.texture: there is no file '{path}'; empty = the built-in skin")
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None or min(image.shape[:2]) < _MIN_PX:
        raise TextureError(
            f"render.texture: '{path}' is no image of at least {_MIN_PX} x {_MIN_PX} px: "
            "use PNG or JPEG"
        )
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def bake_skin(model: HandModelData, side_px: int = SIDE_PX) -> NDArray[np.uint8]:
    """Paint the general skin on a model's texture coordinates: (side_px, side_px, 3) sRGB."""
    uv, uv_faces = texture_layout(model)
    surface = np.zeros((len(uv), 4), np.float32)
    normals = vertex_normals(model.v_template, model.faces)
    surface[uv_faces.reshape(-1)] = np.concatenate([model.v_template, normals[:, 1:2]], axis=1)[
        model.faces.reshape(-1)
    ]
    # Layouts may be mirrored; the rasteriser draws one winding only.
    both = np.concatenate([uv_faces, uv_faces[:, [0, 2, 1]]])
    flat = np.zeros(len(uv))
    seen = rasterize(uv * side_px - 0.5, flat, both, (side_px, side_px))
    at = seen.interpolate(surface)
    palmar = 1.0 / (1.0 + np.exp(8.0 * (at[:, 3] + 0.15)))
    skin = paint_skin(model)
    colour = np.clip(_TONE * skin.sample(skin.pixels(at[:, :3].astype(np.float64)), palmar), 0, 1)
    display = (255 * colour ** (1 / 2.2) + 0.5).astype(np.uint8)
    image = np.zeros((side_px * side_px, 3), np.uint8)
    image[seen.pixel] = display
    bare = np.ones(side_px * side_px, bool)
    bare[seen.pixel] = False
    # Colours are carried on past the seams, or smoothing would draw the void in.
    nearest = ndimage.distance_transform_edt(
        bare.reshape(side_px, side_px), return_distances=False, return_indices=True
    )
    return np.asarray(image.reshape(side_px, side_px, 3)[tuple(nearest)], np.uint8)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the built-in skin of the embedded hand: a template to paint one's own texture on."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("file", type=Path, help="PNG to write, for the option render.texture")
    path = parser.parse_args(arguments).file
    skin = bake_skin(load_hand_model("right"))
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(skin, cv2.COLOR_RGB2BGR)):
        parser.error(f"'{path}' cannot be written")


if __name__ == "__main__":
    main()
