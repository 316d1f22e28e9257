"""Where torch models run, and how precisely they are trained there."""

from __future__ import annotations

from collections.abc import Callable, Mapping


def resolve_device(wanted: str) -> tuple[str, str | None]:
    """Return ("cpu" or "cuda", a warning or None) for ``auto``, ``cpu`` or ``cuda``.

    A missing GPU is no error: the chain runs on the CPU as well.
    """
    import torch

    if wanted == "cpu":
        return "cpu", None
    if torch.cuda.is_available():
        return "cuda", None
    if wanted == "cuda":
        return "cpu", (
            "device 'cuda' was asked for, but torch finds no CUDA GPU: running on the CPU "
            "(install a CUDA build of torch and the NVIDIA driver, or set device to auto)"
        )
    return "cpu", None


def trains_in_half(device: str) -> bool:
    """Whether mixed precision (bfloat16) makes training quicker there.

    On a CPU it does where matrix tiles (AMX) take it: twice as quick; elsewhere it is emulated, and
    slower.
    """
    import torch

    if device == "cuda":
        return True
    tell: Callable[[], Mapping[str, object]]
    tell = getattr(torch.cpu, "get_capabilities", dict)  # older torch tells nothing
    return bool(tell().get("amx_bf16"))
