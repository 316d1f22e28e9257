"""Pinhole camera with lens distortion: intrinsics, projection and back-projection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

DistortionModel = Literal["plumb_bob", "rational_polynomial", "equidistant"]
_COEFFICIENTS: dict[str, tuple[int, ...]] = {
    "plumb_bob": (0, 4, 5),
    "rational_polynomial": (0, 8, 12, 14),
    "equidistant": (0, 4),
}
_ALIASES: dict[str, DistortionModel] = {
    "": "plumb_bob",
    "none": "plumb_bob",
    "fisheye": "equidistant",
}
"""What drivers and files call these models as well."""
DEFAULT_HFOV_DEG = 60.0


class CameraError(ValueError):
    """The intrinsics cannot be used; the message says why and what to do."""


@dataclass(frozen=True, eq=False)
class Camera:
    """Intrinsics of one image size.

    Attributes:
        width, height: image size, px.
        K: (3, 3) camera matrix of the raw image.
        D: (n,) distortion coefficients in OpenCV's order; empty = none.
        model: distortion model (names as in ``sensor_msgs/CameraInfo``).
        assumed: True when K is a guess from a field of view, not a calibration.

    Raises:
        CameraError: K or D is not finite, has the wrong shape, or the focal length is not positive.
    """

    width: int
    height: int
    K: NDArray[np.float64]
    D: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    model: DistortionModel = "plumb_bob"
    assumed: bool = False

    def __post_init__(self) -> None:
        """Check and normalise the arrays."""
        K = np.asarray(self.K, dtype=np.float64)
        D = np.asarray(self.D, dtype=np.float64).reshape(-1)
        if self.width <= 0 or self.height <= 0:
            raise CameraError(f"camera image size {self.width}x{self.height} is not positive")
        if K.shape != (3, 3):
            raise CameraError(f"K must be 3x3, got shape {K.shape}")
        if not np.isfinite(K).all() or not np.isfinite(D).all():
            raise CameraError("K or D holds NaN or infinity: calibrate the camera again")
        if not K.any():
            raise CameraError("K is all zeros: the camera is not calibrated")
        if K[0, 0] <= 0 or K[1, 1] <= 0 or np.abs(K[2] - (0, 0, 1)).max() > 1e-5:
            raise CameraError("K needs positive focal lengths and last row 0 0 1")
        model = _ALIASES.get(self.model, self.model)
        if model not in _COEFFICIENTS:
            known = ", ".join(_COEFFICIENTS)
            raise CameraError(f"distortion model '{model}' is unknown; known: {known}")
        if not D.any():
            D = np.zeros(0)  # drivers fill a lens without distortion with any number of zeros
        if D.size not in _COEFFICIENTS[model]:
            raise CameraError(f"{model} takes {_COEFFICIENTS[model]} coefficients, got {D.size}")
        object.__setattr__(self, "model", model)
        object.__setattr__(self, "K", K)
        object.__setattr__(self, "D", D)

    @classmethod
    def from_fov(cls, width: int, height: int, hfov_deg: float = DEFAULT_HFOV_DEG) -> Camera:
        """Guess square pixels, centred, with the given horizontal field of view."""
        if not 1.0 < hfov_deg < 179.0:
            raise CameraError(f"horizontal field of view {hfov_deg} deg is not within 1..179")
        f = 0.5 * width / np.tan(np.deg2rad(hfov_deg) / 2)
        K = np.array([[f, 0, width / 2], [0, f, height / 2], [0, 0, 1]])
        return cls(width, height, K, assumed=True)

    def project(self, points_m: ArrayLike) -> NDArray[np.float64]:
        """Project (..., 3) points of the optical frame to (..., 2) px of the raw image.

        Points behind the camera give NaN.
        """
        points = np.asarray(points_m, dtype=np.float64)
        flat = points.reshape(-1, 3)
        z = flat[:, 2]
        safe = np.where(z > 1e-6, z, np.nan)
        if self.D.size == 0:
            uv = flat[:, :2] / safe[:, None] * (self.fx, self.fy) + (self.cx, self.cy)
            uv[:, 0] += self.K[0, 1] * flat[:, 1] / safe
        else:
            zero = np.zeros(3)
            if self.model == "equidistant":
                uv, _ = cv2.fisheye.projectPoints(flat[:, None], zero, zero, self.K, self.D)
            else:
                uv, _ = cv2.projectPoints(flat[:, None], zero, zero, self.K, self.D)
            uv = np.where(np.isfinite(safe)[:, None], uv.reshape(-1, 2), np.nan)
        return uv.reshape(*points.shape[:-1], 2)

    def normalize(self, points_px: ArrayLike) -> NDArray[np.float64]:
        """Take (..., 2) raw pixels to undistorted ray coordinates (x/z, y/z)."""
        points = np.asarray(points_px, dtype=np.float64)
        flat = points.reshape(-1, 1, 2)
        if self.D.size == 0:
            xy = (flat[:, 0] - (self.cx, self.cy)) / (self.fx, self.fy)
            xy[:, 0] -= self.K[0, 1] * xy[:, 1] / self.fx
        elif self.model == "equidistant":
            xy = np.asarray(cv2.fisheye.undistortPoints(flat, self.K, self.D), np.float64)
        else:
            criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-10)
            eye = np.eye(3)
            xy = np.asarray(
                cv2.undistortPointsIter(flat, self.K, self.D, eye, eye, criteria), np.float64
            )
        return xy.reshape(points.shape)

    def resized(self, width: int, height: int) -> Camera:
        """The same camera for a scaled image."""
        scale = np.diag([width / self.width, height / self.height, 1.0])
        return Camera(width, height, scale @ self.K, self.D, self.model, self.assumed)

    def mirrored(self) -> Camera:
        """The camera of the image flipped left to right."""
        K = self.K.copy()
        K[0, 2] = self.width - 1 - K[0, 2]
        K[0, 1] = -K[0, 1]
        D = self.D.copy()
        if self.model != "equidistant" and D.size >= 4:
            D[3] = -D[3]  # p2 bends along x; the other terms are even in x
        return Camera(self.width, self.height, K, D, self.model, self.assumed)

    @property
    def fx(self) -> float:
        """Horizontal focal length, px."""
        return float(self.K[0, 0])

    @property
    def fy(self) -> float:
        """Vertical focal length, px."""
        return float(self.K[1, 1])

    @property
    def cx(self) -> float:
        """Principal point, px from the left border."""
        return float(self.K[0, 2])

    @property
    def cy(self) -> float:
        """Principal point, px from the upper border."""
        return float(self.K[1, 2])
