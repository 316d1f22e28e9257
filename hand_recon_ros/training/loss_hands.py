"""The hands that the losses of 004 are compared on, kept in a file so that a run can go on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import torch
from tqdm import tqdm

from hand_recon_ros import manifest
from hand_recon_ros.training.batch import CROP_SIZE, CropBatch, concatenate
from hand_recon_ros.training.cpm_task import half_size
from hand_recon_ros.training.trainer import DAMAGES, TrainingError, replace_saved


def gathered(batches: Iterator[CropBatch], number: int, *, half: bool) -> CropBatch:
    """So many single hands with true 3D, at most; fewer where the batches end.

    Args:
        batches: where they come from.
        number: of hands.
        half: show windows of half the side, which is four times quicker.
    """
    found: list[CropBatch] = []
    count = 0
    with tqdm(total=number, desc="hands", unit="hand") as bar:
        for whole in batches:
            batch = whole.to("cpu")
            batch = half_size(batch) if half else batch
            good = (batch.presence > 0.5) & batch.has_3d
            found.append(part_of(batch, good.nonzero()[:, 0]))
            count += len(found[-1])
            bar.update(len(found[-1]))
            if count >= number:
                break
    return part_of(concatenate(found), slice(0, number))


def save_hands(hands: CropBatch, path: Path) -> None:
    """Write hands to a file, their pictures in 8 bits."""
    tensors = {f.name: getattr(hands, f.name) for f in fields(hands)}
    pixels = (hands.image * 255).round().to(torch.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_saved({**tensors, "image": pixels}, path)


def load_hands(path: Path, number: int, *, half: bool) -> CropBatch:
    """Read them back.

    Raises:
        TrainingError: the file is damaged, or other hands are wanted.
    """
    side = CROP_SIZE // 2 if half else CROP_SIZE
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        hands = CropBatch(**{**tensors, "image": tensors["image"].float() / 255})
    except DAMAGES as error:
        raise TrainingError(f"'{path}' is damaged ({error}): delete it") from error
    if len(hands) != number or hands.image.shape[-1] != side:
        raise TrainingError(
            f"'{path}' holds {len(hands)} hands of {hands.image.shape[-1]} px, wanted are {number} "
            f"of {side} px: use another folder, or delete it"
        )
    return hands


def digest(hands: CropBatch) -> str:
    """Tells these hands from others."""
    content = [values.cpu().numpy().tobytes() for values in (hands.joints_m, hands.image)]
    return manifest.digest(b"".join(content))[:16]


def part_of(batch: CropBatch, rows: torch.Tensor | slice) -> CropBatch:
    """Some hands of a batch."""
    return CropBatch(**{name: value[rows] for name, value in vars(batch).items()})
