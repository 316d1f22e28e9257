"""Attention collaboration regressor: 3D of both hands together."""
