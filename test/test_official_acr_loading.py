"""Checkpoints of the published ACR network: what is read and refused, and that nothing runs."""

from __future__ import annotations

import argparse
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from official_acr import needs_fixture, published_keys, random_network

from hand_recon_ros.acr_official.checkpoint import CheckpointError, fill, load_official_acr

State = dict[str, Any]
BIAS = "l_final_layers.2.2.bias"


@pytest.fixture
def state() -> State:
    """A whole state dict whose file is small: each weight repeats one number of its own."""
    return {
        name: torch.tensor(k / 4096).to(tensor.dtype).expand(tensor.shape)
        for k, (name, tensor) in enumerate(random_network().state_dict().items())
    }


def saved(tmp_path: Path, content: Any, **options: Any) -> Path:
    path = tmp_path / "wild.pkl"
    torch.save(content, path, **options)
    return path


def prefixed(state: State) -> State:
    return {f"module.{name}": tensor for name, tensor in state.items()}


@pytest.mark.parametrize(
    ("wrap", "zipped"),
    [
        (lambda s: s, True),
        (prefixed, False),
        (lambda s: {"state_dict": s, "epoch": 3}, False),
        (lambda s: {"model_state_dict": prefixed(s)}, True),
        (lambda s: {"model_state_dict": {"state_dict": prefixed(s)}}, True),
    ],
    ids=["plain", "module.", "state_dict", "model_state_dict with module.", "both"],
)
def test_all_usual_wrappings_are_read(
    tmp_path: Path, state: State, wrap: Callable[[State], State], zipped: bool
) -> None:
    """In torch's present and in its older file format."""
    path = saved(tmp_path, wrap(state), _use_new_zipfile_serialization=zipped)
    network = load_official_acr(path)
    assert not network.training
    for name in ("backbone.conv1.weight", BIAS, "contact_layers.2.weight"):
        assert torch.equal(network.state_dict()[name], state[name]), name


def test_what_is_never_run_may_be_absent_and_more_may_be_there(
    tmp_path: Path, state: State
) -> None:
    lean = {
        name: tensor.half()
        for name, tensor in state.items()
        if not name.startswith("segmentation_layers.") and "num_batches" not in name
    }
    loaded = load_official_acr(saved(tmp_path, {**lean, "another.weight": torch.zeros(3)}))
    assert loaded.state_dict()[BIAS].dtype == torch.float32
    assert torch.equal(loaded.state_dict()[BIAS], state[BIAS].half().float())


@needs_fixture
def test_the_fixture_agrees_on_what_is_run(tmp_path: Path, state: State) -> None:
    used = {k["key"] for k in published_keys() if k["used_in_forward"]}
    load_official_acr(saved(tmp_path, {n: t for n, t in state.items() if n in used}))
    for name in ("backbone.hand_segm.segm_head.segm_net.double_conv.3.bias", BIAS):
        with pytest.raises(CheckpointError):
            fill(random_network(), {n: state[n] for n in used - {name}}, "wild.pkl")


def test_a_partial_file_is_refused_with_what_is_missing_and_misshapen(
    tmp_path: Path, state: State
) -> None:
    gone = [name for name in state if name.startswith("r_final_layers.3.1")]
    gone = [name for name in gone if "num_batches" not in name]
    for name in gone:
        del state[name]
    state[BIAS] = torch.zeros(2)
    state["contact_layers.4.bias"] = "text"
    state["cam_shape_layers.2.bias"] = torch.full((10,), float("nan"))
    with pytest.raises(CheckpointError) as error:
        load_official_acr(saved(tmp_path, prefixed(state)))
    assert set(error.value.missing) == {*gone, "contact_layers.4.bias"}
    assert error.value.misshapen == (f"{BIAS} (2,) instead of (1,)",)
    assert error.value.broken == ("cam_shape_layers.2.bias",)
    for words in (
        "wild.pkl", f"{len(gone) + 1} missing", gone[0], "1 of another shape",
        "(2,) instead of (1,)", "1 not numbers", "acr_checkpoint",
    ):  # fmt: skip
        assert words in str(error.value)
    assert len(str(error.value)) < 1500


def test_the_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    other = torch.nn.Linear(3, 3).state_dict()
    with pytest.raises(CheckpointError, match="missing") as error:
        load_official_acr(saved(tmp_path, {"state_dict": other}))
    assert len(error.value.missing) > 1000


@pytest.mark.parametrize("content", [[1, 2], torch.zeros(3), {}], ids=["list", "tensor", "empty"])
def test_what_is_no_state_dict_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(CheckpointError, match=r"state dict|missing"):
        load_official_acr(saved(tmp_path, content))


def test_options_beside_the_weights_are_read_by_the_restricted_path(
    tmp_path: Path, state: State
) -> None:
    beside = {"args": argparse.Namespace(lr=1e-3), "best": np.float64(7.4), "curve": np.arange(3.0)}
    path = saved(tmp_path, {"state_dict": state, **beside})
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    network = load_official_acr(path)
    assert torch.equal(network.state_dict()[BIAS], state[BIAS])


class Calls:
    """Pickles as the call of a function."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


def evils(marker: Path) -> list[Any]:
    touch = f"touch {marker}"
    return [
        Calls(os.system, touch),
        Calls(eval, f"__import__('os').system('{touch}')"),
        Calls(getattr, "text", "format"),
        Calls(torch.storage._load_from_bytes, b""),
        Calls(torch.load, str(marker)),
        torch.nn.Linear(2, 2),
    ]


@pytest.mark.parametrize("which", range(6))
@pytest.mark.parametrize("way", ["zip", "legacy", "pickle"])
def test_a_file_that_calls_functions_is_refused_and_nothing_runs(
    tmp_path: Path, which: int, way: str
) -> None:
    marker = tmp_path / "ran"
    content = {"state_dict": {BIAS: torch.zeros(1)}, "evil": evils(marker)[which]}
    path = tmp_path / "wild.pkl"
    if way == "pickle":
        path.write_bytes(pickle.dumps(content["evil"], protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=way == "zip")
    with pytest.raises(CheckpointError, match=r"refused to load: it asks for .*Nothing of it was"):
        load_official_acr(path)
    assert not marker.exists()


def test_an_archive_of_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wild.pkl"
    torch.jit.script(torch.nn.Linear(2, 2)).save(path)
    with pytest.warns(UserWarning, match="TorchScript"), pytest.raises(CheckpointError):
        load_official_acr(path)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04broken"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "wild.pkl"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged or not a torch checkpoint"):
        load_official_acr(path)


def test_a_truncated_file_is_refused(tmp_path: Path, state: State) -> None:
    path = saved(tmp_path, state)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(CheckpointError, match="damaged"):
        load_official_acr(path)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is no file.*acr_checkpoint"):
        load_official_acr(tmp_path / "wild.pkl")
