"""Hands before a wall or a table throw a soft shadow on it, away from the lamp."""

from __future__ import annotations

import numpy as np
import pytest

from hand_recon_ros.synthesis.cast_shadow import with_cast_shadow

WALL = np.full((128, 128, 3), 200, np.uint8)
LAMP = np.array([-0.6, 0.0, -0.8])


def shadows(kind: str, to_lamp: np.ndarray) -> list[np.ndarray]:
    """Darkening (128, 128) of 40 walls behind a square in the middle, where there is any."""
    cover = np.zeros((128, 128), np.uint8)
    cover[48:80, 48:80] = 255
    rng = np.random.default_rng(0)
    results = [with_cast_shadow(WALL, kind, cover, to_lamp, 300.0, rng) for _ in range(40)]
    darker = [WALL[..., 0].astype(float) - result[..., 0] for result in results]
    return [dark for dark in darker if dark.max() > 0]


def test_shadows_fall_away_from_the_lamp_and_are_soft() -> None:
    found = shadows("wall", LAMP)
    assert 10 < len(found) < 38, "not every wall is near"
    x, y = np.arange(128), np.arange(128)
    for dark in found:
        weight = dark - 1.0  # whole numbers: one below is rounding
        weight = np.clip(weight, 0, None)
        assert (weight.sum(axis=0) * x).sum() / weight.sum() > 63.5, "the lamp is on the left"
        assert (weight.sum(axis=1) * y).sum() / weight.sum() == pytest.approx(63.5, abs=2)
        assert 30 < dark.max() < 160
        assert np.abs(np.diff(dark, axis=1)).max() < 0.7 * dark.max()


def test_no_shadow_where_nothing_is_near_or_the_lamp_is_behind() -> None:
    assert not shadows("photo", LAMP)
    assert not shadows("wall", np.array([0.6, 0.0, 0.8]))
