"""Augmentation and normalisation of 000 sections 3.1.3 and 3.1.2, with labels that stay true."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.rotations import exp_so3, log_so3
from hand_recon_ros.skeleton import Side, other_side
from hand_recon_ros.synthesis.sample import HandLabel, Sample
from hand_recon_ros.types import Array, ManoParameters

_MIRROR: Final = np.array([-1.0, 1.0, 1.0])
_TARGET_DEVIATION: Final = 0.25
_LEAST_DEVIATION: Final = 0.04


@dataclass(frozen=True)
class Augmentation:
    """Ranges of 000 section 3.1.3.

    Attributes:
        rotation_deg: largest turn in the picture's plane, either way.
        scale: least and largest scale.
        flip_share: share of mirrored pictures; sides are swapped with them.
        noise_sigma: of the Gaussian noise, of a range of 0..1.
    """

    rotation_deg: float = 15.0
    scale: tuple[float, float] = (0.8, 1.2)
    flip_share: float = 0.5
    noise_sigma: float = 0.01

    def apply(
        self, sample: Sample, models: dict[Side, HandModelData], rng: np.random.Generator
    ) -> Sample:
        """A turned, scaled, perhaps mirrored and noisy copy; labels follow."""
        result = mirrored(sample) if rng.random() < self.flip_share else sample
        angle = np.deg2rad(rng.uniform(-self.rotation_deg, self.rotation_deg))
        result = turned(result, float(angle), float(rng.uniform(*self.scale)), models)
        noise = rng.normal(0, 255 * self.noise_sigma, result.image.shape)
        noisy = np.clip(result.image + noise + 0.5, 0, 255).astype(np.uint8)
        return replace(result, image=noisy)


def normalized(image: NDArray[np.uint8], size: int = 256) -> NDArray[np.float32]:
    """(size, size, 3) float32 about 0: even brightness, contrast and colour (000 section 3.1.2).

    Each channel is centred on its mean; all share one gain, so that hues keep their contrast.
    """
    square = image
    if image.shape[:2] != (size, size):
        square = np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA))
    values = square.astype(np.float32) / 255.0
    centred = values - values.mean(axis=(0, 1))
    gain = _TARGET_DEVIATION / max(float(centred.std()), _LEAST_DEVIATION)
    return np.asarray(centred * gain, dtype=np.float32)


def mirrored(sample: Sample) -> Sample:
    """The picture in a mirror: left hands become right ones."""
    camera = sample.camera.mirrored()
    return replace(
        sample,
        image=np.asarray(cv2.flip(sample.image, 1), dtype=np.uint8),
        camera=camera,
        hands=tuple(_mirrored_hand(hand, camera) for hand in sample.hands),
        instance=np.asarray(cv2.flip(sample.instance, 1), dtype=np.uint8),
        part=np.asarray(cv2.flip(sample.part, 1), dtype=np.uint8),
        depth_m=np.asarray(cv2.flip(sample.depth_m, 1), dtype=np.float32),
    )


def turned(sample: Sample, angle: float, scale: float, models: dict[Side, HandModelData]) -> Sample:
    """The picture turned by ``angle`` rad (clockwise as seen) and scaled about its centre.

    It is what a camera that rolls about its axis and zooms would see; picture and pixels must be
    square.
    Scaling leaves the 3D labels alone: the focal length takes it up. Outside the old picture
    the border is repeated and no hand is labelled.
    """
    height, width = sample.image.shape[:2]
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    rotation = exp_so3([0.0, 0.0, angle])
    linear = scale * rotation[:2, :2]
    shift = centre - linear @ centre
    matrix = np.column_stack([linear, shift])
    size = (width, height)

    def nearest(mask: NDArray[Any], border: float) -> NDArray[Any]:
        how = cv2.INTER_NEAREST
        return np.asarray(cv2.warpAffine(mask, matrix, size, flags=how, borderValue=[border]))

    camera = turned_camera(sample.camera, rotation, scale, shift, width)
    image = cv2.warpAffine(
        sample.image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return replace(
        sample,
        image=np.asarray(image, dtype=np.uint8),
        camera=camera,
        hands=tuple(
            _turned_hand(hand, rotation, linear, shift, sample, models) for hand in sample.hands
        ),
        instance=nearest(sample.instance, 0).astype(np.uint8),
        part=nearest(sample.part, 0).astype(np.uint8),
        depth_m=nearest(sample.depth_m, np.inf).astype(np.float32),
    )


def turned_camera(camera: Camera, rotation: Array, scale: float, shift: Array, size: int) -> Camera:
    """The camera of a turned and scaled picture.

    Args:
        camera: of the picture; needs square pixels.
        rotation: (3, 3) about the optical axis.
        scale: factor on lengths in the picture.
        shift: (2,) px: the picture's p goes to scale * rotation p + shift.
        size: side of the new picture, px.
    """
    K = camera.K.copy()
    K[0, 0] *= scale
    K[1, 1] *= scale
    K[:2, 2] = scale * rotation[:2, :2] @ camera.K[:2, 2] + shift
    D = camera.D.copy()
    if camera.model != "equidistant" and D.size >= 4:
        # the tangential terms (p2, p1) are a vector in the picture's plane
        D[3], D[2] = rotation[:2, :2] @ np.array([D[3], D[2]])
    return Camera(size, size, K, D, camera.model, camera.assumed)


def _turned_hand(
    hand: HandLabel,
    rotation: Array,
    linear: Array,
    shift: Array,
    sample: Sample,
    models: dict[Side, HandModelData],
) -> HandLabel:
    height, width = sample.image.shape[:2]
    joints_px = hand.joints_px @ linear.T + shift
    x, y, w, h = hand.box_px
    corners = np.array([(x, y), (x + w, y), (x, y + h), (x + w, y + h)]) @ linear.T + shift
    low, high = corners.min(axis=0), corners.max(axis=0)
    inside = ((joints_px > -0.5) & (joints_px < (width - 0.5, height - 0.5))).all(axis=1)
    rest_wrist = _rest_wrist(hand.mano, models)
    mano = hand.mano.replace(
        global_orient=log_so3(rotation @ exp_so3(hand.mano.global_orient)),
        transl=rotation @ (rest_wrist + hand.mano.transl) - rest_wrist,
    )
    return replace(
        hand,
        box_px=np.concatenate([low, high - low]),
        joints_px=joints_px,
        joints_m=hand.joints_m @ rotation.T,
        visible=hand.visible & inside,
        mano=mano,
    )


def _mirrored_hand(hand: HandLabel, camera: Camera) -> HandLabel:
    width = camera.width
    box = hand.box_px.copy()
    box[0] = width - 1 - (hand.box_px[0] + hand.box_px[2])
    joints_px = hand.joints_px.copy()
    joints_px[:, 0] = width - 1 - joints_px[:, 0]
    pose = hand.mano.hand_pose.reshape(15, 3) * -_MIRROR
    side = other_side(hand.side)
    mano = ManoParameters(
        side=side,
        global_orient=hand.mano.global_orient * -_MIRROR,
        hand_pose=pose.reshape(45),
        betas=hand.mano.betas,
        transl=hand.mano.transl * _MIRROR,
        model=hand.mano.model,
    )
    return replace(
        hand,
        side=side,
        box_px=box,
        joints_px=joints_px,
        joints_m=hand.joints_m * _MIRROR,
        mano=mano,
    )


def _rest_wrist(mano: ManoParameters, models: dict[Side, HandModelData]) -> Array:
    """(3,) J0(betas) of the hand's model, m."""
    model = models[mano.side]
    shaped = model.v_template + model.shapedirs @ mano.betas
    return np.asarray(model.j_regressor[0] @ shaped)
