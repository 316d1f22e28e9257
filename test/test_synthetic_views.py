"""Views for a trainer: what is rendered before backgrounds and camera effects."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from hand_recon_ros.rendering.gl.context import RendererUnavailableError, create_context
from hand_recon_ros.skeleton import TIPS
from hand_recon_ros.synthesis.body import ARM_PART
from hand_recon_ros.synthesis.generator import block_size, synthetic_samples
from hand_recon_ros.synthesis.settings import SynthesisConfig
from hand_recon_ros.synthesis.takes import wide_size
from hand_recon_ros.synthesis.views import synthetic_views

try:
    create_context().release()
except RendererUnavailableError as error:
    pytest.skip(str(error), allow_module_level=True)

NOWHERE = Path("/nonexistent")
CONFIG = SynthesisConfig(
    size=96, views_per_scene=2, takes_per_view=2, data_dir=NOWHERE, second_mesh=NOWHERE
)


def test_views_are_premultiplied_and_their_labels_tell_the_picture() -> None:
    for view in islice(synthetic_views(CONFIG, 9), 12):
        picture, side = view.picture, wide_size(CONFIG.size)
        assert picture.rgba.shape == (side, side, 4)
        assert (view.camera.width, view.camera.height) == (side, side)
        assert (picture.rgba[..., :3] <= picture.rgba[..., 3:].astype(int) + 1).all()
        assert picture.instance is not None
        assert picture.part is not None
        assert (picture.part[picture.instance > 0] <= ARM_PART).all()
        assert (picture.rgba[picture.instance > 0][:, 3] > 0).all()
        for hand, label in zip(view.hands, view.labels(), strict=True):
            joints = hand.joints @ view.pose[:3, :3].T + view.pose[:3, 3]
            assert np.allclose(label.joints_m, joints)
            seen = label.visible.copy()
            seen[list(TIPS)] = False  # the pixel of a finger's very end may show what is behind
            pixels = np.round(label.joints_px[seen]).astype(int)
            assert (picture.instance[pixels[:, 1], pixels[:, 0]] == label.number).all()


def test_pictures_show_the_views() -> None:
    """The straight take of a view is its middle."""
    views = {
        view.hands[0].position.tobytes() + view.pose.tobytes(): view
        for view in islice(synthetic_views(CONFIG, 9), 12)
    }
    straight = 0
    labels = {label.joints_m.tobytes(): v for v in views.values() for label in v.labels()}
    for sample in islice(synthetic_samples(CONFIG, 9), block_size(CONFIG)):
        if sample.meta["take"] == 0:
            straight += 1
            view = labels[sample.hands[0].joints_m.tobytes()]
            off = (wide_size(CONFIG.size) - CONFIG.size) // 2
            middle = slice(off, off + CONFIG.size)
            assert view.picture.instance is not None
            assert view.picture.part is not None
            shown = view.picture.instance * (view.picture.part < ARM_PART)
            assert (sample.instance == shown[middle, middle]).all()
            moved = view.labels()[0].joints_px - off
            assert np.allclose(sample.hands[0].joints_px, moved, equal_nan=True)
    assert straight == len(views)


def test_workers_share_the_views() -> None:
    alone = [view.pose for view in islice(synthetic_views(CONFIG, 4), 24)]
    second = [v.pose for v in islice(synthetic_views(CONFIG, 4, worker=1, workers=2), 12)]
    assert np.array_equal(alone[12:], second)
    with pytest.raises(ValueError, match=r"worker 2 is not within 0\.\.1"):
        next(synthetic_views(CONFIG, 4, worker=2, workers=2))
