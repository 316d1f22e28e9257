"""Reads the user's checkpoint of the published network; nothing in the file is run.

The weights themselves do not come with this package. Accepted are torch files (both formats), the
state dict plain or under ``model_state_dict`` or ``state_dict``, with or without ``module.``.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import torch
from torch import Tensor

from hand_recon_ros.acr_official.network import OfficialAcr
from hand_recon_ros.mano.pickles import ForbiddenError, HarmlessFunction, InertObject, harmless
from hand_recon_ros.networks.weights import WeightsError, listed

_NESTINGS: Final = ("model_state_dict", "state_dict")
_PREFIX: Final = "module."
_UNUSED_PREFIX: Final = "segmentation_layers."
_COUNTER: Final = "num_batches_tracked"
_REMEDY: Final = "give the published weights (wild.pkl) as acr_checkpoint"


class CheckpointError(WeightsError):
    """A checkpoint cannot be used; the message says why and what to do.

    Attributes:
        missing: names of weights that it lacks.
        misshapen: weights of another shape, with both shapes.
        broken: weights that hold something else than finite numbers.
    """

    def __init__(
        self,
        message: str,
        missing: tuple[str, ...] = (),
        misshapen: tuple[str, ...] = (),
        broken: tuple[str, ...] = (),
    ) -> None:
        """Keep the lists in full; the message has only their beginnings."""
        super().__init__(message)
        self.missing, self.misshapen, self.broken = missing, misshapen, broken


def load_official_acr(path: str | Path) -> OfficialAcr:
    """The published network with the weights of a file, on the CPU, ready to run.

    What is never run (``segmentation_layers.*``, counters of the normalisations) may be absent;
    what is unknown is left out.

    Raises:
        CheckpointError: no such file, not a torch checkpoint, one that asks for foreign code, or
            of another network.
    """
    state = read_state(Path(path).expanduser())
    with torch.device("meta"):  # no need to draw weights that are replaced at once
        network = OfficialAcr()
    fill(network, state, str(path))
    return network.eval()


def read_state(path: Path) -> dict[str, Any]:
    """The state dict in a checkpoint, names without ``module.``; see ``load_official_acr``."""
    if not path.is_file():
        raise CheckpointError(f"ACR checkpoint '{path}' is no file: {_REMEDY}")
    content = _read(path)
    for nesting in _NESTINGS:
        if isinstance(content, Mapping) and isinstance(content.get(nesting), Mapping):
            content = content[nesting]
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"ACR checkpoint '{path}' holds no state dict but a {type(content).__name__}: {_REMEDY}"
        )
    return {str(name).removeprefix(_PREFIX): value for name, value in content.items()}


def fill(network: OfficialAcr, state: Mapping[str, Any], source: str) -> None:
    """Give the network the weights of a state dict; what is never run becomes zero.

    Args:
        network: what is filled.
        state: names without ``module.``.
        source: what errors call it.

    Raises:
        CheckpointError: weights that are run are missing, of another shape or not numbers.
    """
    wanted = {name: own for name, own in network.state_dict().items() if _is_run(name)}
    found = {name: state[name] for name in wanted if isinstance(state.get(name), Tensor)}
    missing = tuple(name for name in wanted if name not in found)
    misshapen = tuple(
        f"{name} {tuple(tensor.shape)} instead of {tuple(wanted[name].shape)}"
        for name, tensor in found.items()
        if tensor.shape != wanted[name].shape
    )
    broken = tuple(name for name, tensor in found.items() if not _is_finite(tensor))
    problems = {"missing": missing, "of another shape": misshapen, "not numbers": broken}
    told = [f"{len(names)} {what} ({listed(names)})" for what, names in problems.items() if names]
    if told:
        raise CheckpointError(
            f"ACR checkpoint '{source}' does not fit the published network; of {len(wanted)} "
            f"weights {'; '.join(told)}. It is damaged or of another network: {_REMEDY}",
            missing,
            misshapen,
            broken,
        )
    weights = {
        name: found[name].float() if name in found else torch.zeros_like(own, device="cpu")
        for name, own in network.state_dict().items()
    }
    network.load_state_dict(weights, assign=True)


def _is_run(name: str) -> bool:
    return not name.startswith(_UNUSED_PREFIX) and not name.endswith(_COUNTER)


def _is_finite(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and bool(torch.isfinite(tensor).all())


def _read(path: Path) -> Any:
    """What a torch file holds, by torch's own safe reader or, if need be, by ours."""
    try:
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:  # options or numbers of NumPy beside the weights, perhaps
            return torch.load(
                path, map_location="cpu", weights_only=False, pickle_module=_RESTRICTED
            )
    except ForbiddenError as error:
        raise CheckpointError(
            f"ACR checkpoint '{path}': refused to load: {error}. Nothing of it was run; {_REMEDY}"
        ) from error
    except Exception as error:  # a damaged file can raise anything
        raise CheckpointError(
            f"ACR checkpoint '{path}': damaged or not a torch checkpoint "
            f"({type(error).__name__}: {str(error).partition('.')[0]}): {_REMEDY}"
        ) from error


class _CheckpointUnpickler(pickle.Unpickler):
    """Builds tensors, containers, numbers, text and NumPy arrays; nothing else.

    ``persistent_load`` is left to torch, which sets it on the object to bring the storages.
    """

    def find_class(self, module: str, name: str) -> Any:
        """Give the harmless stand-in, or refuse the name."""
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        return _ALLOWED.get((module, name)) or harmless(module, name)


def _load(file: Any, **options: Any) -> Any:
    return _CheckpointUnpickler(file, **options).load()


_RESTRICTED: Final = SimpleNamespace(__name__=__name__, Unpickler=_CheckpointUnpickler, load=_load)
"""What torch takes for the module ``pickle``."""
_ALLOWED: Final[dict[tuple[str, str], Any]] = {
    **{
        ("torch._utils", name): HarmlessFunction(getattr(torch._utils, name))
        for name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter")
    },
    ("torch", "Size"): torch.Size,
    ("collections", "OrderedDict"): OrderedDict,
    ("argparse", "Namespace"): InertObject,
}
