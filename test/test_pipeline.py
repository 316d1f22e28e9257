"""The whole chain on real pictures, and with a front end that tells the truth."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from hand_recon_ros.camera import Camera
from hand_recon_ros.config import Config
from hand_recon_ros.config_io import config_from_mapping
from hand_recon_ros.front_end import FrontEnd
from hand_recon_ros.mano.joints import hand_joints
from hand_recon_ros.mano.kinematics import HandSkeleton
from hand_recon_ros.pipeline import HandReconstructor
from hand_recon_ros.rotations import log_so3
from hand_recon_ros.types import Detection, Frame, HandFrame, Keypoints, ManoParameters

DATA = Path(__file__).parents[2] / "shared" / "data"
CAMERA = Camera(1280, 720, np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]]))
IMAGE = np.zeros((720, 1280, 3), np.uint8)

needs_data = pytest.mark.skipif(not DATA.exists(), reason=f"no recordings in {DATA}")


@dataclass
class Script:
    """A front end that returns the key points it is told to."""

    hands: list[Keypoints] = field(default_factory=list)
    resets: int = 0

    def detect(self, frame: Frame, previous: object) -> list[Detection]:
        return [Detection(h.side, h.score, h.box_px, hint=h) for h in self.hands]

    def estimate(self, frame: Frame, detections: list[Detection]) -> list[Keypoints]:
        return [d.hint for d in detections]  # type: ignore[misc]

    def reset(self) -> None:
        self.resets += 1

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def skeletons() -> dict[str, HandSkeleton]:
    from hand_recon_ros.mano.loader import load_hand_model

    return {side: HandSkeleton.of(load_hand_model(side)) for side in ("left", "right")}


def scripted(config: Config | None = None) -> tuple[HandReconstructor, Script]:
    script = Script()
    front_end = FrontEnd(script, script)
    return HandReconstructor(config or Config(), front_end=front_end), script


def true_hand(side: str, t: float) -> ManoParameters:
    """A hand that opens and closes and sways, half a metre away, palm to the camera."""
    sign = 1.0 if side == "right" else -1.0
    pose = np.zeros((15, 3))
    pose[:12, 2] = sign * (0.35 + 0.3 * np.sin(3 * t))
    # fingers up, back of the hand away from the camera, thumb towards the other hand
    orient = log_so3(np.array([[0, 0, sign], [sign, 0, 0], [0, 1.0, 0]]))
    place = np.array([-0.2 * sign + 0.03 * np.sin(2 * t), 0.02, 0.55])
    return ManoParameters(side, orient, pose.reshape(45), np.zeros(10), place)


def keypoints_of(skeleton: HandSkeleton, hand: ManoParameters) -> tuple[Keypoints, np.ndarray]:
    joints = hand_joints(skeleton, hand)
    points = CAMERA.project(joints)
    box = np.concatenate([points.min(0), np.ptp(points, axis=0)])
    seen = Keypoints(
        hand.side, 0.95, points, np.ones(21), box, side_score=0.95, relative_m=joints - joints[0]
    )
    return seen, joints


def play(
    chain: HandReconstructor, script: Script, skeletons: dict, sides: tuple, frames: range
) -> tuple[list[HandFrame], list[dict[str, np.ndarray]]]:
    results, truths = [], []
    for k in frames:
        pairs = {s: keypoints_of(skeletons[s], true_hand(s, k / 30)) for s in sides}
        script.hands = [seen for seen, _ in pairs.values()]
        truths.append({s: joints for s, (_, joints) in pairs.items()})
        results.append(chain.process(Frame(IMAGE, 50 + k / 30, CAMERA, index=k)))
    return results, truths


def test_two_hands_are_followed_to_the_millimetre(skeletons: dict):
    config = config_from_mapping({"fit.hand_length_m": flat_length(skeletons["right"])})
    chain, script = scripted(config)
    results, truths = play(chain, script, skeletons, ("left", "right"), range(45))
    assert [len(r.hands) for r in results[2:]] == [2] * 43
    ids = {(h.side, h.track_id) for r in results for h in r.hands}
    assert len(ids) == 2
    errors = [
        np.linalg.norm(h.joints_m - truth[h.side], axis=1).mean()
        for r, truth in zip(results[20:], truths[20:], strict=True)
        for h in r.hands
    ]
    assert np.median(errors) < 0.006
    assert {h.scale_source for h in results[-1].hands} == {"hand_length"}


def flat_length(skeleton: HandSkeleton) -> float:
    rest = skeleton.rest_points(np.zeros((1, 10)))[0]
    middle_tip = 17
    return float(np.linalg.norm(rest[middle_tip] - rest[0]))


def test_joints_are_the_forward_kinematics_where_nothing_smooths_them(skeletons: dict):
    chain, script = scripted(config_from_mapping({"filter.smoothing": "none"}))
    results, _ = play(chain, script, skeletons, ("right",), range(10))
    hand = results[-1].hands[0]
    np.testing.assert_allclose(hand.joints_m, hand_joints(skeletons["right"], hand.mano), atol=1e-9)
    vertices = chain.vertices(hand)
    assert vertices.shape == (778, 3)
    assert np.linalg.norm(vertices - hand.joints_m[9], axis=1).max() < 0.2


def test_a_lost_hand_is_predicted_with_growing_doubt_then_gone(skeletons: dict):
    chain, script = scripted()
    play(chain, script, skeletons, ("right",), range(10))
    script.hands = []
    lost = [chain.process(Frame(IMAGE, 50 + k / 30, CAMERA, index=k)) for k in range(10, 40)]
    predicted = [r.hands[0] for r in lost if r.hands]
    assert predicted
    assert {h.state for h in predicted} == {"predicted"}
    doubt = [np.trace(h.wrist_covariance[:3, :3]) for h in predicted]
    assert (np.diff(doubt) > 0).all()
    limit = chain.config.filter.max_predict_s
    assert len(predicted) == pytest.approx(limit * 30, abs=1.5)
    assert not lost[-1].hands


def test_static_images_know_nothing_of_each_other(skeletons: dict):
    script = Script()
    chain = HandReconstructor(Config(), static=True, front_end=FrontEnd(script, script))
    seen, _ = keypoints_of(skeletons["right"], true_hand("right", 0.0))
    script.hands = [seen]
    first = chain.process(Frame(IMAGE, 0.0, CAMERA))
    other, _ = keypoints_of(skeletons["left"], true_hand("left", 0.4))
    script.hands = [other]
    chain.process(Frame(IMAGE, 0.0, CAMERA))
    script.hands = [seen]
    again = chain.process(Frame(IMAGE, 0.0, CAMERA))
    np.testing.assert_allclose(first.hands[0].joints_m, again.hands[0].joints_m, atol=1e-9)


def test_unusable_key_points_are_a_lost_hand_not_an_error(skeletons: dict):
    chain, script = scripted()
    play(chain, script, skeletons, ("right",), range(10))
    seen = script.hands[0]
    broken = [
        replace(seen, confidence=np.zeros(21)),
        replace(seen, points_px=np.full((21, 2), np.nan)),
    ]
    for k, hand in enumerate(broken, start=10):
        script.hands = [hand]
        result = chain.process(Frame(IMAGE, 50 + k / 30, CAMERA, index=k))
        for h in result.hands:
            assert h.state == "predicted"
            assert np.isfinite(h.joints_m).all()


def test_another_image_size_starts_afresh(skeletons: dict):
    chain, script = scripted()
    results, _ = play(chain, script, skeletons, ("right",), range(5))
    script.hands = []
    small = Frame(IMAGE[::2, ::2], 51.0, CAMERA.resized(640, 360))
    assert chain.process(small).hands == ()
    assert script.resets == 1
    assert results[-1].hands


def test_a_camera_of_another_size_is_refused():
    chain, _ = scripted()
    with pytest.raises(ValueError, match="640x360"):
        chain.process(Frame(IMAGE, 0.0, CAMERA.resized(640, 360)))


@needs_data
def test_photograph_of_two_left_hands():
    image = cv2.cvtColor(cv2.imread(str(DATA / "images/two_hands.jpg")), cv2.COLOR_BGR2RGB)
    reference = json.loads((DATA / "images/two_hands.json").read_text())
    height, width = image.shape[:2]
    camera = Camera.from_fov(width, height)
    chain = HandReconstructor(static=True)
    result = chain.process(Frame(image, 0.0, camera))
    assert len(result.hands) == 2
    assert [h.side for h in result.hands] == ["left", "left"]  # backs of two left hands
    for points in np.array(reference["keypoints_px"], dtype=float):
        hand = min(result.hands, key=lambda h: np.abs(h.joints_px - points).mean())
        assert np.linalg.norm(hand.joints_px - points, axis=1).mean() < 8
        assert np.linalg.norm(camera.project(hand.joints_m) - hand.joints_px, axis=1).mean() < 4
    chain.close()


@needs_data
def test_a_mirrored_photograph_gives_the_same_hands_when_said_so():
    image = cv2.cvtColor(cv2.imread(str(DATA / "images/two_hands.jpg")), cv2.COLOR_BGR2RGB)
    camera = Camera.from_fov(image.shape[1], image.shape[0])
    plain = HandReconstructor(static=True)
    expected = plain.process(Frame(image, 0.0, camera))
    mirrored = HandReconstructor(config_from_mapping({"detector.mirrored": True}), static=True)
    flipped = np.ascontiguousarray(image[:, ::-1])
    result = mirrored.process(Frame(flipped, 0.0, camera.mirrored()))
    assert [h.side for h in result.hands] == [h.side for h in expected.hands]
    for got, want in zip(result.hands, expected.hands, strict=True):
        np.testing.assert_allclose(got.joints_m, want.joints_m, atol=1e-6)


@needs_data
def test_real_video_right_hand_bends_its_fingers():
    capture = cv2.VideoCapture(str(DATA / "video/right_hand_fingers_720p30.mp4"))
    chain = HandReconstructor()
    camera = Camera.from_fov(1280, 720)
    errors, seen, total = [], 0, 0
    ids = set()
    for k in range(150):
        ok, bgr = capture.read()
        assert ok
        frame = Frame(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), k / 30, camera, index=k)
        result = chain.process(frame)
        total += 1
        seen += len(result.hands) == 1
        for hand in result.hands:
            ids.add((hand.track_id, hand.side))
            if hand.state == "tracked":
                off = camera.project(hand.joints_m) - hand.joints_px
                errors.append(np.linalg.norm(off, axis=1).mean())
    assert seen >= total - 3
    assert len(ids) == 1
    assert next(iter(ids))[1] == "right"
    assert np.mean(errors) <= 3.0


def test_a_hand_that_comes_back_keeps_its_shape(skeletons: dict):
    chain, script = scripted(config_from_mapping({"fit.shape_frames": 5}))
    before, _ = play(chain, script, skeletons, ("right",), range(15))
    script.hands = []
    for k in range(15, 60):
        chain.process(Frame(IMAGE, 50 + k / 30, CAMERA, index=k))
    after, _ = play(chain, script, skeletons, ("right",), range(60, 63))
    first, again = before[-1].hands[0], after[-1].hands[0]
    assert again.track_id != first.track_id
    np.testing.assert_allclose(again.mano.betas, first.mano.betas, atol=1e-3)
    chain.reset()
    fresh, _ = play(chain, script, skeletons, ("right",), range(63, 66))
    assert np.abs(fresh[-1].hands[0].mano.betas - first.mano.betas).max() > 5e-3
