"""The one configuration object: every option of the core with its default, meaning and range.

ROS parameters, YAML files and ``--set key=value`` mirror it by dotted names such as
``fit.hand_length_m``; ``options()`` lists them, so that no default is written twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from hand_recon_ros.options import ConfigError, Option, option_field, options_of


@dataclass(frozen=True)
class DetectorConfig:
    """Which hands are looked for, and by what."""

    front_end: str = option_field(
        "learned",
        "What finds hands and their key points: learned = this project's own networks, "
        "mediapipe = MediaPipe Hands, which has to be installed.",
        choices=("learned", "mediapipe"),
    )
    weights_dir: str = option_field(
        "",
        "Folder with weights of your own (detector, cpm, acr .safetensors) for front_end learned; "
        "empty = those that come with the package.",
    )
    max_hands: int = option_field(2, "Most hands in a frame.", low=1, high=8)
    min_score: float = option_field(
        0.5,
        "Least score of a new hand (learned: its probability by detector and key points).",
        low=0.0,
        high=1.0,
    )
    min_tracking_score: float = option_field(
        0.5, "Least score to follow a hand.", low=0.0, high=1.0
    )
    mirrored: bool = option_field(
        False, "The images are mirrored (selfie view): flip them back first."
    )
    complexity: int = option_field(
        1, "Size of MediaPipe's models: 0 = faster, 1 = more exact.", low=0, high=1
    )
    threads: int = option_field(
        1,
        "Threads of the front end's networks; 2 is quicker on an idle machine, but far slower on a "
        "busy one.",
        low=1,
        high=64,
    )
    search_interval: int = option_field(
        30, "Frames between searches for a further hand while one is followed.", low=1, high=300
    )


@dataclass(frozen=True)
class CameraConfig:
    """Used only where no calibration is given."""

    hfov_deg: float = option_field(
        60.0, "Horizontal field of view assumed without a calibration, degrees.", low=2, high=170
    )


@dataclass(frozen=True)
class ModelConfig:
    """The hand model: the embedded one, or the user's licensed MANO files."""

    right_path: str = option_field("", "MANO_RIGHT.pkl of the user; empty = embedded model.")
    left_path: str = option_field("", "MANO_LEFT.pkl of the user; empty = embedded model.")
    fix_left_shapedirs: bool = option_field(
        True, "Negate x of the left shapedirs where the file repeats the right hand's sign."
    )
    tips: str = option_field(
        "manopth",
        "Finger tip vertices of a user's MANO file.",
        choices=("smplx", "freihand", "manopth"),
    )


@dataclass(frozen=True)
class FitConfig:
    """MANO fit: residual weights are 1/sigma of each term."""

    hand_length_m: float = option_field(
        0.0,
        "Length of the user's flat hand, wrist joint to middle finger tip, metres; "
        "0 = unknown: an adult's size is assumed and distance is only as right as that.",
        low=0.0,
        high=0.3,
    )
    max_iterations: int = option_field(20, "Most steps from a new guess.", low=1, high=200)
    max_iterations_warm: int = option_field(4, "Most steps from the last frame.", low=1, high=50)
    sigma_px: float = option_field(
        1.6,
        "Noise of a fully confident key point of a hand 300 px large (half a metre away at 720p), "
        "px; it grows with the hand's size in the image.",
        low=0.1,
        high=50.0,
    )
    sigma_prior_m: float = option_field(
        0.012,
        "Noise of the front end's relative 3D, whose scale is left free, metres; 0 = not used.",
        low=0.0,
        high=1.0,
    )
    sigma_guess_rad: float = option_field(
        0.3,
        "Noise of the joint angles that the learned regressor tells, rad; 0 = its pose only "
        "starts the fit, and its shape is not used.",
        low=0.0,
        high=10.0,
    )
    sigma_wrists_m: float = option_field(
        0.02,
        "Noise of the regressor's way from one wrist to the other, metres along each axis; "
        "0 = not used.",
        low=0.0,
        high=1.0,
    )
    limits_weight: float = option_field(1.0, "Weight of the joint limits.", low=0.0, high=100.0)
    collision_weight: float = option_field(
        1.0, "Weight against fingers and hands that pass through each other.", low=0.0, high=100.0
    )
    temporal_weight: float = option_field(
        1.0, "Weight that ties a frame to the last one.", low=0.0, high=100.0
    )
    pose_weight: float = option_field(0.8, "Weight of the pose prior.", low=0.0, high=100.0)
    shape_weight: float = option_field(1.0, "Weight of the shape prior.", low=0.0, high=100.0)
    shape_frames: int = option_field(
        30, "Confident frames from which a person's hand shape is estimated.", low=1, high=1000
    )


@dataclass(frozen=True)
class FilterConfig:
    """Kalman filter over MANO parameters, and smoothing of the joints."""

    kalman: bool = option_field(True, "Filter the MANO parameters (000 eq. 2-3).")
    position_noise: float = option_field(
        0.7,
        "Largest process noise of the wrist: root density of its acceleration, m/s^1.5.",
        low=1e-3,
        high=1e3,
    )
    rotation_noise: float = option_field(
        3.0, "The same for the wrist's rotation, rad/s^1.5.", low=1e-3, high=1e4
    )
    pose_noise: float = option_field(
        40.0, "The same for the finger joints, rad/s^1.5.", low=1e-3, high=1e4
    )
    still_noise_ratio: float = option_field(
        0.002, "Process noise of a still hand over the largest.", low=1e-4, high=1.0
    )
    noise_adaptation_s: float = option_field(
        0.1, "Time in which the process noise calms down, seconds.", low=1e-2, high=100.0
    )
    velocity_decay_s: float = option_field(
        0.12, "Time in which an unseen hand loses its velocity, seconds.", low=1e-2, high=100.0
    )
    shape_smoothing_s: float = option_field(
        0.1, "Time constant of the low-pass over betas, seconds; 0 = off.", low=0.0, high=100.0
    )
    measurement_scale: float = option_field(
        0.8, "Scale of the fit's own standard deviations.", low=1e-3, high=1e3
    )
    gate_sigma: float = option_field(
        5.0, "Mahalanobis distance beyond which a measurement is an outlier.", low=1.0, high=100.0
    )
    joint_noise_m: float = option_field(
        0.003, "Noise of a joint for smoothing by 'kalman', metres.", low=1e-5, high=1.0
    )
    max_predict_s: float = option_field(
        0.25, "How long a lost hand is predicted before it is dropped, seconds.", low=0.0, high=5.0
    )
    min_hits: int = option_field(
        2, "Frames in a row that a new hand must be seen in before it counts.", low=1, high=30
    )
    smoothing: str = option_field(
        "savgol",
        "Smoothing of the joint trajectories.",
        choices=("savgol", "one_euro", "kalman", "none"),
    )
    savgol_window: int = option_field(5, "Savitzky-Golay window, frames (odd).", low=3, high=51)
    savgol_order: int = option_field(2, "Savitzky-Golay polynomial order.", low=0, high=9)
    one_euro_min_cutoff: float = option_field(
        4.0, "One-Euro cut-off frequency at rest, Hz.", low=1e-3, high=1e3
    )
    one_euro_beta: float = option_field(0.7, "One-Euro speed coefficient.", low=0.0, high=1e4)

    def __post_init__(self) -> None:
        """Refuse what does not go together now, not at the first hand."""
        if self.savgol_window % 2 == 0:
            raise ConfigError(
                f"option 'filter.savgol_window' is {self.savgol_window}; it must be odd"
            )
        if self.savgol_order >= self.savgol_window:
            raise ConfigError(
                f"option 'filter.savgol_order' is {self.savgol_order}; "
                f"it must be below filter.savgol_window, {self.savgol_window}"
            )


RENDER_STYLES: Final = ("mesh", "textured", "wireframe", "skeleton", "trails", "side_view")


@dataclass(frozen=True)
class RenderConfig:
    """What overlays and exported videos show."""

    engine: str = option_field(
        "auto",
        "What draws: opengl (a GPU or Mesa's software renderer), cpu = a simple built-in renderer "
        "of mesh and skeleton; auto = opengl if there is one.",
        choices=("auto", "opengl", "cpu"),
    )
    styles: str = option_field(
        "mesh,skeleton",
        "Comma list of mesh (side and confidence in colour), textured (skin instead), wireframe, "
        "skeleton, trails (motion of all joints and the palm's centre), side_view (inset).",
    )
    alpha: float = option_field(0.75, "Opacity of the hands' surface.", low=0.0, high=1.0)
    texture: str = option_field(
        "",
        "Image file for the style textured; empty = the project's own skin. "
        "'python -m hand_recon_ros.rendering.skin_map FILE.png' writes a template.",
    )
    trail_length: int = option_field(30, "Length of the trails, frames.", low=2, high=300)

    def __post_init__(self) -> None:
        """Check the list of styles."""
        for style in self.style_set:
            if style not in RENDER_STYLES:
                raise ConfigError(
                    f"option 'render.styles' names '{style}'; known: {', '.join(RENDER_STYLES)}"
                )

    @property
    def style_set(self) -> frozenset[str]:
        """The styles, one by one."""
        return frozenset(filter(None, (style.strip() for style in self.styles.split(","))))


@dataclass(frozen=True)
class Config:
    """All options of the core. ``Config()`` holds the defaults.

    Attributes:
        device: where torch models run.
        regressor: what reads 3D off the image. The published network of ``acr_official`` is
            detector, key points and regressor in one and stands in for ``detector.front_end``;
            no part of it runs without the others, so it is no further choice there.
        acr_checkpoint, acr_centre_threshold: of that network.
    """

    device: str = option_field(
        "auto",
        "Where torch models run: auto = CUDA if there is one.",
        choices=("auto", "cpu", "cuda"),
    )
    regressor: str = option_field(
        "auto",
        "What reads 3D off the image: auto = what belongs to detector.front_end; acr_official = "
        "the published ACR network, which finds hands, key points and 3D by itself, without "
        "detector.front_end, and needs acr_checkpoint.",
        choices=("auto", "acr_official"),
    )
    acr_checkpoint: str = option_field(
        "",
        "Your file of the published ACR weights (wild.pkl), for regressor acr_official; it does "
        "not come with the package.",
    )
    acr_centre_threshold: float = option_field(
        0.35,
        "A hand counts where the published ACR network's map of hand centres is above it.",
        low=0.0,
        high=1.0,
    )
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    filter: FilterConfig = field(default_factory=FilterConfig)
    render: RenderConfig = field(default_factory=RenderConfig)

    def __post_init__(self) -> None:
        """Refuse what does not go together now, not at the first hand."""
        if self.regressor == "acr_official" and not self.acr_checkpoint:
            raise ConfigError(
                "option 'regressor' is acr_official; it needs 'acr_checkpoint', the path of the "
                "published ACR weights (wild.pkl)"
            )


def options(section: Any = None) -> list[Option]:
    """Every option of ``section`` (default: all of ``Config``), in order, by dotted name."""
    return list(options_of(Config() if section is None else section))
