"""What a set of synthetic pictures is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hand_recon_ros.synthesis.poses import POSE_KINDS

DEFAULT_DATA = Path("../shared/data")
"""Where recordings and photographs are looked for; all of them may be missing."""


@dataclass(frozen=True)
class SynthesisConfig:
    """Options of the generator.

    Attributes:
        size: side of the square pictures, px.
        scenes: share of each kind: "single", "apart", "interacting".
        poses: share of each pose kind.
        views_per_scene: pictures taken of a scene from different sides, in different light.
        takes_per_view: pictures made from each rendering by turning, scaling, mirroring, other
            backgrounds and camera effects (000 section 3.1.3); 1 = as rendered.
        held_share: share of grasping single hands that hold something.
        occluder_share: share of pictures with something in front of the hands.
        cut_share: share of pictures that cut the hands off at the border.
        grey_share: share of pictures without colour.
        second_mesh_share: share of hands drawn with the second mesh, where it is installed.
        coarse_share: share of scenes drawn with the model's own triangles instead of the smooth
            surface; they take half the time, and in pictures of 256 px look the same.
        effects: whether the camera's effects are applied.
        wide: for trainers that cut crops out of rendered views: lenses do not distort, and the
            hands lie in the middle with room around them.
        data_dir: folder with ``motion`` and ``photos/backgrounds``; parts may be missing.
        more_backgrounds: folders of further photographs without hands.
        second_mesh: folder of the npm package ``@webxr-input-profiles/assets``; missing = unused.
    """

    size: int = 256
    scenes: dict[str, float] = field(
        default_factory=lambda: {"single": 0.6, "apart": 0.14, "interacting": 0.26}
    )
    poses: dict[str, float] = field(default_factory=lambda: dict(POSE_KINDS))
    views_per_scene: int = 3
    takes_per_view: int = 6
    held_share: float = 0.5
    occluder_share: float = 0.1
    cut_share: float = 0.12
    grey_share: float = 0.08
    second_mesh_share: float = 0.15
    coarse_share: float = 0.8
    effects: bool = True
    wide: bool = False
    data_dir: Path = DEFAULT_DATA
    more_backgrounds: tuple[Path, ...] = ()
    second_mesh: Path = Path("node_modules/@webxr-input-profiles/assets")

    @property
    def backgrounds_dirs(self) -> tuple[Path, ...]:
        """Folders of photographs without hands; may be missing."""
        return (self.data_dir / "photos" / "backgrounds", *self.more_backgrounds)

    def __post_init__(self) -> None:
        """Check sizes and shares.

        Raises:
            ValueError: one of them is out of range; the message names it.
        """
        if not 64 <= self.size <= 1024:
            raise ValueError(f"picture size {self.size} px is not within 64..1024")
        for name in ("views_per_scene", "takes_per_view"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("held_share", "occluder_share", "cut_share", "grey_share", "coarse_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be within 0..1")
        for name in ("scenes", "poses"):
            shares = getattr(self, name)
            if not shares or min(shares.values()) < 0 or sum(shares.values()) <= 0:
                raise ValueError(f"{name}: shares must not be negative and not all zero")
