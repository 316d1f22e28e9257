"""An OpenGL context without a window, on EGL: a GPU where there is one, else Mesa's llvmpipe."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import os
import re
from typing import TYPE_CHECKING, Any

from hand_recon_ros.errors import ExpectedError

if TYPE_CHECKING:
    import moderngl

_SOFTWARE = re.compile("llvmpipe|softpipe|swrast|SWR", re.IGNORECASE)
_MAX_DEVICES = 16
_DEVICE_INDEX = "GLCONTEXT_DEVICE_INDEX"
_REMEDY = (
    "install 'libegl1 libgl1 libgl1-mesa-dri' (Debian, Ubuntu: sudo apt install libegl1 libgl1 "
    "libgl1-mesa-dri) and, for rendering on an NVIDIA GPU, the driver's libnvidia-gl package"
)


class RendererUnavailableError(ExpectedError):
    """There is no OpenGL here; the message says what to install."""


def create_context() -> moderngl.Context:
    """Make a context that is current in the calling thread and may be used only there.

    EGL lists its devices; the first GPU among them is taken, else the software renderer. The
    environment variable ``GLCONTEXT_DEVICE_INDEX`` overrides the choice.

    Raises:
        RendererUnavailableError: moderngl, EGL or a driver is missing.
    """
    try:
        import moderngl
    except ImportError as error:
        raise RendererUnavailableError(
            f"moderngl cannot be imported ({error}): pip install moderngl"
        ) from None
    software: moderngl.Context | None = None
    problem: Exception | None = None
    forced = _DEVICE_INDEX in os.environ
    for index in range(1 if forced else _MAX_DEVICES):
        options: dict[str, Any] = {"backend": "egl"} | ({} if forced else {"device_index": index})
        try:
            context = moderngl.create_context(standalone=True, require=330, **options)
        except Exception as error:  # ImportError without libEGL, plain Exception from the driver
            problem = problem or error
            if "device index" in str(error):
                break  # past the last device
            continue
        if not is_software(context):
            if software is not None:
                software.release()
                context.__enter__()  # releasing the other one left none current
            return context
        if software is None:
            software = context
        else:
            context.release()
            software.__enter__()
    if software is None and forced:
        raise RendererUnavailableError(
            f"{_DEVICE_INDEX}={os.environ[_DEVICE_INDEX]} gives no OpenGL ({problem}): unset it to "
            f"take the first GPU, else the processor; where that fails too, {_REMEDY}"
        )
    if software is None:
        raise RendererUnavailableError(f"OpenGL on EGL is missing ({problem}): {_REMEDY}")
    return software


def is_software(context: moderngl.Context) -> bool:
    """Whether a processor draws."""
    return _SOFTWARE.search(context.info["GL_RENDERER"]) is not None


def finish_drawing() -> None:
    """Wait until the calling thread's context has drawn everything, letting other threads run.

    moderngl's own calls hold Python's lock while they wait.
    """
    _gl_library().glFinish()


@functools.cache
def _gl_library() -> Any:
    return ctypes.CDLL(ctypes.util.find_library("GL") or "libGL.so.1")
