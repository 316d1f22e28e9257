"""Compiled shaders and the buffers that they draw from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.rendering.gl import shaders
from hand_recon_ros.rendering.gl.mesh import VERTEX, VERTEX_FORMAT, VERTEX_NAMES
from hand_recon_ros.rendering.gl.scene import Drawing, Material

_WIRE_PULL = 0.002
_SAMPLERS = {"albedo_map": 0, "detail_map": 1, "noise_map": 2, "shadow_map": 3}
_FLAT = np.dtype([("px", "<f4", 2), ("depth", "<f4"), ("colour", "<f4", 4)])


class Buffers:
    """A vertex and an index buffer that grow; ``generation`` tells when they were replaced."""

    def __init__(self, context: Any) -> None:
        """Start with nothing."""
        self._context = context
        self.vertices: Any = None
        self.indices: Any = None
        self.generation = 0

    def write(self, vertices: NDArray[np.void], indices: NDArray[np.uint32] | None) -> None:
        """Upload; what was drawn before keeps its data."""
        self.vertices = self._written(self.vertices, vertices)
        if indices is not None:
            self.indices = self._written(self.indices, indices)

    def _written(self, buffer: Any, data: NDArray[Any]) -> Any:
        if buffer is None or buffer.size < data.nbytes:
            if buffer is not None:
                buffer.release()
            buffer = self._context.buffer(reserve=max(1 << 16, data.nbytes * 3 // 2), dynamic=True)
            self.generation += 1
        else:
            buffer.orphan()
        buffer.write(np.ascontiguousarray(data).view(np.uint8).reshape(-1))
        return buffer

    def release(self) -> None:
        """Free both."""
        for buffer in (self.vertices, self.indices):
            if buffer is not None:
                buffer.release()


class Program:
    """A shader program with its view of the buffers."""

    def __init__(
        self, context: Any, buffers: Buffers, vertex: str, fragment: str, defines: str = ""
    ) -> None:
        """Compile."""
        self._context = context
        self._buffers = buffers
        head = shaders.HEADER + defines
        self._program = context.program(head + vertex, fragment_shader=head + fragment)
        self._members = {name: self._program[name] for name in self._program}
        self._values: dict[str, Any] = {}
        for name, unit in _SAMPLERS.items():
            self.set(name, unit)
        self._array: Any = None
        self._generation = -1
        self.noisy = "noise_map" in self._members

    def set(self, name: str, value: Any) -> None:
        """Set a uniform: a number, a tuple for a vector or matrix, a list for an array.

        What the compiler has dropped, be it only an array's tail, is passed over.
        """
        member = self._members.get(name)
        if member is None or self._values.get(name) == value:
            return
        self._values[name] = value
        if isinstance(value, list):
            count = member.array_length
            value = value[:count] if count > 1 else value[0]
        member.value = value

    def set_all(self, values: Mapping[str, Any]) -> None:
        """Set uniforms by name."""
        for name, value in values.items():
            self.set(name, value)

    def set_material(self, material: Material) -> None:
        """Set what differs from instance to instance."""
        self.set("base", material.colour)
        self.set("opacity", material.opacity)
        self.set("pull", _WIRE_PULL if material.wireframe else 0.0)
        for name in (
            "roughness", "specular", "wrap", "rim", "mottle", "grain",
            "noise_frequency", "noise_shift", "bump",
        ):  # fmt: skip
            self.set(name, getattr(material, name))

    def draw(self, first: int, count: int) -> None:
        """Draw ``count`` indices from ``first`` on."""
        if self._generation != self._buffers.generation:
            if self._array is not None:
                self._array.release()
            pieces = VERTEX_FORMAT.split()
            names = []
            for k, name in enumerate(VERTEX_NAMES):
                if name in self._members:
                    names.append(name)
                else:
                    pieces[k] = f"{VERTEX[name].itemsize}x"
            content = [(self._buffers.vertices, " ".join(pieces), *names)]
            self._array = self._context.vertex_array(self._program, content, self._buffers.indices)
            self._generation = self._buffers.generation
        self._array.render(vertices=count, first=first)

    def release(self) -> None:
        """Free the program."""
        if self._array is not None:
            self._array.release()
        self._program.release()


class Programs:
    """All programs of a renderer; variants are compiled when first asked for."""

    def __init__(self, context: Any) -> None:
        """Compile those without variants."""
        self._context = context
        self._buffers = Buffers(context)
        self._surfaces: dict[str, Program] = {}
        self.shadow = Program(
            context, self._buffers, shaders.SHADOW_VERTEX, shaders.SHADOW_FRAGMENT
        )
        self.label = Program(context, self._buffers, shaders.LABEL_VERTEX, shaders.LABEL_FRAGMENT)
        self._flat: tuple[Any, Buffers] | None = None

    def upload(self, vertices: NDArray[np.void], indices: NDArray[np.uint32] | None) -> None:
        """Give the meshes of the next draw calls; no indices = those of the last ones."""
        self._buffers.write(vertices, indices)

    def surface(self, material: Material, lights: int, shadow: bool, coarse: bool) -> Program:
        """The program for a material under so many lights; see ``View.coarse_light``."""
        noisy = any(material.mottle) or material.grain != 0
        detailed = material.detail is not None
        features = {
            "TEXTURE": material.texture is not None,
            "DETAIL": detailed,
            "NOISE": noisy,
            "RELIEF": material.bump > 0 and (noisy or detailed),
            "UNLIT": material.unlit,
            "SHADOW": shadow and not material.unlit,
            "VERTEX_LIT": coarse and lights > 0 and not material.unlit,
        }
        defines = f"#define LIGHTS {0 if material.unlit else lights}\n"
        defines += "".join(f"#define {name}\n" for name, used in features.items() if used)
        if defines not in self._surfaces:
            self._surfaces[defines] = Program(
                self._context,
                self._buffers,
                shaders.SURFACE_VERTEX,
                shaders.SURFACE_FRAGMENT,
                defines,
            )
        return self._surfaces[defines]

    def draw_flat(self, drawing: Drawing, uniforms: Mapping[str, Any]) -> None:
        """Draw coloured triangles."""
        if self._flat is None:
            source = shaders.DRAWING_VERTEX, shaders.DRAWING_FRAGMENT
            program = self._context.program(
                shaders.HEADER + source[0], fragment_shader=shaders.HEADER + source[1]
            )
            self._flat = program, Buffers(self._context)
        program, buffers = self._flat
        for name in ("size", "depth_range"):
            program[name].value = uniforms[name]
        corners = np.empty(drawing.points_px.shape[0] * 3, _FLAT)
        corners["px"] = drawing.points_px.reshape(-1, 2)
        corners["depth"] = drawing.depths_m.reshape(-1)
        corners["colour"] = drawing.colours.reshape(-1, 4)
        buffers.write(corners, None)
        array = self._context.vertex_array(
            program, [(buffers.vertices, "2f 1f 4f", "px", "depth", "colour")]
        )
        array.render(vertices=len(corners))
        array.release()

    def release(self) -> None:
        """Free all programs and buffers."""
        for program in (*self._surfaces.values(), self.shadow, self.label):
            program.release()
        if self._flat is not None:
            self._flat[0].release()
            self._flat[1].release()
        self._buffers.release()
