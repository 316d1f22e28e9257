"""Results of a run as a bag of the node's messages, each at its image's own stamp."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from hand_recon_ros.io.bags.padding import Padding
from hand_recon_ros.io.closing import Closing
from hand_recon_ros.msg import HandArray
from hand_recon_ros.nodes.convert import hand_array_message, transforms
from hand_recon_ros.nodes.image_source import header_message
from hand_recon_ros.nodes.markers import MarkerBuilder
from hand_recon_ros.nodes.node_bag import NodeBag, type_name
from hand_recon_ros.nodes.outputs import image_message, without_hands
from hand_recon_ros.nodes.parameters import MarkerConfig
from hand_recon_ros.pipeline import HandReconstructor, unmirrored
from hand_recon_ros.rendering.overlay import Overlay
from hand_recon_ros.skeleton import SIDES
from hand_recon_ros.types import Array, Frame, HandFrame

BAG = "bag"
NODE = "/hand_recon_node"


class HandBag(Closing):
    """Writes ``~/hands``, ``/tf`` and ``~/markers``, and on request ``~/overlay``.

    Recording time is the image's stamp, so that the same results make the same bytes.

    Args:
        output: folder of the results; the bag lies in it, in place of an older one.
        header: exact stamp (ns) and frame_id of a frame.
        chain: that made the results.
        overlay: draw the hands on the images as well.

    Raises:
        FileExistsError: something else than an older bag lies there.
    """

    files: tuple[str, ...] = (BAG,)

    def __init__(
        self,
        output: Path,
        header: Callable[[Frame], tuple[int, str]],
        chain: HandReconstructor,
        *,
        overlay: bool = False,
    ) -> None:
        """Look whether the bag can be written; it is made with the first result."""
        self._folder = output / BAG
        _check_replaceable(self._folder)
        self._header = header
        self._chain = chain
        self._without_hands = without_hands(chain.models, chain.config)
        self._faces = {side: chain.faces(side) for side in SIDES}
        self._markers = MarkerBuilder(MarkerConfig())
        self._overlay = Overlay(chain.models, chain.config.render) if overlay else None
        self._topics = _topics(overlay)
        self._bag: NodeBag | None = None
        self._padding: Padding | None = None

    def write(self, frame: Frame, result: HandFrame) -> None:
        """Append the messages of one frame."""
        stamp_ns, frame_id = self._header(frame)
        header = header_message(stamp_ns, frame_id)
        if self._bag is None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._bag = NodeBag(self._folder, self._topics)
            self._padding = Padding(self._bag.types)
        put = self._put(stamp_ns)
        put(f"{NODE}/hands", hand_array_message(result, header, **self._without_hands))
        if result.hands and frame_id:
            put("/tf", TFMessage(transforms=transforms(result, header)))
        meshes: dict[int, Array] = {h.track_id: self._chain.vertices(h) for h in result.hands}
        markers = self._markers.build(result, header, meshes, self._faces)
        if markers.markers:
            put(f"{NODE}/markers", markers)
        if self._overlay is not None:
            shown = unmirrored(frame) if self._chain.config.detector.mirrored else frame
            drawn = np.asarray(self._overlay.draw(shown.image, result, meshes), np.uint8)
            put(f"{NODE}/overlay", image_message(drawn, header))

    def close(self) -> None:
        """Finish the bag."""
        if self._overlay is not None:
            self._overlay.close()
        if self._bag is not None:
            self._bag.close()

    def _put(self, stamp_ns: int) -> Callable[[str, Any], None]:
        bag, padding = self._bag, self._padding
        assert bag is not None
        assert padding is not None

        def put(topic: str, message: Any) -> None:
            kind = type_name(self._topics[topic])
            bag.write(topic, stamp_ns, padding.zeroed(serialize_message(message), kind))

        return put


def _topics(overlay: bool) -> dict[str, type]:
    topics: dict[str, type] = {
        f"{NODE}/hands": HandArray,
        "/tf": TFMessage,
        f"{NODE}/markers": MarkerArray,
    }
    return topics | ({f"{NODE}/overlay": Image} if overlay else {})


def _check_replaceable(folder: Path) -> None:
    if not folder.exists():
        return
    ours = {"metadata.yaml", "metadata.yaml.tmp", f"{folder.name}.mcap"}
    if not folder.is_dir() or {file.name for file in folder.iterdir()} - ours:
        raise FileExistsError(f"'{folder}' is no bag of an earlier run: remove it, or name another")
