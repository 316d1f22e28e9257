"""Calibration files: which camera took which image."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import yaml

from hand_recon_ros.camera import DEFAULT_HFOV_DEG, Camera, CameraError, DistortionModel

_log = logging.getLogger(__name__)
_FORMS = (
    'a ROS camera_info YAML, JSON {"K": 3x3, "D": [...]}, or JSON {"file name": {"K": ..., ...}}'
)
_ASPECT_TOLERANCE = 0.01
_MODEL_BY_COUNT: dict[int, DistortionModel] = {
    8: "rational_polynomial",
    12: "rational_polynomial",
    14: "rational_polynomial",
}


@dataclass(frozen=True)
class Calibration:
    """One camera as the file states it; the image size is optional in JSON."""

    K: np.ndarray
    D: np.ndarray
    model: DistortionModel
    size: tuple[int, int] | None = None

    def camera(self, width: int, height: int) -> Camera:
        """The camera of an image of this size.

        Raises:
            CameraError: the numbers cannot be a camera, or the aspect ratios differ.
        """
        if self.size is None or self.size == (width, height):
            return Camera(width, height, self.K, self.D, self.model)
        own_width, own_height = self.size
        stretch = (width / own_width) / (height / own_height)
        if abs(stretch - 1.0) > _ASPECT_TOLERANCE:
            raise CameraError(
                f"the calibration is for {own_width}x{own_height}, the image is {width}x{height}: "
                "another aspect ratio, so it was cropped; calibrate at the size that you use"
            )
        return Camera(own_width, own_height, self.K, self.D, self.model).resized(width, height)


@dataclass
class CameraBook:
    """Gives every image its camera.

    Attributes:
        one: the camera of all images, or None.
        by_name: cameras by file name (or path, or name without suffix).
        hfov_deg: horizontal field of view assumed where there is no calibration at all.
        origin: the file, for messages.
    """

    one: Calibration | None = None
    by_name: Mapping[str, Calibration] = field(default_factory=dict)
    hfov_deg: float = DEFAULT_HFOV_DEG
    origin: str = ""
    _said: bool = False

    def camera(self, source: str, width: int, height: int) -> Camera:
        """The camera of an image; warns once where it must be assumed.

        Raises:
            CameraError: the file names no camera for ``source``, or one that does not fit.
        """
        if self.one is None and not self.by_name:
            self._warn_once(
                "no --camera given: assuming a horizontal field of view of %g degrees; "
                "distances are only as right as that",
                self.hfov_deg,
            )
            return Camera.from_fov(width, height, self.hfov_deg)
        try:
            camera = self.calibration(source).camera(width, height)
        except CameraError as error:
            raise CameraError(f"{self.origin}: {error}") from None
        off_centre = max(abs(camera.cx / width - 0.5), abs(camera.cy / height - 0.5))
        if off_centre > 0.25:
            self._warn_once(
                "%s: the principal point (%.0f, %.0f) lies far from the middle of a %dx%d image: "
                "was K calibrated at another size? State width and height in the file",
                *(self.origin, camera.cx, camera.cy, width, height),
            )
        return camera

    def calibration(self, source: str) -> Calibration:
        """The file's entry for a source.

        Raises:
            CameraError: there is none.
        """
        if self.one is not None:
            return self.one
        path = Path(source)
        for key in (source, path.name, path.stem):
            if key in self.by_name:
                return self.by_name[key]
        raise CameraError(f"names no camera for '{path.name}': add that key to the file")

    def _warn_once(self, message: str, *values: object) -> None:
        if not self._said:
            _log.warning(message, *values)
            self._said = True


def load_cameras(path: str | Path | None, hfov_deg: float = DEFAULT_HFOV_DEG) -> CameraBook:
    """Read a calibration file; None = assume the field of view.

    Raises:
        CameraError: the file is missing, unreadable, of another form, or holds bad numbers.
    """
    if path is None:
        return CameraBook(hfov_deg=hfov_deg)
    path = Path(path)
    document = _read(path)
    try:
        if isinstance(document, Mapping) and _is_camera(document):
            return CameraBook(one=_calibration(document), origin=str(path))
        if isinstance(document, Mapping) and document:
            entries = {str(name): _entry(name, value) for name, value in document.items()}
            return CameraBook(by_name=entries, origin=str(path))
    except CameraError as error:
        raise CameraError(f"{path}: {error}") from None
    raise CameraError(f"{path}: holds no camera; it must be {_FORMS}")


def _read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CameraError(f"camera file '{path}' cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CameraError(f"camera file '{path}' is not text; it must be {_FORMS}") from None
    try:
        if path.suffix.lower() == ".json":
            return json.loads(text)
        return next(iter(yaml.safe_load_all(text)), None)  # `ros2 topic echo` ends with "---"
    except (ValueError, yaml.YAMLError) as error:
        raise CameraError(f"camera file '{path}' cannot be parsed: {error}") from None


def _is_camera(document: Mapping[Any, Any]) -> bool:
    return any(key in document for key in ("K", "k", "camera_matrix"))


def _entry(name: object, value: object) -> Calibration:
    if isinstance(value, list):
        value = {"K": value}
    if not isinstance(value, Mapping) or not _is_camera(value):
        raise CameraError(f"entry '{name}' holds no K; the file must be {_FORMS}")
    try:
        return _calibration(value)
    except CameraError as error:
        raise CameraError(f"entry '{name}': {error}") from None


def _calibration(document: Mapping[Any, Any]) -> Calibration:
    K = _numbers(document, "camera_matrix", "K", "k")
    D = _numbers(document, "distortion_coefficients", "D", "d")
    if K is None or K.size != 9:
        raise CameraError("K must hold 3x3 numbers")
    D = np.zeros(0) if D is None else D
    stated = document.get("distortion_model") or document.get("model")
    model = cast(DistortionModel, stated or _MODEL_BY_COUNT.get(D.size, "plumb_bob"))
    width = document.get("image_width", document.get("width"))
    height = document.get("image_height", document.get("height"))
    try:
        size = (int(width), int(height)) if width and height else None
    except (TypeError, ValueError):
        raise CameraError(f"image size {width!r} x {height!r} must be whole numbers") from None
    calibration = Calibration(K.reshape(3, 3), D, model, size)
    calibration.camera(*(size or (1, 1)))  # reject bad numbers now, not at the first frame
    return calibration


def _numbers(document: Mapping[Any, Any], *names: str) -> np.ndarray | None:
    for name in names:
        value = document.get(name)
        if isinstance(value, Mapping):
            value = value.get("data")
        if value is not None:
            try:
                return np.asarray(value, dtype=np.float64).reshape(-1)
            except (TypeError, ValueError):
                raise CameraError(f"{name} must hold numbers only") from None
    return None
