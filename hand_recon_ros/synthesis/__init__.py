"""Synthetic hands: pictures with exact labels, to train and to test on (002 section 3.4)."""
