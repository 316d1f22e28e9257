"""Small copies of data sets in their official formats, around hands whose truth is known."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hand_recon_ros.camera import Camera
from hand_recon_ros.datasets.catalogue import DataSetChoice, open_data_set
from hand_recon_ros.datasets.common import DataSet
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.rotations import exp_so3, log_so3
from hand_recon_ros.skeleton import JOINT_NAMES, MANO_PARENTS, Side
from hand_recon_ros.types import ManoParameters

OWN = {side: load_hand_model(side) for side in ("left", "right")}
MODELS = {side: HandModel(data) for side, data in OWN.items()}


@dataclass(frozen=True)
class Known:
    """A hand in front of the camera, metres."""

    mano: ManoParameters
    vertices: np.ndarray
    joints: np.ndarray


def known_hand(side: Side, at: tuple[float, float, float], seed: int = 0) -> Known:
    """A hand in a loose pose and of its own shape, fingers up, its wrist at ``at``."""
    rng = np.random.default_rng(seed)
    sign = 1.0 if side == "right" else -1.0
    pose = rng.normal(0, 0.05, (15, 3))
    pose[:12, 2] += 0.35 * sign
    tilt = exp_so3(rng.normal(0, 0.2, 3))
    orient = log_so3(tilt @ np.array([[0, 0, sign], [sign, 0, 0], [0, 1.0, 0]]))
    betas = rng.normal(0, 0.8, 10)
    still = ManoParameters(side, orient, pose.reshape(45), betas, np.zeros(3))
    wrist = MODELS[side].forward_parameters(still)[1][0]
    return known(still.replace(transl=np.array(at) - wrist))


def known(mano: ManoParameters) -> Known:
    return Known(mano, *MODELS[mano.side].forward_parameters(mano))


def drawn(camera: Camera, *joints: np.ndarray) -> np.ndarray:
    """Pale dots on grey at the projected joints."""
    image = np.full((camera.height, camera.width, 3), 90, np.uint8)
    for points in joints:
        for x, y in camera.project(points):
            cv2.circle(image, (round(16 * x), round(16 * y)), 48, (230, 200, 180), -1, 16, 4)
    return image


def write_image(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    options = [cv2.IMWRITE_JPEG_QUALITY, 98]
    assert cv2.imwrite(str(path), np.ascontiguousarray(image[..., ::-1]), options)


def write_json(path: Path, data: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))


def write_mano(path: Path, side: Side, *, repeat_right: bool = False) -> HandModelData:
    """Our hand as MANO_RIGHT.pkl or MANO_LEFT.pkl; with the known fault of the left one."""
    data = OWN[side]
    flip = np.array([-1.0, 1.0, 1.0])[:, None] if repeat_right else 1.0
    content = {
        "v_template": data.v_template,
        "shapedirs": data.shapedirs * flip,
        "posedirs": data.posedirs,
        "J_regressor": data.j_regressor,
        "weights": data.weights,
        "kintree_table": np.array([[4294967295, *MANO_PARENTS[1:]], range(16)], dtype=np.uint32),
        "f": data.faces.astype(np.uint32),
        "hands_components": data.hands_components,
        "hands_mean": data.hands_mean,
    }
    path.write_bytes(pickle.dumps(content, protocol=2))
    return load_hand_model(side, path)


def write_both_mano(folder: Path) -> dict[Side, HandModelData]:
    """The user's MANO files, read again; the left one has the fault of the real one."""
    right = write_mano(folder / "MANO_RIGHT.pkl", "right")
    write_mano(folder / "MANO_LEFT.pkl", "left", repeat_right=True)
    reference = folder / "MANO_RIGHT.pkl"
    left = load_hand_model("left", folder / "MANO_LEFT.pkl", reference_right=reference)
    return {"left": left, "right": right}


def opened(name: str, root: Path | None, models: dict | None = None, **choice: Any) -> DataSet:
    return open_data_set(DataSetChoice(name, root, **choice), models or {})


# --- FreiHAND ---------------------------------------------------------------------------------

CROP = np.array([[480.0, 0, 112.0], [0, 470.0, 110.0], [0, 0, 1]])


def crop_camera() -> Camera:
    return Camera(224, 224, CROP)


def freihand_tree(root: Path, split: str, hands: list[Known], versions: int = 1) -> None:
    for number in range(versions * len(hands)):
        image = drawn(crop_camera(), hands[number % len(hands)].joints)
        write_image(root / split / "rgb" / f"{number:08d}.jpg", image)
    mean = OWN["right"].hands_mean
    mano = [
        [*hand.mano.global_orient, *(hand.mano.hand_pose - mean), *hand.mano.betas, 0, 0, 0.03]
        for hand in hands
    ]
    labels = {
        "K": [CROP.tolist()] * len(hands),
        "xyz": [hand.joints.tolist() for hand in hands],
        "verts": [hand.vertices.tolist() for hand in hands],
        "mano": [[row] for row in np.array(mano).tolist()],
    }
    for what, values in labels.items():
        write_json(root / f"{split}_{what}.json", values)


# --- InterHand2.6M ----------------------------------------------------------------------------

_FINGERS = {"thumb": "thumb", "index": "index", "middle": "middle", "ring": "ring",
            "pinky": "little"}  # fmt: skip
INTERHAND_NAMES = (*(f"{finger}{k}" for finger in _FINGERS for k in (4, 3, 2, 1)), "wrist")
"""Of one hand; the right hand's 21 come before the left's."""
IMAGE_SIZE = (334, 512)
FOCAL, CENTRE = (1290.0, 1280.0), (160.0, 250.0)
TO_CAMERA = exp_so3(np.array([0.3, -0.5, 0.2]))
POSITION_MM = np.array([120.0, -340.0, 900.0])


def interhand_camera() -> Camera:
    K = np.array([[FOCAL[0], 0, CENTRE[0]], [0, FOCAL[1], CENTRE[1]], [0, 0, 1]])
    return Camera(*IMAGE_SIZE, K)


def to_world_mm(points_m: np.ndarray) -> np.ndarray:
    return points_m @ TO_CAMERA * 1000 + POSITION_MM


def in_interhand_order(joints: np.ndarray) -> np.ndarray:
    names = [name.replace("pinky", "little") for name in INTERHAND_NAMES]
    return joints[[JOINT_NAMES.index(name) for name in names]]


def world_parameters(mano: ManoParameters) -> dict[str, list[float]]:
    """The same hand in the world's frame, as NeuralAnnot stores it: metres, relative to the mean.

    The wrist turns about itself: v = R (v0 - J) + J + t.
    """
    wrist = known(mano.replace(global_orient=np.zeros(3), transl=np.zeros(3))).joints[0]
    orient = log_so3(TO_CAMERA.T @ exp_so3(mano.global_orient))
    trans = to_world_mm(wrist + mano.transl) / 1000 - wrist
    pose = np.concatenate([orient, mano.hand_pose - OWN[mano.side].hands_mean])
    return {"pose": pose.tolist(), "shape": mano.betas.tolist(), "trans": trans.tolist()}


@dataclass(frozen=True)
class Moment:
    """One frame number of a sequence."""

    frame: int
    right: Known | None = None
    left: Known | None = None
    invalid: tuple[int, ...] = ()
    """Of the 42 joints of the annotation."""
    sequence: str = "ROM01"


def interhand_tree(root: Path, moments: list[Moment], split: str = "test", sub: str = "") -> None:
    images, annotations, joints, mano = [], [], {}, {}
    for number, moment in enumerate(moments):
        both = (moment.right, moment.left)
        world = [
            np.ones((21, 3)) if h is None else in_interhand_order(to_world_mm(h.joints))
            for h in both
        ]
        valid = np.repeat([h is not None for h in both], 21).astype(int)
        valid[list(moment.invalid)] = 0
        kind = "interacting" if all(both) else "right" if moment.right else "left"
        file = f"Capture0/{moment.sequence}/cam400262/image{moment.frame}.jpg"
        images.append(
            {"id": 100 + number, "file_name": file, "width": 334, "height": 512, "capture": 0,
             "subject": 1, "seq_name": moment.sequence, "camera": "400262",
             "frame_idx": moment.frame}
        )  # fmt: skip
        annotations.append(
            {"id": number, "image_id": 100 + number, "bbox": [0, 0, 9, 9], "hand_type": kind,
             "joint_valid": valid.tolist(), "hand_type_valid": 1}
        )  # fmt: skip
        joints[str(moment.frame)] = {
            "world_coord": np.concatenate(world).tolist(),
            "joint_valid": valid[:, None].tolist(),
            "hand_type": kind,
        }
        mano[str(moment.frame)] = {
            side: None if hand is None else world_parameters(hand.mano)
            for side, hand in zip(("right", "left"), both, strict=True)
        }
        shown = [h.joints for h in both if h is not None]
        write_image(root / "images" / split / file, drawn(interhand_camera(), *shown))
    cameras = {"campos": {"400262": POSITION_MM.tolist()}, "camrot": {"400262": TO_CAMERA.tolist()},
               "focal": {"400262": FOCAL}, "princpt": {"400262": CENTRE}}  # fmt: skip
    start = str(root / "annotations" / (sub or split) / f"InterHand2.6M_{split}_")
    write_json(Path(start + "data.json"), {"images": images, "annotations": annotations})
    write_json(Path(start + "camera.json"), {"0": cameras})
    write_json(Path(start + "joint_3d.json"), {"0": joints})
    write_json(Path(start + "MANO_NeuralAnnot.json"), {"0": mano})


# --- HIC --------------------------------------------------------------------------------------


def hic_camera() -> Camera:
    return Camera(640, 480, np.array([[525.0, 0, 319.5], [0, 525, 239.5], [0, 0, 1]]))


def write_ply(path: Path, vertices: np.ndarray, faces: np.ndarray, kind: str) -> None:
    """ASCII or binary, with colours between the coordinates and the faces."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = (
        f"ply\nformat {kind} 1.0\ncomment made by a test\nelement vertex {len(vertices)}\n"
        "property float x\nproperty float y\nproperty float z\nproperty uchar red\n"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    if kind == "ascii":
        rows = [f"{x:.9g} {y:.9g} {z:.9g} 200" for x, y, z in vertices]
        rows += [f"3 {a} {b} {c}" for a, b, c in faces]
        path.write_text(header + "\n".join(rows) + "\n")
        return
    order = "<" if kind == "binary_little_endian" else ">"
    points = np.zeros(len(vertices), [("xyz", f"{order}f4", 3), ("red", "u1")])
    points["xyz"] = vertices
    triangles = np.zeros(len(faces), [("n", "u1"), ("ids", f"{order}i4", 3)])
    triangles["n"], triangles["ids"] = 3, faces
    path.write_bytes(header.encode() + points.tobytes() + triangles.tobytes())


def hic_tree(root: Path, frames: dict[str, dict[Side, Known | None]], kind: str = "ascii") -> None:
    """``frames`` by picture: hands that are there; None = without a mesh."""
    images, annotations = [], []
    for number, (file, hands) in enumerate(frames.items()):
        images.append({"id": number, "file_name": file, "width": 640, "height": 480})
        label: dict[str, Any] = {
            "id": number,
            "image_id": number,
            "hand_type": "interacting" if len(hands) == 2 else next(iter(hands)),
            "right_mano_path": None,
            "left_mano_path": None,
        }
        for side, hand in hands.items():
            if hand is not None:
                path = f"meshes/{number}_{side}.ply"
                label[f"{side}_mano_path"] = path
                write_ply(root / path, hand.vertices, OWN[side].faces, kind)
        annotations.append(label)
        write_image(
            root / file, drawn(hic_camera(), *(h.joints for h in hands.values() if h is not None))
        )
    write_json(root / "HIC.json", {"images": images, "annotations": annotations})
