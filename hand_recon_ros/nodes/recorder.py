"""Records the node's topics into a rosbag2 MCAP, and keeps the hands for figures.

python -m hand_recon_ros.nodes.recorder BAG
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from rclpy.utilities import remove_ros_args
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.io.closing import Closing
from hand_recon_ros.msg import Hand as HandMsg
from hand_recon_ros.msg import HandArray
from hand_recon_ros.nodes.node_bag import NodeBag
from hand_recon_ros.nodes.node_thread import NodeThread
from hand_recon_ros.rotations import quaternion_to_matrix
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Hand, HandFrame, ManoParameters

_NS = 1_000_000_000
_QOS = QoSProfile(depth=200)


@dataclass(frozen=True, slots=True)
class Received:
    """One ``HandArray`` and the times at which its image was taken and it arrived, ns."""

    message: HandArray
    stamp_ns: int
    receipt_ns: int

    @property
    def latency_ms(self) -> float:
        """Age of the image when its hands arrived."""
        return (self.receipt_ns - self.stamp_ns) * 1e-6


class Recorder(Closing):
    """Listens in a thread of its own from the moment it is made until it is closed.

    Attributes:
        hands: all ``HandArray`` so far.
    """

    def __init__(
        self,
        context: Context,
        bag: Path | None,
        node_name: str = "hand_recon_node",
        *,
        keep: bool = True,
    ) -> None:
        """Subscribe.

        Args:
            context: rclpy context.
            bag: folder of the bag to write (must not exist); None = only keep the hands.
            node_name: whose private topics to record.
            keep: collect ``hands`` (False where nobody asks, for long recordings).

        Raises:
            FileExistsError: the bag's folder exists.
        """
        self.hands: list[Received] = []
        self._keep = keep
        self._hands_topic = f"/{node_name}/hands"
        topics: dict[str, type] = {self._hands_topic: HandArray}
        if bag is not None:
            topics |= {
                f"/{node_name}/markers": MarkerArray,
                "/tf": TFMessage,
                "/diagnostics": DiagnosticArray,
            }
        self._bag = None if bag is None else NodeBag(bag, topics)
        self.node = Node("recorder", context=context)
        for topic, kind in topics.items():
            self.node.create_subscription(kind, topic, self._taker(topic), _QOS, raw=True)
        self._thread = NodeThread(self.node, context)

    def close(self) -> None:
        """Stop listening and finish the bag."""
        try:
            self._thread.close()
        finally:
            if self._bag is not None:
                self._bag.close()

    def _taker(self, topic: str) -> Any:
        is_hands = topic == self._hands_topic and self._keep

        def take(data: bytes) -> None:
            receipt_ns = time.time_ns()
            if is_hands:
                message = deserialize_message(data, HandArray)
                stamp = message.header.stamp
                self.hands.append(Received(message, stamp.sec * _NS + stamp.nanosec, receipt_ns))
            if self._bag is not None:
                self._bag.write(topic, receipt_ns, data)

        return take


def hand_frame(received: Received, camera: Camera, index: int, source: str) -> HandFrame:
    """Take a ``HandArray`` back to plain data."""
    message = received.message
    return HandFrame(
        index=index,
        source=source,
        stamp=received.stamp_ns / _NS,
        camera=camera,
        hands=tuple(_hand(hand, message.scale_source) for hand in message.hands),
        timings_ms={"stamp_to_receipt": received.latency_ms},
    )


def _hand(msg: HandMsg, scale_source: Any) -> Hand:
    side: Side = "left" if msg.side == HandMsg.LEFT else "right"
    q, v = msg.wrist.orientation, msg.wrist_velocity
    mano = msg.mano
    return Hand(
        side=side,
        track_id=msg.track_id,
        state="tracked" if msg.state == HandMsg.TRACKED else "predicted",
        score=msg.score,
        box_px=np.array(msg.box_px, dtype=np.float64),
        joints_px=np.array([(p.x, p.y) for p in msg.keypoints_px]),
        joint_confidence=np.array(msg.joint_confidence, dtype=np.float64),
        joints_m=np.array([(p.x, p.y, p.z) for p in msg.joints]),
        mano=ManoParameters(
            side, mano.global_orient, mano.hand_pose, mano.betas, mano.transl, mano.model
        ),
        wrist_rotation=quaternion_to_matrix((q.x, q.y, q.z, q.w)),
        joint_velocities=np.array([(p.x, p.y, p.z) for p in msg.joint_velocities]),
        wrist_velocity=np.array(
            [v.linear.x, v.linear.y, v.linear.z, v.angular.x, v.angular.y, v.angular.z]
        ),
        wrist_covariance=np.array(msg.wrist_covariance).reshape(6, 6),
        scale_source=scale_source,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Record until interrupted. 0 = done, 2 = the bag cannot be written."""
    arguments = [*(sys.argv[1:] if arguments is None else arguments)]
    parser = argparse.ArgumentParser(description="Record what hand_recon_node publishes.")
    parser.add_argument("bag", type=Path, help="folder to make")
    parser.add_argument("--node", default="hand_recon_node", help="name of the node")
    options = parser.parse_args(remove_ros_args(["recorder", *arguments])[1:])
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    context = Context()
    no_handlers = rclpy.SignalHandlerOptions.NO  # the bag must be finished before ROS goes down
    rclpy.init(args=arguments, context=context, signal_handler_options=no_handlers)
    try:
        with Recorder(context, options.bag, options.node, keep=False):
            threading.Event().wait()
    except KeyboardInterrupt:
        pass
    except (OSError, ImportError) as error:
        print(f"recorder: {error}", file=sys.stderr)
        return 2
    finally:
        rclpy.try_shutdown(context=context)
    return 0


if __name__ == "__main__":
    sys.exit(main())
