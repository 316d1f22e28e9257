"""The torch hand model against smplx, finite differences and its mirror image."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import sparse

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel, rotation_matrices
from hand_recon_ros.skeleton import MANO_PARENTS, MANO_TO_JOINTS
from hand_recon_ros.types import ManoParameters

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def random_data(side: str) -> HandModelData:
    """A model of random arrays in MANO's shapes: nothing can agree by luck."""
    rng = np.random.default_rng(7)
    embedded = load_hand_model(side)
    weights = rng.random((778, 16)) ** 4
    regressor = rng.random((16, 778)) ** 8
    return replace(
        embedded,
        v_template=embedded.v_template + rng.normal(0, 0.005, (778, 3)),
        shapedirs=rng.normal(0, 0.003, (778, 3, 10)),
        posedirs=rng.normal(0, 0.001, (778, 3, 135)),
        weights=weights / weights.sum(1, keepdims=True),
        j_regressor=regressor / regressor.sum(1, keepdims=True),
        hands_mean=rng.normal(0, 0.3, 45),
        hands_components=np.linalg.qr(rng.normal(size=(45, 45)))[0],
    )


def smplx_twin(data: HandModelData, **options: object) -> torch.nn.Module:
    smplx = pytest.importorskip("smplx", reason="the reference implementation is not installed")
    parents = np.array(MANO_PARENTS, dtype=np.int64)
    struct = SimpleNamespace(
        v_template=data.v_template,
        shapedirs=data.shapedirs,
        posedirs=data.posedirs,
        J_regressor=sparse.csc_matrix(data.j_regressor),
        weights=data.weights,
        kintree_table=np.stack([parents, np.arange(16)]),
        f=data.faces,
        hands_components=data.hands_components,
        hands_mean=data.hands_mean,
    )
    return smplx.MANO(
        "", data_struct=struct, is_rhand=data.side == "right", batch_size=4, **options
    )


def batch(size: int = 4, pose: int = 45, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    rng = np.random.default_rng(3)
    arrays = [
        rng.normal(0, 1.0, (size, 3)),
        rng.normal(0, 0.5, (size, pose)),
        rng.normal(0, 1.0, (size, 10)),
        rng.normal(0, 0.3, (size, 3)),
    ]
    arrays[0][0] = 0.0
    arrays[1][0] = 0.0
    return [torch.tensor(a, dtype=dtype) for a in arrays]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("make", [load_hand_model, random_data], ids=["embedded", "random"])
@pytest.mark.parametrize("flat", [True, False], ids=["flat", "mean"])
@pytest.mark.parametrize("components", [0, 6, 45], ids=["axis_angle", "pca6", "pca45"])
def test_equals_smplx(side, make, flat, components) -> None:
    data = make(side)
    orient, pose, betas, transl = batch(pose=components or 45)
    # smplx reads 45 components as axis-angle; the reference gets the product written out.
    reference_pose = pose
    if components == 45:
        reference_pose = pose @ torch.tensor(data.hands_components, dtype=pose.dtype)
    use_pca = components == 6
    twin = smplx_twin(data, use_pca=use_pca, num_pca_comps=6, flat_hand_mean=flat)
    with torch.no_grad():
        expected = twin(global_orient=orient, hand_pose=reference_pose, betas=betas, transl=transl)
        mesh = HandModel(data)(
            orient, pose, betas, transl, use_pca=components > 0, flat_hand_mean=flat
        )
    joints = torch.cat([expected.joints[:, :16], expected.vertices[:, data.tips]], 1)
    assert (mesh.vertices - expected.vertices).abs().max() < 1e-6
    assert (mesh.joints - joints[:, list(MANO_TO_JOINTS)]).abs().max() < 1e-6


@pytest.mark.parametrize("device", DEVICES)
def test_rotation_matrix_input_on_every_device(device) -> None:
    model = HandModel(load_hand_model("right")).to(device)
    orient, pose, betas, transl = (value.to(device) for value in batch())
    rotations = rotation_matrices(torch.cat([orient, pose], 1).view(4, 16, 3))
    direct = model.forward_rotations(rotations, betas, transl)
    mesh = model(orient, pose, betas, transl)
    assert direct.vertices.device.type == device
    assert torch.equal(direct.vertices, mesh.vertices)
    cpu = HandModel(load_hand_model("right"))(*batch())
    assert (mesh.joints.cpu() - cpu.joints).abs().max() < 1e-6


def test_gradients_match_finite_differences_also_at_zero() -> None:
    model = HandModel(random_data("right"), dtype=torch.float64)
    values = [value.requires_grad_() for value in batch(2, dtype=torch.float64)]
    chosen = torch.tensor([0, 100, 777])

    def points(*inputs: torch.Tensor) -> torch.Tensor:
        mesh = model(*inputs)
        return torch.cat([mesh.vertices[:, chosen], mesh.joints], 1)

    assert torch.autograd.gradcheck(points, values, eps=1e-6, atol=1e-7, fast_mode=True)


def test_rotation_matrices_agree_with_scipy_across_the_series_switch() -> None:
    from scipy.spatial.transform import Rotation

    rng = np.random.default_rng(0)
    axis = rng.normal(size=(200, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    vectors = axis * np.geomspace(1e-9, 6.0, 200)[:, None]
    for dtype, limit in ((torch.float64, 1e-12), (torch.float32, 1e-6)):
        result = rotation_matrices(torch.tensor(vectors, dtype=dtype)).double().numpy()
        assert np.abs(result - Rotation.from_rotvec(vectors).as_matrix()).max() < limit


def test_left_is_the_mirror_of_right() -> None:
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    right, left = (HandModel(load_hand_model(side)) for side in ("right", "left"))
    orient, pose, betas, transl = batch()
    mesh = right(orient, pose, betas, transl, flat_hand_mean=False)
    twin = left(
        -mirror * orient,
        pose * (-mirror).repeat(15),
        betas,
        mirror * transl,
        flat_hand_mean=False,
    )
    assert (twin.vertices - mirror * mesh.vertices).abs().max() < 1e-6
    assert (twin.joints - mirror * mesh.joints).abs().max() < 1e-6


def test_forward_parameters_is_the_same_function() -> None:
    model = HandModel(load_hand_model("left"))
    orient, pose, betas, transl = batch()
    mesh = model(orient, pose, betas, transl)
    one = ManoParameters(
        side="left",
        **{
            name: value[2].double().numpy()
            for name, value in zip(
                ("global_orient", "hand_pose", "betas", "transl"),
                (orient, pose, betas, transl),
                strict=True,
            )
        },
    )
    vertices, joints = model.forward_parameters(one)
    assert vertices.dtype == joints.dtype == np.float64
    assert np.abs(vertices - mesh.vertices[2].numpy()).max() < 1e-6
    assert np.abs(joints - mesh.joints[2].numpy()).max() < 1e-6
    rest = model.data.j_regressor @ (model.data.v_template + model.data.shapedirs @ one.betas)
    assert np.abs(joints[0] - (rest[0] + one.transl)).max() < 1e-6  # rotation is about the wrist
