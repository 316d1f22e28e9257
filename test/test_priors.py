"""Anatomical angles: their meaning on the model, both hands alike, exact derivatives."""

import numpy as np
import pytest

from hand_recon_ros.bench.samples import constants, model, random_hand
from hand_recon_ros.mano import collision, priors
from hand_recon_ros.mano.kinematics import pose_joints
from hand_recon_ros.rotations import exp_so3


def random_angles(rng, count=50):
    low, high = priors.LOWER_LIMITS, priors.UPPER_LIMITS
    return low + (high - low) * rng.uniform(size=(count, 15, 3))


@pytest.mark.parametrize("side", ["right", "left"])
def test_axes_are_rotations_and_angles_come_back(side):
    axes = constants(side).anatomy.axes
    np.testing.assert_allclose(np.linalg.det(axes), 1.0, atol=1e-12)
    angles = random_angles(np.random.default_rng(0))
    rotations = priors.rotations_of(axes, angles)
    np.testing.assert_allclose(priors.angles_of(axes, rotations), angles, atol=1e-12)


def test_mirrored_pose_has_the_same_angles():
    angles = random_angles(np.random.default_rng(1))
    mirror = np.diag([-1.0, 1.0, 1.0])
    right = priors.rotations_of(constants("right").anatomy.axes, angles)
    left = mirror @ right @ mirror
    np.testing.assert_allclose(
        priors.angles_of(constants("left").anatomy.axes, left), angles, atol=1e-9
    )


def test_jacobian_is_the_derivative():
    axes = constants("right").anatomy.axes
    angles = random_angles(np.random.default_rng(2))
    R, h = priors.rotations_of(axes, angles), 1e-6
    numeric = np.stack(
        [
            (
                priors.angles_of(axes, R @ exp_so3(h * e))
                - priors.angles_of(axes, R @ exp_so3(-h * e))
            )
            / (2 * h)
            for e in np.eye(3)
        ],
        axis=-1,
    )
    np.testing.assert_allclose(priors.angle_jacobian(axes, angles), numeric, atol=1e-8)


def tips_after(side, joint, angle, degrees):
    """Movement (5, 3) of the tips in the rest frame of a right hand when one joint turns."""
    hand = constants(side)
    angles = np.zeros((1, 15, 3))
    flat = priors.rotations_of(hand.anatomy.axes, angles)
    angles[0, joint, angle] = np.deg2rad(degrees)
    origin, upright, betas = np.zeros((1, 3)), np.eye(3)[None], np.zeros((1, 10))
    before = pose_joints(hand.skeleton, origin, upright, flat, betas)
    turned = priors.rotations_of(hand.anatomy.axes, angles)
    after = pose_joints(hand.skeleton, origin, upright, turned, betas)
    mirror = (1.0 if side == "right" else -1.0, 1.0, 1.0)
    return (after.points - before.points)[0, 16:] * mirror


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("finger", range(4))
def test_fingers_bend_into_the_palm_and_spread_to_the_thumb(side, finger):
    for level in range(3):
        assert tips_after(side, 3 * finger + level, priors.BEND, 30)[finger, 1] < -0.005
    assert tips_after(side, 3 * finger, priors.SPREAD, 15)[finger, 2] > 0.01


@pytest.mark.parametrize("side", ["right", "left"])
def test_thumb_bends_across_the_palm_and_spreads_away_from_it(side):
    for joint in (12, 13, 14):
        across = tips_after(side, joint, priors.BEND, 30)[4]
        assert across[2] < -0.003  # towards the little finger
    assert tips_after(side, 12, priors.SPREAD, 30)[4, 1] < -0.01


def test_relaxed_pose_lies_within_the_limits():
    for side in ("right", "left"):
        mean = constants(side).anatomy.mean[0]
        slack = np.deg2rad(3)
        assert (mean > priors.LOWER_LIMITS - slack).all()
        assert (mean < priors.UPPER_LIMITS + slack).all()


def test_spheres_fill_the_fingers_and_leave_rest_poses_alone():
    hand = constants("right")
    radii = hand.spheres.radii[0]
    assert (radii[:30] > 0.002).all()
    assert (radii < 0.025).all()
    for pose in (np.zeros(45), model("right").hands_mean):
        turns = exp_so3(pose.reshape(1, 15, 3))
        posed = pose_joints(
            hand.skeleton, np.zeros((1, 3)), np.eye(3)[None], turns, np.zeros((1, 10))
        )
        assert collision.contacts_within(hand.spheres, collision.sphere_centres(posed)) is None


def test_crossed_fingers_touch():
    hand = constants("right")
    angles = np.zeros((1, 15, 3))
    angles[0, 0, priors.SPREAD], angles[0, 3, priors.SPREAD] = -0.3, 0.3
    posed = pose_joints(
        hand.skeleton,
        np.zeros((1, 3)),
        np.eye(3)[None],
        priors.rotations_of(hand.anatomy.axes, angles),
        np.zeros((1, 10)),
    )
    contacts = collision.contacts_within(hand.spheres, collision.sphere_centres(posed))
    assert contacts is not None
    assert contacts.depth.max() > 0.003
    assert {int(s) // 6 for s in np.concatenate((contacts.sphere_a, contacts.sphere_b))} == {0, 1}


def test_two_hands_in_one_place_touch_and_apart_do_not():
    rng = np.random.default_rng(4)
    hands = [random_hand(rng, side) for side in ("right", "left")]
    spheres = collision.SphereHand.stack([constants(h.side).spheres for h in hands])
    centres = np.concatenate(
        [
            collision.sphere_centres(
                pose_joints(
                    constants(h.side).skeleton, np.zeros((1, 3)), h.orientation[None],
                    h.pose[None], h.betas[None],
                )
            )
            for h in hands
        ]
    )  # fmt: skip
    centres -= centres[:, 30:].mean(axis=1, keepdims=True)  # palm in palm
    assert collision.contacts_between(spheres, centres).depth.max() > 0.01
    centres[1] += (0.4, 0, 0)
    assert collision.contacts_between(spheres, centres) is None


def test_angles_do_not_depend_on_where_they_lie():
    """The result sometimes comes to lie right behind the argument, where numpy alone differs."""
    rng = np.random.default_rng(0)
    turned = rng.uniform(-1, 1, (12, 15, 3, 3))
    results, others = set(), []
    for _ in range(4000):
        others.append(np.empty(rng.integers(1, 300)))
        del others[:-30]
        results.add(priors._angles(turned.copy()).tobytes())
    assert len(results) == 1
