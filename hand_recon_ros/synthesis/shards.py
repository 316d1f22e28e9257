"""Samples in files: compressed shards with a documented schema.

A shard is a tar archive (as WebDataset reads it) named ``shard-000000.tar``; sample ``000000`` is
made of these members, each named by the sample's running number and a suffix:

* ``.jpg``: the picture, RGB, quality 95;
* ``.mask.png``: 8-bit, two channels side by side: left half ``instance``, right half ``part``;
* ``.depth.png``: 16-bit, tenths of a millimetre, 0 = the backdrop, 65535 = 6.5535 m or more;
* ``.json``: ``schema`` (its version), ``camera`` (width, height, K, D, model), ``meta`` and
  ``hands``, each with ``side``, ``number``, ``box_px``, ``joints_px``, ``joints_m``, ``visible``,
  ``mano`` (global_orient, hand_pose, betas, transl, model), ``pose_kind``, ``tone`` and ``seen``;
  meanings, shapes and units as in ``sample.HandLabel`` and ``sample.Sample``.

Times and owners are zeroed, so that the same samples give the same bytes.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.io.replacing import replacing
from hand_recon_ros.synthesis.sample import HandLabel, Sample
from hand_recon_ros.types import Array, ManoParameters

SCHEMA: Final = 1
PER_SHARD: Final = 1000
_TENTHS_OF_MM: Final = 1e4
_JPEG: Final = [cv2.IMWRITE_JPEG_QUALITY, 95]
_PNG: Final = [cv2.IMWRITE_PNG_COMPRESSION, 4]
_DECIMALS_M, _DECIMALS_PX = 7, 4


class ShardError(ValueError):
    """A shard cannot be read; the message names the file and the remedy."""


def write_shards(
    samples: Iterable[Mapping[str, bytes]], folder: Path, per_shard: int = PER_SHARD
) -> Iterator[Path]:
    """Write ``encoded`` samples in order; yields each shard when it is complete.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbered = enumerate(samples)
    for shard in count():
        first = next(numbered, None)
        if first is None:
            return
        path = folder / f"shard-{shard:06d}.tar"
        with (
            replacing(path) as partial,
            tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as tar,
        ):
            for number, members in chain([first], islice(numbered, per_shard - 1)):
                for suffix, data in members.items():
                    member = tarfile.TarInfo(f"{number:06d}{suffix}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
        yield path


def read_shard(path: Path) -> Iterator[Sample]:
    """The samples of a shard, in order.

    Raises:
        ShardError: the file is missing, damaged or of another schema.
    """
    if not path.is_file():
        raise ShardError(f"{path}: no such shard; make some with 'hand_recon synthesize'")
    members: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                file = tar.extractfile(member)
                if file is None:
                    continue
                _, _, suffix = member.name.partition(".")
                members[suffix] = file.read()
                if len(members) == 4:
                    yield decoded({f".{s}": data for s, data in members.items()})
                    members = {}
    except (tarfile.TarError, EOFError, KeyError, ValueError) as error:
        raise ShardError(f"{path}: damaged or not a shard ({error}); make it again") from error
    if members:
        raise ShardError(f"{path}: its last sample is not whole; make the shard again")


def encoded(sample: Sample) -> dict[str, bytes]:
    """The members of one sample by suffix."""
    masks = np.concatenate([sample.instance, sample.part], axis=1)
    return {
        ".json": json.dumps(labels_to_json(sample), separators=(",", ":")).encode(),
        ".jpg": _packed(".jpg", sample.image[..., ::-1], _JPEG),
        ".mask.png": _packed(".png", masks, _PNG),
        ".depth.png": _packed(".png", _to_tenths(sample.depth_m), _PNG),
    }


def decoded(members: dict[str, bytes]) -> Sample:
    """The sample of these members; the picture has been through JPEG."""
    labels = json.loads(members[".json"])
    if labels.get("schema") != SCHEMA:
        raise ValueError(f"schema {labels.get('schema')}, this version reads {SCHEMA}")
    camera = labels["camera"]
    masks = _unpacked(members[".mask.png"], cv2.IMREAD_UNCHANGED)
    width = masks.shape[1] // 2
    tenths = _unpacked(members[".depth.png"], cv2.IMREAD_UNCHANGED)
    depth = np.where(tenths == 0, np.inf, tenths / _TENTHS_OF_MM).astype(np.float32)
    return Sample(
        image=np.ascontiguousarray(_unpacked(members[".jpg"], cv2.IMREAD_COLOR)[..., ::-1]),
        camera=Camera(
            camera["width"],
            camera["height"],
            np.array(camera["K"]),
            np.array(camera["D"]),
            camera["model"],
        ),
        hands=tuple(_hand_from_json(hand) for hand in labels["hands"]),
        instance=np.ascontiguousarray(masks[:, :width]),
        part=np.ascontiguousarray(masks[:, width:]),
        depth_m=depth,
        meta=labels["meta"],
    )


def labels_to_json(sample: Sample) -> dict[str, Any]:
    """Everything but the pictures, as plain data."""
    camera = sample.camera
    return {
        "schema": SCHEMA,
        "camera": {
            "width": camera.width,
            "height": camera.height,
            "K": camera.K.tolist(),
            "D": camera.D.tolist(),
            "model": camera.model,
        },
        "meta": sample.meta,
        "hands": [_hand_to_json(hand) for hand in sample.hands],
    }


def _hand_to_json(hand: HandLabel) -> dict[str, Any]:
    mano = hand.mano
    return {
        "side": hand.side,
        "number": hand.number,
        "box_px": _rounded(hand.box_px, _DECIMALS_PX),
        "joints_px": _rounded(hand.joints_px, _DECIMALS_PX),
        "joints_m": _rounded(hand.joints_m, _DECIMALS_M),
        "visible": hand.visible.astype(int).tolist(),
        "mano": {
            "global_orient": _rounded(mano.global_orient, _DECIMALS_M),
            "hand_pose": _rounded(mano.hand_pose, _DECIMALS_M),
            "betas": _rounded(mano.betas, _DECIMALS_M),
            "transl": _rounded(mano.transl, _DECIMALS_M),
            "model": mano.model,
        },
        "pose_kind": hand.pose_kind,
        "tone": hand.tone,
        "seen": round(hand.seen, 4),
    }


def _hand_from_json(stored: dict[str, Any]) -> HandLabel:
    arrays = {
        name: np.array(stored["mano"][name], dtype=np.float64)
        for name in ("global_orient", "hand_pose", "betas", "transl")
    }
    return HandLabel(
        side=stored["side"],
        number=stored["number"],
        box_px=np.array(stored["box_px"], dtype=np.float64),
        joints_px=np.array(stored["joints_px"], dtype=np.float64),
        joints_m=np.array(stored["joints_m"], dtype=np.float64),
        visible=np.array(stored["visible"], dtype=bool),
        mano=ManoParameters(side=stored["side"], model=stored["mano"]["model"], **arrays),
        pose_kind=stored["pose_kind"],
        tone=stored["tone"],
        seen=stored["seen"],
    )


def _rounded(values: Array, decimals: int) -> list[Any]:
    # + 0.0 turns -0.0 into 0.0
    rounded: list[Any] = (np.round(values, decimals) + 0.0).tolist()
    return rounded


def _to_tenths(depth_m: NDArray[np.float32]) -> NDArray[np.uint16]:
    finite = np.where(np.isfinite(depth_m), depth_m, 0.0)
    return np.clip(np.round(finite * _TENTHS_OF_MM), 0, 65535).astype(np.uint16)


def _packed(kind: str, image: NDArray[Any], options: list[int]) -> bytes:
    done, data = cv2.imencode(kind, np.ascontiguousarray(image), options)
    if not done:
        raise ValueError(f"a picture could not be written as {kind}")
    return data.tobytes()


def _unpacked(data: bytes, how: int) -> NDArray[Any]:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), how)
    if image is None:
        raise ValueError("a picture in it cannot be read")
    return np.asarray(image)
