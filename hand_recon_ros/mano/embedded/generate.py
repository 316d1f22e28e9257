"""Write the embedded hand model: ``python -m hand_recon_ros.mano.embedded.generate``.

Deterministic: the same code writes the same bytes. Large arrays are kept as integers with one
scale, which is finer than what anyone can see (a micrometre) and keeps the file small.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from hand_recon_ros.manifest import enter
from hand_recon_ros.mano.data import FloatArray
from hand_recon_ros.mano.embedded import (
    correctives,
    mesh,
    poses,
    shape,
    skinning,
    texture,
    topology,
)
from hand_recon_ros.mano.embedded.anatomy import Anatomy
from hand_recon_ros.mano.loader import EMBEDDED_FILE, MICROMETRE

WEIGHT_STEP = 1.0 / 4096


def generate() -> dict[str, Any]:
    """All arrays of the embedded right hand, quantised as they are stored."""
    connectivity = topology.build()
    mean = Anatomy()
    vertices, joints = shape.model_frame(connectivity, mean)
    vertices = np.round(vertices / MICROMETRE) * MICROMETRE
    directions, joint_directions = shape.shape_directions(connectivity)
    directions = np.round(directions / MICROMETRE) * MICROMETRE
    regressor = skinning.joint_regressor(vertices, joints, directions, joint_directions)
    built = mesh.build_vertices(connectivity, mean)
    weights = _exact_weights(skinning.skin_weights(connectivity, built, mean))
    axes = poses.joint_axes(mean)
    posedirs = correctives.pose_correctives(vertices, joints, weights, axes, connectivity.tips)
    uv, uv_faces = texture.texture_map(connectivity, vertices)
    return {
        "v_template": np.round(vertices / MICROMETRE).astype(np.int32),
        "shapedirs": np.round(directions / MICROMETRE).astype(np.int16),
        "posedirs": np.round(posedirs / MICROMETRE).astype(np.int16),
        "j_regressor": regressor,
        "weights": np.round(weights / WEIGHT_STEP).astype(np.int16),
        "faces": connectivity.faces.astype(np.int16),
        "hands_mean": poses.named_pose("relaxed"),
        "hands_components": poses.principal_components(axes),
        "tips": connectivity.tips.astype(np.int16),
        "wrist_loop": connectivity.rows[0].astype(np.int16),
        "palm": connectivity.palm.astype(np.int16),
        "uv": uv.astype(np.float32),
        "uv_faces": uv_faces.astype(np.int16),
        "shape_names": np.array(list(shape.SIGMAS)),
        "shape_sigmas": np.array(list(shape.SIGMAS.values())),
    }


def _exact_weights(weights: FloatArray) -> FloatArray:
    """Round weights to steps so that every row still sums to exactly 1."""
    steps = np.round(weights / WEIGHT_STEP)
    largest = weights.argmax(axis=1)
    steps[np.arange(len(steps)), largest] += 1.0 / WEIGHT_STEP - steps.sum(axis=1)
    return np.asarray(steps * WEIGHT_STEP)


def write(folder: Path) -> Path:
    """Write the model into a folder and list it in the manifest there; return its path."""
    path = folder / EMBEDDED_FILE.name
    np.savez_compressed(path, **generate())
    enter(
        path,
        licence="Apache-2.0",
        source="own work: python -m hand_recon_ros.mano.embedded.generate",
    )
    return path


def main() -> None:
    """Rewrite the committed file, or write to another folder."""
    parser = argparse.ArgumentParser(description="Generate the embedded hand model.")
    parser.add_argument("--folder", type=Path, default=EMBEDDED_FILE.parent)
    path = write(parser.parse_args().folder)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
