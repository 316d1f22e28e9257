"""Builds a hand's filter and smoother from the configuration."""

from __future__ import annotations

from hand_recon_ros.config import FilterConfig
from hand_recon_ros.temporal.hand_state import HandFilter
from hand_recon_ros.temporal.kalman import HandKalman
from hand_recon_ros.temporal.one_euro import OneEuro
from hand_recon_ros.temporal.smoothing import SavitzkyGolay, Smoother, Unsmoothed
from hand_recon_ros.temporal.unfiltered import Unfiltered


def build_filter(config: FilterConfig) -> HandFilter:
    """The filter of one hand's MANO parameters."""
    return HandKalman(config) if config.kalman else Unfiltered()


def build_smoother(config: FilterConfig) -> Smoother:
    """The smoother of one hand's joints."""
    if config.smoothing == "savgol":
        return SavitzkyGolay(config.savgol_window, config.savgol_order)
    if config.smoothing == "one_euro":
        return OneEuro(config.one_euro_min_cutoff, config.one_euro_beta)
    return Unsmoothed()
