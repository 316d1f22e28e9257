"""Identity, side and life of tracks, on made-up key points."""

from dataclasses import dataclass

import numpy as np
import pytest

from hand_recon_ros.camera import Camera
from hand_recon_ros.config import DetectorConfig, FilterConfig
from hand_recon_ros.skeleton import other_side
from hand_recon_ros.temporal.hand_state import StampError
from hand_recon_ros.temporal.tracks import Tracker
from hand_recon_ros.types import Keypoints

FPS = 30.0
CAMERA = Camera.from_fov(1280, 720)
_FINGERS = [(-70, 10), (-35, -40), (0, -50), (32, -42), (60, -25)]
LAYOUT = np.array([(0, 80)] + [(x, y - 28 * k) for x, y in _FINGERS for k in range(4)], float)
"""An open right hand seen from its palm, about 210 px long, centred."""


def hand(side, centre, seed=0, score=0.95, side_score=0.98):
    noise = np.random.default_rng(seed).normal(0, 1.5, (21, 2))
    points = LAYOUT * ((-1, 1) if side == "left" else (1, 1)) + noise + centre
    low, high = points.min(axis=0), points.max(axis=0)
    box = np.concatenate([low, high - low])
    return Keypoints(side, score, points, np.ones(21), box, side_score)


def called(keypoints, side):
    """The same key points under another side's name, as front ends do for a moment."""
    return Keypoints(
        side,
        keypoints.score,
        keypoints.points_px,
        keypoints.confidence,
        keypoints.box_px,
        keypoints.side_score,
    )


def tracker(max_hands=2, **filter_options):
    return Tracker(DetectorConfig(max_hands=max_hands), FilterConfig(**filter_options))


@dataclass(frozen=True)
class Seen:
    """A match as it was in its frame (tracks change later)."""

    id: int
    side: str
    state: str
    seen: bool


def play(tracker, frames, start=10.0):
    """Feed lists of key points at 30 fps; return what each frame said."""
    return [
        [
            Seen(m.track.id, m.track.side, m.track.state, m.keypoints is not None)
            for m in tracker.associate(keypoints, start + i / FPS, CAMERA)
        ]
        for i, keypoints in enumerate(frames)
    ]


def by_hand(matches, keypoints):
    """The track that took these very key points."""
    return next(m.track for m in matches if m.keypoints is keypoints)


def test_frames_that_come_in_a_bunch_do_not_lose_the_hand():
    """Stamps of receipt: two images that waited together come half a millisecond apart."""
    t, ids, stamp = tracker(min_hits=1), set(), 10.0
    for i in range(30):
        stamp += 5e-4 if i % 2 else 2 / FPS
        matches = t.associate([hand("right", (400 + 4 * i, 300), i)], stamp, CAMERA)
        ids |= {m.track.id for m in matches}
    assert ids == {1}


def test_hand_is_confirmed_after_min_hits_and_keeps_its_id():
    frames = [[hand("right", (400 + 4 * i, 300), i)] for i in range(20)]
    t = tracker(min_hits=3)
    states = [[(m.id, m.side, m.state) for m in ms] for ms in play(t, frames)]
    assert states[:2] == [[(1, "right", "tentative")]] * 2
    assert states[2:] == [[(1, "right", "tracked")]] * 18
    assert t.tracks[0].confirmed
    assert (t.tracks[0].age, t.tracks[0].hits, t.tracks[0].misses) == (20, 20, 0)


def test_one_frame_ghost_is_never_confirmed():
    frames = [[hand("right", (300, 300), i)] for i in range(10)]
    frames[5].append(hand("left", (900, 400), 99))
    played = play(tracker(), frames)
    confirmed = {m.id for ms in played for m in ms if m.state != "tentative"}
    assert confirmed == {1}
    assert len(played[6]) == 1


def test_static_frames_count_at_once():
    t = Tracker(DetectorConfig(), FilterConfig(min_hits=3), static=True)
    assert t.associate([hand("left", (300, 300))], 0.0, CAMERA)[0].track.confirmed


@pytest.mark.parametrize("drop", [0, 2, 3])
@pytest.mark.parametrize("flip", [False, True])
def test_crossing_hands_do_not_swap(drop, flip):
    """Hands pass each other; at the crossing one is hidden and both sides may be misread."""
    t = tracker()
    ids = {}
    for i in range(60):
        x = 300 + 10.0 * i
        right, left = hand("right", (x, 360), i), hand("left", (1190 - x, 380), 500 + i)
        if flip and i in (15, 29, 40):
            right, left = called(right, "left"), called(left, "right")
        meet = abs(x - (1190 - x)) < 20 * drop
        matches = t.associate([left] if meet else [left, right], i / FPS, CAMERA)
        for name, keypoints in (("left", left), ("right", right)):
            if any(m.keypoints is keypoints for m in matches):
                track = by_hand(matches, keypoints)
                ids.setdefault(name, set()).add((track.id, track.side))
    assert {name: len(seen) for name, seen in ids.items()} == {"left": 1, "right": 1}
    assert next(iter(ids["left"]))[1] == "left"


def test_momentary_flip_of_the_side_changes_nothing():
    frames = [[hand("left", (600, 300), i)] for i in range(40)]
    for i in (10, 11, 12, 20, 25):
        frames[i] = [called(frames[i][0], "right")]
    tracks = [(m.id, m.side) for ms in play(tracker(), frames) for m in ms]
    assert set(tracks) == {(1, "left")}


def test_wrong_side_at_birth_is_corrected_and_the_pipelines_objects_dropped():
    frames = [[hand("left", (600, 300), i)] for i in range(12)]
    frames[0] = [called(frames[0][0], "right")]
    t = tracker()
    t.associate(frames[0], 0.0, CAMERA)
    t.tracks[0].filter = t.tracks[0].smoother = t.tracks[0].shape = t.tracks[0].last = object()
    sides = [t.associate(k, (i + 1) / FPS, CAMERA)[0].track.side for i, k in enumerate(frames[1:])]
    assert sides[3:] == ["left"] * 8
    track = t.tracks[0]
    assert track.id == 1
    assert [track.filter, track.smoother, track.shape, track.last] == [None] * 4


def test_lasting_contradiction_is_believed_in_the_end():
    frames = [[hand("left", (600, 300), i)] for i in range(60)]
    frames[:20] = [[called(k[0], "right")] for k in frames[:20]]
    played = play(tracker(), frames)
    assert {ms[0].id for ms in played} == {1}
    assert [ms[0].side for ms in played[20:25]] == ["right"] * 5
    assert played[-1][0].side == "left"


@pytest.mark.parametrize("order", [1, -1])
def test_two_detections_on_one_hand_are_one_track(order):
    """The front end calls one hand left and right at a time, the wrong one with more certainty."""
    t = tracker()
    for i in range(30):
        right = hand("right", (500, 300), i, score=0.7)
        ghost = called(hand("right", (503, 302), 100 + i, score=0.99), "left")
        frame = [right] if i < 5 else [right, ghost][::order]
        matches = t.associate(frame, i / FPS, CAMERA)
        assert [(m.track.id, m.track.side) for m in matches] == [(1, "right")]
        assert matches[0].keypoints is right


def test_overlapping_ghost_of_the_same_side_is_suppressed():
    frames = [[hand("right", (500, 300), i), hand("right", (580, 340), 50 + i)] for i in range(9)]
    assert all(len(ms) == 1 for ms in play(tracker(), frames))


def test_clasped_hands_of_two_sides_are_two_tracks():
    frames = [[hand("right", (500, 300), i), hand("left", (540, 310), 50 + i)] for i in range(9)]
    last = play(tracker(), frames)[-1]
    assert sorted(m.side for m in last) == ["left", "right"]


def test_two_peoples_right_hands_are_two_tracks():
    frames = [[hand("right", (300, 300), i), hand("right", (900, 300), 50 + i)] for i in range(9)]
    last = play(tracker(), frames)[-1]
    assert [m.side for m in last] == ["right", "right"]
    assert all(m.state == "tracked" for m in last)


def test_short_loss_is_predicted_and_keeps_the_id():
    frames = [[hand("right", (300 + 12 * i, 300), i)] for i in range(30)]
    for i in range(15, 20):
        frames[i] = []
    played = [ms[0] for ms in play(tracker(max_predict_s=0.25), frames)]
    assert {m.id for m in played} == {1}
    states = ["tentative"] + ["tracked"] * 14 + ["predicted"] * 5 + ["tracked"] * 10
    assert [m.state for m in played] == states
    assert [m.seen for m in played] == [state != "predicted" for state in states]


def test_long_loss_ends_the_track_and_a_new_one_gets_a_new_id():
    frames = [[hand("right", (600, 300), i)] for i in range(10)]
    frames += [[]] * 12 + [[hand("right", (600, 300), 70 + i)] for i in range(5)]
    played = play(tracker(max_predict_s=0.25), frames)
    alive = [len(ms) for ms in played]
    assert alive[10:17] == [1] * 7  # 7 / 30 s < 0.25 s
    assert alive[17:22] == [0] * 5
    assert {ms[0].id for ms in played[22:]} == {2}


def test_hand_that_leaves_the_image_is_gone_at_once():
    frames = [[hand("right", (1000 + 25 * i, 300), i)] for i in range(11)] + [[]] * 3
    played = play(tracker(max_predict_s=1.0), frames)
    assert len(played[10]) == 1
    assert played[-1] == []


def test_hands_enter_and_leave_independently():
    t = tracker()
    frames = []
    for i in range(60):
        frame = [hand("left", (300, 300), i)] if i < 40 else []
        if i >= 20:
            frame.append(hand("right", (900, 300), 500 + i))
        frames.append(frame)
    played = play(t, frames)
    ids = [{m.side: m.id for m in ms if m.state == "tracked"} for ms in played]
    assert ids[10] == {"left": 1}
    assert ids[30] == {"left": 1, "right": 2}
    assert ids[-1] == {"right": 2}


def test_hand_that_jumps_replaces_its_lost_track_at_the_limit():
    frames = [[hand("left", (200, 300), i), hand("right", (600, 300), 50 + i)] for i in range(9)]
    frames += [[hand("left", (200, 300), i), hand("right", (1100, 500), i)] for i in range(9)]
    played = play(tracker(max_predict_s=5.0), frames)
    last = played[-1]
    assert sorted(m.side for m in last if m.seen) == ["left", "right"]
    assert last[0].id == 1


def test_no_more_than_max_hands():
    frames = [
        [hand("left", (200, 300), i), hand("right", (600, 300), i), hand("left", (1000, 300), i)]
        for i in range(5)
    ]
    assert all(len(ms) == 2 for ms in play(tracker(2), frames))
    assert all(len(ms) == 3 for ms in play(tracker(4), frames))


@pytest.mark.parametrize("jump", [-5.0, 3.0])
def test_jump_in_time_starts_afresh(jump):
    t = tracker()
    play(t, [[hand("right", (600, 300), i)] for i in range(10)])
    matches = t.associate([hand("right", (600, 300))], 10.3 + jump, CAMERA)
    assert [(m.track.id, m.track.state) for m in matches] == [(2, "tentative")]


def test_late_or_broken_stamps_are_refused_and_change_nothing():
    t = tracker()
    play(t, [[hand("right", (600, 300), i)] for i in range(10)])
    for stamp in (10.3, 10.1, float("nan"), float("inf")):
        if stamp == 10.3:
            stamp = 10 + 9 / FPS
        with pytest.raises(StampError):
            t.associate([hand("right", (600, 300))], stamp, CAMERA)
    assert t.associate([hand("right", (600, 300))], 10.4, CAMERA)[0].track.hits == 11


def test_another_image_size_starts_afresh():
    t = tracker()
    play(t, [[hand("right", (600, 300), i)] for i in range(10)])
    small = Camera.from_fov(640, 360)
    assert t.associate([hand("right", (300, 150))], 10.4, small)[0].track.id == 2


def test_nan_key_points_are_not_a_hand():
    broken = hand("right", (600, 300))
    broken.points_px[3] = np.nan
    assert tracker().associate([broken], 0.0, CAMERA) == []


def test_thousand_random_frames_never_put_two_tracks_on_one_hand():
    rng = np.random.default_rng(3)
    t = tracker(4)
    for i in range(1000):
        frame = []
        for side, phase in (("right", 0.0), ("left", 2.0)):
            where = (640 + 300 * np.sin(i / 20 + phase), 360 + 100 * np.cos(i / 33 + phase))
            if rng.random() < 0.9:
                frame.append(hand(side, where, rng.integers(1 << 30)))
                if rng.random() < 0.2:
                    ghost = hand(side, where, rng.integers(1 << 30), score=rng.uniform(0.5, 1))
                    frame.append(called(ghost, other_side(side)))
                if rng.random() < 0.05:
                    frame[-1] = called(frame[-1], other_side(frame[-1].side))
        matches = t.associate(frame, i / FPS, CAMERA)
        assert len([m for m in matches if m.track.state == "tracked"]) <= 2
        assert len({id(m.keypoints) for m in matches if m.keypoints}) == len(
            [m for m in matches if m.keypoints]
        )
    assert t._next_id < 40
