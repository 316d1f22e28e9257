"""Weights on disk, model cards, and that every way to run a network gives the same numbers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hand_recon_ros.acr.network import GEOMETRY, Acr
from hand_recon_ros.keypoints.network import Cpm
from hand_recon_ros.keypoints.windows import READ, WindowNetwork, readable
from hand_recon_ros.manifest import listed_digest
from hand_recon_ros.networks import weights
from hand_recon_ros.networks.int8 import activation_ranges, in_int8
from hand_recon_ros.networks.model_card import model_card
from hand_recon_ros.networks.runtime import compile_network
from hand_recon_ros.networks.weights import WeightsError, load_weights, save_weights, weights_path

FACTS = {
    "seed": 7,
    "data": {"own renders": "Apache-2.0"},
    "metrics": {"px": 5.25, "exam": {"real_px": 6.5}},
    "limits": ["gloves are not known to it"],
    "calibration": {"constant": 0.1, "peak": -0.5, "sigma": 0.9},
}


class Small(nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width))
        self.out = nn.Linear(width, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.body(x).mean((2, 3)))


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Small, Path]:
    torch.manual_seed(1)
    model = Small()
    model.body[1].running_var.fill_(1e-7)  # nothing for half precision
    path = tmp_path / "cpm.safetensors"
    save_weights(model, path, FACTS)
    return model, path


def test_weights_come_back_with_their_facts(saved: tuple[Small, Path]) -> None:
    model, path = saved
    other = Small()
    assert load_weights(other, path) == FACTS
    for (name, a), b in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        assert b.dtype == a.dtype, name
        torch.testing.assert_close(b, a, rtol=1e-3, atol=1e-6 if a.ndim > 1 else 0)


def test_kernels_are_kept_in_half_precision(tmp_path: Path) -> None:
    path = tmp_path / "wide.safetensors"
    save_weights(nn.Linear(500, 500), path, {})
    assert 500 * 500 * 2 < path.stat().st_size < 500 * 500 * 2.1


def test_a_card_and_a_manifest_lie_beside_the_weights(saved: tuple[Small, Path]) -> None:
    _, path = saved
    card = path.with_suffix(".md").read_text()
    digest = listed_digest(path)
    assert digest is not None
    for text in ("# Key points", digest, "| seed | 7 |", "own renders", "exam.real_px", "gloves"):
        assert text in card
    assert path.name in (path.parent / "manifest.json").read_text()


def test_a_card_keeps_its_table_whole() -> None:
    card = model_card("other", {"a|b": "c|d", "list": [1, 2.5], "limits": "one"})
    assert "c\\|d" in card
    assert "| list | 1, 2.5 |" in card
    assert "- one" in card


def test_damaged_weights_are_refused(saved: tuple[Small, Path]) -> None:
    _, path = saved
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"SHA-256.*install it anew"):
        load_weights(Small(), path)


def test_a_users_own_file_needs_no_manifest(saved: tuple[Small, Path]) -> None:
    _, path = saved
    (path.parent / "manifest.json").unlink()
    assert load_weights(Small(), path) == FACTS


def test_shipped_files_must_be_listed(
    saved: tuple[Small, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, path = saved
    (path.parent / "manifest.json").unlink()
    monkeypatch.setattr(weights, "SHIPPED", path.parent)
    with pytest.raises(WeightsError, match="SHA-256"):
        load_weights(Small(), weights_path("cpm"))


def test_weights_of_another_network_are_explained(saved: tuple[Small, Path]) -> None:
    _, path = saved
    with pytest.raises(
        WeightsError, match=r"of another shape: body.0.bias \(4,\) instead of \(8,\)"
    ):
        load_weights(Small(8), path)
    with pytest.raises(
        WeightsError, match=r"missing: bias, weight; unknown: body.0.bias.*and 3 more"
    ):
        load_weights(nn.Linear(3, 3), path)


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", bytes(100)])
def test_pickles_and_rubbish_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cpm.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="no safetensors file"):
        load_weights(Small(), path)


def test_a_missing_reader_of_weights_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cpm.safetensors"
    path.write_bytes(b"anything")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(WeightsError, match="pip install torch openvino safetensors"):
        load_weights(Small(), path)


def test_missing_weights_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"hand_recon train cpm.*detector.weights_dir"):
        load_weights(Small(), weights_path("cpm", str(tmp_path)))


# --- running -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cpm() -> nn.Module:
    torch.manual_seed(0)
    network = Cpm()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # as after training: not neutral
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.normal_(module.running_mean, std=0.2)
    return network.eval()


@pytest.fixture(scope="module")
def windows() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (2, 128, 128, 3), np.uint8)


def backends() -> list[str]:
    found = ["torch"]
    try:
        import openvino  # noqa: F401
    except ImportError:
        return found
    return [*found, "openvino"]


@pytest.mark.parametrize("backend", backends())
def test_key_points_agree_with_plain_torch(
    backend: str, cpm: nn.Module, windows: np.ndarray
) -> None:
    network = compile_network(readable(cpm), [windows], backend=backend)
    assert network.backend == backend
    told = dict(zip(READ, network(windows), strict=True))
    with torch.no_grad():
        truth = readable(cpm).eval()(torch.from_numpy(windows))
    for name in READ:
        want = getattr(truth, name).numpy()
        assert told[name].shape == want.shape
        np.testing.assert_allclose(told[name], want, rtol=1e-3, atol=1e-3, err_msg=name)


@pytest.mark.parametrize("backend", backends())
def test_the_regressor_agrees_with_plain_torch(backend: str) -> None:
    torch.manual_seed(0)
    acr = Acr().eval()
    random = np.random.default_rng(4)
    inputs = [
        random.normal(size=(2, 64, 32, 32)).astype(np.float32),
        random.normal(size=(2, 128, 8, 8)).astype(np.float32),
        random.random((2, 21, 32, 32)).astype(np.float32),
        np.array([1, 0]),
        random.normal(size=(2, GEOMETRY)).astype(np.float32),
    ]
    network = compile_network(acr, inputs, backend=backend)
    with torch.no_grad():
        paired = acr(*(torch.from_numpy(x) for x in inputs))
        inputs_alone = [*inputs[:3], np.array([-1, -1]), inputs[4]]
        alone = acr(*(torch.from_numpy(x) for x in inputs_alone))
    assert not torch.allclose(paired.joints_m, alone.joints_m, atol=1e-4)
    for given, want in ((inputs, paired), (inputs_alone, alone)):
        for told, true in zip(network(*given), want, strict=True):
            np.testing.assert_allclose(told, true.numpy(), rtol=1e-3, atol=1e-4)


def test_int8_is_close_and_openvino_does_as_torch_does(cpm: nn.Module) -> None:
    pytest.importorskip("openvino")
    random = np.random.default_rng(6)
    samples = [random.random((1, 3, 128, 128)).astype(np.float32) for _ in range(4)]
    tensors = [torch.from_numpy(s) for s in samples]
    ranges = activation_ranges(cpm, tensors)
    small = in_int8(cpm, ranges)
    told = compile_network(small, samples[:1], backend="openvino")(samples[0])
    with torch.no_grad():
        whole, rounded = cpm(tensors[0]), small(tensors[0])
    for mine, same, full in zip(told, rounded, whole, strict=True):
        scale = float(full.abs().max())
        assert np.abs(mine - same.numpy()).max() < 0.1 * scale
        assert np.abs(mine - full.numpy()).mean() < 0.05 * scale
    with pytest.raises(ValueError, match=r"no range for 'stem\.0'"):
        in_int8(cpm, {})


def test_results_are_the_callers_own(cpm: nn.Module, windows: np.ndarray) -> None:
    for backend in backends():
        network = compile_network(readable(cpm), [windows], backend=backend)
        first = network(windows)
        copies = [array.copy() for array in first]
        network(255 - windows)
        for array, copy in zip(first, copies, strict=True):
            np.testing.assert_array_equal(array, copy)


def test_many_windows_are_read_as_one_by_one(cpm: nn.Module, windows: np.ndarray) -> None:
    reader = WindowNetwork(cpm)
    three = [windows[0], windows[1], windows[0]]
    together = reader(three)
    alone = [reader([window])[0] for window in three]
    assert len(together) == 3
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a.points_px, b.points_px, atol=1e-2)
        assert a.presence == pytest.approx(b.presence, abs=1e-4)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="openvino, torch, cuda"):
        compile_network(Small(), [np.zeros((1, 3, 8, 8), np.float32)], backend="magic")


def test_openvino_sends_nothing_home() -> None:
    """Its package brings a reporter of use; converting our way never starts it."""
    pytest.importorskip("openvino")
    code = (
        "import openvino_telemetry as t\n"
        "def refuse(*_, **__): raise SystemExit('telemetry was started')\n"
        "t.Telemetry.__new__ = t.Telemetry.__init__ = refuse\n"
        "import numpy as np\n"
        "from torch import nn\n"
        "from hand_recon_ros.networks.runtime import compile_network\n"
        "x = np.ones((1, 3), np.float32)\n"
        "n = compile_network(nn.Linear(3, 2), [x], backend='openvino')\n"
        "print(n(x)[0].shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "(1, 2)", "")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
def test_cuda_agrees_within_half_precision(cpm: nn.Module, windows: np.ndarray) -> None:
    on_cpu = WindowNetwork(cpm)(list(windows))
    on_gpu = WindowNetwork(cpm, device="cuda")(list(windows))
    for a, b in zip(on_cpu, on_gpu, strict=True):
        assert b.features.is_cuda
        np.testing.assert_allclose(b.peaks, a.peaks, atol=0.02)
        assert b.presence == pytest.approx(a.presence, abs=0.05)
