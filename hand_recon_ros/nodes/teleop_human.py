"""The human side of the teleoperation node: joints, wrist, angles and features of each hand."""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import PoseArray, PoseStamped, TwistStamped
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.subscription import Subscription
from sensor_msgs.msg import JointState
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from hand_recon_ros.msg import Hand as HandMsg
from hand_recon_ros.msg import HandArray
from hand_recon_ros.msg import HandFeatures as HandFeaturesMsg
from hand_recon_ros.nodes.frames import Frames
from hand_recon_ros.nodes.problems import Problems
from hand_recon_ros.nodes.teleop_messages import (
    features_message,
    joint_state_message,
    joints_message,
    joints_of,
    side_of,
    wrist_messages,
    wrist_of,
)
from hand_recon_ros.retarget.features import GraspClassifier, hand_features
from hand_recon_ros.retarget.workspace import Workspace
from hand_recon_ros.skeleton import SIDES, Side

_TOPICS = {
    "joints": PoseArray,
    "wrist_pose": PoseStamped,
    "wrist_twist": TwistStamped,
    "human_joint_states": JointState,
    "features": HandFeaturesMsg,
}


class HumanSide:
    """Publishes ``~/left/...`` and ``~/right/...``, each only while somebody subscribes.

    Of several hands of one side the surest is told. With a mirrored workspace the left wrist is
    told as the right one's; joints, angles and features stay those of the hand that they are of.
    """

    def __init__(
        self, node: LifecycleNode, workspace: Workspace, target_frame: str, problems: Problems
    ) -> None:
        """Create the (still silent) publishers.

        Args:
            node: that they belong to.
            workspace: from the person's wrist to the robot's.
            target_frame: of the wrist's topics; empty = that of the hands.
            problems: of the node.
        """
        self._node, self._workspace, self._target = node, workspace, target_frame
        self._problems = problems
        self._publishers: dict[tuple[Side, str], Any] = {
            (side, topic): node.create_lifecycle_publisher(
                kind, f"~/{side}/{topic}", QoSProfile(depth=5)
            )
            for side in SIDES
            for topic, kind in _TOPICS.items()
        }
        self._classifiers = {side: GraspClassifier() for side in SIDES}
        self._tracks: dict[Side, int] = {}
        self._frames = Frames()
        self._listeners: list[Subscription] = []
        if target_frame:  # else nobody needs the frames, of which there are many
            static = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
            self._listeners = [
                node.create_subscription(TFMessage, topic, self._frames.add, qos)
                for topic, qos in (("/tf", QoSProfile(depth=100)), ("/tf_static", static))
            ]

    def destroy(self) -> None:
        """Remove publishers and subscriptions."""
        for listener in self._listeners:
            self._node.destroy_subscription(listener)
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)

    def publish(self, message: HandArray) -> None:
        """Tell the hands of a message."""
        for side in SIDES:
            mine = [hand for hand in message.hands if side_of(hand) == side]
            if not mine:
                continue
            hand = max(mine, key=lambda hand: hand.score)
            if self._tracks.get(side) != hand.track_id:
                self._tracks[side] = hand.track_id
                self._classifiers[side].reset()
            self._publish_hand(hand, side, message.header)
            self._publish_wrist(hand, message.header)

    def _publish_hand(self, hand: HandMsg, side: Side, header: Header) -> None:
        joints = joints_of(hand)
        if self._wanted(side, "joints"):
            frame = f"{side}_operator_wrist"
            self._send(side, "joints", joints_message(joints, side, header, frame))
        if self._wanted(side, "human_joint_states") or self._wanted(side, "features"):
            features = hand_features(joints, side, self._classifiers[side])
            self._send(side, "human_joint_states", joint_state_message(features.angles, header))
            self._send(side, "features", features_message(features, hand.track_id, header))

    def _publish_wrist(self, hand: HandMsg, header: Header) -> None:
        if not any(self._wanted(s, t) for s in SIDES for t in ("wrist_pose", "wrist_twist")):
            return
        wrist, target = wrist_of(hand), self._target or header.frame_id
        way = self._frames.lookup(target, header.frame_id)
        if way is None:
            self._problems.report(
                "tf",
                f"no transform from '{header.frame_id}' to '{target}': the wrist is not told; "
                "publish it on /tf or /tf_static, or set workspace.target_frame",
            )
            return
        self._problems.clear("tf")
        wrist = self._workspace.apply(wrist.in_frame(*way))
        told = wrist_messages(wrist, Header(stamp=header.stamp, frame_id=target))
        if told is not None:
            self._send(wrist.side, "wrist_pose", told[0])
            self._send(wrist.side, "wrist_twist", told[1])

    def _wanted(self, side: Side, topic: str) -> bool:
        return bool(self._publishers[side, topic].get_subscription_count())

    def _send(self, side: Side, topic: str, message: Any) -> None:
        if message is not None:
            self._publishers[side, topic].publish(message)
