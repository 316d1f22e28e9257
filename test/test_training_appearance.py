"""What cameras do to training pictures, in little light and without colour too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from hand_recon_ros.training.appearance import NONE, Appearance, Strength
from hand_recon_ros.training.detector_batch import DetectorBatch
from hand_recon_ros.training.frame_composer import FrameFinish

COUNT = 64


def plain(height: int = 128, width: int = 128) -> Tensor:
    """Pictures of one colour."""
    return torch.tensor([0.6, 0.5, 0.4]).view(1, 3, 1, 1).repeat(COUNT, 1, height, width)


def crops(strength: Strength) -> Tensor:
    return Appearance("cpu", strength).apply(plain(), np.random.default_rng(1))


def frames(strength: Strength) -> Tensor:
    nobody = torch.zeros(COUNT, 0, 4), torch.zeros(COUNT, 0).long(), torch.zeros(COUNT, 0, 2)
    batch = DetectorBatch(plain(192, 320), *nobody)
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return FrameFinish("cpu", strength).apply(batch, np.random.default_rng(1)).image


def colourless(image: Tensor) -> Tensor:
    return (image - image[:, :1]).abs().amax(dim=(1, 2, 3)) < 1e-5


def noise_of(image: Tensor) -> Tensor:
    return image - image.mean(dim=(2, 3), keepdim=True)


def deviations(image: Tensor) -> Tensor:
    return image.std(dim=(2, 3)).mean(dim=1)


def test_grey_frames_have_grey_noise() -> None:
    """The noise comes after the colours are gone."""
    noisy = frames(replace(NONE, grey_share=1.0, noise_share=1.0, tone=1.0))
    assert deviations(noisy).min() > 0
    assert colourless(noisy).all()


@pytest.mark.parametrize("seen", [crops, frames])
def test_half_of_the_noise_has_no_colour(seen: Callable[[Strength], Tensor]) -> None:
    noisy = seen(replace(NONE, noise_share=1.0))
    share = colourless(noise_of(noisy)[deviations(noisy) > 1e-3]).float().mean()
    assert 0.3 < share < 0.7


@pytest.mark.parametrize("seen", [crops, frames])
def test_noise_is_fine_or_soft(seen: Callable[[Strength], Tensor]) -> None:
    """Neighbours of soft noise are alike; of both kinds there is about half."""
    noisy = seen(replace(NONE, noise_share=1.0))
    noise = noise_of(noisy)
    alike = (noise[..., 1:] * noise[..., :-1]).mean(dim=(1, 2, 3)) / noise.var(dim=(1, 2, 3))
    soft = alike[deviations(noisy) > 5e-3] > 0.3
    assert 0.3 < soft.float().mean() < 0.8


def test_little_light_leaves_the_noise() -> None:
    light = crops(NONE).mean(dim=(1, 2, 3))
    dim = crops(replace(NONE, dim_share=1.0)).mean(dim=(1, 2, 3)) / light
    assert dim.min() >= 0.3
    assert dim.max() <= 0.7
    assert dim.max() - dim.min() > 0.3
    noisy = deviations(crops(replace(NONE, noise_share=1.0)))
    dim_noisy = deviations(crops(replace(NONE, noise_share=1.0, dim_share=1.0)))
    assert dim_noisy.mean() > 0.7 * noisy.mean()
