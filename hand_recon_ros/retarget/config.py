"""Options of teleoperation, in the manner of ``hand_recon_ros.config``."""

from __future__ import annotations

from dataclasses import dataclass, field

from hand_recon_ros.options import option_field


@dataclass(frozen=True)
class SafetyConfig:
    """What must be true before a hand may lead, and what happens when it is not."""

    engage_by: str = option_field(
        "service",
        "What engages: service = ~/engage; deadman = true on ~/deadman, again and again.",
        choices=("service", "deadman"),
    )
    deadman_timeout_s: float = option_field(
        0.3,
        "Without a message on ~/deadman for so long the robot stops, seconds.",
        low=0.02,
        high=5.0,
    )
    max_age_s: float = option_field(
        0.2,
        "Oldest image from which a hand may lead, by its stamp, seconds; then the robot holds.",
        low=0.02,
        high=2.0,
    )
    min_score: float = option_field(
        0.5, "Least score of a hand that leads; others are not followed.", low=0.0, high=1.0
    )
    max_predicted_s: float = option_field(
        0.1, "How long a lost hand's prediction is followed, seconds.", low=0.0, high=2.0
    )
    settle_s: float = option_field(
        0.2,
        "How long a hand must be seen without a break before it leads (again), seconds.",
        low=0.0,
        high=10.0,
    )
    max_wrist_speed: float = option_field(
        6.0, "A wrist that moves faster is another hand or an error, m/s.", low=0.1, high=100.0
    )
    rest_after_s: float = option_field(
        2.0,
        "How long the robot holds before it goes to its rest pose, seconds.",
        low=0.0,
        high=3600.0,
    )
    rest_ramp_s: float = option_field(
        2.0, "Least time of the way to the rest pose, seconds.", low=0.1, high=60.0
    )
    engage_ramp_s: float = option_field(
        1.0,
        "Time in which the robot goes from where it is to where the hand leads, seconds.",
        low=0.1,
        high=60.0,
    )
    smoothing_s: float = option_field(
        0.04,
        "Time in which the command reaches the newest hand, seconds; a little more than a frame "
        "of the camera.",
        low=0.005,
        high=1.0,
    )
    require_robot_state: bool = option_field(
        True,
        "Engage only with the robot's joint states, and stop when they fail; false is for shown "
        "robots: they start from their last command, at first from the rest pose.",
    )
    robot_state_timeout_s: float = option_field(
        0.5,
        "Without the robot's joint states for so long it is a fault, seconds.",
        low=0.02,
        high=10.0,
    )
    start_tolerance: float = option_field(
        0.05,
        "A joint so little outside its limits is taken into them on engaging, rad or m; beyond it "
        "engaging is refused.",
        low=0.0,
        high=1.0,
    )
    max_follow_error: float = option_field(
        0.5,
        "A joint that stays so far from its command for half a second is a fault, rad or m; "
        "0 = not watched.",
        low=0.0,
        high=10.0,
    )
    clock_jump_s: float = option_field(
        0.5,
        "A clock that steps by more between two commands has jumped, seconds.",
        low=0.05,
        high=60.0,
    )


@dataclass(frozen=True)
class WorkspaceConfig:
    """How a person's wrist is told, see ``workspace.Workspace``."""

    target_frame: str = option_field(
        "",
        "Frame of wrist_pose and wrist_twist, reached over /tf; empty = the camera's own frame.",
    )
    scale: float = option_field(
        1.0, "Robot's metres for each of the person's.", low=0.01, high=100.0
    )
    origin_m: str = option_field(
        "0 0 0", "Point x y z on the person's side, in the target frame, metres, ..."
    )
    target_m: str = option_field(
        "0 0 0", "... that becomes this point on the robot's side, metres."
    )
    mirrored: bool = option_field(
        False, "The person is a mirror image, as for a robot that faces them; sides are exchanged."
    )
    mirror_normal: str = option_field("0 1 0", "Direction x y z across which mirrored reflects.")
    tool_rpy_deg: str = option_field(
        "0 0 0", "Turn from the wrist to the tool that follows it: roll pitch yaw, degrees."
    )


@dataclass(frozen=True)
class TeleopConfig:
    """All options of teleoperation. ``TeleopConfig()`` holds the defaults."""

    robots: str = option_field(
        "",
        "Comma list of YAML files, one for each robot hand; the file says which human hand moves "
        "it. Empty = no robot, only the human side.",
    )
    rate_hz: float = option_field(100.0, "Commands a second.", low=10.0, high=500.0)
    safety: SafetyConfig = field(default_factory=SafetyConfig)
    workspace: WorkspaceConfig = field(default_factory=WorkspaceConfig)
