"""Quality of service of the camera's topics, and what to do where it does not fit."""

from __future__ import annotations

from rclpy.node import Node
from rclpy.qos import (
    QoSCompatibility,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
    qos_policy_name_from_kind,
)

_RELIABILITIES = {
    "best_effort": ReliabilityPolicy.BEST_EFFORT,
    "reliable": ReliabilityPolicy.RELIABLE,
}


def image_qos(reliability: str = "best_effort") -> QoSProfile:
    """Only the newest message counts; best effort understands every publisher."""
    return QoSProfile(depth=1, reliability=_RELIABILITIES[reliability])


def explain_incompatibility(node: Node, topic: str, ours: QoSProfile, policy: QoSPolicyKind) -> str:
    """Say which publishers of ``topic`` cannot be heard, why, and the remedy."""
    name = qos_policy_name_from_kind(policy)
    publishers = sorted(
        info.node_name
        for info in node.get_publishers_info_by_topic(topic)
        if qos_check_compatible(info.qos_profile, ours)[0] != QoSCompatibility.OK
    )
    remedy = (
        "set image_reliability to best_effort"
        if name == "RELIABILITY"
        else f"change the publisher's {name}"
    )
    return (
        f"no images from {topic}: {', '.join(publishers) or 'a publisher'} offers an incompatible "
        f"{name}; {remedy}"
    )
