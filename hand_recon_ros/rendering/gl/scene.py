"""What is to be drawn, as plain data. Metres; the world's axes are a camera's optical frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.rendering.gl.mesh import Mesh

Vector = tuple[float, float, float]
MAX_LIGHTS = 4


@dataclass(frozen=True)
class Material:
    """How a surface answers light. Colours are RGB 0..1 in linear light.

    Attributes:
        colour: multiplied with the texture and the mesh's own colours.
        texture: from ``Renderer.texture``, sRGB; None = white.
        detail: from ``Renderer.texture``: red = height (0..1 of ``bump`` metres), green =
            roughness factor; None = flat and 1.
        bump: height of ``detail``'s red channel and of the noise's relief, m.
        roughness: 0.1 (polished) .. 1 (dull).
        specular: reflectance at normal incidence; 0.04 for most things, 0.028 for skin.
        wrap: how far light bleeds past the shadow's edge, per channel: skin about
            (0.45, 0.25, 0.2), else 0.
        mottle: colour change of the noise per channel, 0 = none, signed.
        grain: colour change of the fine noise.
        noise_frequency: periods of the noise texture a metre; a period holds 64 grains.
        noise_shift: moves the noise, so that instances differ.
        rim: darkens the outline, 0..1, so that fingers stand out.
        unlit: shows the colour as it is.
        opacity: share in the picture over whatever lies behind the scene (no see-through
            between meshes: the nearest wins).
        double_sided: also draws faces seen from behind.
        wireframe: draws the edges of the triangles only, a little nearer than the surface.
    """

    colour: Vector = (1.0, 1.0, 1.0)
    texture: Any = None
    detail: Any = None
    bump: float = 0.0
    roughness: float = 0.5
    specular: float = 0.04
    wrap: Vector = (0.0, 0.0, 0.0)
    mottle: Vector = (0.0, 0.0, 0.0)
    grain: float = 0.0
    noise_frequency: float = 12.0
    noise_shift: Vector = (0.0, 0.0, 0.0)
    rim: float = 0.0
    unlit: bool = False
    opacity: float = 1.0
    double_sided: bool = False
    wireframe: bool = False


@dataclass(frozen=True)
class Instance:
    """A mesh in its place.

    Attributes:
        vertices: (V, 3) world, m.
        normals: (V, 3) unit; None = computed.
        number: 1..255, what ``Picture.instance`` shows; 0 = counts as background.
        casts_shadow: False for a background.
    """

    mesh: Mesh
    vertices: NDArray[np.floating]
    material: Material = Material()
    number: int = 0
    normals: NDArray[np.floating] | None = None
    casts_shadow: bool = True


@dataclass(frozen=True)
class Light:
    """A far lamp.

    Attributes:
        direction: towards the lamp, world.
        colour: irradiance over pi, linear light: 1 lights a white surface fully.
    """

    direction: Vector
    colour: Vector = (1.0, 1.0, 1.0)


def ambient_light(
    sky: Vector, ground: Vector, up: Vector = (0.0, -1.0, 0.0)
) -> NDArray[np.float64]:
    """(9, 3) coefficients of an ambience that changes linearly from ``ground`` to ``sky``.

    The basis is 1, x, y, z, xy, yz, 3z²-1, xz, x²-y² of the normal, as in Ramamoorthi and
    Hanrahan, "An Efficient Representation for Irradiance Environment Maps", 2001, with all
    constants inside the coefficients: light = basis @ coefficients.
    """
    coefficients = np.zeros((9, 3))
    coefficients[0] = (np.array(sky) + ground) / 2
    axis = np.array(up) / np.linalg.norm(up)
    coefficients[1:4] = axis[:, None] * (np.array(sky) - ground) / 2
    return coefficients


@dataclass(frozen=True)
class Drawing:
    """Flat coloured triangles on top of the meshes, in painter's order.

    Attributes:
        points_px: (n, 3, 2) corners, px of the view's camera.
        colours: (n, 3, 4) premultiplied RGBA, 0..1, display values.
        depths_m: (n, 3) distance at which meshes hide them; 0 = never hidden.
    """

    points_px: NDArray[np.floating]
    colours: NDArray[np.floating]
    depths_m: NDArray[np.floating]


@dataclass(frozen=True)
class View:
    """One picture of a scene.

    Attributes:
        camera: its width and height are the picture's; distortion is drawn.
        pose: (4, 4) camera from world, rigid.
        lights: up to ``MAX_LIGHTS``; the first one casts the shadow.
        ambient: (9, 3), see ``ambient_light``.
        shadow_softness_m: width of the shadow's edge, finer = slower; None = no shadow.
        drawing: lines and marks.
        coarse_light: light (not its shadow) is found at the vertices, not at each pixel: a fifth
            of a processor's time less, and hard to tell while triangles are a few pixels wide.
            Without relief, for one-sided materials.
    """

    camera: Camera
    instances: Sequence[Instance]
    pose: NDArray[np.float64] = field(default_factory=lambda: np.eye(4))
    lights: Sequence[Light] = (Light((-0.4, -0.7, -0.6)),)
    ambient: NDArray[np.floating] = field(
        default_factory=lambda: ambient_light((0.35, 0.37, 0.4), (0.2, 0.18, 0.16))
    )
    shadow_softness_m: float | None = 0.001
    drawing: Drawing | None = None
    coarse_light: bool = False


@dataclass(frozen=True)
class Picture:
    """A rendered view, height h and width w.

    Attributes:
        rgba: (h, w, 4) uint8, display values (sRGB) premultiplied with alpha = coverage.
        instance: (h, w) uint8 number of what is seen at the pixel's centre; 0 = nothing. None
            where the renderer was made without labels; so are the next two.
        part: (h, w) uint8 its part.
        depth_m: (h, w) float32 its distance along the optical axis; inf = nothing.
    """

    rgba: NDArray[np.uint8]
    instance: NDArray[np.uint8] | None = None
    part: NDArray[np.uint8] | None = None
    depth_m: NDArray[np.float32] | None = None
