"""Which EGL device is taken, against a stand-in for the driver: a test machine has but one."""

from __future__ import annotations

from typing import Any

import pytest

from hand_recon_ros.rendering.gl.context import (
    RendererUnavailableError,
    create_context,
    is_software,
)

moderngl = pytest.importorskip("moderngl")
LLVMPIPE, GPU, OTHER_GPU = "llvmpipe (LLVM 15)", "NVIDIA H100 PCIe/PCIe/SSE2", "AMD Radeon"
VARIABLE = "GLCONTEXT_DEVICE_INDEX"


class Driver:
    """EGL devices by index: a renderer's name, or why it makes no context."""

    def __init__(self, *devices: str | Exception) -> None:
        self.devices = devices
        self.asked: list[int | None] = []
        self.current: Device | None = None
        self.open: list[Device] = []

    def create_context(self, **options: Any) -> Device:
        assert options["backend"] == "egl"
        assert options["standalone"]
        index = options.get("device_index")
        self.asked.append(index)
        index = index or 0
        if index >= len(self.devices):
            raise Exception(
                f"requested device index {index}, but found {len(self.devices)} devices"
            )
        device = self.devices[index]
        if isinstance(device, Exception):
            raise device
        self.current = Device(self, device)
        self.open.append(self.current)
        return self.current


class Device:
    """A context."""

    def __init__(self, driver: Driver, name: str) -> None:
        self.info = {"GL_RENDERER": name}
        self._driver = driver

    def __enter__(self) -> None:
        self._driver.current = self

    def release(self) -> None:
        self._driver.open.remove(self)
        self._driver.current = None


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv(VARIABLE, raising=False)

    def plugged(*devices: str | Exception) -> Driver:
        driver = Driver(*devices)
        monkeypatch.setattr(moderngl, "create_context", driver.create_context)
        return driver

    return plugged


@pytest.mark.parametrize(
    ("devices", "taken"),
    [
        ((LLVMPIPE,), LLVMPIPE),
        ((GPU, OTHER_GPU, LLVMPIPE), GPU),
        ((LLVMPIPE, GPU), GPU),
        ((LLVMPIPE, LLVMPIPE, GPU), GPU),
        ((LLVMPIPE, LLVMPIPE), LLVMPIPE),
        ((Exception("eglInitialize failed"), OTHER_GPU), OTHER_GPU),
        ((Exception("eglInitialize failed"), LLVMPIPE), LLVMPIPE),
    ],
)
def test_the_first_gpu_is_taken_else_the_processor(
    plug: Any, devices: tuple[str | Exception, ...], taken: str
) -> None:
    driver = plug(*devices)
    context: Any = create_context()
    assert context.info["GL_RENDERER"] == taken
    assert is_software(context) == (taken == LLVMPIPE)
    assert driver.current is context, "it is the current one"
    assert driver.open == [context], "no other is left open"


def test_the_environment_names_the_device(plug: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = plug(LLVMPIPE, GPU)
    monkeypatch.setenv(VARIABLE, "0")
    context: Any = create_context()
    assert driver.asked == [None], "glcontext reads the variable itself"
    assert context.info["GL_RENDERER"] == LLVMPIPE, "even where there is a GPU"


def test_no_device_says_what_to_do(plug: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plug()
    with pytest.raises(RendererUnavailableError, match=r"found 0 devices.*install 'libegl1"):
        create_context()


@pytest.mark.parametrize("index", ["40", "gpu"])
def test_a_device_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, index: str) -> None:
    """The real glcontext reads the variable."""
    monkeypatch.setenv(VARIABLE, index)
    with pytest.raises(RendererUnavailableError, match=rf"{VARIABLE}={index} .*unset it"):
        create_context()
