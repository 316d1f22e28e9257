"""The published ACR network: our implementation against values observed on the official one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from official_acr import FIXTURE, filled_state, needs_fixture, published_keys, rules

from hand_recon_ros.acr_official.hands import ORIGIN_JOINT, HandLift, projected
from hand_recon_ros.acr_official.network import AcrMaps, HandMaps, OfficialAcr
from hand_recon_ros.acr_official.picture import Padding, squared
from hand_recon_ros.acr_official.readout import (
    HandReading,
    Readings,
    hands_of,
    read_maps,
    rotations_of,
)
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.loader import MANO_TIPS
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.mano.start import placed_on_rays
from hand_recon_ros.rotations import exp_so3, log_so3
from hand_recon_ros.skeleton import SIDES, Side

pytestmark = needs_fixture
FOCAL, MIDDLE = 1265.0, 256.0
"""The official demo's camera of its 512 px picture."""
CASES = (
    "natural", "near", "far", "dist32", "dist33", "same", "left_only", "right_only", "none",
    "two_peaks",
)  # fmt: skip
Arrays = dict[str, Any]


def test_names_shapes_and_types_are_the_published_ones() -> None:
    ours = [
        (name, list(tensor.shape), str(tensor.dtype))
        for name, tensor in OfficialAcr().state_dict().items()
    ]
    assert ours == [(k["key"], k["shape"], f"torch.{k['dtype']}") for k in published_keys()]


def test_everything_equals_the_official_network(tmp_path: Path) -> None:
    expected = dict(np.load(FIXTURE / "expected.npz"))
    candidate: Arrays = {}
    maps = add_maps(candidate)
    add_readings(candidate, maps, expected)
    add_rotations(candidate, expected)
    add_pictures(candidate, expected)
    add_hands(candidate, expected)
    np.savez(tmp_path / "candidate.npz", **candidate)
    check = [sys.executable, FIXTURE / "verify_fixture.py", tmp_path / "candidate.npz"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "PASS", done.stdout
    left_out = {name.partition("/")[0] for name in set(expected) - set(candidate)}
    # the official smoothing and its camera by RANSAC are not ours
    assert left_out == {"in", "meta", "filt", "cv"}
    assert "cv/cam_trans_lsq" in candidate


def add_maps(out: Arrays) -> AcrMaps:
    """Groups map/ and dbg/."""
    network = OfficialAcr().eval()
    network.load_state_dict(filled_state())
    image = torch.from_numpy(rules().make_image())[None]
    with torch.inference_mode(), watched(network) as (given, told):
        maps: AcrMaps = network(image)
    located = given["contact_layers.1"]
    dense = {
        "map/backbone": told["backbone"][0],
        "map/segms": maps.segments,
        "dbg/coordmaps": located[:, 32:],
        "dbg/stem": given["backbone.layer1"],
        "dbg/layer1": told["backbone.layer1"],
        **{f"dbg/stage2_{i}": x for i, x in enumerate(told["backbone.stage2"])},
        **{f"dbg/stage3_{i}": x for i, x in enumerate(told["backbone.stage3"])},
        "dbg/contact_feat": told["contact_layers.1"],
        "dbg/shape_feat": told["cam_shape_layers.1"],
    }
    pooled: dict[str, list[Any]] = {"contact": [], "shape": []}
    for own, (s, hand) in enumerate((("l", maps.left), ("r", maps.right))):
        dense[f"map/{s}_params_maps"] = hand.parameters
        dense[f"map/{s}_prior_maps"] = hand.prior
        dense[f"map/{s}_center_map"] = hand.centre
        dense[f"dbg/{s}_global_params"] = given[f"contact_layers.{4 + own}"][:, :109]
        out[f"map/{s}_center_map.full"] = hand.centre[0].numpy()
        out[f"dbg/{s}_pose_part"] = told[f"contact_layers.{2 + own}"][0].numpy()
        out[f"dbg/{s}_shape_part"] = told[f"cam_shape_layers.{2 + own}"][0].numpy()
        # columns of right parts come first
        pooled["contact"].insert(0, given[f"contact_layers.{2 + own}"][0])
        pooled["shape"].insert(0, given[f"cam_shape_layers.{2 + own}"][0].view(64, 16))
    for name, columns in pooled.items():
        out[f"dbg/pooled_{name}"] = torch.cat(columns, 1).numpy()
    for name, map_ in dense.items():
        out[name] = rules().sample(map_[0].numpy())
        out[f"{name}.stats"] = rules().stats(map_[0].numpy())
    return maps


@contextmanager
def watched(network: OfficialAcr) -> Iterator[tuple[Arrays, Arrays]]:
    """First input and output of every module that runs meanwhile, by its name."""
    given: Arrays = {}
    told: Arrays = {}

    def keep(name: str) -> Any:
        def hook(_: Any, inputs: Any, output: Any) -> None:
            given[name], told[name] = inputs[0], output

        return hook

    hooks = [m.register_forward_hook(keep(name)) for name, m in network.named_modules()]
    yield given, told
    for hook in hooks:
        hook.remove()


def add_readings(out: Arrays, maps: AcrMaps, expected: Arrays) -> None:
    """Group parse/."""
    for case in CASES:
        left, right = maps.left, maps.right
        if case != "natural":
            left, right = (
                hand._replace(centre=peaks(expected[f"in/case/{case}/{s}"]))
                for s, hand in (("l", left), ("r", right))
            )
        for name, rows in parsed(left, right).items():
            out[f"parse/{case}/{name}"] = rows


def peaks(places: Any) -> torch.Tensor:
    centre = torch.zeros(1, 1, 64, 64)
    for y, x, value in places:
        centre[0, 0, int(y), int(x)] = value
    return centre


def parsed(left: HandMaps, right: HandMaps) -> Arrays:
    found = {
        hand.side: hand for hand in hands_of(Readings(*(t.numpy() for t in read_maps(left, right))))
    }
    rows: Arrays = {
        "params_pred": np.zeros((2, 109)),
        "poses": np.zeros((2, 48)),
        "cam": np.zeros((2, 3)),
        "betas": np.zeros((2, 10)),
        "detected": np.array([side in found for side in SIDES], np.uint8),
        "centers_xy": np.zeros((2, 2), np.int64),
        "conf": np.zeros(2),
    }
    for side, hand in found.items():
        i = SIDES.index(side)
        rows["params_pred"][i] = hand.parameters
        rows["poses"][i] = hand.poses
        rows["cam"][i] = hand.camera
        rows["betas"][i] = hand.betas
        rows["centers_xy"][i] = hand.centre
        rows["conf"][i] = hand.score
    return rows


def add_rotations(out: Arrays, expected: Arrays) -> None:
    """Group rot/."""
    out["rot/matrix"] = rotations_of(expected["in/rot6d"])
    out["rot/axis_angle"] = log_so3(out["rot/matrix"])
    out["rot/identity"] = log_so3(rotations_of(np.array([[1.0, 0, 0, 1, 0, 0]])))


def add_pictures(out: Arrays, expected: Arrays) -> None:
    """Group pre/."""
    places = [(-1, -1), (0, 0), (0.5, -0.25), (1, 1)]
    for group in {name.split("/")[1] for name in expected if name.startswith("pre/")}:
        height, width = map(int, group.split("x"))
        random = np.random.RandomState(10000 * height + width)
        small = np.floor(256 * random.random_sample((height // 8 + 1, width // 8 + 1, 3)))
        frame = small.astype(np.uint8).repeat(8, 0).repeat(8, 1)[:height, :width]
        picture, p = squared(np.ascontiguousarray(frame[..., ::-1]))  # the rule makes BGR
        out[f"pre/{group}/image"] = picture[::7, ::7]
        out[f"pre/{group}/offsets"] = np.array(
            [p.side, p.side, 0, 0, 0, 0, p.top, p.right, p.bottom, p.left], np.float32
        )
        out[f"pre/{group}/pj2d_org"] = p.to_image(places)


def add_hands(out: Arrays, expected: Arrays) -> None:
    """Groups mano/ and cv/ (by plain least squares)."""
    rows: dict[str, list[Any]] = {}
    for i, side in enumerate(SIDES):
        model = synthetic_model(side)
        poses = expected["in/mano_poses"][i].astype(np.float64).reshape(16, 3)
        camera = expected["in/mano_cam"][i].astype(np.float64)
        betas = expected["in/mano_betas"][i].astype(np.float64)
        offsets = expected["in/mano_offsets"][i].astype(int)
        padding = Padding(offsets[0], offsets[9], offsets[6], offsets[7], offsets[8])
        six = exp_so3(poses)[..., :2].reshape(96)  # rows of two: interleaved columns
        told = np.concatenate([camera, six, betas])
        reading = HandReading(side, 1.0, np.zeros(2), told)
        lift = HandLift(model)
        guess = lift.guess(reading)
        joints = lift.joints(guess)
        turns = np.concatenate([guess.wrist_rotation[None], guess.joint_rotations])
        mesh = HandModel(model, torch.float64).forward_rotations(
            torch.from_numpy(turns)[None],
            torch.from_numpy(betas)[None],
            torch.zeros(1, 3, dtype=torch.float64),
        )
        origin = mesh.joints[0, ORIGIN_JOINT].numpy()
        vertices = (mesh.vertices[0].numpy() - origin)[::7]
        places = projected(joints, camera)
        rays = ((places + 1) * MIDDLE - MIDDLE) / FOCAL
        centred = joints - joints[ORIGIN_JOINT]
        for name, value in {
            "mano/verts": vertices,
            "mano/verts_camed": np.column_stack(
                [camera[0] * vertices[:, :2] + camera[1:], vertices[:, 2]]
            ),
            "mano/j3d": centred,
            "mano/pj2d": places,
            "mano/pj2d_org": padding.to_image(places),
            "cv/cam_trans_lsq": placed_on_rays(centred, rays, np.ones(21)),
        }.items():
            rows.setdefault(name, []).append(value)
    out.update({name: np.stack(values) for name, values in rows.items()})


def synthetic_model(side: Side) -> HandModelData:
    """The fixture's hand of random numbers."""
    random = np.random.RandomState(11 if side == "right" else 12)
    v_template = 0.05 * random.standard_normal((778, 3))
    shapedirs = 0.01 * random.standard_normal((778, 3, 10))
    posedirs = 0.001 * random.standard_normal((778, 3, 135))
    regressor = np.abs(random.standard_normal((16, 778)))
    weights = np.abs(random.standard_normal((778, 16)))
    mean = 0.2 * random.standard_normal(45)
    if side == "left":
        shapedirs[:, 0] *= -1  # as in every left MANO file
    return HandModelData(
        name="synthetic",
        side=side,
        v_template=v_template,
        shapedirs=shapedirs,
        posedirs=posedirs,
        j_regressor=regressor / regressor.sum(axis=1, keepdims=True),
        weights=weights / weights.sum(axis=1, keepdims=True),
        faces=np.zeros((1538, 3), np.int64),
        hands_mean=mean,
        hands_components=np.eye(45),
        tips=np.array(MANO_TIPS["manopth"][side]),
        wrist_loop=np.zeros(16, np.int64),
        palm=np.zeros(2, np.int64),
    )
