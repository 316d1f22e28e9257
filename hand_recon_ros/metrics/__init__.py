"""Measures of error: pure functions on arrays, each with its source and unit."""
