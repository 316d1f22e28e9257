"""Intrinsics from a ``sensor_msgs/CameraInfo``, whoever has unpacked it."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from hand_recon_ros.camera import Camera, CameraError

CameraInfo: TypeAlias = Any
"""What has the fields of ``sensor_msgs/msg/CameraInfo``."""


def camera_from_info(msg: CameraInfo) -> Camera:
    """Return the intrinsics of the image that comes with ``msg``.

    A region of interest and binning are applied to K (which describes the full sensor): first
    the region is cut out, then pixels are joined, as ``image_geometry`` does.

    Raises:
        CameraError: not calibrated, or values that cannot be used.
    """
    source = f"camera_info of '{msg.header.frame_id}'"
    K = np.array(msg.k, dtype=np.float64).reshape(3, 3)
    D = np.array(msg.d, dtype=np.float64)
    if not K.any():
        raise CameraError(
            f"{source} has K all zeros, the camera is not calibrated: calibrate it "
            "(camera_calibration), or set camera.hfov_deg and require_camera_info false"
        )
    if D.any() and msg.distortion_model == "":
        raise CameraError(
            f"{source} has distortion coefficients but no distortion_model: "
            "set plumb_bob, rational_polynomial or equidistant"
        )
    width, height = int(msg.width), int(msg.height)
    if width == 0 or height == 0:
        raise CameraError(f"{source} has size {width}x{height}: set width and height in it")
    roi = msg.roi
    if roi.width and roi.height:
        width, height = int(roi.width), int(roi.height)
        K[0, 2] -= roi.x_offset
        K[1, 2] -= roi.y_offset
    bins = np.array([max(1, msg.binning_x), max(1, msg.binning_y), 1])
    model = msg.distortion_model
    try:
        return Camera(int(width // bins[0]), int(height // bins[1]), K / bins[:, None], D, model)
    except CameraError as error:
        raise CameraError(f"{source}: {error}") from None


def camera_for_image(camera: Camera, width: int, height: int) -> Camera:
    """Fit ``camera`` to an image of this size: the same object, or scaled if the driver scaled.

    Raises:
        CameraError: another aspect ratio, so that the image is no scaled copy.
    """
    if (camera.width, camera.height) == (width, height):
        return camera
    if abs(camera.width * height - camera.height * width) > max(camera.width, camera.height):
        raise CameraError(
            f"camera_info is for {camera.width}x{camera.height}, but the image is "
            f"{width}x{height}: load the calibration of this size, or check the remaps of image "
            "and camera_info"
        )
    return camera.resized(width, height)
