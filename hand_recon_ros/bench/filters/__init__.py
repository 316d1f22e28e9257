"""Filters over time on motion that is known: error, lag and jitter of each, tuned and judged."""
