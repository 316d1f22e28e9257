"""Weights of the learned stages: safetensors files (no pickle) with facts of their training.

Matrices and kernels are kept in half precision, what is small (biases, norms) in single. Shipped
files are listed in ``data/weights/manifest.json`` with their SHA-256.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hand_recon_ros.manifest import digest, enter, listed_digest
from hand_recon_ros.networks.model_card import model_card

if TYPE_CHECKING:
    from torch import Tensor, nn

SHIPPED: Final = Path(__file__).parents[1] / "data" / "weights"
"""Folder of the weights that come with the package."""
LICENCE: Final = "Apache-2.0"
SUFFIX: Final = ".safetensors"
_FACTS: Final = "facts"
_TOLD: Final = 6
"""Names that an error lists before it goes on with "and ... more"."""


class WeightsError(ValueError):
    """Weights are missing, damaged or of another network; says which and what to do."""


def weights_path(name: str, folder: str = "") -> Path:
    """The file of a network ("detector", "cpm", "acr") in the user's folder, or the shipped one."""
    return (Path(folder).expanduser() if folder else SHIPPED) / (name + SUFFIX)


def save_weights(model: nn.Module, path: Path, facts: Mapping[str, Any]) -> str:
    """Write a model's weights, their entry in the folder's manifest, and the model card.

    Args:
        model: whose state is written; give the averaged one.
        path: ends with ``.safetensors``; the card becomes ``<stem>.md`` beside it.
        facts: plain data about the training (see ``model_card``); read again by ``load_weights``.

    Returns:
        SHA-256 of the file.
    """
    from safetensors.torch import save

    tensors = {name: _stored(tensor) for name, tensor in model.state_dict().items()}
    content = save(tensors, {_FACTS: json.dumps(facts, sort_keys=True)})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    told = {
        **facts,
        "parameters": sum(p.numel() for p in model.parameters()),
        "bytes": len(content),
        "sha256": digest(content),
    }
    path.with_suffix(".md").write_text(model_card(path.stem, told))
    return enter(path, licence=LICENCE, source=f"own work: hand_recon train {path.stem}")


def load_weights(model: nn.Module, path: Path) -> dict[str, Any]:
    """Fill a model with weights and return the facts that were saved with them.

    A file that its folder's manifest lists must have the SHA-256 given there; shipped ones must be
    listed.

    Raises:
        WeightsError: no such file, another content than listed, not safetensors, or names and
            shapes that are not the model's.
    """
    import torch

    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"weights '{path}' cannot be read ({error.strerror}): install the package anew, or "
            f"train them (hand_recon train {path.stem}) and give their folder as "
            "detector.weights_dir"
        ) from None
    _check_digest(path, content)
    tensors, facts = _parsed(path, content)
    _check_names(path, tensors, model.state_dict())
    single = {k: v.to(torch.float32) if v.is_floating_point() else v for k, v in tensors.items()}
    model.load_state_dict(single)
    return facts


def _stored(tensor: Tensor) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    if tensor.is_floating_point():
        return tensor.half() if tensor.ndim > 1 else tensor.float()
    return tensor


def _check_digest(path: Path, content: bytes) -> None:
    listed = listed_digest(path)
    if listed is None and path.parent != SHIPPED:
        return
    if listed != digest(content):
        raise WeightsError(
            f"weights '{path}' have another SHA-256 than the manifest beside them says "
            f"({listed or 'nothing'}): the file is damaged or was exchanged; install it anew"
        )


def _parsed(path: Path, content: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load
    except ImportError as error:
        raise WeightsError(
            f"weights '{path}' need the package safetensors ({error}): "
            "pip install torch openvino safetensors"
        ) from error

    try:
        tensors = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return tensors, json.loads(header.get("__metadata__", {}).get(_FACTS, "{}"))
    except (SafetensorError, ValueError) as error:
        raise WeightsError(
            f"weights '{path}' are no safetensors file ({error}): pickled checkpoints are not "
            "read, export them with hand_recon train"
        ) from None


def _check_names(path: Path, tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    problems = {
        "missing": sorted(set(wanted) - set(tensors)),
        "unknown": sorted(set(tensors) - set(wanted)),
        "of another shape": [
            f"{name} {tuple(tensors[name].shape)} instead of {tuple(wanted[name].shape)}"
            for name in sorted(set(wanted) & set(tensors))
            if tensors[name].shape != wanted[name].shape
        ],
    }
    told = [f"{what}: {listed(names)}" for what, names in problems.items() if names]
    if told:
        raise WeightsError(
            f"weights '{path}' are not this network's; {'; '.join(told)}. They come from another "
            "version or network: take those of this version, or train anew"
        )


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are, for an error's text."""
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return ", ".join(names[:_TOLD]) + more
