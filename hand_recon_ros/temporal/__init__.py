"""Filters over time: tracks, the Kalman filter of a hand, smoothing of its joints."""

from __future__ import annotations

from hand_recon_ros.config import FilterConfig
from hand_recon_ros.temporal.hand_state import PoseFilter
from hand_recon_ros.temporal.joints import JointKalman
from hand_recon_ros.temporal.kalman import HandKalman
from hand_recon_ros.temporal.one_euro import OneEuro
from hand_recon_ros.temporal.smoothing import SavitzkyGolay, Smoother, Unsmoothed
from hand_recon_ros.temporal.unfiltered import Unfiltered


def make_filter(config: FilterConfig) -> PoseFilter:
    """Return the filter of one hand that ``config.kalman`` asks for."""
    return HandKalman(config) if config.kalman else Unfiltered()


def make_smoother(config: FilterConfig) -> Smoother:
    """Return the joint smoother of one hand that ``config.smoothing`` asks for.

    Raises:
        ValueError: the Savitzky-Golay window is even or not above the order.
    """
    if config.smoothing == "savgol":
        return SavitzkyGolay(config.savgol_window, config.savgol_order)
    if config.smoothing == "one_euro":
        return OneEuro(config.one_euro_min_cutoff, config.one_euro_beta)
    if config.smoothing == "kalman":
        return JointKalman(config)
    return Unsmoothed()
