"""Failures that a user is told of in one line."""


class ExpectedError(RuntimeError):
    """What was asked for cannot be done here; the message says why and what helps."""
