"""Features and classes of grasp: on known poses, under noise, and on the real video."""

from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from posed_hands import BEND, SPREAD, bent_joints, gesture_joints
from scipy.spatial.transform import Rotation

from hand_recon_ros.retarget.features import (
    GRASPS,
    GraspClassifier,
    GraspThresholds,
    hand_features,
)
from hand_recon_ros.skeleton import FINGERS, SIDES

VIDEO = Path("../shared/data/video/right_hand_fingers_720p30_joints.npz")
vectors = arrays(np.float64, 3, elements=st.floats(-3, 3))

OPEN = ("flat", "spread", "relaxed", "victory", "three", "four", "shaka", "table", "claw")
POWER = ("fist", "thumb_in_fist", "thumbs_up", "thumb_beside_fist", "grasp_small", "hook")
PINCH = ("pinch", "ok", "pinch_middle", "o_shape")
POINT = ("point", "gun")
CLASSES = [
    *((name, "open") for name in OPEN),
    *((name, "power") for name in POWER),
    *((name, "pinch") for name in PINCH),
    *((name, "point") for name in POINT),
]
STRAIGHT, FIST = np.zeros(5), np.ones(5)
FAR = np.full(4, 0.1)


def mm(*distances):
    return 1e-3 * np.array(distances, dtype=float)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("name", "grasp"), CLASSES)
def test_gestures_have_their_class(side, name, grasp):
    assert hand_features(gesture_joints(name, side), side).grasp == grasp


@pytest.mark.parametrize("size", [0.85, 1.15])
def test_classes_that_rest_on_bends_fit_small_and_large_hands(size):
    for name, grasp in CLASSES:
        if grasp in ("power", "point"):
            assert hand_features(size * gesture_joints(name), "right").grasp == grasp


@pytest.mark.parametrize(
    ("distances", "flexion", "grasp"),
    [
        ((19, 19, 60, 80), STRAIGHT, "precision"),
        ((19, 21, 60, 80), STRAIGHT, "pinch"),
        ((21, 60, 19, 80), STRAIGHT, "pinch"),
        ((39, 60, 60, 80), 0.4 * FIST, "power"),
        ((41, 60, 60, 80), 0.4 * FIST, "open"),
        ((39, 60, 60, 80), STRAIGHT, "open"),
        ((19, 19, 19, 19), FIST, "power"),
        ((41, 60, 60, 80), np.array((0, 0.1, 0.7, 0.7, 0.7)), "point"),
        ((41, 60, 60, 80), np.array((0, 0.5, 0.7, 0.7, 0.7)), "open"),
        ((41, 60, 60, 80), np.array((0, 0.1, 0.7, 0.7, 0.1)), "open"),
    ],
)
def test_thresholds_are_those_of_003(distances, flexion, grasp):
    assert GraspClassifier().classify(flexion, mm(*distances)) == grasp


def test_thresholds_can_be_set():
    wide = GraspClassifier(GraspThresholds(pinch_m=0.03))
    assert wide.classify(STRAIGHT, mm(29, 50, 50, 50)) == "pinch"
    with pytest.raises(ValueError, match="threshold power_m is -1"):
        GraspThresholds(power_m=-1)
    with pytest.raises(ValueError, match="threshold curled is nan"):
        GraspThresholds(curled=np.nan)


@pytest.mark.parametrize(
    ("edge", "sway"),
    [
        (lambda x: (STRAIGHT, mm(20 + x, 60, 80, 90)), 2.0),
        (lambda x: (STRAIGHT, mm(10, 20 + x, 80, 90)), 2.0),
        (lambda x: (0.4 * FIST, mm(40 + x, 60, 80, 90)), 4.0),
        (lambda x: (0.6 + x * FIST, FAR), 0.035),
        (lambda x: (np.array((0, 0.1, 0.9, 0.9, 0.6 + x)), FAR), 0.035),
        (lambda x: (np.array((0, 0.35 + x, 0.9, 0.9, 0.9)), FAR), 0.035),
    ],
    ids=["pinch", "precision", "power by distance", "power by bend", "point", "point by index"],
)
def test_a_hand_on_a_threshold_does_not_chatter(edge, sway):
    rng = np.random.default_rng(1)
    classifier = GraspClassifier()
    noisy = [edge(x) for x in np.clip(rng.normal(0, sway / 2, 2000), -sway, sway)]
    remembered = [classifier.classify(*frame) for frame in noisy]
    alone = [GraspClassifier().classify(*frame) for frame in noisy]
    assert len(list(groupby(alone))) > 500  # it would
    assert len(list(groupby(remembered))) <= 2


def test_a_class_is_left_beyond_its_margin_and_not_before():
    classifier = GraspClassifier()
    said = [classifier.classify(STRAIGHT, mm(d, 60, 70, 80)) for d in (30, 22, 19, 24, 26, 24, 19)]
    assert said == ["open", "open", "pinch", "pinch", "open", "open", "pinch"]
    classifier.reset()
    assert classifier.classify(STRAIGHT, mm(24, 60, 70, 80)) == "open"


def test_a_frame_that_tells_nothing_does_not_forget():
    classifier = GraspClassifier()
    assert classifier.classify(STRAIGHT, mm(19, 60, 70, 80)) == "pinch"
    assert classifier.classify(STRAIGHT, mm(np.nan, 60, 70, 80)) is None
    assert classifier.classify(STRAIGHT * np.nan, mm(19, 60, 70, 80)) is None
    assert classifier.classify(STRAIGHT, mm(24, 60, 70, 80)) == "pinch"


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float64, 5, elements=st.floats(0, 1)),
    arrays(np.float64, 4, elements=st.floats(0, 0.2)),
    st.sampled_from(GRASPS),
)
def test_a_class_given_twice_is_the_same(flexion, pinch_m, before):
    classifier = GraspClassifier()
    classifier._last = before
    first = classifier.classify(flexion, pinch_m)
    assert first in GRASPS
    assert [classifier.classify(flexion, pinch_m) for _ in range(3)] == [first] * 3


def test_flexion_sums_the_joints_of_a_digit():
    joints = bent_joints(angles=[(2, 0, BEND, 50), (2, 1, BEND, 60), (2, 2, BEND, 15)])
    features = hand_features(joints, "right")
    np.testing.assert_allclose(np.degrees(features.flexion_rad), [0, 0, 125, 0, 0], atol=0.3)
    np.testing.assert_allclose(features.flexion, [0, 0, 0.5, 0, 0], atol=0.003)
    assert features.openness == pytest.approx(1 - 0.125, abs=0.002)


def test_openness_runs_from_fist_to_flat_hand():
    names = ("fist", "grasp_small", "grasp", "relaxed", "flat")
    openness = [hand_features(gesture_joints(name), "right").openness for name in names]
    assert openness == sorted(openness)
    assert openness[0] == pytest.approx(0, abs=0.02)
    assert openness[-1] == pytest.approx(1, abs=0.01)


def test_spread_is_that_of_straight_fingers():
    fan = [(1, 0, SPREAD, 12), (4, 0, SPREAD, -16)]
    bent = [*fan, (1, 0, BEND, 60), (4, 0, BEND, 60)]
    fist = [*fan, (1, 0, BEND, 90), (4, 0, BEND, 90)]
    degrees = [
        np.degrees(hand_features(bent_joints(angles=a), "right").spread_rad)
        for a in ([], fan, bent, fist)
    ]
    np.testing.assert_allclose(degrees, [0, 28, 14, 0], atol=0.3)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([name for name, _ in CLASSES]), st.sampled_from(SIDES), vectors, vectors)
def test_where_the_hand_is_matters_to_its_palm_only(name, side, orient, place):
    joints = gesture_joints(name, side)
    R = Rotation.from_rotvec(orient).as_matrix()
    here, there = hand_features(joints, side), hand_features(joints @ R.T + place, side)
    np.testing.assert_allclose(there.palm_centre_m, R @ here.palm_centre_m + place, atol=1e-9)
    np.testing.assert_allclose(there.palm_normal, R @ here.palm_normal, atol=1e-9)
    np.testing.assert_allclose(there.pinch_m, here.pinch_m, atol=1e-9)
    np.testing.assert_allclose(there.flexion, here.flexion, atol=1e-6)
    assert there.grasp == here.grasp


@pytest.mark.parametrize("side", SIDES)
def test_the_palms_normal_leads_where_the_fingers_bend_to(side):
    flat, bent = gesture_joints("flat", side), gesture_joints("table", side)
    normal = hand_features(flat, side).palm_normal
    assert np.linalg.norm(normal) == pytest.approx(1)
    assert ((bent - flat)[[8, 12, 16, 20]] @ normal > 0.05).all()


def test_degenerate_hands_tell_nothing():
    for joints in (np.zeros((21, 3)), np.full((21, 3), np.nan)):
        features = hand_features(joints, "left")
        assert features.grasp is None
        assert np.isnan([features.openness, features.spread_rad, *features.flexion]).all()
        assert np.isnan(features.palm_normal).all()


def test_a_lost_finger_leaves_the_others():
    joints = gesture_joints("relaxed")
    joints[20] = np.nan
    features = hand_features(joints, "right")
    assert np.isnan(features.flexion).tolist() == [False] * 4 + [True]
    assert np.isnan(features.pinch_m).tolist() == [False] * 3 + [True]
    assert features.grasp is None
    assert np.isfinite(features.palm_normal).all()


@pytest.fixture(scope="module")
def film():
    if not VIDEO.exists():
        pytest.skip(f"needs {VIDEO}")
    classifier = GraspClassifier()
    joints = np.load(VIDEO)["joints_m"].astype(float)
    return [hand_features(frame, "right", classifier) for frame in joints]


def test_the_video_bends_each_finger_once_in_turn(film):
    # thumb to little finger by frame 240, one after the other, then a fist
    bend = np.degrees([features.flexion_rad for features in film[:240]])
    # a finger at rest follows its neighbours; one that is bent on purpose leaves its own middle
    away = bend - np.median(bend, axis=0)
    bent = away > 0.55 * away.max(axis=0)
    starts = [np.flatnonzero(np.diff(column.astype(int)) == 1) for column in bent.T]
    assert [len(found) for found in starts] == [1] * 5
    assert list(np.concatenate(starts)) == sorted(np.concatenate(starts))
    # and while it does, it is the one that bends farthest from its rest
    leaders = [FINGERS[int(np.argmax(row))] for row in away if row.max() > 75]
    assert [name for name, _ in groupby(leaders)] == list(FINGERS)


def test_the_video_ends_each_part_in_a_fist(film):
    runs = [(grasp, len(list(run))) for grasp, run in groupby(f.grasp for f in film)]
    fists = [length for grasp, length in runs if grasp == "power"]
    assert len(fists) == 2
    assert min(fists) >= 10
    assert len(runs) <= 12
    assert {features.grasp for features in film[:240]} == {"open"}
    # the thumb's tip meets the little finger's from frame 455 to 475
    assert [features.grasp for features in film[458:472]] == ["pinch"] * 14
