"""Hands against truth: what is compared, the numbers that come out, and their report."""
