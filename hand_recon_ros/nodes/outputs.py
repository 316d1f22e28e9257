"""What the node publishes: hands and transforms at once, markers and overlay behind them."""

from __future__ import annotations

import time
from array import array
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from hand_recon_ros.config import Config
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.msg import HandArray
from hand_recon_ros.nodes.convert import hand_array_message, transforms
from hand_recon_ros.nodes.image_source import Picture
from hand_recon_ros.nodes.markers import MarkerBuilder
from hand_recon_ros.nodes.parameters import NodeConfig
from hand_recon_ros.nodes.problems import Problems
from hand_recon_ros.nodes.slot import Worker
from hand_recon_ros.skeleton import SIDES, Side
from hand_recon_ros.types import Array, HandFrame

if TYPE_CHECKING:
    from hand_recon_ros.rendering.overlay import Overlay

_LONGEST_REST_S = 0.2
_BUSY_PERIOD_S = 0.25
"""Between two pictures for viewers while images wait for the chain."""


def image_message(image: NDArray[np.uint8], header: Header) -> Image:
    """Return an (H, W, 3) RGB array as a message."""
    height, width = image.shape[:2]
    data = array("B")
    data.frombytes(np.ascontiguousarray(image).data)  # the setter's fast path
    return Image(
        header=header, height=height, width=width, encoding="rgb8", step=3 * width, data=data
    )


def without_hands(models: Mapping[Side, HandModelData], config: Config) -> dict[str, str]:
    """What ``hand_array_message`` says of a frame without hands."""
    return {
        "hand_model": ", ".join(sorted({model.name for model in models.values()})),
        "scale_source": "hand_length" if config.fit.hand_length_m else "adult_prior",
    }


class Outputs:
    """The node's publishers.

    Markers and overlay are for people: they are made only while somebody subscribes, in a thread
    of their own that takes the newest result, so that they never hold up ``~/hands``. While the
    chain does not keep up with the camera, viewers get only a few pictures a second.
    """

    def __init__(
        self,
        node: LifecycleNode,
        core_config: Config,
        config: NodeConfig,
        reconstructor: Any,
        problems: Problems,
    ) -> None:
        """Create the (still silent) publishers."""
        self._node = node
        self._reconstructor = reconstructor
        self._problems = problems
        self._mirrored = core_config.detector.mirrored
        self._without_hands = without_hands(reconstructor.models, core_config)
        self._render = core_config.render
        self._drawer: Overlay | None = None
        self._views: Worker[tuple[Picture, HandFrame]] | None = None
        self._viewed = -_BUSY_PERIOD_S
        self._hands = node.create_lifecycle_publisher(HandArray, "~/hands", QoSProfile(depth=5))
        self._tf = node.create_lifecycle_publisher(TFMessage, "/tf", QoSProfile(depth=100))
        self._markers = node.create_lifecycle_publisher(
            MarkerArray, "~/markers", QoSProfile(depth=1)
        )
        self._overlay = node.create_lifecycle_publisher(Image, "~/overlay", QoSProfile(depth=1))
        self._config = config
        self._builder = MarkerBuilder(config.markers)

    def set_config(self, config: NodeConfig) -> None:
        """Take over parameters that may change while the node runs."""
        self._config = config
        self._builder.config = config.markers

    def start(self) -> None:
        """Start the thread that serves viewers."""
        self._views = Worker("views", self._serve, self._show_failed, self._close_drawer)

    def stop(self) -> bool:
        """End the thread; False if it is still at work after a while."""
        views, self._views = self._views, None
        return views is None or views.stop()

    def destroy(self) -> None:
        """Remove the publishers."""
        for publisher in (self._hands, self._tf, self._markers, self._overlay):
            self._node.destroy_lifecycle_publisher(publisher)

    def publish(self, picture: Picture, result: HandFrame, *, behind: bool = False) -> None:
        """Publish the result of one picture; ``behind`` = the next one waits for it already."""
        self._hands.publish(hand_array_message(result, picture.header, **self._without_hands))
        if self._config.publish_tf and result.hands and picture.header.frame_id:
            frames = transforms(result, picture.header, self._config.frame_prefix)
            self._tf.publish(TFMessage(transforms=frames))
        if self._views is not None and (self._wanted(self._markers) or self._wanted(self._overlay)):
            now = time.monotonic()
            if not behind or now - self._viewed >= _BUSY_PERIOD_S:
                self._viewed = now
                self._views.slot.put((picture, result))

    @staticmethod
    def _wanted(publisher: Any) -> bool:
        return bool(publisher.get_subscription_count())

    def _serve(self, item: tuple[Picture, HandFrame]) -> None:
        began = time.monotonic()
        self._show(*item)
        # Rest as long as it took: where the machine is busy, people see fewer pictures, and the
        # interpreter's lock is free for the hands.
        time.sleep(min(time.monotonic() - began, _LONGEST_REST_S))

    def _show(self, picture: Picture, result: HandFrame) -> None:
        chain = self._reconstructor
        meshes = {hand.track_id: chain.vertices(hand) for hand in result.hands}
        if self._wanted(self._markers):
            faces = {side: chain.faces(side) for side in SIDES}
            markers = self._builder.build(result, picture.header, meshes, faces)
            if markers.markers:
                self._markers.publish(markers)
        if self._wanted(self._overlay):
            self._overlay.publish(
                image_message(self._draw(picture, result, meshes), picture.header)
            )
        self._problems.clear("views")

    def _draw(
        self, picture: Picture, result: HandFrame, meshes: Mapping[int, Array]
    ) -> NDArray[np.uint8]:
        # Only now: neither is needed where nobody looks, and OpenGL belongs to this thread.
        from hand_recon_ros.pipeline import unmirrored

        if self._drawer is None:
            from hand_recon_ros.rendering.overlay import Overlay

            self._drawer = Overlay(self._reconstructor.models, self._render)
        frame = unmirrored(picture.frame) if self._mirrored else picture.frame
        drawn = self._drawer.draw(frame.image, result, meshes)
        if self._drawer.warning:
            self._problems.report("renderer", self._drawer.warning)
        return drawn

    def _close_drawer(self) -> None:
        if self._drawer is not None:
            self._drawer.close()
            self._drawer = None

    def _show_failed(self, error: Exception) -> None:
        if self._node.context.ok():
            self._problems.report("views", f"markers or overlay failed: {error!r}", "error")
