"""Where torch models run."""

from __future__ import annotations


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
