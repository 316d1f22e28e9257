"""A second hand mesh, so that networks do not learn one sculpture by heart.

It is the generic hand of the npm package ``@webxr-input-profiles/assets`` (MIT licence), read
where the user has installed it and never copied: 25 joints, folded into MANO's 16.
"""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.embedded.skinning import joint_regressor
from hand_recon_ros.skeleton import FINGERS, MANO_JOINT_NAMES
from hand_recon_ros.types import Array

NAME: Final = "webxr-generic-hand"
_FILE: Final = Path("dist/profiles/generic-hand/right.glb")
_TYPES: Final = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS: Final = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_TO_MANO: Final = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]])
"""Its fingers point along -y, its thumb along -z, its palm along -x."""
_CAP_M = 0.025


class SecondMeshError(ValueError):
    """The file is there but cannot be used; the message names it and the remedy."""


def second_model(folder: Path) -> HandModelData | None:
    """The right hand in MANO's layout (other numbers of vertices); None where not installed.

    Its ten betas scale it as a whole, in length, breadth and thickness; six have no effect.

    Raises:
        SecondMeshError: the file cannot be read.
    """
    path = folder / _FILE
    if not path.is_file():
        return None
    try:
        return _model(*_read_glb(path))
    except (ValueError, KeyError, IndexError, struct.error) as error:
        raise SecondMeshError(
            f"{path}: not the hand it should be ({error}); install "
            "@webxr-input-profiles/assets 1.0.20 again or remove it"
        ) from error


def _read_glb(path: Path) -> tuple[dict[str, Any], bytes]:
    """JSON and binary part of a glTF 2.0 binary file."""
    data = path.read_bytes()
    magic, version, _ = struct.unpack_from("<4sII", data)
    if magic != b"glTF" or version != 2:
        raise ValueError("no glTF 2.0 binary file")
    length = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + length]), data[20 + length + 8 :]


def _accessor(content: dict[str, Any], binary: bytes, index: int) -> NDArray[Any]:
    accessor = content["accessors"][index]
    view = content["bufferViews"][accessor["bufferView"]]
    kind, width = np.dtype(_TYPES[accessor["componentType"]]), _WIDTHS[accessor["type"]]
    if view.get("byteStride", kind.itemsize * width) != kind.itemsize * width:
        raise ValueError("interleaved vertices are not supported")
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    values = np.frombuffer(binary, kind, accessor["count"] * width, start)
    return values.reshape(accessor["count"], width)


def _model(content: dict[str, Any], binary: bytes) -> HandModelData:
    primitive = content["meshes"][0]["primitives"][0]
    attributes = primitive["attributes"]

    def read(index: int) -> NDArray[Any]:
        return _accessor(content, binary, index)

    places = read(attributes["POSITION"]).astype(np.float64) @ _TO_MANO.T
    faces = read(primitive["indices"]).reshape(-1, 3).astype(np.int64)
    skin = content["skins"][0]
    names = [content["nodes"][node]["name"] for node in skin["joints"]]
    bind = np.linalg.inv(read(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1))
    at = dict(zip(names, bind[:, :3, 3] @ _TO_MANO.T, strict=True))
    weights = np.zeros((len(places), 16))
    joint_of = np.array([_mano_joint(name) for name in names])
    for column in range(4):
        bones = joint_of[read(attributes["JOINTS_0"])[:, column]]
        weights[np.arange(len(places)), bones] += read(attributes["WEIGHTS_0"])[:, column]

    vertices, weights, faces = _welded(places, weights, faces)
    faces, loop = _opened(vertices, faces)
    joints = np.stack([at[_source_name(name)] for name in MANO_JOINT_NAMES])
    tips = np.array(
        [
            int(np.linalg.norm(vertices - at[f"{_finger(name)}-tip"], axis=1).argmin())
            for name in FINGERS
        ]
    )
    directions = _directions(vertices, joints[0])
    regressor = joint_regressor(vertices, joints, directions, _directions(joints, joints[0]))
    return HandModelData(
        name=NAME,
        side="right",
        v_template=vertices,
        shapedirs=directions,
        posedirs=np.zeros((len(vertices), 3, 135)),
        j_regressor=regressor,
        weights=weights / weights.sum(axis=1, keepdims=True),
        faces=faces,
        hands_mean=np.zeros(45),
        hands_components=np.eye(45),
        tips=tips,
        wrist_loop=loop,
        palm=np.nonzero(weights[:, 0] > 0.99)[0],
    )


def _finger(name: str) -> str:
    if name == "thumb":
        return name
    return {"little": "pinky"}.get(name, name) + "-finger"


def _source_name(mano_name: str) -> str:
    """Its name of one of MANO's joints."""
    if mano_name == "wrist":
        return "wrist"
    finger, level = mano_name[:-1], int(mano_name[-1])
    if finger == "thumb":
        return f"thumb-{('metacarpal', 'phalanx-proximal', 'phalanx-distal')[level - 1]}"
    phalanx = ("proximal", "intermediate", "distal")[level - 1]
    return f"{_finger(finger)}-phalanx-{phalanx}"


def _mano_joint(name: str) -> int:
    """MANO's joint that a bone moves with: finger metacarpals are part of the palm."""
    sources = [_source_name(mano) for mano in MANO_JOINT_NAMES]
    if name in sources:
        return sources.index(name)
    if name.endswith("-tip"):
        finger = name.removesuffix("-tip")
        return sources.index(f"{finger}-phalanx-distal")
    return 0


def _directions(points: Array, wrist: Array) -> Array:
    """(n, 3, 10) change of points with the betas: size, length, breadth, thickness."""
    away = points - wrist
    result = np.zeros((len(points), 3, 10))
    result[..., 0] = 0.045 * away
    for column, axis, share in ((1, 0, 0.03), (2, 2, 0.04), (3, 1, 0.06)):
        result[:, axis, column] = share * away[:, axis]
    return result


def _welded(
    places: Array, weights: Array, faces: NDArray[np.int64]
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Join the copies of vertices along texture seams."""
    _, first, inverse = np.unique(places.round(6), axis=0, return_index=True, return_inverse=True)
    joined = inverse.reshape(-1)[faces]
    whole = (joined != np.roll(joined, 1, axis=1)).all(axis=1)
    return places[first], weights[first], joined[whole]


def _opened(
    vertices: Array, faces: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Faces without the cap over the wrist, and the loop of vertices round the opening."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-15)
    end = vertices[:, 0].max()
    cap = (normal[:, 0] > 0.9) & (((a + b + c) / 3)[:, 0] > end - _CAP_M)
    kept = faces[~cap]
    edges = {(int(f[k]), int(f[(k + 1) % 3])) for f in kept for k in range(3)}
    following = defaultdict(list)
    for start, to in edges:
        if (to, start) not in edges:
            following[start].append(to)
    if not following or any(len(to) != 1 for to in following.values()):
        raise ValueError("its wrist does not open into one loop")
    loop = [min(following)]
    while following[loop[-1]][0] != loop[0]:
        loop.append(following[loop[-1]][0])
    if len(loop) != len(following):
        raise ValueError("its wrist does not open into one loop")
    return kept, np.array(loop)
