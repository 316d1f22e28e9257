"""Joints of the embedded hand in poses of known anatomical angles."""

from functools import cache

import numpy as np

from hand_recon_ros.mano.embedded.anatomy import MANO_DIGITS, Anatomy
from hand_recon_ros.mano.embedded.poses import joint_axes
from hand_recon_ros.mano.joints import hand_joints
from hand_recon_ros.mano.kinematics import HandSkeleton
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.priors import Anatomy as ModelAnatomy
from hand_recon_ros.mano.priors import rotations_of
from hand_recon_ros.rotations import exp_so3, log_so3
from hand_recon_ros.skeleton import FINGERS
from hand_recon_ros.synthesis.gestures import gesture
from hand_recon_ros.types import ManoParameters

BEND, SPREAD, TWIST = 0, 1, 2
_ZERO = np.zeros(10)
_NO_TURN = np.zeros(3)


def bent_joints(side="right", angles=(), orient=_NO_TURN, betas=_ZERO):
    """(21, 3) m of a flat hand with some joints turned.

    ``angles``: (digit, joint 0..2, axis, degrees) of each turn; spread is towards the thumb.
    """
    degrees = np.zeros((15, 3))
    for digit, joint, axis, value in angles:
        degrees[3 * MANO_DIGITS.index(FINGERS[digit]) + joint, axis] = value
    # about the radial, dorsal and distal axes; flexion about the axis that stays with the palm
    axes = _embedded_axes()[:, :, [2, 1, 0]].swapaxes(1, 2)
    bend, spread, twist = exp_so3(np.radians(degrees)[..., None] * axes).swapaxes(0, 1)
    turns = log_so3(bend @ spread @ twist)
    if side == "left":
        turns = turns * (1, -1, -1)
    return _joints(side, turns, orient, betas)


def gesture_joints(name, side="right", orient=_NO_TURN, betas=_ZERO):
    """(21, 3) m of a named gesture."""
    turns = log_so3(rotations_of(_model(side)[1], gesture(name)))
    return _joints(side, turns, orient, betas)


def _joints(side, turns, orient, betas):
    place = np.array([0.02, -0.01, 0.5])
    parameters = ManoParameters(side, np.asarray(orient), turns.reshape(45), betas, place)
    return hand_joints(_model(side)[0], parameters)


@cache
def _embedded_axes():
    return joint_axes(Anatomy())


@cache
def _model(side):
    model = load_hand_model(side)
    return HandSkeleton.of(model), ModelAnatomy.of(model).axes[0]
