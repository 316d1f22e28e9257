"""Tracks, the Kalman filter and the smoothing of joint trajectories."""
